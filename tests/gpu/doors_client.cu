// Makes each runtime call of interest once, after telling the tracer its name (tracer.cpp). Built
// with a shared and with a static cudart.
#include <cuda_runtime.h>
#include <dlfcn.h>

#include <cstdio>

// A function of the per-thread flavour, for programs built with --default-stream per-thread.
extern "C" {
cudaError_t cudaMallocAsync_ptsz(void**, size_t, cudaStream_t);
cudaError_t cudaFreeAsync_ptsz(void*, cudaStream_t);
}

namespace {

__global__ void touch(int* word) {
  *word += 1;
}

using Mark = void (*)(const char*);
const Mark mark = reinterpret_cast<Mark>(dlsym(RTLD_DEFAULT, "gmlake_tracer_mark"));

template <typename Call>
void make(const char* name, Call call) {
  if (mark != nullptr) mark(name);
  const cudaError_t code = call();
  if (mark != nullptr) mark("between");
  std::printf("%s: %s\n", name, cudaGetErrorName(code));
}

constexpr size_t kBytes = size_t{4} << 20;

}  // namespace

int main() {
  void* at = nullptr;
  void* small = nullptr;
  cudaStream_t stream = nullptr;
  make("cudaFree(null), the first call", [] { return cudaFree(nullptr); });
  make("cudaMalloc", [&] { return cudaMalloc(&at, kBytes); });
  make("cudaMalloc, 512 bytes", [&] { return cudaMalloc(&small, 512); });
  make("cudaMemGetInfo", [] {
    size_t free = 0, total = 0;
    return cudaMemGetInfo(&free, &total);
  });
  make("kernel launch", [&] {
    touch<<<1, 1>>>(static_cast<int*>(at));
    return cudaGetLastError();
  });
  make("cudaMemcpy DtoD", [&] { return cudaMemcpy(small, at, 512, cudaMemcpyDeviceToDevice); });
  make("cudaMemset", [&] { return cudaMemset(at, 0, kBytes); });
  cudaPointerAttributes attributes{};
  make("cudaPointerGetAttributes", [&] { return cudaPointerGetAttributes(&attributes, at); });
  cudaIpcMemHandle_t ipc{};
  make("cudaIpcGetMemHandle", [&] { return cudaIpcGetMemHandle(&ipc, at); });
  make("cudaFree", [&] { return cudaFree(at); });
  make("cudaFree, 512 bytes", [&] { return cudaFree(small); });
  make("cudaStreamCreateWithFlags",
       [&] { return cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking); });
  make("cudaMallocAsync", [&] { return cudaMallocAsync(&at, kBytes, stream); });
  make("cudaFreeAsync", [&] { return cudaFreeAsync(at, stream); });
  make("cudaMallocAsync_ptsz", [&] { return cudaMallocAsync_ptsz(&at, kBytes, nullptr); });
  make("cudaFreeAsync_ptsz", [&] { return cudaFreeAsync_ptsz(at, nullptr); });
  make("cudaMallocAsync, cudaFree of it", [&] {
    cudaError_t code = cudaMallocAsync(&at, kBytes, stream);
    return code == cudaSuccess ? cudaFree(at) : code;
  });
  size_t pitch = 0;
  make("cudaMallocPitch", [&] { return cudaMallocPitch(&at, &pitch, 1000, 1000); });
  make("cudaFree of pitched", [&] { return cudaFree(at); });
  cudaPitchedPtr pitched{};
  make("cudaMalloc3D", [&] { return cudaMalloc3D(&pitched, make_cudaExtent(1000, 100, 10)); });
  make("cudaFree of 3D", [&] { return cudaFree(pitched.ptr); });
  cudaArray_t array = nullptr;
  const cudaChannelFormatDesc format = cudaCreateChannelDesc<float>();
  make("cudaMallocArray", [&] { return cudaMallocArray(&array, &format, 256, 256); });
  make("cudaFreeArray", [&] { return cudaFreeArray(array); });
  make("cudaMallocManaged", [&] { return cudaMallocManaged(&at, kBytes); });
  make("cudaFree of managed", [&] { return cudaFree(at); });
  make("cudaHostAlloc", [&] { return cudaHostAlloc(&at, kBytes, cudaHostAllocDefault); });
  make("cudaFreeHost", [&] { return cudaFreeHost(at); });
  cudaMemPool_t pool = nullptr;
  make("cudaDeviceGetDefaultMemPool", [&] { return cudaDeviceGetDefaultMemPool(&pool, 0); });
  make("cudaMallocFromPoolAsync",
       [&] { return cudaMallocFromPoolAsync(&at, kBytes, pool, stream); });
  make("cudaFreeAsync of pool", [&] { return cudaFreeAsync(at, stream); });
  make("cudaMemPoolTrimTo", [&] { return cudaMemPoolTrimTo(pool, 0); });
  cudaEvent_t event = nullptr;
  make("cudaEventCreate", [&] { return cudaEventCreateWithFlags(&event, cudaEventDisableTiming); });
  make("cudaEventRecord", [&] { return cudaEventRecord(event, stream); });
  make("cudaStreamWaitEvent", [&] { return cudaStreamWaitEvent(nullptr, event, 0); });
  make("cudaEventQuery", [&] { return cudaEventQuery(event); });
  make("cudaEventSynchronize", [&] { return cudaEventSynchronize(event); });
  make("cudaEventDestroy", [&] { return cudaEventDestroy(event); });
  cudaGraph_t graph = nullptr;
  make("cudaStreamBeginCapture",
       [&] { return cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal); });
  make("cudaMallocAsync, capturing", [&] { return cudaMallocAsync(&at, kBytes, stream); });
  make("cudaFreeAsync, capturing", [&] { return cudaFreeAsync(at, stream); });
  make("cudaStreamEndCapture", [&] { return cudaStreamEndCapture(stream, &graph); });
  make("cudaStreamSynchronize", [&] { return cudaStreamSynchronize(stream); });
  make("cudaDeviceSynchronize", [] { return cudaDeviceSynchronize(); });
  make("cudaStreamDestroy", [&] { return cudaStreamDestroy(stream); });
  make("cudaDeviceReset", [] { return cudaDeviceReset(); });
  return 0;
}
