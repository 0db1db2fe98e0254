// cudaMalloc and its relatives: memory of a device, managed memory, stream-ordered memory.
#include "runtime.h"

using namespace gmlake::simcudart;

namespace {

// Nothing is allocated with success and without memory, unlike by the driver (measured). `call`
// allocates what is more.
template <typename Call>
CUresult allocate(void** result, size_t size, Call call) {
  if (result == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (size != 0) return call();
  *result = nullptr;
  return CUDA_SUCCESS;
}

CUresult allocate_rows(const Driver& driver, cudaPitchedPtr* result, cudaExtent extent) {
  if (result == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *result = {nullptr, 0, extent.width, extent.height};
  if (extent.width == 0 || extent.height == 0 || extent.depth == 0) return CUDA_SUCCESS;
  if (extent.depth > SIZE_MAX / extent.height) return CUDA_ERROR_INVALID_VALUE;
  return driver.cuMemAllocPitch_v2(like(&result->ptr), &result->pitch, extent.width,
                                   extent.height * extent.depth, 4);
}

// A stream that was created has a context of its own, and none becomes current for it.
template <typename Call>
cudaError_t on_stream(cudaStream_t stream, Call call) {
  const bool created = stream && stream != cudaStreamLegacy && stream != cudaStreamPerThread;
  const Driver* driver = nullptr;
  if (const cudaError_t failed = created ? find_driver(driver) : find_context(driver))
    return remember(failed);
  return remember(from(call(*driver)));
}

}  // namespace

cudaError_t cudaMalloc(void** result, size_t size) {
  RT(allocate(result, size, [&] { return driver->cuMemAlloc_v2(like(result), size); }));
}
cudaError_t cudaMallocPitch(void** result, size_t* pitch, size_t width, size_t height) {
  RT(driver->cuMemAllocPitch_v2(like(result), pitch, width, height, 4));
}
cudaError_t cudaMalloc3D(cudaPitchedPtr* result, cudaExtent extent) {
  RT(allocate_rows(*driver, result, extent));
}
cudaError_t cudaMallocManaged(void** result, size_t size, unsigned flags) {
  RT(allocate(result, size, [&] { return driver->cuMemAllocManaged(like(result), size, flags); }));
}
cudaError_t cudaFree(void* pointer) {
  RT(driver->cuMemFree_v2(like(pointer)));
}
#define RT_ON_STREAM(name, parameters, function, arguments)                                    \
  cudaError_t name parameters {                                                                \
    return on_stream(stream, [&](const Driver& driver) { return driver.function arguments; }); \
  }
#define RT_ON_STREAM_PTSZ(name, parameters, function, arguments) \
  RT_ON_STREAM(name, parameters, function, arguments)            \
  extern "C" SIMCUDART_API RT_ON_STREAM(name##_ptsz, parameters, function##_ptsz, arguments)
RT_ON_STREAM_PTSZ(cudaMallocAsync, (void** result, size_t size, cudaStream_t stream),
                  cuMemAllocAsync, (like(result), size, stream))
RT_ON_STREAM_PTSZ(cudaFreeAsync, (void* pointer, cudaStream_t stream), cuMemFreeAsync,
                  (like(pointer), stream))

cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
  RT(driver->cuMemGetInfo_v2(free, total));
}
