// cuMemMap, cuMemUnmap, cuMemSetAccess, cuMemGetAccess.
#include <sys/mman.h>

#include <algorithm>

#include "entry.h"
#include "faults.h"
#include "findings.h"
#include "leniency.h"
#include "vmm.h"
#include "watch.h"

namespace gmlake::simcuda {
namespace {

int host_protection(const Mapping& mapping) {
  const auto most = *std::max_element(std::begin(mapping.access), std::end(mapping.access));
  if (most == CU_MEM_ACCESS_FLAGS_PROT_READWRITE) return PROT_READ | PROT_WRITE;
  return most == CU_MEM_ACCESS_FLAGS_PROT_READ ? PROT_READ : PROT_NONE;
}

using MappingIterator = std::map<Address, Mapping>::iterator;

// The mappings that make up [at, at + size) exactly, without a gap; false if there are none such.
bool whole_mappings(Address at, Bytes size, MappingIterator& first, MappingIterator& last) {
  auto& mappings = memory().mappings;
  first = last = mappings.find(at);
  Address next = at;
  while (next < at + size) {
    if (last == mappings.end() || last->first != next) return false;
    next += last->second.size;
    ++last;
  }
  return next == at + size && size != 0;
}

CUresult set_access(Address at, Bytes size, const CUmemAccessDesc* descriptions, size_t count) {
  Memory& m = memory();
  std::vector<Address> taken;      // mappings that no device may use any more
  std::vector<Address> read_only;  // or may write any more
  {
    const std::lock_guard lock(m.mutex);
    MappingIterator first;
    MappingIterator last;
    // cuMemSetAccess: "The range must be a fully mapped address range containing all allocations
    // created by cuMemMap / cuMemCreate".
    if (!whole_mappings(at, size, first, last))
      return misuse(CUDA_ERROR_INVALID_VALUE, "range that is not mapped as a whole", at);
    // Of another device's memory only a peer may have any.
    for (auto mapping = first; mapping != last && !devices_are_peers(); ++mapping)
      for (size_t i = 0; i < count; ++i)
        if (descriptions[i].flags != CU_MEM_ACCESS_FLAGS_PROT_NONE &&
            descriptions[i].location.id != mapping->second.handle->properties.location.id)
          return CUDA_ERROR_INVALID_DEVICE;
    for (auto mapping = first; mapping != last; ++mapping) {
      const int before = host_protection(mapping->second);
      for (size_t i = 0; i < count; ++i)
        mapping->second.access[descriptions[i].location.id] =
            static_cast<unsigned char>(descriptions[i].flags);
      const int after = host_protection(mapping->second);
      if (after == PROT_NONE)
        taken.push_back(mapping->first);
      else if ((before & ~after) != 0)
        read_only.push_back(mapping->first);
    }
    charge_call(static_cast<std::uint64_t>(std::distance(first, last)) * count);
    // One mprotect for as many neighbours as end up with the same protection.
    while (first != last) {
      const Address begin = first->first;
      const int protection = host_protection(first->second);
      Address end = begin;
      for (; first != last && host_protection(first->second) == protection; ++first)
        end = first->first + first->second.size;
      if (!m.pages.protect(begin, end - begin, protection)) return CUDA_ERROR_OUT_OF_MEMORY;
    }
  }
  watch::memory_ends(taken, "takes all access away from");
  watch::memory_ends(read_only, "takes write access away from", order::Taken::writing);
  return CUDA_SUCCESS;
}

}  // namespace
}  // namespace gmlake::simcuda

using namespace gmlake::simcuda;

