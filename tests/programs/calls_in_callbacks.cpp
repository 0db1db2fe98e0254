// Calls inside host functions and callbacks of a stream, which CUDA refuses: memory that a pool has
// at hand is no exception. Says what each call returned, and what became of the block that it was
// about.
#include <cstdio>

#include <cuda_runtime_api.h>

namespace {

constexpr std::size_t kBytes = std::size_t{1} << 20;

void* kept = nullptr;
cudaStream_t stream = nullptr;

void say(const char* what, cudaError_t result) {
  std::printf("%s: %s\n", what, cudaGetErrorName(result));
}
#define SAY(call) say(#call, call)

void call_inside() {
  void* block = nullptr;
  std::size_t free = 0, total = 0;
  SAY(cudaMalloc(&block, kBytes));
  SAY(cudaMallocAsync(&block, kBytes, stream));
  SAY(cudaMallocAsync(&block, kBytes, nullptr));
  std::printf("block %s\n", block ? "there" : "none");
  SAY(cudaFree(kept));
  SAY(cudaFreeAsync(kept, stream));
  SAY(cudaMemGetInfo(&free, &total));
  SAY(cudaStreamSynchronize(stream));
  SAY(cudaDeviceSynchronize());
  SAY(cudaMalloc(nullptr, kBytes));
  SAY(cudaFree(nullptr));
  SAY(cudaGetLastError());
}
void function(void*) {
  call_inside();
}
void callback(cudaStream_t, cudaError_t result, void*) {
  say("status", result);
  call_inside();
}

}  // namespace

int main() {
  void* block = nullptr;
  SAY(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  // A pool has both sizes at hand, with and without a stream.
  SAY(cudaMalloc(&block, kBytes));
  SAY(cudaMalloc(&kept, kBytes));
  SAY(cudaFree(block));
  SAY(cudaMallocAsync(&block, kBytes, stream));
  SAY(cudaFreeAsync(block, stream));
  SAY(cudaDeviceSynchronize());
  SAY(cudaLaunchHostFunc(stream, function, nullptr));
  SAY(cudaStreamSynchronize(stream));
  SAY(cudaStreamAddCallback(stream, callback, nullptr, 0));
  SAY(cudaStreamSynchronize(stream));
  SAY(cudaGetLastError());
  SAY(cudaMemset(kept, 1, kBytes));
  SAY(cudaFree(kept));
  return 0;
}
