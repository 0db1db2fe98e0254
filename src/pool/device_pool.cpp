#include "pool/device_pool.h"

#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <thread>

#include <spdlog/fmt/fmt.h>

#include "support/fault.h"

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

// By memory::Served and memory::Provenance.
using Counter = std::uint64_t stats::DeviceCounters::*;
constexpr Counter kServed[] = {
    &stats::DeviceCounters::hits_exact, &stats::DeviceCounters::hits_window,
    &stats::DeviceCounters::hits_split, &stats::DeviceCounters::hits_small,
    &stats::DeviceCounters::growths,    &stats::DeviceCounters::stitches};
constexpr Counter kReuse[] = {
    &stats::DeviceCounters::reuse_new, &stats::DeviceCounters::reuse_own_stream,
    &stats::DeviceCounters::reuse_completed, &stats::DeviceCounters::reuse_proved};
constexpr Counter kReuseBytes[] = {
    &stats::DeviceCounters::reuse_new_bytes, &stats::DeviceCounters::reuse_own_stream_bytes,
    &stats::DeviceCounters::reuse_completed_bytes, &stats::DeviceCounters::reuse_proved_bytes};
static_assert(std::size(kServed) == static_cast<unsigned>(memory::Served::stitched) + 1);
static_assert(std::size(kReuse) == static_cast<unsigned>(memory::Provenance::proved) + 1);
static_assert(std::size(kReuseBytes) == std::size(kReuse));

// Whether the program has recorded uses of the block that a free on this front is not ordered
// behind by itself.
bool used_beside(const Front& front, const memory::Region* block) {
  const auto used_on = block->live.used_on;
  return used_on != memory::kNoTimeline && used_on != front.timeline &&
         !GMLAKE_FAULT(recorded_use_ignored);
}

}  // namespace

DevicePool::DevicePool(int ordinal, driver::Device& device, const config::Config& config)
    : ordinal_(ordinal),
      device_(device),
      config_(config),
      mappings_(device, std::bit_ceil(config.pool_chunk_size)),
      fences_(device, config.streams_ask_again),
      budget_(config.stitch_time_budget),
      placement_(rules_of(config)) {}

DevicePool::~DevicePool() = default;

memory::Order DevicePool::order_of(const Front& front) const {
  const bool in_order = front.in_order() || GMLAKE_FAULT(host_frees_own);
  return {front.timeline, in_order ? front.timeline : memory::kNoTimeline, &timelines_.all_passed(),
          front.clock};
}

Front& DevicePool::new_front(std::uint64_t key, const Origin& origin) {
  Front& front = add_front(key, origin);
  if (front.host && config_.streams_single_stream) begin_one_stream(front);
  return front;
}

Front& DevicePool::add_front(std::uint64_t key, const Origin& origin) {
  const bool host = origin.stream_id == 0;
  const std::lock_guard lock(mutex_);
  if (Front* known = fronts_.find(key)) return *known;
  Front* front = nullptr;
  if (const auto ended =
          host ? std::nullopt
               : timelines_.take_over(origin.stream_id, origin.stream, origin.context,
                                      origin.thread_bound,
                                      [&](stream::Timeline t) { return nobody_names(t); })) {
    front = &fronts_.of(*ended);
    fronts_.rename(front, key);
    clocks_.drop(*ended);  // the ended stream's
    front->clock = nullptr;
  } else {
    const auto timeline = host ? timelines_.of_context(origin.context)
                               : timelines_.of_stream(origin.stream_id, origin.stream,
                                                      origin.context, origin.thread_bound);
    front = fronts_.add(key, timeline);
    front->host = host;
    several_.store(timeline != 0, std::memory_order_relaxed);
  }
  front->context = origin.context;
  front->stream = origin.stream;
  fronts_.publish(front);
  return *front;
}

// Whether nothing of the stream's is left but free memory.
bool DevicePool::nobody_names(stream::Timeline timeline) const {
  const auto& front = fronts_.of(timeline);
  return front.blocks == 0 && front.parked_count.get() == 0 &&
         !front.used_beside.load(std::memory_order_relaxed);
}

