// Pinned and managed memory: host memory that the driver knows of.
#include <sys/mman.h>

#include "capture.h"
#include "entry.h"
#include "findings.h"
#include "memory.h"
#include "watch.h"

namespace gmlake::simcuda {
namespace {

CUresult allocate(void** result, Bytes size, HostKind kind, unsigned flags) {
  Context* context = nullptr;
  if (const CUresult bad = current_context(context)) return bad;
  if (result == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (const CUresult bad = check_unsafe()) return bad;
  if (size == 0) {
    if (kind == HostKind::managed) return CUDA_ERROR_INVALID_VALUE;
    *result = nullptr;  // pinned memory of no size is none, and no error (measured on driver 580)
    return CUDA_SUCCESS;
  }
  const Bytes pages = round_up(size, kPage);
  void* at = mmap(nullptr, pages, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at == MAP_FAILED) return CUDA_ERROR_OUT_OF_MEMORY;
  {
    const std::lock_guard lock(memory().mutex);
    memory().host.emplace(reinterpret_cast<Address>(at),
                          HostAllocation{pages, kind, context, flags});
  }
  watch::memory_begins(reinterpret_cast<Address>(at), pages);
  *result = at;
  return CUDA_SUCCESS;
}

CUresult find_pinned(const void* at, HostAllocation& found) {
  const std::lock_guard lock(memory().mutex);
  const auto block = containing(memory().host, reinterpret_cast<Address>(at));
  if (block == memory().host.end() || block->second.kind != HostKind::pinned)
    return misuse(CUDA_ERROR_INVALID_VALUE, "not pinned memory", reinterpret_cast<Address>(at));
  found = block->second;
  return CUDA_SUCCESS;
}

}  // namespace
}  // namespace gmlake::simcuda

using namespace gmlake::simcuda;

CUresult cuMemAllocHost_v2(void** result, size_t size) {
  SIM_ENTER();
  return allocate(result, size, HostKind::pinned, 0);
}
CUresult cuMemHostAlloc(void** result, size_t size, unsigned flags) {
  SIM_ENTER();
  constexpr unsigned kKnown =
      CU_MEMHOSTALLOC_PORTABLE | CU_MEMHOSTALLOC_DEVICEMAP | CU_MEMHOSTALLOC_WRITECOMBINED;
  if ((flags & ~kKnown) != 0) return CUDA_ERROR_INVALID_VALUE;
  return allocate(result, size, HostKind::pinned, flags);
}
CUresult cuMemFreeHost(void* at) {
  SIM_ENTER();
  if (at == nullptr) return CUDA_SUCCESS;
  HostAllocation block;
  if (const CUresult bad = find_pinned(at, block)) return bad;
  if (const CUresult bad = check_unsafe()) return bad;
  wait_context(*block.context);
  watch::memory_ends({reinterpret_cast<Address>(at)}, "frees");
  Memory& m = memory();
  const std::lock_guard lock(m.mutex);
  if (m.host.erase(reinterpret_cast<Address>(at)) == 0)
    return misuse(CUDA_ERROR_INVALID_VALUE, "not the start of pinned memory",
                  reinterpret_cast<Address>(at));
  munmap(at, block.size);
  return CUDA_SUCCESS;
}
CUresult cuMemHostGetDevicePointer_v2(CUdeviceptr* result, void* at, unsigned flags) {
  SIM_ENTER();
  if (result == nullptr || flags != 0) return CUDA_ERROR_INVALID_VALUE;
  {
    const std::lock_guard lock(memory().mutex);
    const auto block = containing(memory().host, reinterpret_cast<Address>(at));
    if (block == memory().host.end() || block->second.kind == HostKind::managed)
      return CUDA_ERROR_INVALID_VALUE;
  }
  *result = reinterpret_cast<CUdeviceptr>(at);  // unified addressing: one address for both sides
  return CUDA_SUCCESS;
}
CUresult cuMemHostGetFlags(unsigned* flags, void* at) {
  SIM_ENTER();
  HostAllocation block;
  if (flags == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (const CUresult bad = find_pinned(at, block)) return bad;
  *flags = block.flags | CU_MEMHOSTALLOC_DEVICEMAP;
  return CUDA_SUCCESS;
}
CUresult cuMemAllocManaged(CUdeviceptr* result, size_t size, unsigned flags) {
  SIM_ENTER();
  if (flags != CU_MEM_ATTACH_GLOBAL && flags != CU_MEM_ATTACH_HOST) return CUDA_ERROR_INVALID_VALUE;
  void* at = nullptr;
  const CUresult made = allocate(result == nullptr ? nullptr : &at, size, HostKind::managed, flags);
  if (made == CUDA_SUCCESS) *result = reinterpret_cast<CUdeviceptr>(at);
  return made;
}
