// Advice about managed memory, its prefetching, and the stream it is attached to. It lies on the
// host here and stays there: all of that is checked and can be read back, and changes nothing.
#include "managed.h"

#include <array>
#include <vector>

#include "entry.h"
#include "memory.h"

namespace gmlake::simcuda {
namespace {

constexpr CUmemLocation kNowhere{CU_MEM_LOCATION_TYPE_INVALID, 0};

struct Advice {
  bool read_mostly = false;
  CUmemLocation preferred = kNowhere;
  CUmemLocation prefetched = kNowhere;
  std::array<bool, kMaxDevices> devices{};  // that access it
  bool host = false;                        // so does the host
};

// A piece of memory has the advice at or before its address. Guarded by memory's lock.
std::map<Address, Advice>& pieces() {
  static auto* pieces = new std::map<Address, Advice>{{0, {}}};
  return *pieces;
}
std::map<Address, Advice>::iterator cut(Address at) {
  const auto next = pieces().lower_bound(at);
  if (next != pieces().end() && next->first == at) return next;
  return pieces().emplace_hint(next, at, std::prev(next)->second);
}
template <typename Visit>
void for_each_piece(Address at, Bytes size, Visit visit) {
  const auto first = cut(at / kPage * kPage);
  const auto last = cut(round_up(at + size, kPage));
  for (auto piece = first; piece != last; ++piece) visit(piece->second);
}

bool same(const CUmemLocation& a, const CUmemLocation& b) {
  return a.type == b.type && (a.type != CU_MEM_LOCATION_TYPE_DEVICE || a.id == b.id);
}
// The location all pieces of the range have in common.
CUmemLocation common(Address at, Bytes size, CUmemLocation Advice::*which) {
  std::vector<CUmemLocation> all;
  for_each_piece(at, size, [&](const Advice& advice) { all.push_back(advice.*which); });
  for (const CUmemLocation& one : all)
    if (!same(one, all.front())) return kNowhere;
  return all.front();
}
int as_device(const CUmemLocation& location) {
  if (location.type == CU_MEM_LOCATION_TYPE_DEVICE) return location.id;
  return location.type == CU_MEM_LOCATION_TYPE_INVALID ? CU_DEVICE_INVALID : CU_DEVICE_CPU;
}

// cuda.h: the range is managed memory.
bool is_managed(CUdeviceptr at, Bytes size) {
  Memory& m = memory();
  const auto block = containing(m.host, at);
  return size != 0 && block != m.host.end() && block->second.kind == HostKind::managed &&
         size <= block->second.size - (at - block->first);
}

// A location is a device or the host.
CUresult check_location(const CUmemLocation& location) {
  switch (location.type) {
    case CU_MEM_LOCATION_TYPE_DEVICE:
      return check_device(location.id);
    case CU_MEM_LOCATION_TYPE_HOST:
    case CU_MEM_LOCATION_TYPE_HOST_NUMA:
    case CU_MEM_LOCATION_TYPE_HOST_NUMA_CURRENT:
      return CUDA_SUCCESS;
    default:
      return CUDA_ERROR_INVALID_VALUE;
  }
}
// The first forms of the calls name a device or CU_DEVICE_CPU.
CUmemLocation as_location(CUdevice device) {
  if (device == CU_DEVICE_CPU) return {CU_MEM_LOCATION_TYPE_HOST, 0};
  return {CU_MEM_LOCATION_TYPE_DEVICE, device};
}

CUresult prefetch(CUdeviceptr at, Bytes size, const CUmemLocation& location, unsigned flags,
                  CUstream handle, Implicit implicit) {
  StreamRef stream;
  if (const CUresult bad = find_stream(handle, implicit, stream)) return bad;
  if (flags != 0) return CUDA_ERROR_INVALID_VALUE;
  if (const CUresult bad = check_location(location)) return bad;
  {
    const std::lock_guard lock(memory().mutex);
    if (!is_managed(at, size)) return CUDA_ERROR_INVALID_VALUE;
    for_each_piece(at, size, [&](Advice& advice) { advice.prefetched = location; });
  }
  return enqueue(stream, {});
}

CUresult advise(CUdeviceptr at, Bytes size, CUmem_advise advice, const CUmemLocation& location) {
  if (advice < CU_MEM_ADVISE_SET_READ_MOSTLY || advice > CU_MEM_ADVISE_UNSET_ACCESSED_BY)
    return CUDA_ERROR_INVALID_VALUE;
  // "The location argument is ignored for this advice": of the first two and the fourth.
  const bool placed = advice == CU_MEM_ADVISE_SET_PREFERRED_LOCATION ||
                      advice == CU_MEM_ADVISE_SET_ACCESSED_BY ||
                      advice == CU_MEM_ADVISE_UNSET_ACCESSED_BY;
  if (placed)
    if (const CUresult bad = check_location(location)) return bad;
  const std::lock_guard lock(memory().mutex);
  if (!is_managed(at, size)) return CUDA_ERROR_INVALID_VALUE;
  for_each_piece(at, size, [&](Advice& piece) {
    switch (advice) {
      case CU_MEM_ADVISE_SET_READ_MOSTLY:
      case CU_MEM_ADVISE_UNSET_READ_MOSTLY:
        piece.read_mostly = advice == CU_MEM_ADVISE_SET_READ_MOSTLY;
        break;
      case CU_MEM_ADVISE_SET_PREFERRED_LOCATION:
        piece.preferred = location;
        break;
      case CU_MEM_ADVISE_UNSET_PREFERRED_LOCATION:
        piece.preferred = kNowhere;
        break;
      default: {
        const bool device = location.type == CU_MEM_LOCATION_TYPE_DEVICE;
        bool& accesses = device ? piece.devices[static_cast<unsigned>(location.id)] : piece.host;
        accesses = advice == CU_MEM_ADVISE_SET_ACCESSED_BY;
      }
    }
  });
  return CUDA_SUCCESS;
}

CUresult accessed_by(int* ids, std::size_t count, Address at, Bytes size) {
  Advice all;
  all.devices.fill(true);
  all.host = true;
  for_each_piece(at, size, [&](const Advice& piece) {
    for (unsigned i = 0; i < kMaxDevices; ++i) all.devices[i] = all.devices[i] && piece.devices[i];
    all.host = all.host && piece.host;
  });
  std::vector<int> found;
  if (all.host) found.push_back(CU_DEVICE_CPU);
  for (unsigned i = 0; i < kMaxDevices; ++i)
    if (all.devices[i]) found.push_back(static_cast<int>(i));
  found.resize(count, CU_DEVICE_INVALID);
  std::copy(found.begin(), found.end(), ids);
  return CUDA_SUCCESS;
}

CUresult range_attribute(void* data, std::size_t data_size, CUmem_range_attribute attribute,
                         CUdeviceptr at, Bytes size) {
  if (data == nullptr || !is_managed(at, size)) return CUDA_ERROR_INVALID_VALUE;
  int& value = *static_cast<int*>(data);
  if (attribute == CU_MEM_RANGE_ATTRIBUTE_ACCESSED_BY) {
    // "dataSize must be a non-zero multiple of 4".
    if (data_size == 0 || data_size % sizeof(int) != 0) return CUDA_ERROR_INVALID_VALUE;
    return accessed_by(&value, data_size / sizeof(int), at, size);
  }
  if (data_size != sizeof(int)) return CUDA_ERROR_INVALID_VALUE;
  const CUmemLocation preferred = common(at, size, &Advice::preferred);
  const CUmemLocation prefetched = common(at, size, &Advice::prefetched);
  switch (attribute) {
    case CU_MEM_RANGE_ATTRIBUTE_READ_MOSTLY:
      value = 1;
      for_each_piece(at, size, [&](const Advice& piece) { value &= piece.read_mostly; });
      return CUDA_SUCCESS;
    case CU_MEM_RANGE_ATTRIBUTE_PREFERRED_LOCATION:
      value = as_device(preferred);
      return CUDA_SUCCESS;
    case CU_MEM_RANGE_ATTRIBUTE_PREFERRED_LOCATION_TYPE:
      value = preferred.type;
      return CUDA_SUCCESS;
    case CU_MEM_RANGE_ATTRIBUTE_PREFERRED_LOCATION_ID:
      value = preferred.id;
      return CUDA_SUCCESS;
    case CU_MEM_RANGE_ATTRIBUTE_LAST_PREFETCH_LOCATION:
      value = as_device(prefetched);
      return CUDA_SUCCESS;
    case CU_MEM_RANGE_ATTRIBUTE_LAST_PREFETCH_LOCATION_TYPE:
      value = prefetched.type;
      return CUDA_SUCCESS;
    case CU_MEM_RANGE_ATTRIBUTE_LAST_PREFETCH_LOCATION_ID:
      value = prefetched.id;
      return CUDA_SUCCESS;
    default:
      return CUDA_ERROR_INVALID_VALUE;
  }
}

CUresult attach(CUstream handle, Implicit implicit, CUdeviceptr at, Bytes size, unsigned flags) {
  StreamRef stream;
  if (const CUresult bad = find_stream(handle, implicit, stream)) return bad;
  if (flags != CU_MEM_ATTACH_GLOBAL && flags != CU_MEM_ATTACH_HOST && flags != CU_MEM_ATTACH_SINGLE)
    return CUDA_ERROR_INVALID_VALUE;
  // "It is illegal to attach singly to the NULL stream".
  if (flags == CU_MEM_ATTACH_SINGLE && stream->legacy) return CUDA_ERROR_INVALID_VALUE;
  {
    Memory& m = memory();
    const std::lock_guard lock(m.mutex);
    const auto block = containing(m.host, at);
    // Pageable memory, which devices with CU_DEVICE_ATTRIBUTE_PAGEABLE_MEMORY_ACCESS would allow,
    // is none of this one's.
    if (block == m.host.end() || block->second.kind != HostKind::managed || block->first != at)
      return CUDA_ERROR_INVALID_VALUE;
    // "length must be either zero or the entire allocation's size."
    if (size != 0 && round_up(size, kPage) != block->second.size) return CUDA_ERROR_INVALID_VALUE;
  }
  return enqueue(stream, {});
}

}  // namespace

void forget_advice(Address at, Bytes size) {
  for_each_piece(at, size, [](Advice& advice) { advice = {}; });
}

}  // namespace gmlake::simcuda

