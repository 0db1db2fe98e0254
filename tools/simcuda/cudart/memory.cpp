// cudaMalloc and its relatives, copies and fills.
#include "runtime.h"

using namespace gmlake::simcudart;

namespace {

CUdeviceptr address(const void* pointer) {
  return reinterpret_cast<CUdeviceptr>(pointer);
}
CUdeviceptr* address(void** pointer) {
  return reinterpret_cast<CUdeviceptr*>(pointer);
}

// cudaMalloc of nothing succeeds and gives no memory.
CUresult allocate(const Driver& driver, void** result, size_t size) {
  if (result == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (size != 0) return driver.cuMemAlloc_v2(address(result), size);
  *result = nullptr;
  return CUDA_SUCCESS;
}

CUresult host_allocate(const Driver& driver, void** result, size_t size, unsigned flags) {
  if (result == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (size != 0) return driver.cuMemHostAlloc(result, size, flags);
  *result = nullptr;
  return CUDA_SUCCESS;
}

// The driver functions for one flavour of the default stream.
struct Copies {
  decltype(&::cuMemcpy) any;
  decltype(&::cuMemcpyHtoD_v2) to_device;
  decltype(&::cuMemcpyDtoH_v2) to_host;
  decltype(&::cuMemcpyDtoD_v2) on_device;
};
struct AsyncCopies {
  decltype(&::cuMemcpyAsync) any;
  decltype(&::cuMemcpyHtoDAsync_v2) to_device;
  decltype(&::cuMemcpyDtoHAsync_v2) to_host;
  decltype(&::cuMemcpyDtoDAsync_v2) on_device;
};

template <typename Functions, typename... Stream>
cudaError_t copy(const Functions& functions, void* to, const void* from_, size_t size,
                 cudaMemcpyKind kind, Stream... stream) {
  switch (kind) {
    case cudaMemcpyHostToDevice:
      return from(functions.to_device(address(to), from_, size, stream...));
    case cudaMemcpyDeviceToHost:
      return from(functions.to_host(to, address(from_), size, stream...));
    case cudaMemcpyDeviceToDevice:
      return from(functions.on_device(address(to), address(from_), size, stream...));
    case cudaMemcpyHostToHost:
    case cudaMemcpyDefault:
      return from(functions.any(address(to), address(from_), size, stream...));
  }
  return cudaErrorInvalidMemcpyDirection;
}

}  // namespace

cudaError_t cudaMalloc(void** result, size_t size) {
  RT(allocate(*driver, result, size));
}
cudaError_t cudaMallocPitch(void** result, size_t* pitch, size_t width, size_t height) {
  RT(driver->cuMemAllocPitch_v2(address(result), pitch, width, height, 4));
}
cudaError_t cudaMallocManaged(void** result, size_t size, unsigned flags) {
  RT(driver->cuMemAllocManaged(address(result), size, flags));
}
cudaError_t cudaFree(void* pointer) {
  RT(driver->cuMemFree_v2(address(pointer)));
}
RT_PTSZ(cudaMallocAsync, (void** result, size_t size, cudaStream_t stream), cuMemAllocAsync,
        (address(result), size, stream))
RT_PTSZ(cudaFreeAsync, (void* pointer, cudaStream_t stream), cuMemFreeAsync,
        (address(pointer), stream))

cudaError_t cudaMallocHost(void** result, size_t size) {
  RT(host_allocate(*driver, result, size, 0));
}
cudaError_t cudaHostAlloc(void** result, size_t size, unsigned flags) {
  RT(host_allocate(*driver, result, size, flags));
}
cudaError_t cudaFreeHost(void* pointer) {
  RT(pointer != nullptr ? driver->cuMemFreeHost(pointer) : CUDA_SUCCESS);
}
cudaError_t cudaHostGetDevicePointer(void** result, void* pointer, unsigned flags) {
  RT(driver->cuMemHostGetDevicePointer_v2(address(result), pointer, flags));
}

cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
  RT(driver->cuMemGetInfo_v2(free, total));
}

#define COPIES(suffix)                                                                          \
  Copies {                                                                                      \
    driver->cuMemcpy##suffix, driver->cuMemcpyHtoD_v2##suffix, driver->cuMemcpyDtoH_v2##suffix, \
        driver->cuMemcpyDtoD_v2##suffix                                                         \
  }
#define ASYNC_COPIES(suffix)                                                       \
  AsyncCopies {                                                                    \
    driver->cuMemcpyAsync##suffix, driver->cuMemcpyHtoDAsync_v2##suffix,           \
        driver->cuMemcpyDtoHAsync_v2##suffix, driver->cuMemcpyDtoDAsync_v2##suffix \
  }
RT_BOTH(cudaMemcpy, _ptds, (void* to, const void* from_, size_t size, cudaMemcpyKind kind),
        static_cast<CUresult>(copy(COPIES(), to, from_, size, kind)),
        static_cast<CUresult>(copy(COPIES(_ptds), to, from_, size, kind)))
RT_BOTH(cudaMemcpyAsync, _ptsz,
        (void* to, const void* from_, size_t size, cudaMemcpyKind kind, cudaStream_t stream),
        static_cast<CUresult>(copy(ASYNC_COPIES(), to, from_, size, kind, stream)),
        static_cast<CUresult>(copy(ASYNC_COPIES(_ptsz), to, from_, size, kind, stream)))
RT_BOTH(cudaMemset, _ptds, (void* pointer, int value, size_t size),
        driver->cuMemsetD8_v2(address(pointer), static_cast<unsigned char>(value), size),
        driver->cuMemsetD8_v2_ptds(address(pointer), static_cast<unsigned char>(value), size))
RT_PTSZ(cudaMemsetAsync, (void* pointer, int value, size_t size, cudaStream_t stream),
        cuMemsetD8Async, (address(pointer), static_cast<unsigned char>(value), size, stream))

cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* attributes, const void* pointer) {
  const Driver* driver = nullptr;
  if (const cudaError_t failed = find_context(driver)) return remember(failed);
  if (attributes == nullptr) return remember(cudaErrorInvalidValue);
  CUmemorytype type{};
  unsigned managed = 0;
  int device = 0;
  CUpointer_attribute wanted[] = {CU_POINTER_ATTRIBUTE_MEMORY_TYPE, CU_POINTER_ATTRIBUTE_IS_MANAGED,
                                  CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL};
  void* values[] = {&type, &managed, &device};
  if (const CUresult bad = driver->cuPointerGetAttributes(3, wanted, values, address(pointer)))
    return remember(from(bad));
  // cuda_runtime_api.h, cudaPointerGetAttributes: host memory CUDA does not know is no error.
  *attributes = {};
  attributes->device = device;
  auto* plain = const_cast<void*>(pointer);
  if (type == 0) {
    attributes->type = cudaMemoryTypeUnregistered;
    attributes->hostPointer = plain;
  } else {
    attributes->type = managed != 0                 ? cudaMemoryTypeManaged
                       : type == CU_MEMORYTYPE_HOST ? cudaMemoryTypeHost
                                                    : cudaMemoryTypeDevice;
    attributes->devicePointer = plain;
    attributes->hostPointer = attributes->type == cudaMemoryTypeDevice ? nullptr : plain;
  }
  return cudaSuccess;
}