driver::Address DevicePool::try_allocate(Bytes bytes, const Origin& origin) {
  if (bytes > mappings_.most_bytes()) return 0;
  auto& front = front_of(origin);
  const std::lock_guard own(front.lock);
  if (front.parked_count.get() != 0 && (front.in_order() || GMLAKE_FAULT(host_parks)))
    if (const auto at = take_parked(front, bytes)) return at;
  const std::lock_guard lock(mutex_);
  return take(front, bytes);
}

// The block freed here last, if it is what the policy would give: the place the request had
// last time, or without such memory of it simply one of the right size.
driver::Address DevicePool::take_parked(Front& front, Bytes bytes) {
  memory::Region* block = front.parked[static_cast<std::size_t>(front.parked_count.get() - 1)];
  const auto* window = block->live.window;
  const Bytes size = round_up(bytes, memory::kAlignment);
  if ((window ? window->size : block->size) != size) return 0;
  if (block->owned == front.host) return 0;  // of the other family
  if (!block->small && !front.recall.takes_back(size, memory::place_of(*block))) return 0;
  if (const auto home = block->timeline.load(std::memory_order_relaxed); home != front.timeline) {
    const std::lock_guard lock(mutex_);
    --fronts_.of(home).blocks;
    ++front.blocks;
    block->timeline.store(front.timeline, std::memory_order_relaxed);
  }
  front.parked_count.add(-1);
  front.took_back = true;
  // A snapshot may be reading it.
  std::atomic_ref(block->live.slack)
      .store(static_cast<std::uint32_t>(size - bytes), std::memory_order_relaxed);
  block->live.used_on = memory::kNoTimeline;
  block->state.store(memory::State::live, std::memory_order_release);
  front.allocations.add(1);
  front.small_allocations.add(block->small ? 1 : 0);
  front.allocated_bytes.add(static_cast<std::int64_t>(bytes));
  front.live_bytes.add(static_cast<std::int64_t>(bytes));
  front.live_blocks.add(1);
  return block->live.address;
}

driver::Address DevicePool::take(Front& front, Bytes bytes) {
  unpark(front);
  const auto taken =
      placement_.take(round_up(bytes, memory::kAlignment), order_of(front), front.recall);
  return taken ? publish(front, taken, bytes) : 0;
}

// The parked blocks become free memory like any other.
void DevicePool::unpark(Front& front) {
  counters_.live_bytes += static_cast<std::uint64_t>(front.live_bytes.get());
  counters_.live_blocks += static_cast<std::uint64_t>(front.live_blocks.get());
  front.live_bytes.reset();
  front.live_blocks.reset();
  const auto parked = static_cast<std::size_t>(front.parked_count.get());
  for (std::size_t i = 0; i < parked; ++i) {
    memory::Region* block = front.parked[i];
    const auto home = block->timeline.load(std::memory_order_relaxed);
    // cuda.h, cuMemFree: for memory from cuMemAllocAsync all accesses are taken to be complete. The
    // stream it was given to may still have work ahead that used these bytes before, though. A
    // recorded use is an access that is not taken to be.
    const bool complete = front.host && block->owned && block->live.used_on == memory::kNoTimeline;
    const auto line = complete ? home : front.timeline;
    // Memory that comes from another stream is likely to be wanted there again, as soon as that
    // stream waits for this one: it is kept apart from what is freed here later.
    const bool owned = line == home && (block->owned || front.in_order());
    front.apart = front.apart || !owned;
    const auto value = timelines_.free_on(line);
    release(block, {line, complete && GMLAKE_FAULT(host_free_settles) ? 0 : value, owned});
  }
  front.parked_count.reset();
}

void DevicePool::release(memory::Region* block, memory::Fence fence) {
  blocks_.erase(block->live.address);
  --fronts_.of(block->timeline.load(std::memory_order_relaxed)).blocks;
  placement_.release(block, fence);
}

