// Allocations that need the driver: growing, stitching, and the ladder down to out of memory. The
// growth lock is held throughout; the pool's lock only between driver calls.
#include <algorithm>
#include <cstring>

#include "pool/device_pool.h"

namespace gmlake::pool {
namespace {

constexpr int kOutOfMemory = 2;  // CUDA_ERROR_OUT_OF_MEMORY
constexpr const char* kNoRoom = "the pool's limit or the device's memory is reached";

// Addresses, page tables or mappings have run out, which stitched ranges hold; not physical memory,
// of which they hold none.
bool mapping_failed(const Error& error) {
  return error.what != kNoRoom && std::strcmp(error.what, "cuMemCreate") != 0;
}

}  // namespace

Result<driver::Address> DevicePool::allocate(Bytes bytes, const Origin& origin) {
  if (const auto at = try_allocate(bytes, origin)) return at;
  const std::lock_guard growing(growth_);
  if (auto ready = mappings_.open(); !ready) return fail(ready.error());
  if (bytes > mappings_.most_bytes()) {
    const std::lock_guard lock(mutex_);
    ++counters_.out_of_memory;
    return fail(kOutOfMemory, "the device has less memory than was asked for");
  }
  return miss(bytes, origin);
}

Result<driver::Address> DevicePool::miss(Bytes bytes, const Origin& origin) {
  const bool may_order = config_.streams_reuse_completed && !origin.capture_under_way;
  stream::Timeline own = memory::kNoTimeline;
  {
    const std::lock_guard lock(mutex_);
    own = order_of(origin).own;
  }
  if (may_order) {
    follow(own);
    poll();
  }
  {
    // Another thread may have freed or grown while this one waited for its turn; other streams may
    // be done.
    const std::lock_guard lock(mutex_);
    if (const auto at = take(bytes, origin)) return at;
  }
  if (origin.stream_id == 0 && !origin.capture_under_way)
    if (const auto at = wait_rather_than_grow(bytes, origin)) return at;
  auto served = attempt(bytes, origin, memory::Effort::normal);
  if (!served) served = ladder(bytes, origin, served.error());
  if (!origin.capture_under_way) keep_windows_in_bounds();
  return served;
}

Bytes DevicePool::grow_limit() const {
  Bytes chunks = mappings_.chunk_limit();
  if (config_.pool_max_bytes != 0)
    chunks = std::min(chunks, config_.pool_max_bytes / placement_.chunk_size());
  return chunks - std::min(chunks, placement_.home_chunks());
}

Result<driver::Address> DevicePool::attempt(Bytes bytes, const Origin& origin,
                                            memory::Effort effort) {
  std::optional<memory::Miss> miss;
  {
    const std::lock_guard lock(mutex_);
    miss = placement_.begin(round_up(bytes, memory::kAlignment), order_of(origin), effort,
                            grow_limit());
    if (!miss) return fail(kOutOfMemory, kNoRoom);
  }
  Bytes created = 0;
  driver::Address window = 0;
  Status done = mappings_.grow(miss->first_chunk, miss->plan.grow_chunks, created);
  if (done && miss->plan.pieces.size() > 1) {
    const auto mapped = mappings_.map_window(miss->plan.pieces);
    if (mapped)
      window = *mapped;
    else
      done = fail(mapped.error());
  }

  std::unique_lock lock(mutex_);
  auto& c = counters_;
  c.physical_bytes += created * placement_.chunk_size();
  c.peak_physical_bytes = std::max(c.peak_physical_bytes, c.physical_bytes);
  if (!done) {
    placement_.abandon(std::move(*miss), created);
    return fail(done.error());
  }
  const auto taken = placement_.finish(std::move(*miss));
  auto* slot = taken.block.slot;
  driver::Address redundant = 0;
  if (window != 0) {
    if (slot->window_address == 0) {
      slot->window_address = window;
      slot->window_size = mappings_.window_size(slot->pieces);
      ++c.windows;
      c.window_bytes += slot->window_size;
    } else {
      redundant = window;  // the same stitch was known, beyond the placements looked at
    }
  }
  const auto at = publish(taken, bytes, origin);
  lock.unlock();
  if (redundant != 0) (void)mappings_.unmap_window(redundant, slot->window_size);
  return at;
}

// The rungs, cheapest first. Physical memory is never given back here: it is all needed by now.
Result<driver::Address> DevicePool::ladder(Bytes bytes, const Origin& origin, Error error) {
  auto again = [&](std::uint64_t stats::DeviceCounters::*rung) -> Result<driver::Address> {
    {
      const std::lock_guard lock(mutex_);
      ++(counters_.*rung);
      if (const auto at = take(bytes, origin)) return at;
    }
    auto served = attempt(bytes, origin, memory::Effort::frugal);
    if (!served) error = served.error();
    return served;
  };

  const bool may_order = !origin.capture_under_way;
  if (may_order) {
    follow(memory::kNoTimeline);
    poll();
  }
  auto served = again(&stats::DeviceCounters::ladder_harvests);
  while (!served && may_order && mapping_failed(error) && evict_some())
    served = again(&stats::DeviceCounters::ladder_evictions);
  while (!served && may_order && wait_for_frees())
    served = again(&stats::DeviceCounters::ladder_waits);
  if (served) return served;

  const std::lock_guard lock(mutex_);
  ++counters_.out_of_memory;
  return fail(error);
}

}  // namespace gmlake::pool
