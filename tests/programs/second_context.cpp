// The default stream is another one in another context: what is freed on one is not reused on the
// other while work is pending. Prints whether it was before and after, and in the first context;
// and the same for memory of cudaMalloc that is freed while the other context is current.
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include <cuda.h>
#include <cuda_runtime_api.h>

// By its own name: which one cuCtxCreate is depends on the header.
extern "C" CUresult cuCtxCreate_v2(CUcontext* context, unsigned flags, CUdevice device);

namespace {

constexpr std::size_t kBytes = std::size_t{64} << 20;
std::atomic<bool> opened{false};

void check(const char* what, int result) {
  if (result == 0) return;
  std::printf("%s: %d\n", what, result);
  std::exit(1);
}
#define CHECK(call) check(#call, call)

void* get() {
  void* block = nullptr;
  CHECK(cudaMallocAsync(&block, kBytes, nullptr));
  CHECK(cudaMemsetAsync(block, 1, kBytes, nullptr));
  return block;
}

}  // namespace

int main() {
  void* first = get();
  CHECK(cudaFreeAsync(first, nullptr));
  std::printf("same stream %d\n", get() == first);
  CUcontext primary = nullptr, second = nullptr;
  CHECK(cuCtxGetCurrent(&primary));
  CHECK(cudaLaunchHostFunc(
      nullptr,
      [](void*) {
        while (!opened) std::this_thread::yield();
      },
      nullptr));
  CHECK(cudaMemsetAsync(first, 2, kBytes, nullptr));
  CHECK(cudaFreeAsync(first, nullptr));
  CHECK(cuCtxCreate_v2(&second, 0, 0));
  std::printf("other context %d\n", get() == first);
  CHECK(cuCtxSetCurrent(primary));
  std::printf("first context %d\n", get() == first);

  void* block = nullptr;
  void* again = nullptr;
  CHECK(cudaMalloc(&block, kBytes));
  CHECK(cudaMemsetAsync(block, 3, kBytes, nullptr));
  CHECK(cuCtxSetCurrent(second));
  CHECK(cudaFree(block));
  CHECK(cudaDeviceSynchronize());  // of this context's work
  CHECK(cudaMalloc(&again, kBytes));
  std::printf("freed there %d\n", again == block);
  CHECK(cudaFree(again));
  CHECK(cuCtxSetCurrent(primary));
  opened = true;
  CHECK(cudaDeviceSynchronize());
  CHECK(cuCtxDestroy(second));
  return 0;
}
