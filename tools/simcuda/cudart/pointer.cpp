// What a pointer is, and advice about managed memory.
#include "runtime.h"

using namespace gmlake::simcudart;

static_assert(static_cast<int>(cudaMemAdviseSetAccessedBy) == CU_MEM_ADVISE_SET_ACCESSED_BY);
static_assert(static_cast<int>(cudaMemRangeAttributeAccessedBy) ==
              CU_MEM_RANGE_ATTRIBUTE_ACCESSED_BY);

namespace {

CUresult describe(const Driver& driver, cudaPointerAttributes* attributes, const void* pointer) {
  if (attributes == nullptr) return CUDA_ERROR_INVALID_VALUE;
  CUmemorytype type{};
  unsigned managed = 0;
  int device = 0;
  CUpointer_attribute wanted[] = {CU_POINTER_ATTRIBUTE_MEMORY_TYPE, CU_POINTER_ATTRIBUTE_IS_MANAGED,
                                  CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL};
  void* values[] = {&type, &managed, &device};
  if (const CUresult bad = driver.cuPointerGetAttributes(3, wanted, values, like(pointer)))
    return bad;
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
  return CUDA_SUCCESS;
}

}  // namespace

cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* attributes, const void* pointer) {
  RT(describe(*driver, attributes, pointer));
}

cudaError_t cudaMemAdvise(const void* pointer, size_t size, cudaMemoryAdvise advice,
                          cudaMemLocation location) {
  RT(driver->cuMemAdvise_v2(like(pointer), size, like(advice), like(location)));
}
RT_PTSZ(cudaMemPrefetchAsync,
        (const void* pointer, size_t size, cudaMemLocation location, unsigned flags,
         cudaStream_t stream),
        cuMemPrefetchAsync_v2, (like(pointer), size, like(location), flags, stream))
cudaError_t cudaMemRangeGetAttribute(void* data, size_t data_size, cudaMemRangeAttribute attribute,
                                     const void* pointer, size_t size) {
  RT(driver->cuMemRangeGetAttribute(data, data_size, like(attribute), like(pointer), size));
}
cudaError_t cudaMemRangeGetAttributes(void** data, size_t* sizes, cudaMemRangeAttribute* attributes,
                                      size_t count, const void* pointer, size_t size) {
  RT(driver->cuMemRangeGetAttributes(data, sizes, like(attributes), count, like(pointer), size));
}
RT_PTSZ(cudaStreamAttachMemAsync, (cudaStream_t stream, void* pointer, size_t size, unsigned flags),
        cuStreamAttachMemAsync, (stream, like(pointer), size, flags))
