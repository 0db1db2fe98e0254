// Pinned host memory: allocated by CUDA, or the program's own and registered.
#include "runtime.h"

using namespace gmlake::simcudart;

static_assert(cudaHostAllocMapped == CU_MEMHOSTALLOC_DEVICEMAP);
static_assert(cudaHostRegisterReadOnly == CU_MEMHOSTREGISTER_READ_ONLY);

namespace {

CUresult allocate(const Driver& driver, void** result, size_t size, unsigned flags) {
  if (result == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (size != 0) return driver.cuMemHostAlloc(result, size, flags);
  *result = nullptr;
  return CUDA_SUCCESS;
}

}  // namespace

cudaError_t cudaMallocHost(void** result, size_t size) {
  RT(allocate(*driver, result, size, 0));
}
cudaError_t cudaHostAlloc(void** result, size_t size, unsigned flags) {
  RT(allocate(*driver, result, size, flags));
}
cudaError_t cudaFreeHost(void* pointer) {
  RT(pointer != nullptr ? driver->cuMemFreeHost(pointer) : CUDA_SUCCESS);
}
cudaError_t cudaHostRegister(void* pointer, size_t size, unsigned flags) {
  RT(driver->cuMemHostRegister_v2(pointer, size, flags));
}
cudaError_t cudaHostUnregister(void* pointer) {
  RT(driver->cuMemHostUnregister(pointer));
}
cudaError_t cudaHostGetFlags(unsigned* flags, void* pointer) {
  RT(driver->cuMemHostGetFlags(flags, pointer));
}
cudaError_t cudaHostGetDevicePointer(void** result, void* pointer, unsigned flags) {
  RT(driver->cuMemHostGetDevicePointer_v2(like(result), pointer, flags));
}