using namespace gmlake::simcuda;

CUresult cuMemAdvise(CUdeviceptr at, size_t size, CUmem_advise advice, CUdevice device) {
  SIM_ENTER();
  return advise(at, size, advice, as_location(device));
}
CUresult cuMemAdvise_v2(CUdeviceptr at, size_t size, CUmem_advise advice, CUmemLocation location) {
  SIM_ENTER();
  return advise(at, size, advice, location);
}
CUresult cuMemRangeGetAttribute(void* data, size_t data_size, CUmem_range_attribute attribute,
                                CUdeviceptr at, size_t size) {
  SIM_ENTER();
  const std::lock_guard lock(memory().mutex);
  return range_attribute(data, data_size, attribute, at, size);
}
CUresult cuMemRangeGetAttributes(void** data, size_t* sizes, CUmem_range_attribute* attributes,
                                 size_t count, CUdeviceptr at, size_t size) {
  SIM_ENTER();
  if (data == nullptr || sizes == nullptr || attributes == nullptr || count == 0)
    return CUDA_ERROR_INVALID_VALUE;
  const std::lock_guard lock(memory().mutex);
  for (size_t i = 0; i < count; ++i)
    if (const CUresult bad = range_attribute(data[i], sizes[i], attributes[i], at, size))
      return bad;
  return CUDA_SUCCESS;
}
SIM_PTSZ(cuMemPrefetchAsync, (CUdeviceptr at, size_t size, CUdevice device, CUstream stream),
         prefetch(at, size, as_location(device), 0, stream, implicit))
SIM_PTSZ(cuMemPrefetchAsync_v2,
         (CUdeviceptr at, size_t size, CUmemLocation location, unsigned flags, CUstream stream),
         prefetch(at, size, location, flags, stream, implicit))
SIM_PTSZ(cuStreamAttachMemAsync, (CUstream stream, CUdeviceptr at, size_t size, unsigned flags),
         attach(stream, implicit, at, size, flags))
