// A block of one device is freed while another device is current, and while the first one still
// works on it. cudaFree waits for that natively; what comes after it may use the memory again.
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>

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

int main() {
  void *first = nullptr, *second = nullptr, *elsewhere = nullptr;
  cudaStream_t before = nullptr, after = nullptr;
  CHECK(cudaSetDevice(1));
  CHECK(cudaMalloc(&elsewhere, kBytes));
  CHECK(cudaSetDevice(0));
  CHECK(cudaStreamCreateWithFlags(&before, cudaStreamNonBlocking));
  CHECK(cudaStreamCreateWithFlags(&after, cudaStreamNonBlocking));
  CHECK(cudaMalloc(&first, kBytes));
  CHECK(cudaLaunchHostFunc(
      before,
      [](void*) {
        while (!opened) std::this_thread::yield();
      },
      nullptr));
  CHECK(cudaMemsetAsync(first, 1, kBytes, before));
  CHECK(cudaSetDevice(1));
  std::thread later([] {  // natively the free waits for it
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    opened = true;
  });
  CHECK(cudaFree(first));
  CHECK(cudaSetDevice(0));
  CHECK(cudaMalloc(&second, kBytes));
  CHECK(cudaMemsetAsync(second, 2, kBytes, after));
  CHECK(cudaDeviceSynchronize());
  later.join();
  unsigned char value = 0;
  CHECK(cudaMemcpy(&value, second, 1, cudaMemcpyDeviceToHost));
  std::printf("value %d\n", value);
  CHECK(cudaFree(second));
  CHECK(cudaFree(elsewhere));
  return 0;
}