void DevicePool::flush_fronts() {
  std::vector<Front*> fronts;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& front : fronts_.all())
      if (front->parked_count.get() != 0) fronts.push_back(front.get());
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
  block->live.address = at;
  block->live.used_on = memory::kNoTimeline;
  block->timeline.store(front.timeline, std::memory_order_relaxed);
  block->owned = !front.host;
  front.took_back = front.took_back || taken.from == memory::Provenance::own;
  ++front.blocks;
  blocks_.insert(at, block);

  auto& c = counters_;
  ++c.allocations;
  ++c.live_blocks;
  c.live_bytes += bytes;
  if (c.live_bytes > c.peak_live_bytes) {
    // Blocks parked on other streams still count above.
    std::int64_t parked = 0;
    for (const auto& other : fronts_.all()) parked += other->live_bytes.get();
    const auto live = static_cast<std::uint64_t>(static_cast<std::int64_t>(c.live_bytes) + parked);
    c.peak_live_bytes = std::max(c.peak_live_bytes, live);
  }
  ++(c.*kServed[static_cast<unsigned>(taken.how)]);
  ++(c.*kReuse[static_cast<unsigned>(taken.from)]);
  c.*kReuseBytes[static_cast<unsigned>(taken.from)] += bytes;
  return at;
}

bool DevicePool::free(driver::Address at, const Origin& from) {
  const bool host = from.stream_id == 0;
  if (host && config_.streams_free == config::FreePolicy::synchronous && !from.capture_under_way)
    return free_synchronously(at, from);
  if (memory::Region* block = blocks_.find(at); block && (!host || from.context)) {
    auto& front = front_of(from);
    if (block->timeline.load(std::memory_order_relaxed) == front.timeline) {
      const std::lock_guard own(front.lock);
      if (front.owns(block, at) && !used_beside(front, block)) {
        block->state.store(memory::State::parked, std::memory_order_relaxed);
        park(front, block);
        return true;
      }
    }
  }
  // Another's block, one in use elsewhere, one that the table has just moved, or none.
  Front* owner = nullptr;
  memory::Region* block = seize(at, owner);
  if (!block) return false;
  Front* front = host ? &host_front_of(*owner, from) : &front_of(from);
  if (used_beside(*front, block)) front = &host_front_of(*owner, from);
  const std::lock_guard own(front->lock);
  park(*front, block);
  return true;
}

bool DevicePool::record_use(driver::Address at, const Origin& by) {
  auto user = memory::kManyTimelines;
  if (by.stream_id != 0) {
    auto& front = front_of(by);
    front.used_beside.store(true, std::memory_order_relaxed);
    user = front.timeline;
  }
  Front* owner = nullptr;
  memory::Region* block = find(at, owner);
  if (!block) return false;
  const std::lock_guard own(owner->lock);
  if (!owner->owns(block, at)) return false;
  auto& used_on = block->live.used_on;
  used_on = used_on == memory::kNoTimeline || used_on == user ? user : memory::kManyTimelines;
  return true;
}

// What the table has at `at`, and who owned that when it was looked up.
memory::Region* DevicePool::find(driver::Address at, Front*& owner) {
  const std::lock_guard lock(mutex_);
  memory::Region* block = blocks_.find(at);
  if (block) owner = &fronts_.of(block->timeline.load(std::memory_order_relaxed));
  return block;
}

// The live block at `at`, taken from its owner: the caller's from here on.
memory::Region* DevicePool::seize(driver::Address at, Front*& owner) {
  memory::Region* block = find(at, owner);
  if (!block) return nullptr;
  const std::lock_guard own(owner->lock);
  if (!owner->owns(block, at)) return nullptr;
  block->state.store(memory::State::parked, std::memory_order_relaxed);
  return block;
}

void DevicePool::park(Front& front, memory::Region* block) {
  if (front.parked_count.get() == Front::kMostParked) {
    const std::lock_guard lock(mutex_);
    unpark(front);
  }
  front.parked[static_cast<std::size_t>(front.parked_count.get())] = block;
  front.parked_count.add(1);
  if (front.host && !block->owned) front.deferred_frees.add(1);
  count_free(front, block);
}

