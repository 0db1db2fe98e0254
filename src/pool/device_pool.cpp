#include "pool/device_pool.h"

#include <algorithm>
#include <thread>

#include <spdlog/fmt/fmt.h>

namespace gmlake::pool {
namespace {

memory::PlacementRules rules_of(const config::Config& config) {
  memory::PlacementRules rules;
  rules.chunk_size = config.pool_chunk_size;
  rules.small_limit = config.pool_small_limit;
  rules.stitch = config.stitch_enabled;
  rules.stitch_min_request = config.stitch_min_request;
  rules.growth_slack = config.stitch_growth_slack;
  return rules;
}

}  // namespace

DevicePool::DevicePool(int ordinal, driver::Device& device, const config::Config& config)
    : ordinal_(ordinal),
      device_(device),
      config_(config),
      mappings_(device, config.pool_chunk_size),
      fences_(device),
      placement_(rules_of(config)) {}

DevicePool::~DevicePool() = default;

memory::Order DevicePool::order_of(const Origin& origin) {
  if (origin.stream_id == 0)
    return {timelines_.of_context(origin.context), memory::kNoTimeline, &timelines_.all_passed()};
  const auto timeline =
      timelines_.of_stream(origin.stream_id, origin.stream, origin.context, origin.thread_bound);
  return {timeline, timeline, &timelines_.all_passed()};
}

driver::Address DevicePool::try_allocate(Bytes bytes, const Origin& origin) {
  if (bytes > mappings_.most_bytes()) return 0;
  const std::lock_guard lock(mutex_);
  return take(bytes, origin);
}

driver::Address DevicePool::take(Bytes bytes, const Origin& origin) {
  const auto taken = placement_.take(round_up(bytes, memory::kAlignment), order_of(origin));
  return taken ? publish(*taken, bytes, origin) : 0;
}

driver::Address DevicePool::publish(const memory::Taken& taken, Bytes bytes, const Origin& origin) {
  const auto* slot = taken.block.slot;
  const auto at = slot && slot->window()
                      ? slot->window_address + taken.block.start % placement_.chunk_size()
                      : mappings_.home() + taken.block.start;
  live_.emplace(at, Live{taken.block, bytes, origin.stream_id != 0, origin.context});

  auto& c = counters_;
  ++c.allocations;
  ++c.live_blocks;
  c.allocated_bytes += bytes;
  c.live_bytes += bytes;
  c.peak_live_bytes = std::max(c.peak_live_bytes, c.live_bytes);
  switch (taken.how) {
    case memory::Served::exact:
      ++c.hits_exact;
      break;
    case memory::Served::window:
      ++c.hits_window;
      break;
    case memory::Served::split:
      ++c.hits_split;
      break;
    case memory::Served::small:
      ++c.hits_small;
      break;
    case memory::Served::grown:
      ++c.growths;
      break;
    case memory::Served::stitched:
      ++c.stitches;
      break;
  }
  switch (taken.from) {
    case memory::Provenance::fresh:
      ++c.reuse_new;
      break;
    case memory::Provenance::own:
      ++c.reuse_own_stream;
      break;
    case memory::Provenance::passed:
      ++c.reuse_completed;
      break;
  }
  return at;
}

DevicePool::Live DevicePool::unpublish(LiveBlocks::iterator at) {
  const Live live = at->second;
  live_.erase(at);
  ++counters_.frees;
  --counters_.live_blocks;
  counters_.live_bytes -= live.requested;
  return live;
}

bool DevicePool::free(driver::Address at, const Origin& from) {
  std::unique_lock lock(mutex_);
  const auto found = live_.find(at);
  if (found == live_.end()) return false;
  const Live live = unpublish(found);

  Origin origin = from;
  if (!origin.context) origin.context = live.context;  // a free needs no current context of its own
  memory::Fence fence{order_of(origin).prefer, memory::kSettled, origin.stream_id != 0};
  if (origin.stream_id != 0) {
    fence.value = timelines_.free_on(fence.timeline);
  } else if (live.stream_ordered) {
    // cuda.h, cuMemFree: for memory from cuMemAllocAsync all accesses are taken to be complete.
  } else if (config_.streams_free == config::FreePolicy::synchronous) {
    // As natively. The block is nobody's meanwhile, so the wait needs no lock.
    lock.unlock();
    (void)device_.wait_context(origin.context);
    lock.lock();
  } else {
    fence.value = timelines_.free_on(fence.timeline);
    ++counters_.deferred_frees;
  }
  placement_.release(live.block, fence);
  return true;
}

void DevicePool::forget_context(driver::Context context) {
  const std::lock_guard growing(growth_);
  fences_.forget_context(context);
  const std::lock_guard lock(mutex_);
  timelines_.forget_context(context);
  for (auto at = live_.begin(); at != live_.end();) {
    const auto next = std::next(at);
    if (at->second.context == context && !at->second.stream_ordered) {
      const Live live = unpublish(at);
      placement_.release(live.block, {timelines_.of_context(context), memory::kSettled, false});
    }
    at = next;
  }
}

Bytes DevicePool::reusable_bytes() const {
  const std::lock_guard lock(mutex_);
  return placement_.free_bytes();
}

stats::DeviceReport DevicePool::report() const {
  stats::DeviceReport report;
  report.device = ordinal_;
  device_.count(report.driver);
  bool locked = mutex_.try_lock();
  for (int i = 0; !locked && i < 200; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    locked = mutex_.try_lock();
  }
  report.counters = counters_;
  if (locked) mutex_.unlock();
  return report;
}

std::string DevicePool::picture() const {
  const std::lock_guard lock(mutex_);
  const auto& c = counters_;
  Bytes waiting = 0;
  placement_.each_free([&](const memory::Span& span) {
    if (span.fence.value > timelines_.all_passed()[span.fence.timeline]) waiting += span.size;
  });
  return fmt::format(
      "device {}: {} live in {} blocks, {} physical in chunks of {}, {} free ({} of it freed on a "
      "stream or context "
      "whose work is not known to be complete), largest free span {}, {} stitched ranges",
      ordinal_, human_bytes(c.live_bytes), c.live_blocks, human_bytes(c.physical_bytes),
      human_bytes(placement_.chunk_size()), human_bytes(placement_.free_bytes()),
      human_bytes(waiting), human_bytes(placement_.largest_span()), c.windows);
}

void DevicePool::check() const {
  const std::lock_guard lock(mutex_);
  placement_.check();
}

}  // namespace gmlake::pool
