// The driver's own allocator: cuMemAlloc and its relatives. It never fragments: an allocation is
// one range of addresses over whichever pages are free, so it fails only if too few are.
#include <sys/mman.h>

#include <spdlog/fmt/fmt.h>

#include "capture.h"
#include "entry.h"
#include "findings.h"
#include "graph_memory.h"
#include "managed.h"
#include "pool.h"
#include "watch.h"

namespace gmlake::simcuda {
namespace {

constexpr Bytes kPitch = 512;  // pitches satisfy every alignment rule of textures and copies

// Called with memory's lock held.
void give_back(std::map<Address, Allocation>::iterator block) {
  if (block->second.graph != nullptr) return give_back_graph_memory(block);
  Memory& m = memory();
  const Allocation gone = std::move(block->second);
  m.remove(block);
  if (gone.pool != nullptr)
    gone.pool->finish(gone);
  else if (gone.file == nullptr)
    m.devices[gone.device].give(gone.pages, gone.extents);
}

CUresult take(Context& owner, Bytes size, CUdeviceptr* result) {
  Memory& m = memory();
  Physical& physical = m.devices[owner.device];
  if (size > physical.capacity()) return CUDA_ERROR_OUT_OF_MEMORY;
  const std::lock_guard lock(m.mutex);
  Allocation block;
  block.size = size;
  block.pages = round_up(size, kPage);
  block.device = owner.device;
  block.context = &owner;
  if (!m.take_pages(owner.device, block.pages, block.extents)) return CUDA_ERROR_OUT_OF_MEMORY;
  const Address at = m.place(block);
  if (at == 0) {
    physical.give(block.pages, block.extents);
    return CUDA_ERROR_OUT_OF_MEMORY;
  }
  *result = at;
  return CUDA_SUCCESS;
}

CUresult allocate(CUdeviceptr* result, Bytes size) {
  Context* context = nullptr;
  if (const CUresult bad = current_context(context)) return bad;
  // cuda.h, cuMemAlloc: "If bytesize is 0, cuMemAlloc() returns CUDA_ERROR_INVALID_VALUE".
  if (result == nullptr || size == 0) return CUDA_ERROR_INVALID_VALUE;
  if (const CUresult bad = check_unsafe()) return bad;
  charge_call(size / MiB);
  const CUresult taken = take(whole(*context), size, result);
  if (taken == CUDA_SUCCESS) watch::memory_begins(*result, size);
  return taken;
}

CUresult allocate_pitch(CUdeviceptr* result, size_t* pitch, Bytes width, Bytes height,
                        unsigned element) {
  // cuda.h, cuMemAllocPitch: "ElementSizeBytes may be 4, 8, or 16".
  if (pitch == nullptr || width == 0 || height == 0 ||
      (element != 4 && element != 8 && element != 16))
    return CUDA_ERROR_INVALID_VALUE;
  constexpr Bytes kMost = 1024 * TiB;
  if (width > kMost || height > kMost / round_up(width, kPitch)) return CUDA_ERROR_OUT_OF_MEMORY;
  const Bytes row = round_up(width, kPitch);
  const CUresult made = allocate(result, row * height);
  if (made == CUDA_SUCCESS) *pitch = row;
  return made;
}

CUresult free_managed(Address at) {
  Memory& m = memory();
  HostAllocation block;
  {
    const std::lock_guard lock(m.mutex);
    const auto found = m.host.find(at);
    if (found == m.host.end() || found->second.kind != HostKind::managed)
      return misuse(CUDA_ERROR_INVALID_VALUE, "not the start of a live allocation", at);
    block = found->second;
    m.host.erase(found);
    forget_advice(at, block.size);
  }
  wait_context(*block.context);
  munmap(reinterpret_cast<void*>(at), block.size);
  return CUDA_SUCCESS;
}

CUresult free_now(Address at) {
  // No current context is needed: the block knows its own (measured on driver 580).
  if (at == 0) return CUDA_SUCCESS;
  if (const CUresult bad = check_unsafe()) return bad;
  if (!memory().owns(at)) return free_managed(at);
  Freeing block;
  if (const CUresult bad = begin_free(at, 0, block)) return bad;
  // cuda.h, cuMemFree: may synchronise; for stream-ordered memory the driver "assumes that all
  // accesses to the memory have completed before being freed and performs no further
  // synchronization".
  if (block.owner != nullptr) wait_context(*block.owner);
  watch::memory_ends({at}, "frees");
  end_free(block);
  return CUDA_SUCCESS;
}

}  // namespace

CUresult begin_free(Address at, std::uint64_t stream, Freeing& freeing) {
  Memory& m = memory();
  const std::lock_guard lock(m.mutex);
  const auto found = m.allocations.find(at);
  if (found == m.allocations.end() || found->second.freeing || opened_by_ipc(found->second))
    return misuse(CUDA_ERROR_INVALID_VALUE, "not the start of a live allocation", at);
  Allocation& block = found->second;
  block.freeing = true;
  charge_call(block.size / MiB);
  freeing = {at, block.id, block.context, block.pool};
  if (block.pool != nullptr) block.pool->add_freed(block, stream);
  return CUDA_SUCCESS;
}

void cancel_free(const Freeing& freeing) {
  Memory& m = memory();
  const std::lock_guard lock(m.mutex);
  const auto block = m.allocations.find(freeing.at);
  if (block == m.allocations.end() || block->second.id != freeing.id) return;
  block->second.freeing = false;
  if (freeing.pool != nullptr) freeing.pool->restore(block->second);
}

void end_free(const Freeing& freeing) {
  Memory& m = memory();
  const std::lock_guard lock(m.mutex);
  // Its context may have ended before, and freed it.
  const auto block = m.allocations.find(freeing.at);
  if (block != m.allocations.end() && block->second.id == freeing.id) give_back(block);
}

void free_context_memory(const Context& context) {
  Memory& m = memory();
  Bytes bytes = 0;
  std::size_t count = 0;
  {
    const std::lock_guard lock(m.mutex);
    for (auto block = m.allocations.begin(); block != m.allocations.end();) {
      const auto next = std::next(block);
      if (block->second.context == &context) {
        ++count;
        bytes += block->second.size;
        give_back(block);
      }
      block = next;
    }
  }
  if (count != 0)
    found(Check::leaks, "freed with the context",
          fmt::format("{}: the context ends with {} device allocations not freed ({})",
                      describe(current_caller()), count, human_bytes(bytes)));
}

}  // namespace gmlake::simcuda

using namespace gmlake::simcuda;

CUresult cuMemGetInfo_v2(size_t* free, size_t* total) {
  SIM_ENTER();
  Context* context = nullptr;
  if (const CUresult bad = current_context(context)) return bad;
  Memory& m = memory();
  const std::lock_guard lock(m.mutex);
  const Physical& device = m.devices[context->device];
  if (free != nullptr) *free = m.available(context->device);
  if (total != nullptr) *total = device.capacity();
  return CUDA_SUCCESS;
}
CUresult cuMemAlloc_v2(CUdeviceptr* result, size_t size) {
  SIM_ENTER();
  return allocate(result, size);
}
CUresult cuMemAllocPitch_v2(CUdeviceptr* result, size_t* pitch, size_t width, size_t height,
                            unsigned element) {
  SIM_ENTER();
  return allocate_pitch(result, pitch, width, height, element);
}
CUresult cuMemFree_v2(CUdeviceptr at) {
  SIM_ENTER();
  return free_now(at);
}
