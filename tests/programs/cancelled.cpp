// Threads that are cancelled in the middle of using device memory, beside others that go on. What a
// call did is kept right behind it, so that a call that a cancellation cut short shows as a block
// that nobody frees.
//
//   cancelled miss|wait|exit|asked ROUNDS [SEED]
//
// miss: it allocates more and more. wait: it allocates more than there is beside work on the GPU.
// exit: it ends by pthread_exit, and the destructor of an object of its own frees its last block.
// asked: it is told to end before its calls, the first ones of the process among them, and does so
// behind them. Prints how many rounds there were, and whether each thread ended as it was told to.
#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <cuda_runtime_api.h>

namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;

void check(const char* what, int result) {
  if (result == 0) return;
  std::printf("%s: %d\n", what, result);
  std::exit(1);
}
#define CHECK(call) check(#call, call)

std::string mode;
std::atomic<bool> over{false};
std::vector<void*> kept;  // of the thread that is cancelled, and of main once it has ended

void compute() {
  std::atomic<int> count{0};
  while (count.fetch_add(1, std::memory_order_relaxed) < 2000) {
  }
}

void* allocate_until_cancelled(void*) {
  for (unsigned i = 0;; ++i) {
    if (kept.size() > 12 || (mode == "wait" && !kept.empty())) {
      void* const oldest = kept.front();
      kept.erase(kept.begin());
      CHECK(cudaFree(oldest));
    }
    kept.push_back(nullptr);
    CHECK(cudaMalloc(&kept.back(), (mode == "wait" ? 40 : 1 + i % 7) * kMiB));
    if (mode == "wait") {
      CHECK(cudaLaunchHostFunc(
          nullptr, [](void*) { ::usleep(500); }, nullptr));
      CHECK(cudaMemsetAsync(kept.back(), 1, kMiB, nullptr));
    }
    compute();
    pthread_testcancel();
  }
}

struct Last {
  void* block = nullptr;
  ~Last() {
    if (block) CHECK(cudaFree(block));
  }
};
void* end_by_itself(void*) {
  static thread_local Last last;
  CHECK(cudaMalloc(&last.block, kMiB));
  void* other = nullptr;
  CHECK(cudaMallocAsync(&other, kMiB, cudaStreamPerThread));
  CHECK(cudaFreeAsync(other, cudaStreamPerThread));
  pthread_exit(&over);
}

void* end_when_asked(void*) {
  CHECK(pthread_cancel(pthread_self()));
  kept.push_back(nullptr);
  CHECK(cudaMalloc(&kept.back(), (1 + kept.size() % 7) * kMiB));
  void* other = nullptr;
  CHECK(cudaMallocAsync(&other, 4096, cudaStreamPerThread));
  CHECK(cudaFreeAsync(other, cudaStreamPerThread));
  CHECK(cudaFree(kept.back()));
  kept.pop_back();
  pthread_testcancel();
  return nullptr;
}

void allocate_beside() {
  cudaStream_t stream = nullptr;
  CHECK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  while (!over) {
    void* block = nullptr;
    CHECK(cudaMallocAsync(&block, 4096, stream));
    CHECK(cudaFreeAsync(block, stream));
    std::this_thread::sleep_for(std::chrono::microseconds(20));
  }
  CHECK(cudaStreamDestroy(stream));
}

}  // namespace

int main(int argc, char** argv) {
  mode = argc > 1 ? argv[1] : "";
  const int rounds = argc > 2 ? std::atoi(argv[2]) : 1;
  std::mt19937_64 random(argc > 3 ? std::strtoull(argv[3], nullptr, 10) : 1);
  CHECK(cudaFree(nullptr));
  std::vector<std::thread> others;
  for (int i = 0; i < (mode == "asked" ? 0 : 2); ++i) others.emplace_back(allocate_beside);
  int as_told = 0;
  for (int i = 0; i < rounds; ++i) {
    const bool by_itself = mode == "exit";
    pthread_t thread{};
    const auto run = by_itself         ? end_by_itself
                     : mode == "asked" ? end_when_asked
                                       : allocate_until_cancelled;
    CHECK(pthread_create(&thread, nullptr, run, nullptr));
    if (run == allocate_until_cancelled) {
      std::this_thread::sleep_for(std::chrono::microseconds(random() % 4000));
      CHECK(pthread_cancel(thread));
    }
    void* result = nullptr;
    CHECK(pthread_join(thread, &result));
    as_told += result == (by_itself ? static_cast<void*>(&over) : PTHREAD_CANCELED) ? 1 : 0;
    for (void* block : kept) CHECK(cudaFree(block));
    kept.clear();
  }
  over = true;
  for (auto& other : others) other.join();
  CHECK(cudaDeviceSynchronize());
  std::printf("rounds %d, as told %d\n", rounds, as_told);
  return 0;
}
