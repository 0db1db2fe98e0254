// Threads one after another that allocate with cudaMalloc, work on the memory on their own default
// streams and free it with cudaFree: natively that waits for the work. No thread's own stream waits
// for another's. Checks what the last work wrote.
//
//   own_streams fill|copy|copy_on_device
//
// The work is that and nothing else; copy_on_device is cudaMemcpy as compiled with
// --default-stream per-thread, which does not wait for a copy on the device.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

#include <cuda_runtime_api.h>

extern "C" cudaError_t cudaMemcpy_ptds(void*, const void*, std::size_t, cudaMemcpyKind);

namespace {

constexpr std::size_t kBytes = std::size_t{4} << 20;
constexpr int kThreads = 8;

void check(const char* what, int result) {
  if (result == 0) return;
  std::printf("%s: %d\n", what, result);
  std::exit(1);
}
#define CHECK(call) check(#call, call)

}  // namespace

int main(int argc, char** argv) {
  const char* how = argc > 1 ? argv[1] : "";
  std::vector<std::vector<unsigned char>> contents;
  void* on_device = nullptr;
  CHECK(cudaMalloc(&on_device, kBytes * kThreads));
  for (int i = 0; i < kThreads; ++i) {
    contents.emplace_back(kBytes, i);
    CHECK(cudaMemcpy(static_cast<char*>(on_device) + kBytes * i, contents.back().data(), kBytes,
                     cudaMemcpyHostToDevice));
  }
  unsigned char last = 0;
  for (int i = 0; i < kThreads; ++i)
    std::thread([&] {
      void* block = nullptr;
      CHECK(cudaMalloc(&block, kBytes));
      if (std::strcmp(how, "fill") == 0)
        CHECK(cudaMemsetAsync(block, i, kBytes, cudaStreamPerThread));
      else if (std::strcmp(how, "copy") == 0)
        CHECK(cudaMemcpyAsync(block, contents[i].data(), kBytes, cudaMemcpyHostToDevice,
                              cudaStreamPerThread));
      else
        CHECK(cudaMemcpy_ptds(block, static_cast<char*>(on_device) + kBytes * i, kBytes,
                              cudaMemcpyDeviceToDevice));
      if (i + 1 == kThreads)
        CHECK(cudaMemcpy_ptds(&last, static_cast<char*>(block) + kBytes - 1, 1,
                              cudaMemcpyDeviceToHost));
      CHECK(cudaFree(block));
    }).join();
  std::printf("last %d\n", last);
  return 0;
}
