// The driver's own allocator: cuMemAlloc, cuMemAllocAsync and their frees. It never fragments: an
// allocation is one range of addresses over whichever pages are free, so it fails only if too few
// are.
#include <sys/mman.h>

#include <deque>
#include <unordered_map>
#include <vector>

#include "capture.h"
#include "entry.h"
#include "graph_memory.h"

namespace gmlake::simcuda {
namespace {

constexpr Bytes kPitch = 512;  // pitches satisfy every alignment rule of textures and copies

using Allocations = std::map<Address, Allocation>;

// Called with memory's lock held.
void give_back(Allocations::iterator block) {
  if (block->second.graph != nullptr) return give_back_graph_memory(block);
  Memory& m = memory();
  m.pages.unmap(block->first, block->second.pages);
  m.devices[block->second.device].give(block->second.held, block->second.extents);
  m.native.give(block->first, block->second.pages);
  m.allocations.erase(block);
}

// Blocks whose stream-ordered free has been given and has not had its turn, by stream and oldest
// first. Later allocations of that stream may have their pages at once: its order keeps the two
// apart (CUDA programming guide, "Stream-Ordered Memory Allocator"). Under memory's lock.
struct Freeing {
  Address at;
  std::uint64_t allocation;  // its id: the address may belong to another block by now
};
std::deque<Freeing>& freeing_on(std::uint64_t stream) {
  static auto* streams = new std::unordered_map<std::uint64_t, std::deque<Freeing>>;
  return (*streams)[stream];
}

// Moves up to `size` bytes of pages from one list of extents to another. Unbacked memory has none.
void move_pages(Bytes size, Extents& from, Extents& to) {
  while (size > 0 && !from.empty()) {
    Extent& last = from.back();
    const Bytes n = std::min(size, last.size);
    last.size -= n;
    to.push_back({last.offset + last.size, n});
    if (last.size == 0) from.pop_back();
    size -= n;
  }
}

// The blocks `stream` is freeing that still hold pages of the device, oldest first. Called with
// memory's lock held.
std::vector<Allocation*> pages_on_their_way(std::uint64_t stream, CUdevice device) {
  Memory& m = memory();
  auto& freeing = freeing_on(stream);
  std::vector<Allocation*> blocks;
  std::erase_if(freeing, [&](const Freeing& one) {
    const auto block = m.allocations.find(one.at);
    if (block == m.allocations.end() || block->second.id != one.allocation ||
        block->second.held == 0)
      return true;
    if (block->second.device == device) blocks.push_back(&block->second);
    return false;
  });
  return blocks;
}

// `stream` is 0 for an allocation that no stream orders.
CUresult take(CUdevice device, Context* owner, Bytes size, std::uint64_t stream,
              CUdeviceptr* result) {
  Memory& m = memory();
  Physical& physical = m.devices[device];
  if (size > physical.capacity()) return CUDA_ERROR_OUT_OF_MEMORY;
  const Bytes pages = round_up(size, kPage);
  const std::lock_guard lock(m.mutex);
  Allocation block{size, pages, pages, device, owner, {}, m.next_allocation_id, false};

  std::vector<Allocation*> giving;
  if (stream != 0) giving = pages_on_their_way(stream, device);
  Bytes missing = pages;
  for (const Allocation* from : giving) missing -= std::min(missing, from->held);
  if (missing > physical.capacity() - physical.used()) return CUDA_ERROR_OUT_OF_MEMORY;
  const auto at = m.native.take(pages, kPage);
  if (!at) return CUDA_ERROR_OUT_OF_MEMORY;
  Allocation* last = nullptr;
  Bytes left = pages - missing;
  for (Allocation* from : giving) {
    if (left == 0) break;
    const Bytes n = std::min(left, from->held);
    move_pages(n, from->extents, block.extents);
    from->held -= n;
    left -= n;
    last = from;
  }
  if (missing > 0) m.take_pages(device, missing, block.extents);  // there are enough
  if (!m.pages.map(*at, physical.fd(), block.extents, PROT_READ | PROT_WRITE)) {
    m.native.give(*at, pages);
    if (last == nullptr) {
      physical.give(pages, block.extents);
    } else {  // work before the free may still use some of them: they go back with the free
      last->extents.insert(last->extents.end(), block.extents.begin(), block.extents.end());
      last->held += pages;
    }
    return CUDA_ERROR_OUT_OF_MEMORY;
  }
  ++m.next_allocation_id;
  m.allocations.emplace(*at, std::move(block));
  *result = *at;
  return CUDA_SUCCESS;
}

// Stream-ordered frees that have been given and have not had their turn, oldest first. Lock: its
// own, taken before the scheduler's.
struct PendingFrees {
  std::mutex mutex;
  std::deque<Point> operations[kMaxDevices];
};
PendingFrees& pending_frees() {
  static PendingFrees* pending = new PendingFrees;
  return *pending;
}

// Without an operation if no free of that device is on its way.
Point oldest_pending_free(CUdevice device) {
  PendingFrees& pending = pending_frees();
  const std::lock_guard lock(pending.mutex);
  auto& operations = pending.operations[device];
  while (!operations.empty() && passed(operations.front())) operations.pop_front();
  return operations.empty() ? Point{} : operations.front();
}

CUresult allocate(CUdeviceptr* result, Bytes size) {
  Context* context = nullptr;
  if (const CUresult bad = current_context(context)) return bad;
  // cuda.h, cuMemAlloc: "If bytesize is 0, cuMemAlloc() returns CUDA_ERROR_INVALID_VALUE".
  if (result == nullptr || size == 0) return CUDA_ERROR_INVALID_VALUE;
  if (const CUresult bad = check_unsafe()) return bad;
  return take(context->device, context, size, 0, result);
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

CUresult allocate_async(CUdeviceptr* result, Bytes size, CUstream handle, Implicit implicit) {
  StreamRef stream;
  if (const CUresult bad = find_stream(handle, implicit, stream)) return bad;
  if (result == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (size == 0) {  // unlike cuMemAlloc: no memory and no error (measured on driver 580)
    *result = 0;
    return CUDA_SUCCESS;
  }
  const CUdevice device = stream->context->device;
  if (capturing(*stream)) return capture_allocation(stream, result, size);
  if (const CUresult bad = check_unsafe()) return bad;
  if (const CUresult bad = check_legacy(*stream)) return bad;
  // CUDA programming guide, "Stream-Ordered Memory Allocator", reuse policies: rather than fail,
  // the allocation waits for frees that are on their way.
  for (;;) {
    // Asked before trying: a free that completes in between has made room and is worth another try.
    const Point pending = oldest_pending_free(device);
    const CUresult taken = take(device, nullptr, size, stream->id, result);
    if (taken != CUDA_ERROR_OUT_OF_MEMORY || pending.operation == nullptr) return taken;
    wait(pending);
  }
}

// Marks the block at that address as being freed, on a stream or (0) at once; an error for
// anything but the start of a live one.
CUresult claim(Address at, CUdevice& device, Context*& owner, std::uint64_t stream) {
  Memory& m = memory();
  const std::lock_guard lock(m.mutex);
  const auto block = m.allocations.find(at);
  if (block == m.allocations.end() || block->second.freeing) return CUDA_ERROR_INVALID_VALUE;
  block->second.freeing = true;
  device = block->second.device;
  owner = block->second.context;
  if (stream != 0 && block->second.graph == nullptr)
    freeing_on(stream).push_back({at, block->second.id});
  return CUDA_SUCCESS;
}

void release(Address at) {
  const std::lock_guard lock(memory().mutex);
  give_back(memory().allocations.find(at));
}

CUresult free_async(Address at, CUstream handle, Implicit implicit) {
  StreamRef stream;
  CUdevice device = 0;
  Context* owner = nullptr;
  if (const CUresult bad = find_stream(handle, implicit, stream)) return bad;
  if (at == 0) return CUDA_SUCCESS;
  if (capturing(*stream)) return capture_free(stream, at);
  if (const CUresult bad = check_unsafe()) return bad;
  if (const CUresult bad = check_legacy(*stream)) return bad;
  if (const CUresult bad = claim(at, device, owner, stream->id)) return bad;
  Point point;
  if (const CUresult bad = enqueue(stream, {Run::brief, [at] { release(at); }}, &point)) return bad;
  if (point.operation == nullptr) return CUDA_SUCCESS;
  PendingFrees& pending = pending_frees();
  const std::lock_guard lock(pending.mutex);
  pending.operations[device].push_back(point);
  return CUDA_SUCCESS;
}

CUresult free_managed(Address at) {
  Memory& m = memory();
  HostAllocation block;
  {
    const std::lock_guard lock(m.mutex);
    const auto found = m.host.find(at);
    if (found == m.host.end() || found->second.kind != HostKind::managed)
      return CUDA_ERROR_INVALID_VALUE;
    block = found->second;
    m.host.erase(found);
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
  CUdevice device = 0;
  Context* owner = nullptr;
  if (const CUresult bad = claim(at, device, owner, 0)) return bad;
  // cuda.h, cuMemFree: may synchronise; for stream-ordered memory the driver "assumes that all
  // accesses to the memory have completed before being freed and performs no further
  // synchronization".
  if (owner != nullptr) wait_context(*owner);
  release(at);
  return CUDA_SUCCESS;
}

}  // namespace

void free_context_memory(const Context& context) {
  Memory& m = memory();
  const std::lock_guard lock(m.mutex);
  for (auto block = m.allocations.begin(); block != m.allocations.end();) {
    const auto next = std::next(block);
    if (block->second.context == &context) give_back(block);
    block = next;
  }
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
  if (free != nullptr) *free = device.capacity() - device.used();
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
SIM_PTSZ(cuMemAllocAsync, (CUdeviceptr * result, size_t size, CUstream stream),
         allocate_async(result, size, stream, implicit))
SIM_PTSZ(cuMemFreeAsync, (CUdeviceptr at, CUstream stream), free_async(at, stream, implicit))
