// The driver door for memory pools: the driver answers, and hooks/program_pools.h keeps the books
// of those that are served.
#include "hooks/own_pools.h"
#include "hooks/peers.h"
#include "hooks/program_pools.h"
#include "hooks/serve.h"
#include "hooks/work.h"

namespace gmlake::hooks {
namespace {

template <typename Native>
CUresult allocate_from(const RealDriver& real, CUdeviceptr* out, std::size_t bytes,
                       CUmemoryPool pool, CUstream stream, bool per_thread, Native native) {
  const auto natively = [&] {
    before_work(real, stream, per_thread);
    return with_room(real, native);
  };
  if (!driver_open()) return natively();
  auto caller = stream_caller(real, stream, per_thread);
  use_pool(real, caller, pool);
  // One that is served is there: no hit looks for it among the others.
  if ((!caller || caller->origin.pool == kNativePool) && pool_is_gone(pool)) [[unlikely]]
    return CUDA_ERROR_INVALID_VALUE;
  return allocate(real, caller, out, bytes, natively, pool);
}

// The program has a handle from the driver.
CUresult given(const CUmemoryPool* pool, CUresult result) {
  if (result == CUDA_SUCCESS && pool) pool_is_there(*pool);
  return result;
}

}  // namespace

CUresult mem_alloc_from_pool(CUdeviceptr* out, std::size_t bytes, CUmemoryPool pool,
                             CUstream stream) {
  GMLAKE_REAL(mem_alloc_from_pool);
  GMLAKE_CALL_SITE();
  return allocate_from(*real, out, bytes, pool, stream, false,
                       [&] { return real->mem_alloc_from_pool(out, bytes, pool, stream); });
}
CUresult mem_alloc_from_pool_ptsz(CUdeviceptr* out, std::size_t bytes, CUmemoryPool pool,
                                  CUstream stream) {
  GMLAKE_REAL(mem_alloc_from_pool_ptsz);
  GMLAKE_CALL_SITE();
  return allocate_from(*real, out, bytes, pool, stream, true,
                       [&] { return real->mem_alloc_from_pool_ptsz(out, bytes, pool, stream); });
}

CUresult mem_pool_create(CUmemoryPool* pool, const CUmemPoolProps* properties) {
  GMLAKE_REAL(mem_pool_create);
  const CUresult result = given(pool, real->mem_pool_create(pool, properties));
  if (result != CUDA_SUCCESS || !driver_open()) return result;
  pool_made(*real, *pool, *properties);
  if (properties->location.type == CU_MEM_LOCATION_TYPE_DEVICE)
    (void)guarded([&] { own_pools().add(*pool, properties->location.id); });
  return result;
}

CUresult mem_pool_destroy(CUmemoryPool pool) {
  GMLAKE_REAL(mem_pool_destroy);
  if (!driver_open()) return real->mem_pool_destroy(pool);
  if (pool_is_gone(pool)) return CUDA_ERROR_INVALID_VALUE;
  OwnPools::Ends own(own_pools(), pool);
  PoolEnds ends(pool);
  const CUresult result = real->mem_pool_destroy(pool);
  if (result == CUDA_SUCCESS) forget_peers_of(pool);
  own.settle(result == CUDA_SUCCESS);
  ends.settle(result == CUDA_SUCCESS);
  return result;
}

CUresult mem_pool_trim_to(CUmemoryPool pool, std::size_t keep) {
  GMLAKE_REAL(mem_pool_trim_to);
  if (pool_is_gone(pool)) return CUDA_ERROR_INVALID_VALUE;
  if (driver_open()) trim_with(*real, pool, keep);
  return real->mem_pool_trim_to(pool, keep);
}

CUresult mem_pool_set_attribute(CUmemoryPool pool, CUmemPool_attribute which, void* value) {
  GMLAKE_REAL(mem_pool_set_attribute);
  if (pool_is_gone(pool)) return CUDA_ERROR_INVALID_VALUE;
  const CUresult result = real->mem_pool_set_attribute(pool, which, value);
  if (result == CUDA_SUCCESS && driver_open()) attribute_set(*real, pool, which, value);
  return result;
}

CUresult mem_pool_get_attribute(CUmemoryPool pool, CUmemPool_attribute which, void* value) {
  GMLAKE_REAL(mem_pool_get_attribute);
  if (pool_is_gone(pool)) return CUDA_ERROR_INVALID_VALUE;
  const CUresult result = real->mem_pool_get_attribute(pool, which, value);
  if (result == CUDA_SUCCESS && driver_open()) attribute_got(*real, pool, which, value);
  return result;
}

CUresult device_set_mem_pool(CUdevice device, CUmemoryPool pool) {
  GMLAKE_REAL(device_set_mem_pool);
  if (pool_is_gone(pool)) return CUDA_ERROR_INVALID_VALUE;
  const CUresult result = real->device_set_mem_pool(device, pool);
  if (result == CUDA_SUCCESS && driver_open()) pool_is_current(*real, device, pool);
  return result;
}

CUresult set_mem_pool(CUmemLocation* location, CUmemAllocationType type, CUmemoryPool pool) {
  GMLAKE_REAL(set_mem_pool);
  if (pool_is_gone(pool)) return CUDA_ERROR_INVALID_VALUE;
  const CUresult result = real->set_mem_pool(location, type, pool);
  // Of managed memory, and of the host's, nothing comes from us.
  if (result == CUDA_SUCCESS && driver_open() && location->type == CU_MEM_LOCATION_TYPE_DEVICE &&
      type == CU_MEM_ALLOCATION_TYPE_PINNED)
    pool_is_current(*real, location->id, pool);
  return result;
}

CUresult mem_pool_import(CUmemoryPool* pool, void* handle, CUmemAllocationHandleType type,
                         unsigned long long flags) {
  GMLAKE_REAL(mem_pool_import);
  return given(pool, real->mem_pool_import(pool, handle, type, flags));
}
CUresult device_get_default_mem_pool(CUmemoryPool* pool, CUdevice device) {
  GMLAKE_REAL(device_get_default_mem_pool);
  return given(pool, real->device_get_default_mem_pool(pool, device));
}
CUresult device_get_mem_pool(CUmemoryPool* pool, CUdevice device) {
  GMLAKE_REAL(device_get_mem_pool);
  return given(pool, real->device_get_mem_pool(pool, device));
}
CUresult get_default_mem_pool(CUmemoryPool* pool, CUmemLocation* location,
                              CUmemAllocationType type) {
  GMLAKE_REAL(get_default_mem_pool);
  return given(pool, real->get_default_mem_pool(pool, location, type));
}
CUresult get_mem_pool(CUmemoryPool* pool, CUmemLocation* location, CUmemAllocationType type) {
  GMLAKE_REAL(get_mem_pool);
  return given(pool, real->get_mem_pool(pool, location, type));
}

}  // namespace gmlake::hooks
