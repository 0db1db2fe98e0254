// Producers and a consumer on streams of their own: each block is allocated and filled by a
// producer, copied out and freed by the consumer, a few blocks behind. `ordered`: the program puts
// the next use of the memory in order itself, by events. `unordered`: the producer never waits for
// the consumer, so that it must be given other memory. Any other word is an option:
//
//   graph    the event is also recorded by a graph, elsewhere, after the consumer's recording
//   again    the event is recorded again elsewhere before the wait
//   captured the event is last recorded in a capture
//   query    the host finds the consumer's events over, by asking; no stream waits
//
// A call and its result are one line each if it fails.
#include <cuda_runtime_api.h>

#include <cstdio>
#include <cstring>
#include <vector>

namespace {

constexpr std::size_t kBytes = 4 << 20;
constexpr int kSteps = 200;
constexpr int kDepth = 3;  // blocks between producer and consumer
int failures = 0;

void check(const char* what, cudaError_t result) {
  if (result == cudaSuccess) return;
  std::printf("%s: %d\n", what, static_cast<int>(result));
  ++failures;
}
#define CHECK(call) check(#call, call)

struct Slot {
  cudaEvent_t filled = nullptr;
  cudaEvent_t drained = nullptr;
};

struct Pipeline {
  const char* mode = "";
  cudaStream_t producer = nullptr, consumer = nullptr, elsewhere = nullptr;
  std::vector<Slot> slots = std::vector<Slot>(kDepth);
  void* result = nullptr;

  bool is(const char* word) const { return std::strcmp(mode, word) == 0; }

  // What makes the consumer's event say something else than it said.
  void spoil(cudaEvent_t event) {
    if (is("again")) CHECK(cudaEventRecord(event, elsewhere));
    if (is("graph")) {
      cudaGraph_t graph = nullptr;
      cudaGraphNode_t node = nullptr;
      cudaGraphExec_t program = nullptr;
      CHECK(cudaGraphCreate(&graph, 0));
      CHECK(cudaGraphAddEventRecordNode(&node, graph, nullptr, 0, event));
      CHECK(cudaGraphInstantiate(&program, graph, 0));
      CHECK(cudaGraphLaunch(program, elsewhere));
      CHECK(cudaGraphExecDestroy(program));
      CHECK(cudaGraphDestroy(graph));
    }
    if (is("captured")) {
      cudaGraph_t graph = nullptr;
      CHECK(cudaStreamBeginCapture(elsewhere, cudaStreamCaptureModeRelaxed));
      CHECK(cudaEventRecord(event, elsewhere));
      CHECK(cudaStreamEndCapture(elsewhere, &graph));
      CHECK(cudaGraphDestroy(graph));
    }
  }

  void wait_for_consumer(cudaEvent_t event) {
    if (is("query")) {
      while (cudaEventQuery(event) == cudaErrorNotReady) {
      }
    } else if (is("unordered") || is("captured")) {
      return;
    } else {
      CHECK(cudaStreamWaitEvent(producer, event, 0));
    }
  }

  void step(int i) {
    auto& slot = slots[static_cast<std::size_t>(i % kDepth)];
    if (i >= kDepth) wait_for_consumer(slot.drained);
    void* block = nullptr;
    CHECK(cudaMallocAsync(&block, kBytes, producer));
    CHECK(cudaMemsetAsync(block, i & 0xff, kBytes, producer));
    CHECK(cudaEventRecord(slot.filled, producer));
    CHECK(cudaStreamWaitEvent(consumer, slot.filled, 0));
    CHECK(cudaMemcpyAsync(result, block, kBytes, cudaMemcpyDeviceToDevice, consumer));
    CHECK(cudaFreeAsync(block, consumer));
    CHECK(cudaEventRecord(slot.drained, consumer));
    spoil(slot.drained);
  }

  void run() {
    CHECK(cudaStreamCreateWithFlags(&producer, cudaStreamNonBlocking));
    CHECK(cudaStreamCreateWithFlags(&consumer, cudaStreamNonBlocking));
    CHECK(cudaStreamCreateWithFlags(&elsewhere, cudaStreamNonBlocking));
    CHECK(cudaMallocAsync(&result, kBytes, consumer));
    for (auto& slot : slots) {
      CHECK(cudaEventCreateWithFlags(&slot.filled, cudaEventDisableTiming));
      CHECK(cudaEventCreateWithFlags(&slot.drained, cudaEventDisableTiming));
    }
    for (int i = 0; i < kSteps; ++i) step(i);
    unsigned char last = 0;
    CHECK(cudaStreamSynchronize(consumer));
    CHECK(cudaMemcpy(&last, result, 1, cudaMemcpyDeviceToHost));
    std::printf("last %u\n", unsigned{last});
    CHECK(cudaFreeAsync(result, consumer));
    for (auto& slot : slots) {
      CHECK(cudaEventDestroy(slot.filled));
      CHECK(cudaEventDestroy(slot.drained));
    }
    for (auto* stream : {producer, consumer, elsewhere}) CHECK(cudaStreamDestroy(stream));
  }
};

}  // namespace

int main(int, char** arguments) {
  Pipeline pipeline;
  if (arguments[1]) pipeline.mode = arguments[1];
  pipeline.run();
  return failures;
}
