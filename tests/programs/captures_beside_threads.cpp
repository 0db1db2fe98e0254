// One thread captures again and again while eight others allocate, fill and free: with cudaMalloc
// and cudaFree, and with their stream-ordered forms on streams of every kind. Natively nothing that
// those do breaks a capture that is thread-local or relaxed.
//
//   captures_beside_threads COUNT [SEED]
//
// begins COUNT captures of each kind (mode and stream) and launches some of their graphs. Says how
// many were broken and how many calls of the other threads failed; either is a failure.
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <thread>
#include <vector>

#include <cuda_runtime_api.h>

namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;
constexpr std::size_t kFilled = 64 << 10;  // of each block
constexpr int kThreads = 8;

std::atomic<bool> stop{false};
std::atomic<long> failures{0};

bool good(const char* what, cudaError_t result) {
  if (result == cudaSuccess) return true;
  if (failures.fetch_add(1) < 10) std::printf("%s: %s\n", what, cudaGetErrorName(result));
  (void)cudaGetLastError();
  return false;
}
#define GOOD(call) good(#call, call)

cudaStream_t make(unsigned flags) {
  cudaStream_t stream = nullptr;
  GOOD(cudaStreamCreateWithFlags(&stream, flags));
  return stream;
}

// The legacy stream is left alone: it can not be used while a blocking stream is captured.
void allocate(unsigned seed, int number) {
  std::mt19937 random(seed + 1 + static_cast<unsigned>(number));
  const bool ordered = number % 2 == 1;
  const cudaStream_t stream = number == 7   ? cudaStreamPerThread
                              : number == 5 ? make(cudaStreamDefault)
                                            : make(cudaStreamNonBlocking);
  std::array<void*, 8> blocks{};
  const auto give_back = [&](void*& block) {
    if (block) GOOD(ordered ? cudaFreeAsync(block, stream) : cudaFree(block));
    block = nullptr;
  };
  while (!stop) {
    void*& block = blocks[random() % blocks.size()];
    give_back(block);
    const std::size_t most = random() % 4 == 0 ? 32 * kMiB : kMiB;
    const std::size_t bytes = kFilled + random() % most;
    if (GOOD(ordered ? cudaMallocAsync(&block, bytes, stream) : cudaMalloc(&block, bytes)))
      GOOD(cudaMemsetAsync(block, number, kFilled, stream));
    else
      block = nullptr;
    if (random() % 32 == 0) GOOD(cudaStreamSynchronize(stream));
  }
  for (void*& block : blocks) give_back(block);
  GOOD(cudaStreamSynchronize(stream));
  if (stream != cudaStreamPerThread) GOOD(cudaStreamDestroy(stream));
}

bool launch(cudaGraph_t graph, cudaStream_t stream) {
  cudaGraphExec_t program = nullptr;
  if (!GOOD(cudaGraphInstantiate(&program, graph, 0))) return false;
  const bool launched = GOOD(cudaGraphLaunch(program, stream));
  const bool over = GOOD(cudaStreamSynchronize(stream));
  return GOOD(cudaGraphExecDestroy(program)) && launched && over;
}

// How many of `count` captures were broken.
long capture(long count, cudaStreamCaptureMode mode, cudaStream_t stream, void* memory,
             std::mt19937& random) {
  long broken = 0;
  for (long i = 0; i < count; ++i) {
    cudaGraph_t graph = nullptr;
    bool whole = GOOD(cudaStreamBeginCapture(stream, mode));
    for (int k = static_cast<int>(random() % 8) + 1; whole && k != 0; --k)
      whole = GOOD(cudaMemsetAsync(memory, k, kFilled, stream));
    if (random() % 4 == 0) std::this_thread::yield();
    whole = GOOD(cudaStreamEndCapture(stream, &graph)) && whole;
    if (whole && random() % 16 == 0) whole = launch(graph, stream);
    if (graph) whole = GOOD(cudaGraphDestroy(graph)) && whole;
    if (!whole) ++broken;
    // Some begin at once, others at any place in what the threads do.
    if (random() % 2 == 0) std::this_thread::sleep_for(std::chrono::microseconds(random() % 60));
  }
  return broken;
}

}  // namespace

int main(int argc, char** argv) {
  const long count = argc > 1 ? std::atol(argv[1]) : 0;
  const unsigned seed =
      argc > 2 ? static_cast<unsigned>(std::atol(argv[2])) : std::random_device{}();
  std::printf("seed %u\n", seed);
  void* memory = nullptr;
  GOOD(cudaMalloc(&memory, kFilled));
  struct Kind {
    const char* name;
    cudaStream_t stream;
  };
  const Kind kinds[] = {{"non-blocking", make(cudaStreamNonBlocking)},
                        {"blocking", make(cudaStreamDefault)},
                        {"per-thread", cudaStreamPerThread}};
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) threads.emplace_back(allocate, seed, i);
  std::mt19937 random(seed);
  long broken = 0;
  for (const auto mode : {cudaStreamCaptureModeThreadLocal, cudaStreamCaptureModeRelaxed}) {
    for (const auto& kind : kinds) {
      const long bad = capture(count, mode, kind.stream, memory, random);
      std::printf("%s, %s: %ld of %ld broken\n",
                  mode == cudaStreamCaptureModeRelaxed ? "relaxed" : "thread-local", kind.name, bad,
                  count);
      broken += bad;
    }
  }
  stop = true;
  for (auto& thread : threads) thread.join();
  std::printf("broken %ld, failures %ld\n", broken, failures.load());
  return broken + failures.load() == 0 ? 0 : 1;
}
