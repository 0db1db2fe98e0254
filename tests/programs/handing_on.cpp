// Threads that hand blocks on: each allocates on a stream of its own, and what it has is freed by
// the next one on another stream, so that addresses go round among all of them.
//
//   handing_on THREADS ROUNDS [PAUSE]
//
// Says "ready" when the first round is done. PAUSE: microseconds that each sleeps between rounds.
// ROUNDS of 0: until it is killed. Prints how many blocks there were.
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

#include <cuda_runtime_api.h>

namespace {

void check(const char* what, cudaError_t result) {
  if (result == cudaSuccess) return;
  std::printf("%s: %d\n", what, static_cast<int>(result));
  std::exit(1);
}
#define CHECK(call) check(#call, call)

struct Worker {
  cudaStream_t stream = nullptr;
  cudaEvent_t event = nullptr;
  std::atomic<void*> inbox{nullptr};
};

// Sizes that come again, so that blocks do.
std::size_t size_of(unsigned number) {
  return std::size_t{512} * (1 + number * 2654435761U % 97);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  const auto threads = static_cast<unsigned>(std::atoi(argv[1]));
  const auto rounds = static_cast<unsigned>(std::atoi(argv[2]));
  const auto pause = argc > 3 ? static_cast<useconds_t>(std::atoi(argv[3])) : 0;
  std::vector<Worker> workers(threads);
  for (auto& worker : workers) {
    CHECK(cudaStreamCreateWithFlags(&worker.stream, cudaStreamNonBlocking));
    CHECK(cudaEventCreateWithFlags(&worker.event, cudaEventDisableTiming));
  }
  std::atomic<unsigned long> blocks{0};
  const auto work = [&](unsigned me) {
    auto& own = workers[me];
    auto& next = workers[(me + 1) % threads];
    for (unsigned i = 0; rounds == 0 || i < rounds; ++i) {
      void* block = nullptr;
      CHECK(cudaMallocAsync(&block, size_of(i * threads + me), own.stream));
      ++blocks;
      if (i % 16 == 0) CHECK(cudaEventRecord(own.event, own.stream));
      if (i % 16 == 8) CHECK(cudaStreamWaitEvent(own.stream, next.event, 0));
      if (i % 64 == 63) CHECK(cudaStreamSynchronize(own.stream));
      // What lies there still goes back as well.
      if (void* old = next.inbox.exchange(block)) CHECK(cudaFreeAsync(old, next.stream));
      if (void* mine = own.inbox.exchange(nullptr)) CHECK(cudaFreeAsync(mine, own.stream));
      if (me == 0 && i == 0) {
        std::puts("ready");
        std::fflush(stdout);
      }
      if (pause != 0) ::usleep(pause);
    }
  };
  std::vector<std::thread> running;
  for (unsigned i = 0; i < threads; ++i) running.emplace_back(work, i);
  for (auto& thread : running) thread.join();
  for (auto& worker : workers)
    if (void* left = worker.inbox.exchange(nullptr)) CHECK(cudaFreeAsync(left, worker.stream));
  std::printf("%lu\n", blocks.load());
  return 0;
}