void DevicePool::count_free(Front& front, const memory::Region* block) {
  const auto* window = block->live.window;
  const Bytes size = window ? window->size : block->size;
  front.frees.add(1);
  front.live_bytes.add(-static_cast<std::int64_t>(size - block->live.slack));
  front.live_blocks.add(-1);
}

Front& DevicePool::host_front(driver::Context context) {
  Origin origin;
  origin.context = context;
  return front_of(origin);
}

// Without a stream the work is that of the block's context, whichever is current. Where that is
// gone only others can have used the block since.
Front& DevicePool::host_front_of(const Front& owner, const Origin& from) {
  const bool gone = [&] {
    const std::lock_guard lock(mutex_);
    return timelines_.over(owner.timeline);
  }();
  return host_front(gone && from.context ? from.context : owner.context);
}

// As natively: the call returns when the work is done, and at once for memory of a stream. The
// block is nobody's meanwhile, so the wait needs no lock.
bool DevicePool::free_synchronously(driver::Address at, const Origin& from) {
  Front* owner = nullptr;
  memory::Region* block = seize(at, owner);
  if (!block) return false;
  auto& front = host_front_of(*owner, from);
  const bool in_use = owner->host || used_beside(front, block);
  const bool settled = in_use && device_.wait_context(front.context);
  const std::lock_guard own(front.lock);
  if (!settled) return park(front, block), true;
  count_free(front, block);
  const std::lock_guard lock(mutex_);
  release(block, {front.timeline, memory::kSettled, false});
  return true;
}

void DevicePool::forget_context(driver::Context context, bool takes_blocks) {
  const std::lock_guard growing(growth_);
  flush_fronts();
  fences_.forget_context(context);
  Front* known = nullptr;
  {
    const std::lock_guard lock(mutex_);
    timelines_.forget_context(context);
    clocks_.forget_events();
    known = fronts_.find(Fronts::key_of_context(context));
  }
  if (!known || !takes_blocks || GMLAKE_FAULT(memory_outlives_context)) return;
  auto& front = *known;
  const std::lock_guard own(front.lock);
  const std::lock_guard lock(mutex_);
  std::vector<memory::Region*> gone;
  for (auto* block = placement_.home().first(); block; block = block->after)
    if (front.owns(block, block->live.address)) gone.push_back(block);
  unpark(front);
  front.took_back = false;
  for (memory::Region* block : gone) {
    count_free(front, block);
    release(block, {front.timeline, memory::kSettled, false});
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
  report.counters = all_counters(locked);
  if (locked) {
    report.unproved = {unproved_.pairs(), unproved_.others()};
    stats::sort(report.unproved);
    mutex_.unlock();
  }
  return report;
}

// The pool's own and, with its lock held, what the fronts count for themselves.
stats::DeviceCounters DevicePool::all_counters(bool locked) const {
  auto c = counters_;
  if (locked) {
    for (const auto& front : fronts_.all()) {
      const auto allocations = static_cast<std::uint64_t>(front->allocations.get());
      const auto small = static_cast<std::uint64_t>(front->small_allocations.get());
      c.allocations += allocations;
      c.hits_small += small;
      c.hits_exact += allocations - small;
      c.reuse_own_stream += allocations;
      c.reuse_own_stream_bytes += static_cast<std::uint64_t>(front->allocated_bytes.get());
      c.frees += static_cast<std::uint64_t>(front->frees.get());
      c.deferred_frees += static_cast<std::uint64_t>(front->deferred_frees.get());
      c.live_bytes += static_cast<std::uint64_t>(front->live_bytes.get());
      c.live_blocks += static_cast<std::uint64_t>(front->live_blocks.get());
    }
  }
  // Every allocation has one of these grounds.
  c.allocated_bytes =
      c.reuse_own_stream_bytes + c.reuse_completed_bytes + c.reuse_proved_bytes + c.reuse_new_bytes;
  return c;
}

std::string DevicePool::picture() const {
  const std::lock_guard lock(mutex_);
  const auto& c = counters_;
  Bytes waiting = 0;
  placement_.each_free([&](const memory::Region& region) {
    const auto fence = region.fence();
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
