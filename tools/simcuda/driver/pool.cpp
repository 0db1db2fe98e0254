#include "pool.h"

#include <fcntl.h>

#include <algorithm>

#include "findings.h"

namespace gmlake::simcuda {
namespace {

// Moves `size` bytes of pages from one list of extents to another. Unbacked memory has none.
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

}  // namespace

Bytes Pool::fresh() const {
  const Bytes available = memory().available(device());
  if (properties.maxSize == 0) return available;
  return std::min(available, properties.maxSize - std::min(properties.maxSize, reserved));
}

void Pool::take_from(Freed* from, Bytes most, Bytes& missing, std::vector<Grant>& grants) {
  const Bytes n = std::min(most, missing);
  if (n == 0) return;
  Grant& grant = grants.emplace_back(Grant{from, n, {}});
  if (from != nullptr) {
    move_pages(n, from->extents, grant.extents);
    from->size -= n;
  } else {
    if (file != nullptr)
      memory().count_pages(device(), n);
    else
      memory().take_pages(device(), n, grant.extents);
    reserved += n;
  }
  missing -= n;
}

// CUDA programming guide, "Stream-Ordered Memory Allocator", reuse policies: pages that the stream
// comes after anyway, then (opportunistic) those whose free has completed, then new ones, and last
// (internal dependencies) those it can be made to wait for.
std::vector<Grant> Pool::grant(Bytes size, const StreamRef& stream, std::vector<Point>& after) {
  std::vector<Freed*> ordered;
  std::vector<Freed*> complete;
  std::vector<Freed*> pending;
  Bytes kept = 0;  // complete, but not to be used again
  for (Freed& one : freed) {
    const bool done = one.complete();
    if (one.given && (one.stream == 0 ? done : one.stream == stream->id))
      ordered.push_back(&one);
    else if (follow_event_dependencies && !done && follows(stream, one.point))
      ordered.push_back(&one);
    else if (done && !opportunistic)
      kept += one.size;
    else if (done && one.given)
      complete.push_back(&one);
    else if (one.given && internal_dependencies)
      pending.push_back(&one);
  }
  const auto bytes = [](const std::vector<Freed*>& list) {
    Bytes sum = 0;
    for (const Freed* one : list) sum += one->size;
    return sum;
  };
  const Bytes reusable = bytes(ordered) + bytes(complete) + bytes(pending);
  if (size > reusable + fresh() + kept) return {};

  std::vector<Grant> grants;
  Bytes missing = size;
  for (Freed* one : ordered) take_from(one, one->size, missing, grants);
  for (Freed* one : complete) take_from(one, one->size, missing, grants);
  if (missing > fresh() && kept > 0)
    give_to_device(reserved - kept);  // and has them back as new ones
  take_from(nullptr, fresh(), missing, grants);
  for (Freed* one : pending) take_from(one, one->size, missing, grants);
  for (const Grant& grant : grants)
    if (grant.from != nullptr && grant.from->stream != stream->id)
      // Without its clock: that the driver waits here is no order the program may rely on.
      after.push_back({grant.from->point.operation, nullptr});
  used += size;
  used_high = std::max(used_high, used);
  reserved_high = std::max(reserved_high, reserved);
  return grants;
}

void Pool::accept() {
  forget_empty();
}

void Pool::refuse(std::vector<Grant>& grants) {
  for (Grant& grant : grants) {
    used -= grant.size;
    if (grant.from != nullptr) {
      grant.from->size += grant.size;
      move_pages(grant.size, grant.extents, grant.from->extents);
    } else {
      reserved -= grant.size;
      memory().devices[device()].give(grant.size, grant.extents);
    }
  }
}

std::deque<Freed>::iterator Pool::find(std::uint64_t allocation) {
  return std::find_if(freed.begin(), freed.end(),
                      [&](const Freed& one) { return one.allocation == allocation; });
}

void Pool::add_freed(Allocation& block, std::uint64_t stream) {
  if (imported) return;
  Freed& one = freed.emplace_back();
  one.allocation = block.id;
  one.stream = stream;
  one.given = stream == 0;
  if (one.given) one.point = block.begun;
  one.size = block.pages;
  if (file == nullptr) one.extents = std::move(block.extents);
  used -= block.pages;
}

void Pool::give(std::uint64_t allocation, const Point& point) {
  const auto one = find(allocation);
  if (one == freed.end()) return;  // complete and used again, or released, by now
  one->given = true;
  one->point = point;
}

void Pool::finish(const Allocation& block) {
  if (file != nullptr && !imported) {
    const Extent& piece = block.extents.front();
    fallocate(file->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
              static_cast<off_t>(piece.offset), static_cast<off_t>(piece.size));
    places.give(piece.offset, piece.size);
  }
  if (const auto one = find(block.id); one != freed.end()) one->done = true;
  if (destroyed) release(0);
}

void Pool::restore(Allocation& block) {
  if (imported) return;
  const auto one = find(block.id);
  if (file == nullptr) block.extents = std::move(one->extents);
  used += block.pages;
  freed.erase(one);
}

void Pool::release(Bytes keep) {
  give_to_device(keep);
  forget_empty();
}

void Pool::forget_empty() {
  std::erase_if(freed, [](const Freed& one) { return one.size == 0; });
}

void Pool::give_to_device(Bytes keep) {
  for (Freed& one : freed) {
    if (reserved <= keep) break;
    if (!one.complete()) continue;
    const Bytes n = std::min(one.size, reserved - keep);
    Extents pages;
    move_pages(n, one.extents, pages);
    one.size -= n;
    reserved -= n;
    memory().devices[device()].give(n, pages);
  }
}

void open_default_pool(Memory& memory, CUdevice device) {
  auto pool = std::make_shared<Pool>();
  pool->properties.allocType = CU_MEM_ALLOCATION_TYPE_PINNED;
  pool->properties.location = {CU_MEM_LOCATION_TYPE_DEVICE, device};
  pool->is_default = true;
  memory.default_pools[device] = memory.current_pools[device] = pool;
  add_pool(memory, std::move(pool));
}

CUmemoryPool add_pool(Memory& memory, PoolRef pool) {
  // cuda.h, cuMemPoolCreate: "By default, the pool's memory will be accessible from the device it
  // is allocated on."
  pool->access[pool->device()] = CU_MEM_ACCESS_FLAGS_PROT_READWRITE;
  memory.live_pools.push_back(pool);
  Pool& added = *pool;
  added.value = reinterpret_cast<CUmemoryPool>(memory.pools.add(std::move(pool)));
  return added.value;
}

CUresult find_pool(CUmemoryPool handle, PoolRef& pool) {
  const auto value = reinterpret_cast<std::uint64_t>(handle);
  pool = memory().pools.share(value);
  return pool != nullptr ? CUDA_SUCCESS
                         : misuse(CUDA_ERROR_INVALID_VALUE, "not a memory pool", value);
}

void release_unused_pages() {
  const std::lock_guard lock(memory().mutex);
  for (const PoolRef& pool : memory().live_pools)
    if (!pool->freed.empty()) pool->release(pool->release_threshold);
}

}  // namespace gmlake::simcuda
