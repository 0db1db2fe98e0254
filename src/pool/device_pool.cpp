#include "pool/device_pool.h"

#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include <spdlog/fmt/fmt.h>

namespace gmlake::pool {
namespace {

memory::PlacementRules rules_of(const config::Config& config) {
  memory::PlacementRules rules;
  rules.granule = std::bit_ceil(config.pool_chunk_size);
  rules.largest_handle = std::max(config.pool_chunk_size, config.pool_largest_chunk);
  rules.small_limit = std::min(config.pool_small_limit, config.pool_chunk_size);
  rules.stitch = config.stitch_enabled;
  rules.stitch_min_request = config.stitch_min_request;
  rules.stitch_max_pieces = config.stitch_max_pieces;
  rules.growth_slack = config.stitch_growth_slack;
  return rules;
}

}  // namespace

DevicePool::DevicePool(int ordinal, driver::Device& device, const config::Config& config)
    : ordinal_(ordinal),
      device_(device),
      config_(config),
      mappings_(device, std::bit_ceil(config.pool_chunk_size)),
      fences_(device),
      budget_(config.stitch_time_budget),
      placement_(rules_of(config)) {}

DevicePool::~DevicePool() = default;

memory::Order DevicePool::order_of(const Front& front) const {
  return {front.timeline, front.host ? memory::kNoTimeline : front.timeline,
          &timelines_.all_passed()};
}

Front& DevicePool::front_of(const Origin& origin) {
  const auto key = origin.stream_id == 0 ? Fronts::key_of_context(origin.context)
                                         : Fronts::key_of_stream(origin.stream_id);
  if (Front* known = fronts_.find(key)) return *known;
  const std::lock_guard lock(mutex_);
  if (Front* known = fronts_.find(key)) return *known;
  Front* front = fronts_.add(key);
  front->host = origin.stream_id == 0;
  front->owner = label(origin.context) | (front->host ? 0 : kStreamOrdered);
  front->timeline = front->host ? timelines_.of_context(origin.context)
                                : timelines_.of_stream(origin.stream_id, origin.stream,
                                                       origin.context, origin.thread_bound);
  fronts_.publish(front);
  return *front;
}

std::uint32_t DevicePool::label(driver::Context context) {
  const auto known = std::find(contexts_.begin(), contexts_.end(), context);
  const auto index = static_cast<std::uint32_t>(known - contexts_.begin());
  if (known == contexts_.end()) contexts_.push_back(context);
  return index << 1;
}

driver::Address DevicePool::try_allocate(Bytes bytes, const Origin& origin) {
  if (bytes > mappings_.most_bytes()) return 0;
  auto& front = front_of(origin);
  const std::lock_guard own(front.lock);
  if (front.parked)
    if (const auto at = take_parked(front, bytes)) return at;
  const std::lock_guard lock(mutex_);
  return take(front, bytes);
}

// The block this stream freed last, if it is what the policy would give: the place the request had
// last time, or without such memory of it simply one of the right size.
driver::Address DevicePool::take_parked(Front& front, Bytes bytes) {
  memory::Region* block = front.parked;
  const Bytes size = round_up(bytes, memory::kAlignment);
  if (block->size != size) return 0;
  if (!block->small && !front.recall.takes_back(size, block->start)) return 0;
  front.parked = nullptr;
  block->live.slack = static_cast<std::uint32_t>(size - bytes);
  block->live.owner = front.owner;
  block->state.store(memory::State::live, std::memory_order_release);
  front.allocations.add(1);
  front.small_allocations.add(block->small ? 1 : 0);
  front.allocated_bytes.add(static_cast<std::int64_t>(bytes));
  front.live_bytes.add(static_cast<std::int64_t>(bytes));
  front.live_blocks.add(1);
  return block->address.load(std::memory_order_relaxed);
}

driver::Address DevicePool::take(Front& front, Bytes bytes) {
  unpark(front);
  const auto taken =
      placement_.take(round_up(bytes, memory::kAlignment), order_of(front), front.recall);
  return taken ? publish(front, *taken, bytes) : 0;
}

// The parked block becomes free memory like any other.
void DevicePool::unpark(Front& front) {
  counters_.live_bytes += static_cast<std::uint64_t>(front.live_bytes.get());
  counters_.live_blocks += static_cast<std::uint64_t>(front.live_blocks.get());
  front.live_bytes.reset();
  front.live_blocks.reset();
  memory::Region* block = front.parked;
  if (!block) return;
  front.parked = nullptr;
  blocks_.erase(block);
  block->address.store(0, std::memory_order_relaxed);
  placement_.release(block, {front.timeline, timelines_.free_on(front.timeline), true});
}

void DevicePool::flush_fronts() {
  std::vector<Front*> fronts;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& front : fronts_.all()) fronts.push_back(front.get());
  }
  for (Front* front : fronts) {
    const std::lock_guard own(front->lock);
    const std::lock_guard lock(mutex_);
    unpark(*front);
  }
}

