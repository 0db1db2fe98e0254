// Memory that one blocking stream writes is freed in the legacy default stream, allocated there
// again and written by another blocking stream: natively the free stands between the two writes.
// With the argument `lost` the thread has no current context when it frees. Prints whether it was
// the same memory.
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include <cuda.h>
#include <cuda_runtime_api.h>

namespace {

constexpr std::size_t kBytes = std::size_t{4} << 20;
std::atomic<bool> opened{false};

void check(const char* what, int result) {
  if (result == 0) return;
  std::printf("%s: %d\n", what, result);
  std::exit(1);
}
#define CHECK(call) check(#call, call)

}  // namespace

int main(int argc, char**) {
  void *first = nullptr, *second = nullptr;
  cudaStream_t before = nullptr, after = nullptr;
  CHECK(cudaMallocAsync(&first, kBytes, nullptr));
  CHECK(cudaStreamCreate(&before));
  CHECK(cudaStreamCreate(&after));
  CHECK(cudaLaunchHostFunc(
      before,
      [](void*) {
        while (!opened) std::this_thread::yield();
      },
      nullptr));
  CHECK(cudaMemsetAsync(first, 1, kBytes, before));
  if (argc > 1) CHECK(cuCtxSetCurrent(nullptr));
  CHECK(cudaFreeAsync(first, nullptr));
  CHECK(cudaMallocAsync(&second, kBytes, nullptr));
  CHECK(cudaMemsetAsync(second, 2, kBytes, after));
  opened = true;
  CHECK(cudaDeviceSynchronize());
  unsigned char value = 0;
  CHECK(cudaMemcpy(&value, second, 1, cudaMemcpyDeviceToHost));
  std::printf("same memory %d, value %d\n", first == second, value);
  return 0;
}
