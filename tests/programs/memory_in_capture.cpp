// A thread allocates, uses and frees again and again while others' captures are open: nothing is
// live in between, so however long they stay open there is memory, and no capture is broken.
//
//   memory_in_capture CAPTURE CALLS [ahead] [relaxed] [before] [own]
//
// CAPTURE  what is captured: non_blocking, blocking or per_thread (the kind of stream), two (at
//          once, on streams of their own, one of which ends half-way), abandoned (on the per-thread
//          stream of a thread that ends), handed_over (begun by a thread that ends, ended by this)
// CALLS    free (cudaMalloc and cudaFree) or async (the stream-ordered calls), with work on two
//          streams in turn
// ahead    the host does not wait for the work, but in cudaFree
// relaxed  the captures' mode; otherwise thread-local
// before   most of the memory was freed just before the capture began
// own      one of the two streams is the thread's own; otherwise both are created
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include <cuda_runtime_api.h>

namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;
constexpr int kRounds = 40;

int failures = 0;
bool good(const char* what, cudaError_t result) {
  if (result == cudaSuccess) return true;
  if (++failures < 10) std::printf("%s: %s\n", what, cudaGetErrorName(result));
  (void)cudaGetLastError();
  return false;
}
#define GOOD(call) good(#call, call)

cudaStream_t make(unsigned flags = cudaStreamNonBlocking) {
  cudaStream_t stream = nullptr;
  GOOD(cudaStreamCreateWithFlags(&stream, flags));
  return stream;
}

// A capture, by a thread of its own that keeps it open until it is told to end.
class Capture {
 public:
  enum class End { by_itself, never, elsewhere };
  Capture(cudaStream_t stream, cudaStreamCaptureMode mode, End end, void* memory)
      : stream_(stream), thread_([=, this] {
          GOOD(cudaStreamBeginCapture(stream, mode));
          GOOD(cudaMemsetAsync(memory, 1, kMiB, stream));
          open_ = true;
          if (end != End::by_itself) return;
          while (!told_) std::this_thread::yield();
          finish();
        }) {
    while (!open_) std::this_thread::yield();
    if (end != End::by_itself) thread_.join();
    if (end == End::never) finished_ = true;
  }
  ~Capture() { end(); }
  void end() {
    told_ = true;
    if (thread_.joinable()) thread_.join();
    if (!finished_) finish();
  }

 private:
  void finish() {
    finished_ = true;
    cudaGraph_t graph = nullptr;
    cudaGraphExec_t program = nullptr;
    if (!GOOD(cudaStreamEndCapture(stream_, &graph))) return;
    if (GOOD(cudaGraphInstantiate(&program, graph, 0))) {
      GOOD(cudaGraphLaunch(program, stream_));
      GOOD(cudaStreamSynchronize(stream_));
      GOOD(cudaGraphExecDestroy(program));
    }
    GOOD(cudaGraphDestroy(graph));
  }

  cudaStream_t stream_;
  std::atomic<bool> open_{false}, told_{false};
  bool finished_ = false;
  std::thread thread_;
};

// Allocates, uses and frees, on a stream or with the calls that have none.
void round(bool ordered, bool ahead, std::size_t bytes, cudaStream_t stream) {
  void* block = nullptr;
  if (!GOOD(ordered ? cudaMallocAsync(&block, bytes, stream) : cudaMalloc(&block, bytes))) return;
  GOOD(cudaMemsetAsync(block, 1, bytes, stream));
  if (!ordered && !ahead) GOOD(cudaStreamSynchronize(stream));
  GOOD(ordered ? cudaFreeAsync(block, stream) : cudaFree(block));
  if (ordered && !ahead) GOOD(cudaStreamSynchronize(stream));
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  const auto said = [&](const char* word) {
    for (const auto& one : words)
      if (one == word) return true;
    return false;
  };
  const auto& what = words.at(0);
  const bool ordered = words.at(1) == "async", ahead = said("ahead");
  const auto mode =
      said("relaxed") ? cudaStreamCaptureModeRelaxed : cudaStreamCaptureModeThreadLocal;
  void* memory = nullptr;
  GOOD(cudaMalloc(&memory, kMiB));
  const cudaStream_t streams[] = {make(), said("own") ? cudaStreamPerThread : make()};
  if (said("before")) round(ordered, ahead, 1200 * kMiB, streams[0]);
  {
    const bool own = what == "per_thread" || what == "abandoned";
    const auto end = what == "abandoned"     ? Capture::End::never
                     : what == "handed_over" ? Capture::End::elsewhere
                                             : Capture::End::by_itself;
    Capture first(own                  ? cudaStreamPerThread
                  : what == "blocking" ? make(cudaStreamDefault)
                                       : make(),
                  mode, end, memory);
    if (what == "two") {
      Capture second(make(), mode, end, memory);
      for (int i = 0; i < kRounds; ++i)
        round(ordered, ahead, (300 + 20 * static_cast<std::size_t>(i)) * kMiB, streams[i % 2]);
    }
    for (int i = 0; i < kRounds; ++i)
      round(ordered, ahead, (300 + 20 * static_cast<std::size_t>(i)) * kMiB, streams[i % 2]);
  }
  round(ordered, ahead, 1800 * kMiB, streams[0]);
  GOOD(cudaStreamSynchronize(streams[0]));
  if (what != "abandoned") {  // which simcuda takes for one that goes on
    GOOD(cudaDeviceSynchronize());
    GOOD(cudaMemset(memory, 1, kMiB));
  }
  GOOD(cudaFree(memory));
  std::printf("failures %d\n", failures);
  return failures == 0 ? 0 : 1;
}