CUresult cuMemMap(CUdeviceptr at, size_t size, size_t offset, CUmemGenericAllocationHandle value,
                  unsigned long long flags) {
  SIM_ENTER();
  // "flags for future use, must be zero now".
  if (!valid_range(at, size) || !aligned(offset) || flags != 0) return CUDA_ERROR_INVALID_VALUE;
  Memory& m = memory();
  const std::lock_guard lock(m.mutex);
  PhysicalHandle* handle = live_handle(value);
  if (handle == nullptr)
    return misuse(CUDA_ERROR_INVALID_VALUE, "released physical handle, or none", value);
  // "offset: ... Note: currently must be zero."; and a handle is mapped as a whole. NOT_SUPPORTED
  // is what driver 580 answers to either.
  if (offset != 0 || handle->size != size) return CUDA_ERROR_NOT_SUPPORTED;
  // "This range must be an address reservation previously reserved with cuMemAddressReserve".
  const auto reservation = containing(m.reservations, at);
  if (reservation == m.reservations.end() || at + size > reservation->first + reservation->second)
    return CUDA_ERROR_INVALID_VALUE;
  // "cuMemMap can only create mappings on VA range reservations that are not currently mapped."
  const auto next = m.mappings.lower_bound(at);
  if (next != m.mappings.end() && next->first < at + size) return CUDA_ERROR_INVALID_VALUE;
  if (containing(m.mappings, at) != m.mappings.end()) return CUDA_ERROR_INVALID_VALUE;
  if (m.mapping_count >= mapping_limit()) return CUDA_ERROR_OUT_OF_MEMORY;
  // "Please note calling cuMemMap does not make the address accessible".
  const int fd = fd_of(*handle, m.devices[handle->properties.location.id]);
  if (!m.pages.map(at, fd, handle->extents, PROT_NONE)) return CUDA_ERROR_OUT_OF_MEMORY;
  m.mappings.emplace_hint(next, at, Mapping{size, handle, {}});
  ++handle->mappings;
  m.peak_mapping_count = std::max(m.peak_mapping_count, ++m.mapping_count);
  return CUDA_SUCCESS;
}

CUresult cuMemUnmap(CUdeviceptr at, size_t size) {
  SIM_ENTER();
  Memory& m = memory();
  MappingIterator first;
  MappingIterator last;
  // "cuMemUnmap cannot unmap a sub-range of an address range mapped by cuMemCreate / cuMemMap."
  const auto refused = [&] {
    return misuse(CUDA_ERROR_INVALID_VALUE, "range that is not whole mappings", at);
  };
  std::vector<Address> mappings;
  {
    const std::lock_guard lock(m.mutex);
    if (!whole_mappings(at, size, first, last)) return refused();
    for (auto mapping = first; mapping != last; ++mapping) mappings.push_back(mapping->first);
  }
  charge_call(mappings.size());
  // Before they go: work that still uses them is about to go wrong.
  watch::memory_ends(mappings, "unmaps");
  const std::lock_guard lock(m.mutex);
  if (!whole_mappings(at, size, first, last)) return refused();
  if (!m.pages.unmap(at, size)) return CUDA_ERROR_OUT_OF_MEMORY;
  while (first != last) {
    PhysicalHandle* handle = first->second.handle;
    first = m.mappings.erase(first);
    --m.mapping_count;
    --handle->mappings;
    drop_if_unused(handle);
  }
  return CUDA_SUCCESS;
}

CUresult cuMemSetAccess(CUdeviceptr at, size_t size, const CUmemAccessDesc* descriptions,
                        size_t count) {
  SIM_ENTER();
  if (!valid_range(at, size) || descriptions == nullptr || count == 0)
    return CUDA_ERROR_INVALID_VALUE;
  for (size_t i = 0; i < count; ++i) {
    const CUmemAccessDesc& description = descriptions[i];
    if (description.location.type != CU_MEM_LOCATION_TYPE_DEVICE) return CUDA_ERROR_NOT_SUPPORTED;
    if (check_device(description.location.id) != CUDA_SUCCESS) return CUDA_ERROR_INVALID_VALUE;
    if (description.flags != CU_MEM_ACCESS_FLAGS_PROT_NONE &&
        description.flags != CU_MEM_ACCESS_FLAGS_PROT_READ &&
        description.flags != CU_MEM_ACCESS_FLAGS_PROT_READWRITE)
      return CUDA_ERROR_INVALID_VALUE;
  }
  return set_access(at, size, descriptions, count);
}

CUresult cuMemGetAccess(unsigned long long* flags, const CUmemLocation* location, CUdeviceptr at) {
  SIM_ENTER();
  if (flags == nullptr || location == nullptr || location->type != CU_MEM_LOCATION_TYPE_DEVICE)
    return CUDA_ERROR_INVALID_VALUE;
  if (const CUresult bad = check_device(location->id)) return bad;
  Memory& m = memory();
  const std::lock_guard lock(m.mutex);
  if (const auto mapping = containing(m.mappings, at); mapping != m.mappings.end()) {
    *flags = mapping->second.access[location->id];
    return CUDA_SUCCESS;
  }
  // Memory that is no mapping is its own device's (measured on driver 580).
  const auto block = containing(m.allocations, at);
  if (block == m.allocations.end()) return CUDA_ERROR_INVALID_VALUE;
  *flags = block->second.device == location->id ? CU_MEM_ACCESS_FLAGS_PROT_READWRITE
                                                : CU_MEM_ACCESS_FLAGS_PROT_NONE;
  return CUDA_SUCCESS;
}