driver::Address DevicePool::publish(Front& front, const memory::Taken& taken, Bytes bytes) {
  memory::Region* block = taken.block;
  const auto* window = block->live.window;
  const auto at = window ? window->address : mappings_.home() + block->start;
  const Bytes size = window ? window->size : block->size;
  block->live.slack = static_cast<std::uint32_t>(size - bytes);
  block->live.owner = front.owner;
  block->address.store(at, std::memory_order_relaxed);
  blocks_.insert(block);

  auto& c = counters_;
  ++c.allocations;
  ++c.live_blocks;
  c.allocated_bytes += bytes;
  c.live_bytes += bytes;
  if (c.live_bytes > c.peak_live_bytes) {
    // Blocks parked on other streams still count above.
    std::int64_t parked = 0;
    for (const auto& other : fronts_.all()) parked += other->live_bytes.get();
    const auto live = static_cast<std::uint64_t>(static_cast<std::int64_t>(c.live_bytes) + parked);
    c.peak_live_bytes = std::max(c.peak_live_bytes, live);
  }
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

// The block is nobody's from here on; gives the context it was allocated in.
driver::Context DevicePool::unpublish(memory::Region* block) {
  const auto* window = block->live.window;
  const Bytes size = window ? window->size : block->size;
  ++counters_.frees;
  --counters_.live_blocks;
  counters_.live_bytes -= size - block->live.slack;
  blocks_.erase(block);
  block->address.store(0, std::memory_order_relaxed);
  return contexts_[block->live.owner >> 1];
}

bool DevicePool::free(driver::Address at, const Origin& from) {
  memory::Region* block = blocks_.find(at);
  if (!block) {
    const std::lock_guard lock(mutex_);  // it may have been on its way to another place
    block = blocks_.find(at);
    if (!block) return false;
  }
  if (from.stream_id == 0) {
    if (!block->claim(at, memory::State::held)) return false;
    return free_from_host(block, from), true;
  }
  auto& front = front_of(from);
  const std::lock_guard own(front.lock);
  if (!block->claim(at, memory::State::parked)) return false;
  if (block->live.window) {
    const std::lock_guard lock(mutex_);
    (void)unpublish(block);
    placement_.release(block, {front.timeline, timelines_.free_on(front.timeline), true});
    return true;
  }
  if (front.parked) {
    const std::lock_guard lock(mutex_);
    unpark(front);
  }
  front.parked = block;
  front.frees.add(1);
  front.live_bytes.add(-static_cast<std::int64_t>(block->size - block->live.slack));
  front.live_blocks.add(-1);
  return true;
}

void DevicePool::free_from_host(memory::Region* block, const Origin& from) {
  std::unique_lock lock(mutex_);
  const bool stream_ordered = (block->live.owner & kStreamOrdered) != 0;
  const auto allocated_in = unpublish(block);
  const auto context = from.context ? from.context : allocated_in;  // a free needs no current one
  memory::Fence fence{timelines_.of_context(context), memory::kSettled, false};
  // cuda.h, cuMemFree: for memory from cuMemAllocAsync all accesses are taken to be complete.
  bool settled = stream_ordered;
  if (!settled && config_.streams_free == config::FreePolicy::synchronous) {
    // As natively. The block is nobody's meanwhile, so the wait needs no lock.
    lock.unlock();
    settled = device_.wait_context(context).has_value();
    lock.lock();
  }
  if (!settled) {
    fence.value = timelines_.free_on(fence.timeline);
    ++counters_.deferred_frees;
  }
  placement_.release(block, fence);
}

void DevicePool::forget_context(driver::Context context) {
  const std::lock_guard growing(growth_);
  flush_fronts();
  fences_.forget_context(context);
  const std::lock_guard lock(mutex_);
  timelines_.forget_context(context);
  std::vector<memory::Region*> gone;
  const auto owner = label(context);
  blocks_.each([&](memory::Region* block) {
    if (block->live.owner == owner &&
        block->claim(block->address.load(std::memory_order_relaxed), memory::State::held))
      gone.push_back(block);
  });
  for (memory::Region* block : gone) {
    (void)unpublish(block);
    placement_.release(block, {timelines_.of_context(context), memory::kSettled, false});
  }
}

Bytes DevicePool::reusable_bytes() const {
  const std::lock_guard lock(mutex_);
  std::int64_t parked = 0;
  for (const auto& front : fronts_.all()) parked -= front->live_bytes.get();
  return placement_.free_bytes() + static_cast<Bytes>(std::max<std::int64_t>(0, parked));
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
  auto& c = report.counters = counters_;
  if (locked) {
    for (const auto& front : fronts_.all()) {
      const auto allocations = static_cast<std::uint64_t>(front->allocations.get());
      const auto small = static_cast<std::uint64_t>(front->small_allocations.get());
      c.allocations += allocations;
      c.hits_small += small;
      c.hits_exact += allocations - small;
      c.reuse_own_stream += allocations;
      c.allocated_bytes += static_cast<std::uint64_t>(front->allocated_bytes.get());
      c.frees += static_cast<std::uint64_t>(front->frees.get());
      c.live_bytes += static_cast<std::uint64_t>(front->live_bytes.get());
      c.live_blocks += static_cast<std::uint64_t>(front->live_blocks.get());
    }
    mutex_.unlock();
  }
  return report;
}

std::string DevicePool::picture() const {
  const std::lock_guard lock(mutex_);
  const auto& c = counters_;
  Bytes waiting = 0;
  placement_.each_free([&](const memory::Region& region) {
    const auto& fence = region.free.fence;
    if (fence.value > timelines_.all_passed()[fence.timeline]) waiting += region.size;
  });
  return fmt::format(
      "device {}: {} live in {} blocks, {} physical in chunks of {} and more, {} free ({} of it "
      "freed on a "
      "stream or context "
      "whose work is not known to be complete), largest free span {}, {} stitched ranges",
      ordinal_, human_bytes(c.live_bytes), c.live_blocks, human_bytes(c.physical_bytes),
      human_bytes(placement_.granule()), human_bytes(placement_.free_bytes()), human_bytes(waiting),
      human_bytes(placement_.largest_span()), c.windows);
}

void DevicePool::check() const {
  const std::lock_guard lock(mutex_);
  if (const auto wrong = placement_.problem()) {
    std::fprintf(stderr, "gmlake: the pool is inconsistent: %s\n", wrong->c_str());
    std::abort();
  }
}

}  // namespace gmlake::pool
