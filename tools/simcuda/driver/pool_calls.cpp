// cuMemPool*: pools a program makes, which of them a device allocates from, and their attributes.
// cuda.h, section "Stream Ordered Memory Allocator".
#include <algorithm>

#include "entry.h"
#include "pool.h"
#include "vmm.h"

namespace gmlake::simcuda {
namespace {

std::unique_lock<std::mutex> lock_memory() {
  return std::unique_lock(memory().mutex);
}

CUresult check_properties(const CUmemPoolProps& properties) {
  const auto& reserved = properties.reserved;
  if (properties.win32SecurityAttributes != nullptr ||
      std::any_of(std::begin(reserved), std::end(reserved), [](auto byte) { return byte != 0; }))
    return CUDA_ERROR_INVALID_VALUE;
  switch (properties.allocType) {
    case CU_MEM_ALLOCATION_TYPE_PINNED:
      break;
    case CU_MEM_ALLOCATION_TYPE_MANAGED:
      return CUDA_ERROR_NOT_SUPPORTED;
    default:
      return CUDA_ERROR_INVALID_VALUE;
  }
  switch (properties.location.type) {
    case CU_MEM_LOCATION_TYPE_DEVICE:
      if (check_device(properties.location.id) != CUDA_SUCCESS) return CUDA_ERROR_INVALID_VALUE;
      break;
    case CU_MEM_LOCATION_TYPE_HOST:
    case CU_MEM_LOCATION_TYPE_HOST_NUMA:
      return CUDA_ERROR_NOT_SUPPORTED;
    default:
      return CUDA_ERROR_INVALID_VALUE;
  }
  if (properties.usage == CU_MEM_POOL_CREATE_USAGE_HW_DECOMPRESS) return CUDA_ERROR_NOT_SUPPORTED;
  if (properties.usage != 0) return CUDA_ERROR_INVALID_VALUE;
  if (properties.handleTypes == CU_MEM_HANDLE_TYPE_NONE) return CUDA_SUCCESS;
  return check_handle_type(properties.handleTypes);
}

CUresult set_attribute(Pool& pool, CUmemPool_attribute wanted, const void* value) {
  const auto flag = [&] { return *static_cast<const int*>(value) != 0; };
  const auto bytes = [&] { return *static_cast<const cuuint64_t*>(value); };
  switch (wanted) {
    case CU_MEMPOOL_ATTR_REUSE_FOLLOW_EVENT_DEPENDENCIES:
      pool.follow_event_dependencies = flag();
      return CUDA_SUCCESS;
    case CU_MEMPOOL_ATTR_REUSE_ALLOW_OPPORTUNISTIC:
      pool.opportunistic = flag();
      return CUDA_SUCCESS;
    case CU_MEMPOOL_ATTR_REUSE_ALLOW_INTERNAL_DEPENDENCIES:
      pool.internal_dependencies = flag();
      return CUDA_SUCCESS;
    case CU_MEMPOOL_ATTR_RELEASE_THRESHOLD:
      pool.release_threshold = bytes();
      return CUDA_SUCCESS;
    // "High watermark can only be reset to zero": it then counts from what there is.
    case CU_MEMPOOL_ATTR_RESERVED_MEM_HIGH:
      if (bytes() != 0) return CUDA_ERROR_INVALID_VALUE;
      pool.reserved_high = pool.reserved;
      return CUDA_SUCCESS;
    case CU_MEMPOOL_ATTR_USED_MEM_HIGH:
      if (bytes() != 0) return CUDA_ERROR_INVALID_VALUE;
      pool.used_high = pool.used;
      return CUDA_SUCCESS;
    default:
      return CUDA_ERROR_INVALID_VALUE;
  }
}

CUresult get_attribute(const Pool& pool, CUmemPool_attribute wanted, void* value) {
  const auto flag = [&](bool is) { *static_cast<int*>(value) = is; };
  const auto bytes = [&](Bytes size) { *static_cast<cuuint64_t*>(value) = size; };
  switch (wanted) {
    case CU_MEMPOOL_ATTR_REUSE_FOLLOW_EVENT_DEPENDENCIES:
      flag(pool.follow_event_dependencies);
      return CUDA_SUCCESS;
    case CU_MEMPOOL_ATTR_REUSE_ALLOW_OPPORTUNISTIC:
      flag(pool.opportunistic);
      return CUDA_SUCCESS;
    case CU_MEMPOOL_ATTR_REUSE_ALLOW_INTERNAL_DEPENDENCIES:
      flag(pool.internal_dependencies);
      return CUDA_SUCCESS;
    case CU_MEMPOOL_ATTR_RELEASE_THRESHOLD:
      bytes(pool.release_threshold);
      return CUDA_SUCCESS;
    case CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT:
      bytes(pool.reserved);
      return CUDA_SUCCESS;
    case CU_MEMPOOL_ATTR_RESERVED_MEM_HIGH:
      bytes(pool.reserved_high);
      return CUDA_SUCCESS;
    case CU_MEMPOOL_ATTR_USED_MEM_CURRENT:
      bytes(pool.used);
      return CUDA_SUCCESS;
    case CU_MEMPOOL_ATTR_USED_MEM_HIGH:
      bytes(pool.used_high);
      return CUDA_SUCCESS;
    default:
      return CUDA_ERROR_INVALID_VALUE;
  }
}

CUresult set_access(Pool& pool, const CUmemAccessDesc* map, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    const CUmemAccessDesc& wanted = map[i];
    if (wanted.location.type != CU_MEM_LOCATION_TYPE_DEVICE ||
        check_device(wanted.location.id) != CUDA_SUCCESS)
      return CUDA_ERROR_INVALID_VALUE;
    if (wanted.flags != CU_MEM_ACCESS_FLAGS_PROT_NONE &&
        wanted.flags != CU_MEM_ACCESS_FLAGS_PROT_READ &&
        wanted.flags != CU_MEM_ACCESS_FLAGS_PROT_READWRITE)
      return CUDA_ERROR_INVALID_VALUE;
    // The device the memory is on keeps its access (the error is driver 580's).
    if (wanted.location.id == pool.device() && wanted.flags != CU_MEM_ACCESS_FLAGS_PROT_READWRITE)
      return CUDA_ERROR_INVALID_DEVICE;
  }
  for (size_t i = 0; i < count; ++i)
    pool.access[map[i].location.id] = static_cast<unsigned char>(map[i].flags);
  return CUDA_SUCCESS;
}

CUresult device_pool(CUmemoryPool* result, CUdevice device, const PoolRef (&pools)[kMaxDevices]) {
  if (result == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (const CUresult bad = check_device(device)) return bad;
  const auto lock = lock_memory();
  *result = pools[device]->value;
  return CUDA_SUCCESS;
}

CUresult set_device_pool(CUdevice device, CUmemoryPool handle) {
  if (const CUresult bad = check_device(device)) return bad;
  const auto lock = lock_memory();
  PoolRef pool;
  if (const CUresult bad = find_pool(handle, pool)) return bad;
  // "The memory pool must be local to the specified device"; "imported memory pools may not be used
  // in cuDeviceSetMemPool".
  if (pool->device() != device || pool->imported) return CUDA_ERROR_INVALID_VALUE;
  memory().current_pools[device] = pool;
  return CUDA_SUCCESS;
}

// cuMemGetMemPool and its relatives know more places than a device. Those are not simulated.
CUresult check_place(const CUmemLocation* location, CUmemAllocationType type) {
  const bool managed = type == CU_MEM_ALLOCATION_TYPE_MANAGED;
  if (location == nullptr || (type != CU_MEM_ALLOCATION_TYPE_PINNED && !managed))
    return CUDA_ERROR_INVALID_VALUE;
  switch (location->type) {
    case CU_MEM_LOCATION_TYPE_DEVICE:
      return managed ? CUDA_ERROR_NOT_SUPPORTED : check_device(location->id);
    case CU_MEM_LOCATION_TYPE_HOST:
    case CU_MEM_LOCATION_TYPE_HOST_NUMA:
      return CUDA_ERROR_NOT_SUPPORTED;
    case CU_MEM_LOCATION_TYPE_NONE:
      return managed ? CUDA_ERROR_NOT_SUPPORTED : CUDA_ERROR_INVALID_VALUE;
    default:
      return CUDA_ERROR_INVALID_VALUE;
  }
}

}  // namespace
}  // namespace gmlake::simcuda

