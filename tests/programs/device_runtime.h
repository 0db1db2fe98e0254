// device.h over the runtime API. Each function is one call of CUDA.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>

namespace device {

using Stream = cudaStream_t;
using Event = cudaEvent_t;

inline int open() {
  return cudaSetDevice(0);
}
inline int allocate(void** out, std::size_t bytes) {
  return cudaMalloc(out, bytes);
}
inline int release(void* at) {
  return cudaFree(at);
}
inline int allocate_async(void** out, std::size_t bytes, Stream stream) {
  return cudaMallocAsync(out, bytes, stream);
}
inline int release_async(void* at, Stream stream) {
  return cudaFreeAsync(at, stream);
}
inline int create_stream(Stream* out) {
  return cudaStreamCreate(out);
}
inline int wait(Stream stream) {
  return cudaStreamSynchronize(stream);
}
inline int wait_all() {
  return cudaDeviceSynchronize();
}
inline int create_event(Event* out) {
  return cudaEventCreateWithFlags(out, cudaEventDisableTiming);
}
inline int record(Event event, Stream stream) {
  return cudaEventRecord(event, stream);
}
inline int make_wait(Stream stream, Event event) {
  return cudaStreamWaitEvent(stream, event, 0);
}
inline int pinned(void** out, std::size_t bytes) {
  return cudaMallocHost(out, bytes);
}
inline int upload(void* to, const void* from, std::size_t bytes, Stream stream) {
  return cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, stream);
}
inline int download(void* to, const void* from, std::size_t bytes, Stream stream) {
  return cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, stream);
}
inline int fill(void* at, std::size_t bytes, Stream stream) {
  return cudaMemsetAsync(at, 1, bytes, stream);
}
inline int memory_info(std::size_t* free, std::size_t* total) {
  return cudaMemGetInfo(free, total);
}
inline int last_error() {
  return cudaGetLastError();
}
inline const char* describe(int code) {
  return cudaGetErrorString(static_cast<cudaError_t>(code));
}

}  // namespace device
