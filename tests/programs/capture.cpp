// A program that captures: allocation, fill and free on a stream that does nothing else before,
// while another stream goes on allocating; then the graph is launched twice. Says what every call
// returned and what came of it.
#include <cuda_runtime_api.h>

#include <cstdio>

namespace {

int failures = 0;

void say(const char* what, cudaError_t result) {
  std::printf("%s: %d\n", what, static_cast<int>(result));
  if (result != cudaSuccess) ++failures;
}

}  // namespace

int main() {
  constexpr std::size_t kBytes = 4 << 20;
  cudaStream_t captured = nullptr;
  cudaStream_t beside = nullptr;
  void* kept = nullptr;
  say("malloc", cudaMalloc(&kept, kBytes));
  say("stream", cudaStreamCreateWithFlags(&captured, cudaStreamNonBlocking));
  say("stream beside", cudaStreamCreateWithFlags(&beside, cudaStreamNonBlocking));
  say("begin", cudaStreamBeginCapture(captured, cudaStreamCaptureModeRelaxed));
  void* node = nullptr;
  say("malloc, captured", cudaMallocAsync(&node, kBytes, captured));
  say("fill, captured", cudaMemsetAsync(node, 7, kBytes, captured));
  say("copy, captured", cudaMemcpyAsync(kept, node, kBytes, cudaMemcpyDeviceToDevice, captured));
  void* other = nullptr;
  say("malloc beside", cudaMallocAsync(&other, kBytes, beside));
  say("free beside", cudaFreeAsync(other, beside));
  say("malloc beside, again", cudaMallocAsync(&other, 2 * kBytes, beside));
  say("free, captured", cudaFreeAsync(node, captured));
  cudaGraph_t graph = nullptr;
  say("end", cudaStreamEndCapture(captured, &graph));
  std::size_t nodes = 0;
  say("nodes", cudaGraphGetNodes(graph, nullptr, &nodes));
  std::printf("%zu nodes\n", nodes);
  cudaGraphExec_t program = nullptr;
  say("instantiate", cudaGraphInstantiate(&program, graph, 0));
  say("launch", cudaGraphLaunch(program, captured));
  say("launch again", cudaGraphLaunch(program, captured));
  say("synchronise", cudaStreamSynchronize(captured));
  unsigned char first = 0;
  say("read", cudaMemcpy(&first, kept, 1, cudaMemcpyDeviceToHost));
  std::printf("read %u\n", unsigned{first});
  say("free beside, again", cudaFreeAsync(other, beside));
  say("free", cudaFree(kept));
  say("destroy", cudaGraphExecDestroy(program));
  say("destroy graph", cudaGraphDestroy(graph));
  return failures;
}