using namespace gmlake::simcuda;

CUresult cuMemPoolCreate(CUmemoryPool* result, const CUmemPoolProps* properties) {
  SIM_ENTER();
  if (result == nullptr || properties == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (const CUresult bad = check_properties(*properties)) return bad;
  auto pool = std::make_shared<Pool>();
  pool->properties = *properties;
  if (properties->handleTypes != CU_MEM_HANDLE_TYPE_NONE && !open_pool_file(*pool))
    return CUDA_ERROR_OUT_OF_MEMORY;
  const auto lock = lock_memory();
  *result = add_pool(memory(), std::move(pool));
  return CUDA_SUCCESS;
}
CUresult cuMemPoolDestroy(CUmemoryPool handle) {
  SIM_ENTER();
  Memory& m = memory();
  const auto lock = lock_memory();
  PoolRef pool;
  if (const CUresult bad = find_pool(handle, pool)) return bad;
  // "A device's default memory pool cannot be destroyed."
  if (pool->is_default) return CUDA_ERROR_INVALID_VALUE;
  m.pools.remove(reinterpret_cast<std::uint64_t>(handle));
  std::erase(m.live_pools, pool);
  // "Destroying the current mempool of a device sets the default mempool of that device as the
  // current mempool".
  if (m.current_pools[pool->device()] == pool)
    m.current_pools[pool->device()] = m.default_pools[pool->device()];
  // What is in use or has frees to come keeps the pool, and takes it along.
  pool->destroyed = true;
  pool->release(0);
  return CUDA_SUCCESS;
}
CUresult cuMemPoolTrimTo(CUmemoryPool handle, size_t keep) {
  SIM_ENTER();
  const auto lock = lock_memory();
  PoolRef pool;
  if (const CUresult bad = find_pool(handle, pool)) return bad;
  pool->release(keep);
  return CUDA_SUCCESS;
}
CUresult cuMemPoolSetAttribute(CUmemoryPool handle, CUmemPool_attribute wanted, void* value) {
  SIM_ENTER();
  const auto lock = lock_memory();
  PoolRef pool;
  if (const CUresult bad = find_pool(handle, pool)) return bad;
  if (value == nullptr) return CUDA_ERROR_INVALID_VALUE;
  return set_attribute(*pool, wanted, value);
}
CUresult cuMemPoolGetAttribute(CUmemoryPool handle, CUmemPool_attribute wanted, void* value) {
  SIM_ENTER();
  const auto lock = lock_memory();
  PoolRef pool;
  if (const CUresult bad = find_pool(handle, pool)) return bad;
  if (value == nullptr) return CUDA_ERROR_INVALID_VALUE;
  return get_attribute(*pool, wanted, value);
}
CUresult cuMemPoolSetAccess(CUmemoryPool handle, const CUmemAccessDesc* map, size_t count) {
  SIM_ENTER();
  const auto lock = lock_memory();
  PoolRef pool;
  if (const CUresult bad = find_pool(handle, pool)) return bad;
  if (map == nullptr) return CUDA_ERROR_INVALID_VALUE;
  return set_access(*pool, map, count);
}
CUresult cuMemPoolGetAccess(CUmemAccess_flags* flags, CUmemoryPool handle,
                            CUmemLocation* location) {
  SIM_ENTER();
  const auto lock = lock_memory();
  PoolRef pool;
  if (const CUresult bad = find_pool(handle, pool)) return bad;
  if (flags == nullptr || location == nullptr || location->type != CU_MEM_LOCATION_TYPE_DEVICE ||
      check_device(location->id) != CUDA_SUCCESS)
    return CUDA_ERROR_INVALID_VALUE;
  *flags = static_cast<CUmemAccess_flags>(pool->access[location->id]);
  return CUDA_SUCCESS;
}

CUresult cuDeviceGetDefaultMemPool(CUmemoryPool* result, CUdevice device) {
  SIM_ENTER();
  return device_pool(result, device, memory().default_pools);
}
CUresult cuDeviceGetMemPool(CUmemoryPool* result, CUdevice device) {
  SIM_ENTER();
  return device_pool(result, device, memory().current_pools);
}
CUresult cuDeviceSetMemPool(CUdevice device, CUmemoryPool pool) {
  SIM_ENTER();
  return set_device_pool(device, pool);
}
CUresult cuMemGetDefaultMemPool(CUmemoryPool* result, CUmemLocation* location,
                                CUmemAllocationType type) {
  SIM_ENTER();
  if (const CUresult bad = check_place(location, type)) return bad;
  return device_pool(result, location->id, memory().default_pools);
}
CUresult cuMemGetMemPool(CUmemoryPool* result, CUmemLocation* location, CUmemAllocationType type) {
  SIM_ENTER();
  if (const CUresult bad = check_place(location, type)) return bad;
  return device_pool(result, location->id, memory().current_pools);
}
CUresult cuMemSetMemPool(CUmemLocation* location, CUmemAllocationType type, CUmemoryPool pool) {
  SIM_ENTER();
  if (const CUresult bad = check_place(location, type)) return bad;
  return set_device_pool(location->id, pool);
}
