// cuMemHostRegister and its opposite: the program's own memory, which the driver gets to know.
#include <sys/mman.h>

#include "entry.h"
#include "findings.h"
#include "memory.h"
#include "watch.h"

namespace gmlake::simcuda {
namespace {

// Whether all of the range is mapped in this process.
bool is_mapped(Address at, Bytes size) {
  const Address begin = at / kPage * kPage;
  std::vector<unsigned char> resident((round_up(at + size, kPage) - begin) / kPage);
  return mincore(reinterpret_cast<void*>(begin), at + size - begin, resident.data()) == 0;
}

CUresult register_memory(void* pointer, Bytes size, unsigned flags) {
  Context* context = nullptr;
  if (const CUresult bad = current_context(context)) return bad;
  constexpr unsigned kKnown = CU_MEMHOSTREGISTER_PORTABLE | CU_MEMHOSTREGISTER_DEVICEMAP |
                              CU_MEMHOSTREGISTER_IOMEMORY | CU_MEMHOSTREGISTER_READ_ONLY;
  constexpr Bytes kMost = Bytes{1} << 46;
  const auto at = reinterpret_cast<Address>(pointer);
  if (at == 0 || size == 0 || size > kMost || (flags & ~kKnown) != 0)
    return CUDA_ERROR_INVALID_VALUE;
  // CU_DEVICE_ATTRIBUTE_READ_ONLY_HOST_REGISTER_SUPPORTED is 0 here; there is no I/O memory.
  if ((flags & (CU_MEMHOSTREGISTER_IOMEMORY | CU_MEMHOSTREGISTER_READ_ONLY)) != 0)
    return CUDA_ERROR_NOT_SUPPORTED;
  Memory& m = memory();
  if (m.owns(at) || m.owns(at + size - 1) || !is_mapped(at, size)) return CUDA_ERROR_INVALID_VALUE;
  {
    const std::lock_guard lock(m.mutex);
    const auto next = m.host.lower_bound(at);
    if ((next != m.host.end() && next->first < at + size) || containing(m.host, at) != m.host.end())
      return CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED;
    m.host.emplace_hint(next, at, HostAllocation{size, HostKind::registered, context, flags});
  }
  watch::memory_begins(at, size);
  return CUDA_SUCCESS;
}

}  // namespace
}  // namespace gmlake::simcuda

using namespace gmlake::simcuda;

CUresult cuMemHostRegister(void* at, size_t size, unsigned flags) {
  SIM_ENTER();
  return register_memory(at, size, flags);
}
CUresult cuMemHostRegister_v2(void* at, size_t size, unsigned flags) {
  SIM_ENTER();
  return register_memory(at, size, flags);
}
CUresult cuMemHostUnregister(void* pointer) {
  SIM_ENTER();
  Context* context = nullptr;
  if (const CUresult bad = current_context(context)) return bad;
  const auto at = reinterpret_cast<Address>(pointer);
  if (at == 0) return CUDA_ERROR_INVALID_VALUE;
  Memory& m = memory();
  {
    const std::lock_guard lock(m.mutex);
    const auto block = containing(m.host, at);
    if (block == m.host.end() || block->second.kind != HostKind::registered)
      return misuse(CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED, "memory that is not registered", at);
    // "The base address must be the same one specified to cuMemHostRegister()."
    if (block->first != at) return CUDA_ERROR_INVALID_VALUE;
  }
  watch::memory_ends({at}, "unregisters");
  const std::lock_guard lock(m.mutex);
  return m.host.erase(at) != 0 ? CUDA_SUCCESS : CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED;
}
