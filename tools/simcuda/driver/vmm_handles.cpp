// cuMemCreate, cuMemAddressReserve, their opposites, and what a handle is.
#include "vmm.h"

#include <algorithm>
#include <bit>

#include "entry.h"
#include "findings.h"
#include "watch.h"

namespace gmlake::simcuda {
namespace {

CUresult check_properties(const CUmemAllocationProp* properties) {
  if (properties == nullptr || properties->type != CU_MEM_ALLOCATION_TYPE_PINNED)
    return CUDA_ERROR_INVALID_VALUE;
  if (properties->location.type == CU_MEM_LOCATION_TYPE_INVALID) return CUDA_ERROR_INVALID_VALUE;
  // Host memory is not simulated behind handles.
  if (properties->location.type != CU_MEM_LOCATION_TYPE_DEVICE) return CUDA_ERROR_NOT_SUPPORTED;
  return check_device(properties->location.id);
}

}  // namespace

PhysicalHandle* live_handle(CUmemGenericAllocationHandle value) {
  PhysicalHandle* handle = memory().handles.find(value);
  return handle != nullptr && handle->references > 0 ? handle : nullptr;
}

// cuMemRelease: "freed when all outstanding mappings to the memory are unmapped and when all
// outstanding references to the handle are also released".
void drop_if_unused(PhysicalHandle* handle) {
  if (handle->references != 0 || handle->mappings != 0) return;
  const auto owned = memory().handles.remove(handle->value);
  if (owned->imported) return;
  const Extents none;
  memory().devices[owned->properties.location.id].give(
      owned->size, owned->file != nullptr ? none : owned->extents);
}

}  // namespace gmlake::simcuda

using namespace gmlake::simcuda;

CUresult cuMemGetAllocationGranularity(size_t* granularity, const CUmemAllocationProp* properties,
                                       CUmemAllocationGranularity_flags option) {
  SIM_ENTER();
  if (granularity == nullptr || (option != CU_MEM_ALLOC_GRANULARITY_MINIMUM &&
                                 option != CU_MEM_ALLOC_GRANULARITY_RECOMMENDED))
    return CUDA_ERROR_INVALID_VALUE;
  if (const CUresult bad = check_properties(properties)) return bad;
  *granularity = kGranularity;
  return CUDA_SUCCESS;
}

CUresult cuMemAddressReserve(CUdeviceptr* result, size_t size, size_t alignment, CUdeviceptr wanted,
                             unsigned long long flags) {
  SIM_ENTER();
  if (result == nullptr || size == 0 || !aligned(size) || !aligned(wanted) || flags != 0)
    return CUDA_ERROR_INVALID_VALUE;
  // "alignment: Alignment of the reserved virtual address range requested", a power of two; 0 is
  // the default.
  if (alignment != 0 && !std::has_single_bit(alignment)) return CUDA_ERROR_INVALID_VALUE;
  Memory& m = memory();
  const std::lock_guard lock(m.mutex);
  // A wanted address is a hint; where it can not be had, another is given.
  if (wanted != 0 && m.reservable.take_at(wanted, size)) {
    *result = wanted;
  } else {
    const auto at = m.reservable.take(size, std::max<std::uint64_t>(alignment, kGranularity));
    if (!at) return CUDA_ERROR_OUT_OF_MEMORY;
    *result = *at;
  }
  m.reservations.emplace(*result, size);
  return CUDA_SUCCESS;
}

CUresult cuMemAddressFree(CUdeviceptr at, size_t size) {
  SIM_ENTER();
  Memory& m = memory();
  const std::lock_guard lock(m.mutex);
  // "The size must match what was given to memAddressReserve and the ptr given must match what was
  // returned".
  const auto reservation = m.reservations.find(at);
  if (reservation == m.reservations.end() || reservation->second != size)
    return misuse(CUDA_ERROR_INVALID_VALUE, "not a whole reservation", at);
  // A range with mappings in it is not free to go.
  const auto mapping = m.mappings.lower_bound(at);
  if (mapping != m.mappings.end() && mapping->first < at + size)
    return misuse(CUDA_ERROR_INVALID_VALUE, "reservation with mappings in it", at);
  m.reservations.erase(reservation);
  m.reservable.give(at, size);
  return CUDA_SUCCESS;
}

CUresult cuMemCreate(CUmemGenericAllocationHandle* result, size_t size,
                     const CUmemAllocationProp* properties, unsigned long long flags) {
  SIM_ENTER();
  if (result == nullptr || size == 0 || !aligned(size) || flags != 0)
    return CUDA_ERROR_INVALID_VALUE;
  if (const CUresult bad = check_properties(properties)) return bad;
  const CUmemAllocationHandleType exported = properties->requestedHandleTypes;
  if (exported != CU_MEM_HANDLE_TYPE_NONE)
    if (const CUresult bad = check_handle_type(exported)) return bad;
  charge_call(size / gmlake::MiB);
  auto handle = std::make_shared<PhysicalHandle>();
  handle->size = size;
  handle->properties = *properties;
  handle->references = 1;
  Memory& m = memory();
  const CUdevice device = properties->location.id;
  // Memory that is only counted has no file, and is not exported.
  if (exported != CU_MEM_HANDLE_TYPE_NONE && m.backed) {
    handle->file = make_file(FileKind::handle, size, *properties);
    if (handle->file == nullptr) return CUDA_ERROR_OUT_OF_MEMORY;
    handle->extents = {{0, size}};
  }
  {
    const std::lock_guard lock(m.mutex);
    if (handle->file != nullptr ? !m.count_pages(device, size)
                                : !m.take_pages(device, size, handle->extents))
      return CUDA_ERROR_OUT_OF_MEMORY;
  }
  // Before the handle is known to anyone: the bytes are new.
  watch::memory_begins(handle->extents, space_of(*handle, device));
  const std::lock_guard lock(m.mutex);
  PhysicalHandle* made = handle.get();
  *result = made->value = m.handles.add(std::move(handle));
  return CUDA_SUCCESS;
}

CUresult cuMemRelease(CUmemGenericAllocationHandle value) {
  SIM_ENTER();
  const std::lock_guard lock(memory().mutex);
  PhysicalHandle* handle = live_handle(value);
  if (handle == nullptr)
    return misuse(CUDA_ERROR_INVALID_VALUE, "released physical handle, or none", value);
  charge_call(handle->size / gmlake::MiB);
  --handle->references;
  drop_if_unused(handle);
  return CUDA_SUCCESS;
}

CUresult cuMemRetainAllocationHandle(CUmemGenericAllocationHandle* result, void* at) {
  SIM_ENTER();
  if (result == nullptr) return CUDA_ERROR_INVALID_VALUE;
  Memory& m = memory();
  const std::lock_guard lock(m.mutex);
  // "If the address requested is not mapped, the function will fail"; any address inside will do,
  // and "the handle is guaranteed to be the same handle value used to map the memory".
  const auto mapping = containing(m.mappings, reinterpret_cast<Address>(at));
  if (mapping == m.mappings.end()) return CUDA_ERROR_INVALID_VALUE;
  ++mapping->second.handle->references;
  *result = mapping->second.handle->value;
  return CUDA_SUCCESS;
}

CUresult cuMemGetAllocationPropertiesFromHandle(CUmemAllocationProp* properties,
                                                CUmemGenericAllocationHandle value) {
  SIM_ENTER();
  if (properties == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const std::lock_guard lock(memory().mutex);
  const PhysicalHandle* handle = live_handle(value);
  if (handle == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *properties = handle->properties;
  return CUDA_SUCCESS;
}
