// Advice about managed memory, and its prefetching. It lies on the host here and stays there: both
// are checked, and change nothing.
#include "entry.h"
#include "memory.h"

namespace gmlake::simcuda {
namespace {

// cuda.h, cuMemAdvise and cuMemPrefetchAsync: the range is managed memory; a location is a device
// or the host.
CUresult check_range(CUdeviceptr at, std::size_t size, const CUmemLocation& location) {
  if (location.type == CU_MEM_LOCATION_TYPE_DEVICE) {
    if (const CUresult bad = check_device(location.id)) return bad;
  } else if (location.type != CU_MEM_LOCATION_TYPE_HOST &&
             location.type != CU_MEM_LOCATION_TYPE_HOST_NUMA &&
             location.type != CU_MEM_LOCATION_TYPE_HOST_NUMA_CURRENT) {
    return CUDA_ERROR_INVALID_VALUE;
  }
  Memory& m = memory();
  const std::lock_guard lock(m.mutex);
  const auto block = containing(m.host, at);
  if (size == 0 || block == m.host.end() || block->second.kind != HostKind::managed ||
      size > block->second.size - (at - block->first))
    return CUDA_ERROR_INVALID_VALUE;
  return CUDA_SUCCESS;
}

CUresult prefetch(CUdeviceptr at, std::size_t size, const CUmemLocation& location, unsigned flags,
                  CUstream handle, Implicit implicit) {
  StreamRef stream;
  if (const CUresult bad = find_stream(handle, implicit, stream)) return bad;
  if (flags != 0) return CUDA_ERROR_INVALID_VALUE;
  if (const CUresult bad = check_range(at, size, location)) return bad;
  return enqueue(stream, {});
}

}  // namespace
}  // namespace gmlake::simcuda

using namespace gmlake::simcuda;

CUresult cuMemAdvise_v2(CUdeviceptr at, size_t size, CUmem_advise advice, CUmemLocation location) {
  SIM_ENTER();
  if (advice < CU_MEM_ADVISE_SET_READ_MOSTLY || advice > CU_MEM_ADVISE_UNSET_ACCESSED_BY)
    return CUDA_ERROR_INVALID_VALUE;
  return check_range(at, size, location);
}
SIM_PTSZ(cuMemPrefetchAsync_v2,
         (CUdeviceptr at, size_t size, CUmemLocation location, unsigned flags, CUstream stream),
         prefetch(at, size, location, flags, stream, implicit))
