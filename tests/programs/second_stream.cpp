// A program that runs ahead of the GPU with cudaMalloc, work and cudaFree on the default stream,
// and then works elsewhere with what it has allocated last: natively each cudaFree has waited.
// Checks what that work wrote.
//
//   second_stream stream|thread|peer
//
// stream: on one that it makes, which the default stream does not wait for. thread: on the thread's
// own. peer: on another device, which is given access.
#include <cstdio>
#include <cstdlib>
#include <string>

#include <cuda_runtime_api.h>

namespace {

constexpr std::size_t kBytes = std::size_t{4} << 20;

void check(const char* what, int result) {
  if (result == 0) return;
  std::printf("%s: %d\n", what, result);
  std::exit(1);
}
#define CHECK(call) check(#call, call)

cudaStream_t elsewhere(const std::string& mode) {
  cudaStream_t stream = nullptr;
  if (mode == "stream") CHECK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  if (mode == "thread") {
    cudaEvent_t event = nullptr;
    stream = cudaStreamPerThread;
    CHECK(cudaEventCreate(&event));
    CHECK(cudaEventRecord(event, stream));
    CHECK(cudaEventDestroy(event));
  }
  if (mode == "peer") {
    CHECK(cudaSetDevice(1));
    CHECK(cudaDeviceEnablePeerAccess(0, 0));
    CHECK(cudaSetDevice(0));
  }
  return stream;
}

}  // namespace

int main(int argc, char** argv) {
  void* block = nullptr;
  for (int i = 0; i < 200; ++i) {
    if (block) CHECK(cudaFree(block));
    CHECK(cudaMalloc(&block, kBytes));
    if (i + 1 < 200) CHECK(cudaMemsetAsync(block, 1, kBytes, nullptr));
  }
  const auto stream = elsewhere(argc > 1 ? argv[1] : "");
  CHECK(cudaMemsetAsync(block, 2, kBytes, stream));
  CHECK(cudaStreamSynchronize(stream));
  unsigned char last = 0;
  CHECK(cudaMemcpy(&last, static_cast<char*>(block) + kBytes - 1, 1, cudaMemcpyDeviceToHost));
  std::printf("last %d\n", last);
  CHECK(cudaFree(block));
  return 0;
}
