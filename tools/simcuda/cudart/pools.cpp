// cudaMemPool*: memory pools as objects, whose each device is, and allocation from a given one.
#include "runtime.h"

using namespace gmlake::simcudart;

static_assert(static_cast<int>(cudaMemPoolAttrUsedMemHigh) == CU_MEMPOOL_ATTR_USED_MEM_HIGH);
static_assert(static_cast<int>(cudaMemHandleTypePosixFileDescriptor) ==
              CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR);
static_assert(static_cast<int>(cudaMemAccessFlagsProtReadWrite) ==
              CU_MEM_ACCESS_FLAGS_PROT_READWRITE);

cudaError_t cudaMemPoolCreate(cudaMemPool_t* pool, const cudaMemPoolProps* properties) {
  RT(driver->cuMemPoolCreate(pool, like(properties)));
}
cudaError_t cudaMemPoolDestroy(cudaMemPool_t pool) {
  RT(driver->cuMemPoolDestroy(pool));
}
cudaError_t cudaMemPoolTrimTo(cudaMemPool_t pool, size_t keep) {
  RT(driver->cuMemPoolTrimTo(pool, keep));
}
cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t pool, cudaMemPoolAttr attribute, void* value) {
  RT(driver->cuMemPoolSetAttribute(pool, like(attribute), value));
}
cudaError_t cudaMemPoolGetAttribute(cudaMemPool_t pool, cudaMemPoolAttr attribute, void* value) {
  RT(driver->cuMemPoolGetAttribute(pool, like(attribute), value));
}
cudaError_t cudaMemPoolSetAccess(cudaMemPool_t pool, const cudaMemAccessDesc* access,
                                 size_t count) {
  RT(driver->cuMemPoolSetAccess(pool, like(access), count));
}
cudaError_t cudaMemPoolGetAccess(cudaMemAccessFlags* flags, cudaMemPool_t pool,
                                 cudaMemLocation* location) {
  RT(driver->cuMemPoolGetAccess(like(flags), pool, like(location)));
}

cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t* pool, int device) {
  RT(driver->cuDeviceGetDefaultMemPool(pool, device));
}
cudaError_t cudaDeviceGetMemPool(cudaMemPool_t* pool, int device) {
  RT(driver->cuDeviceGetMemPool(pool, device));
}
cudaError_t cudaDeviceSetMemPool(int device, cudaMemPool_t pool) {
  RT(driver->cuDeviceSetMemPool(device, pool));
}
cudaError_t cudaMemGetDefaultMemPool(cudaMemPool_t* pool, cudaMemLocation* location,
                                     cudaMemAllocationType type) {
  RT(driver->cuMemGetDefaultMemPool(pool, like(location), like(type)));
}
cudaError_t cudaMemGetMemPool(cudaMemPool_t* pool, cudaMemLocation* location,
                              cudaMemAllocationType type) {
  RT(driver->cuMemGetMemPool(pool, like(location), like(type)));
}
cudaError_t cudaMemSetMemPool(cudaMemLocation* location, cudaMemAllocationType type,
                              cudaMemPool_t pool) {
  RT(driver->cuMemSetMemPool(like(location), like(type), pool));
}

RT_PTSZ(cudaMallocFromPoolAsync,
        (void** result, size_t size, cudaMemPool_t pool, cudaStream_t stream),
        cuMemAllocFromPoolAsync, (like(result), size, pool, stream))

cudaError_t cudaMemPoolExportToShareableHandle(void* handle, cudaMemPool_t pool,
                                               cudaMemAllocationHandleType type, unsigned flags) {
  RT(driver->cuMemPoolExportToShareableHandle(handle, pool, like(type), flags));
}
cudaError_t cudaMemPoolImportFromShareableHandle(cudaMemPool_t* pool, void* handle,
                                                 cudaMemAllocationHandleType type, unsigned flags) {
  RT(driver->cuMemPoolImportFromShareableHandle(pool, handle, like(type), flags));
}
cudaError_t cudaMemPoolExportPointer(cudaMemPoolPtrExportData* data, void* pointer) {
  RT(driver->cuMemPoolExportPointer(like(data), like(pointer)));
}
cudaError_t cudaMemPoolImportPointer(void** pointer, cudaMemPool_t pool,
                                     cudaMemPoolPtrExportData* data) {
  RT(driver->cuMemPoolImportPointer(like(pointer), pool, like(data)));
}
