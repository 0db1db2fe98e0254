// Threads that come and go, each with a per-thread default stream of its own on which it allocates,
// writes and frees: their number is the first argument. Then more is asked for than there is.
#define CUDA_API_PER_THREAD_DEFAULT_STREAM
#include <cstdio>
#include <cstdlib>
#include <thread>

#include <cuda_runtime_api.h>

namespace {

constexpr std::size_t kBytes = std::size_t{4} << 20;

void check(const char* what, cudaError_t result) {
  if (result == cudaSuccess) return;
  std::printf("%s: %d\n", what, static_cast<int>(result));
  std::exit(1);
}
#define CHECK(call) check(#call, call)

void pass_by() {
  void* block = nullptr;
  CHECK(cudaMallocAsync(&block, kBytes, nullptr));
  CHECK(cudaMemsetAsync(block, 1, kBytes, nullptr));
  CHECK(cudaFreeAsync(block, nullptr));
  CHECK(cudaStreamSynchronize(nullptr));
}

}  // namespace

int main(int, char** arguments) {
  for (int left = std::atoi(arguments[1]); left > 0; --left) std::thread(pass_by).join();
  void* none = nullptr;
  std::printf("too much %d\n", static_cast<int>(cudaMalloc(&none, std::size_t{1} << 40)));
  return 0;
}
