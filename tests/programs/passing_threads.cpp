// Threads that come and go, each with a per-thread default stream of its own on which it allocates,
// writes and frees: their number is the first argument. Then more is asked for than there is.
//
// With `late` as the second argument each goes on when its thread-local objects are destroyed, and
// the process when its static ones are: on its default stream, and on many others.
#define CUDA_API_PER_THREAD_DEFAULT_STREAM
#include <array>
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

// Destroyed after what the first call of CUDA set up in the thread.
class Late {
 public:
  void begin() {
    for (auto& stream : streams_) CHECK(cudaStreamCreate(&stream));
    use();
    CHECK(cudaMallocAsync(&block_, kBytes, nullptr));
  }
  ~Late() {
    if (!block_) return;
    // At the end of the process CUDA may say that it is gone.
    (void)cudaStreamSynchronize(streams_[0]);
    (void)cudaStreamDestroy(streams_[0]);
    (void)cudaFreeAsync(block_, nullptr);
    for (std::size_t i = 0; i < kStreams; ++i)
      (void)cudaFreeAsync(blocks_[i], streams_[i == 0 ? 1 : i]);
  }

 private:
  static constexpr std::size_t kStreams = 40;
  void use() {
    for (std::size_t i = 0; i < kStreams; ++i) {
      CHECK(cudaMallocAsync(&blocks_[i], 4096, streams_[i]));
      CHECK(cudaMemsetAsync(blocks_[i], 1, 4096, streams_[i]));
    }
  }
  std::array<cudaStream_t, kStreams> streams_{};
  std::array<void*, kStreams> blocks_{};
  void* block_ = nullptr;
};
thread_local Late late_in_thread;
Late late_in_process;

}  // namespace

int main(int count, char** arguments) {
  const bool late = count > 2;
  if (late) late_in_process.begin();
  for (int left = std::atoi(arguments[1]); left > 0; --left)
    std::thread([late] {
      if (late) late_in_thread.begin();
      pass_by();
    }).join();
  void* none = nullptr;
  std::printf("too much %d\n", static_cast<int>(cudaMalloc(&none, std::size_t{1} << 40)));
  return 0;
}
