#include "pool/books.h"

#include <algorithm>
#include <bit>
#include <chrono>
#include <iterator>
#include <thread>

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

}  // namespace

Books::Books(const config::Config& config, int ordinal, stats::Records* records)
    : config_(config),
      ordinal_(ordinal),
      records_(records ? *records : own_records_),
      placement_(rules_of(config)),
      record_(records_.add_device(ordinal)),
      counters_(record_.counters),
      unproved_(record_.unproved) {}

void Books::open(std::uint64_t home, Bytes home_size, Bytes most) {
  const Opened books(mutex_);
  if (placement_.home().size() != 0) return;
  placement_.open(home_size);
  blocks_.open(home, home_size);
  home_.store(home, std::memory_order_relaxed);
  least_unfollowed_ = std::min(kUnfollowedGranules * placement_.granule(), most / kUnfollowedShare);
  share_out();
}

bool Books::is_used_beside(const Front& front, const memory::Region* block) {
  const auto used_on = block->live.used_on;
  return used_on != memory::kNoTimeline && used_on != front.timeline &&
         !GMLAKE_FAULT(recorded_use_ignored);
}

driver::Address Books::take(Front& front, Bytes bytes, PoolTag pool, memory::Coarse coarse) {
  const Lock own(front.lock);
  if (front.parked_count.get() != 0 && (front.in_order() || GMLAKE_FAULT(host_parks)))
    if (const auto at = take_parked(front, bytes, pool)) return at;
  if (!front.loans.empty() && pool == kDefaultPool)
    if (const auto at = take_in_loan(front, bytes)) return at;
  if (coarse == memory::Coarse::refuse && front.wished_loan.load(std::memory_order_relaxed) != 0)
    return 0;
  const auto waits = mutex_.waits();
  const Lock books(mutex_);
  try {  // what an Opened does, at no cost where nothing is thrown
    unpark(front);
    fronts_.list(front);
    const auto taken =
        placement_.take(wanted(front, bytes), order_of(front, pool), front.recall, coarse);
    if (!taken) return 0;
    const auto at = publish(front, taken, bytes, pool);
    if (pool == kDefaultPool) meet(front, mutex_.waits() != waits, bytes);
    return at;
  } catch (...) {
    mutex_.give_up();
    throw;
  }
}

// The block freed here last, if it is what the policy would give: the place the request had
// last time, or without such memory of it simply one of the right size.
driver::Address Books::take_parked(Front& front, Bytes bytes, PoolTag pool) {
  memory::Region* block = front.parked[static_cast<std::size_t>(front.parked_count.get() - 1)];
  const Bytes size = taken_by(front, bytes);
  if (size_of(block) != size) return 0;
  if (block->of_stream == front.host) return 0;  // of the other family
  if (!block->small && !front.recall.takes_back(size, memory::place_of(*block))) return 0;
  if (const auto home = block->timeline.load(std::memory_order_relaxed); home != front.timeline) {
    const Opened books(mutex_);
    --standings_[home].blocks;
    ++standings_[front.timeline].blocks;
    block->timeline.store(front.timeline, std::memory_order_relaxed);
  }
  front.parked_count.add(-1);
  front.has_taken_back = true;
  if (const auto left = front.unfollowed.get(); left != 0)
    front.unfollowed.add(-std::min(left, signed_of(size)));
  // A snapshot may be reading it.
  std::atomic_ref(block->live.slack)
      .store(static_cast<std::uint32_t>(size - bytes), std::memory_order_relaxed);
  if (block->live.used_on != memory::kNoTimeline) [[unlikely]] {
    const Opened books(mutex_);
    not_used_beside(block);
  }
  if (block->shared) [[unlikely]] {
    const Opened books(mutex_);  // who walks over all regions looks at the bits beside it
    block->shared = false;
  }
  block->state.store(memory::State::live, std::memory_order_release);
  front.counted.allocations.add(1);
  front.counted.small_allocations.add(block->small ? 1 : 0);
  front.counted.allocated_bytes.add(signed_of(bytes));
  front.counted.live_bytes.add(signed_of(bytes));
  front.counted.live_blocks.add(1);
  if (pool != kDefaultPool) [[unlikely]] {
    block->pool = pool;
    front.default_pool_besides.add(-signed_of(bytes));
    accounts_.at(pool).add(bytes);
  }
  if (front.counted_parked.load(std::memory_order_relaxed)) [[unlikely]] {
    const Opened books(mutex_);
    front.counted_parked.store(false, std::memory_order_relaxed);
    unpark(front);
    if (note_levels()) count_on_parked();
  }
  return block->live.address;
}

// The parked blocks become free memory like any other.
void Books::unpark(Front& front) {
  counters_.live_bytes += static_cast<std::uint64_t>(front.counted.live_bytes.get());
  counters_.live_blocks += static_cast<std::uint64_t>(front.counted.live_blocks.get());
  default_used_ += front.default_pool_bytes();
  front.default_pool_besides.reset();
  let_go_parked_ -= front.let_go_parked.get();
  front.let_go_parked.reset();
  front.counted.live_bytes.reset();
  front.counted.live_blocks.reset();
  stamp_loans(front);
  const auto parked = static_cast<std::size_t>(front.parked_count.get());
  for (std::size_t i = 0; i < parked; ++i) {
    memory::Region* block = front.parked[i];
    const auto home = block->timeline.load(std::memory_order_relaxed);
    // cuda.h, cuMemFree: for memory from cuMemAllocAsync all accesses are taken to be complete. The
    // stream it was given to may still have work ahead that used these bytes before, though. A
    // recorded use is an access that is not taken to be.
    const bool complete =
        front.host && block->of_stream && block->live.used_on == memory::kNoTimeline;
    const auto line = complete ? home : front.timeline;
    // Memory that comes from another stream is likely to be wanted there again, as soon as that
    // stream waits for this one: it is kept apart from what is freed here later.
    const bool mergeable = line == home && (block->of_stream || front.in_order());
    auto& standing = standings_[front.timeline];
    standing.has_kept_apart = standing.has_kept_apart || !mergeable;
    // Whether its stream has had work since is not known.
    if (line != front.timeline)
      fronts_.of(line).worked_since.store(true, std::memory_order_relaxed);
    const auto value = timelines_.free_on(line);
    release(block, {line, complete && GMLAKE_FAULT(host_free_settles) ? 0 : value, mergeable});
  }
  front.parked_count.reset();
}

void Books::unpark_all(Loans loans) {
  std::vector<Front*> listed;
  {
    const Opened books(mutex_);
    listed = fronts_.listed();
    if (loans == Loans::taken_back)
      listed.insert(listed.end(), borrowers_.begin(), borrowers_.end());
  }
  for (Front* front : listed) {
    const Lock own(front->lock);
    const Opened books(mutex_);
    if (loans == Loans::taken_back) take_loans_back(*front);
    unpark(*front);
    fronts_.unlist(*front);
  }
  // In parts, so that nobody waits long for the lock.
  for (std::size_t settled = 1; settled != 0;) {
    const Opened books(mutex_);
    settled = placement_.settle(kSettledAtOnce);
  }
}

void Books::release(memory::Region* block, memory::Fence fence) {
  blocks_.erase(block->live.address);
  not_used_beside(block);
  --standings_[block->timeline.load(std::memory_order_relaxed)].blocks;
  placement_.release(block, fence);
}

// Nothing says any more that a stream uses the block besides.
void Books::not_used_beside(memory::Region* block) {
  auto& used_on = block->live.used_on;
  if (used_on < fronts_.all().size())
    fronts_.of(used_on).uses_beside.fetch_sub(1, std::memory_order_relaxed);
  used_on = memory::kNoTimeline;
}

driver::Address Books::publish(Front& front, const memory::Taken& taken, Bytes bytes,
                               PoolTag pool) {
  memory::Region* block = taken.block;
  const auto* window = block->live.window;
  const auto at = window ? window->address : home_.load(std::memory_order_relaxed) + block->start;
  const Bytes size = window ? window->size : block->size;
  block->live.slack = static_cast<std::uint32_t>(size - bytes);
  block->live.address = at;
  block->live.used_on = memory::kNoTimeline;
  block->timeline.store(front.timeline, std::memory_order_relaxed);
  block->of_stream = !front.host;
  block->shared = false;
  front.has_taken_back = front.has_taken_back || taken.from == memory::Provenance::in_order;
  ++standings_[front.timeline].blocks;
  blocks_.insert(at, block);

  auto& c = counters_;
  ++c.allocations;
  ++c.live_blocks;
  c.live_bytes += bytes;
  if (pool != kDefaultPool) {
    block->pool = pool;
    accounts_.at(pool).add(bytes);
  } else if (!front.host) {
    default_used_ += signed_of(bytes);
  }
  if (note_levels()) count_on_parked();
  ++(c.*kServed[static_cast<unsigned>(taken.how)]);
  ++(c.*kReuse[static_cast<unsigned>(taken.from)]);
  c.*kReuseBytes[static_cast<unsigned>(taken.from)] += bytes;
  return at;
}

Front* Books::free(driver::Address at, const Origin& by) {
  if (memory::Region* block = blocks().find(at); block && (!by.host() || by.context)) {
    auto& front = front_of(by);
    if (block->timeline.load(std::memory_order_relaxed) == front.timeline) {
      const Lock own(front.lock);
      if (block->is(memory::State::lent) && free_in_loan(front, at)) return &front;
      if (front.owns(block, at) && !is_used_beside(front, block)) {
        block->state.store(memory::State::parked, std::memory_order_relaxed);
        park_on(front, block);
        return &front;
      }
    }
  }
  // Another's block, one in use elsewhere, one that the table has just moved, or none.
  Front* owner = nullptr;
  memory::Region* block = seize(at, owner);
  if (!block) return nullptr;
  Front* front = by.host() ? &host_front_of(*owner, by) : &front_of(by);
  if (is_used_beside(*front, block)) front = &host_front_of(*owner, by);
  park(*front, block);
  return front;
}

bool Books::use_beside(driver::Address at, const Origin& by) {
  Front* const user = by.host() ? nullptr : &front_of(by);
  Front* owner = nullptr;
  memory::Region* block = find(at, owner);
  if (!block) return false;
  const Lock own(owner->lock);
  if (!owner->owns(block, at)) return false;
  auto& used_on = block->live.used_on;
  if (user && used_on == user->timeline) return true;
  const Opened books(mutex_);
  const bool first = used_on == memory::kNoTimeline;
  not_used_beside(block);
  used_on = memory::kManyTimelines;
  if (!user || !first) return true;
  user->uses_beside.fetch_add(1, std::memory_order_relaxed);
  used_on = user->timeline;
  return true;
}

std::optional<Books::Shown> Books::show(driver::Address at) {
  Front* owner = nullptr;
  memory::Region* block = find(at, owner);
  if (!block) return {};
  const Lock own(owner->lock);
  if (!owner->owns(block, at) || block->of_stream) return {};
  const Opened books(mutex_);
  Shown shown{block->shared, size_of(block) - block->live.unused(), {}};
  block->shared = true;
  learn_shown(shown.bytes);
  if (const auto* window = block->live.window)
    shown.pieces = window->pieces;
  else
    shown.pieces = {{block->start, block->size}};
  placement_.keep_whole(shown.pieces);
  return shown;
}

// The next blocks of this size will be shared too, as buffers of one kind are.
void Books::learn_shown(Bytes bytes) {
  constexpr std::size_t kMost = 64;  // a program that shares all sizes gains nothing from it
  if (shown_sizes_.size() < kMost && !is_size_shown(bytes)) shown_sizes_.push_back(bytes);
}

bool Books::is_size_shown(Bytes bytes) const {
  return std::find(shown_sizes_.begin(), shown_sizes_.end(), bytes) != shown_sizes_.end();
}

bool Books::is_shown(driver::Address at) {
  Front* owner = nullptr;
  memory::Region* block = find(at, owner);
  if (!block) return false;
  const Lock own(owner->lock);
  return owner->owns(block, at) && block->shared;
}

// What the table has at `at`, and who owned that when it was looked up.
memory::Region* Books::find(driver::Address at, Front*& owner) {
  for (;; close_loans(*owner)) {
    const Opened books(mutex_);
    memory::Region* block = blocks_.find(at);
    if (block) owner = &fronts_.of(block->timeline.load(std::memory_order_relaxed));
    if (!block || !block->is(memory::State::lent)) return block;
  }
}

memory::Region* Books::seize(driver::Address at, Front*& owner) {
  memory::Region* block = find(at, owner);
  if (!block) return nullptr;
  const Lock own(owner->lock);
  if (!owner->owns(block, at)) return nullptr;
  block->state.store(memory::State::parked, std::memory_order_relaxed);
  return block;
}

void Books::park(Front& front, memory::Region* block) {
  const Lock own(front.lock);
  park_on(front, block);
}

void Books::park_on(Front& front, memory::Region* block) {
  if (front.parked_count.get() == Front::kMostParked || !front.listed) {
    const Opened books(mutex_);
    unpark(front);
    fronts_.list(front);
  }
  front.parked[static_cast<std::size_t>(front.parked_count.get())] = block;
  front.parked_count.add(1);
  if (front.host && !block->of_stream) front.counted.deferred_frees.add(1);
  const auto size = signed_of(size_of(block));
  if (front.host && block->of_stream) front.unfollowed_elsewhere.add(size);
  front.unfollowed.add(size);
  front.worked_since.store(false, std::memory_order_relaxed);
  count_free(front, block);
}

void Books::count_free(Front& front, memory::Region* block) {
  front.counted.frees.add(1);
  const Bytes bytes = size_of(block) - block->live.unused();
  front.counted.live_bytes.add(-signed_of(bytes));
  front.counted.live_blocks.add(-1);
  const auto pool = block->pool;
  const bool of_default = block->of_stream && pool == kDefaultPool;
  if (of_default == front.host) [[unlikely]]
    front.default_pool_besides.add(of_default ? -signed_of(bytes) : signed_of(bytes));
  if (pool != kDefaultPool) [[unlikely]] {
    block->pool = kDefaultPool;
    accounts_.at(pool).remove(bytes);
  }
}

void Books::settle(Front& front, memory::Region* block) {
  const Lock own(front.lock);
  count_free(front, block);
  const Opened books(mutex_);
  fronts_.list(front);
  release(block, {front.timeline, memory::kSettled, false});
}

std::optional<memory::Miss> Books::begin_miss(const Front& front, Bytes bytes,
                                              memory::MissRules rules, PoolTag pool) {
  const Opened books(mutex_);
  rules.few_handles = is_size_shown(bytes);
  return placement_.begin(wanted(front, bytes), order_of(front, pool), rules);
}

driver::Address Books::finish_miss(Front& front, memory::Miss&& miss, const Seen& window,
                                   Bytes bytes, PoolTag pool) {
  const Lock own(front.lock);
  const Opened books(mutex_);
  const auto taken = placement_.finish(std::move(miss), front.recall);
  if (auto* seen_through = taken.block->live.window) {
    placement_.windows().show(seen_through, window.start + window.offset, window.start,
                              window.size);
    ++counters_.windows;
    counters_.window_bytes += window.size;
  }
  note_physical();
  return publish(front, taken, bytes, pool);
}

void Books::abandon_miss(memory::Miss&& miss, std::size_t created) {
  const Opened books(mutex_);
  placement_.abandon(std::move(miss), created);
  note_physical();
}

std::optional<memory::Cut> Books::begin_cut(Front& front, Bytes bytes, PoolTag pool) {
  const Lock own(front.lock);
  const Opened books(mutex_);
  return placement_.begin_cut(wanted(front, bytes), order_of(front, pool), front.recall);
}

void Books::finish_cut(memory::Cut&& cut, std::optional<std::size_t> made, Bytes more) {
  const Opened books(mutex_);
  note_physical(more);
  counters_.cuts += made ? 1 : 0;
  placement_.finish_cut(std::move(cut), made);
  note_physical();
}

// There was `more` for a moment.
void Books::note_physical(Bytes more) {
  auto& c = counters_;
  c.physical_bytes = placement_.physical();
  c.peak_physical_bytes = std::max(c.peak_physical_bytes, c.physical_bytes + more);
  note_taken(more);
  share_out();
}

void Books::note_taken(Bytes more) {
  auto& c = counters_;
  const Bytes has = beside() - claimed_;
  c.peak_beside_bytes = std::max(c.peak_beside_bytes, has);
  c.peak_taken_bytes = std::max(c.peak_taken_bytes, has + c.physical_bytes + more);
}

void Books::add_beside(stats::Gauge what, Bytes bytes) {
  counters_.*what += bytes;
  note_taken();
}

void Books::remove_beside(stats::Gauge what, Bytes bytes) {
  counters_.*what -= std::min(counters_.*what, bytes);
}

void Books::forget_context(driver::Context context, bool takes_blocks) {
  unpark_all();
  Front* known = nullptr;
  {
    const Opened books(mutex_);
    known = fronts_.find(Fronts::key_of_context(context));
    const bool leaves_some = known && !takes_blocks && standings_[known->timeline].blocks != 0;
    timelines_.forget_context(context, !leaves_some);
    clocks_.forget_events();
    if (leaves_some) fronts_.rename(known, Fronts::kNoKey);
  }
  if (!known || GMLAKE_FAULT(memory_outlives_context)) return;
  if (!takes_blocks) {
    const Lock own(known->lock);
    known->has_taken_back = false;
    return;
  }
  auto& front = *known;
  const Lock own(front.lock);
  const Opened books(mutex_);
  std::vector<memory::Region*> gone;
  for (auto* block = placement_.home().first(); block; block = block->after)
    if (front.owns(block, block->live.address)) gone.push_back(block);
  unpark(front);
  fronts_.list(front);
  front.has_taken_back = false;
  for (memory::Region* block : gone) {
    count_free(front, block);
    release(block, {front.timeline, memory::kSettled, false});
  }
}

Bytes Books::reusable_bytes() const {
  const Opened books(mutex_);
  std::int64_t apart = 0;  // parked, or free in loans
  for (const Front* front : fronts_.listed()) apart -= front->counted.live_bytes.get();
  for (const Front* front : borrowers_) apart += front->free_in_loans.get();
  return placement_.free_bytes() + static_cast<Bytes>(std::max<std::int64_t>(0, apart));
}

void Books::count_fronts(stats::DeviceCounters& c) const {
  for (const auto& front : fronts_.all()) stats::add(c, front->counted);
}

void Books::note_moment(std::uint64_t nanoseconds) {
  constexpr std::uint64_t kStep = 1'000'000'000;
  const Opened books(mutex_);
  auto& history = record_.history;
  const auto count = history.count.load(std::memory_order_relaxed);
  constexpr auto kMost = stats::History::kMost;
  if (count != 0 && nanoseconds < history.samples[(count - 1) % kMost].nanoseconds + kStep) return;
  const auto c = all_counters();
  history.samples[count % kMost] = {nanoseconds,   c.live_bytes, c.physical_bytes,
                                    c.allocations, c.stitches,   c.fence_waits};
  history.count.store(count + 1, std::memory_order_release);
}

stats::DeviceCounters Books::all_counters() const {
  auto c = counters_;
  count_fronts(c);
  stats::sum_up(c);
  return c;
}

void Books::copy_for_report(stats::DeviceReport& report) const {
  constexpr int kTries = 200;
  bool locked = false;
  try {
    locked = mutex_.try_lock();
    for (int i = 0; !locked && i < kTries; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      locked = mutex_.try_lock();
    }
  } catch (const BooksBroken&) {  // half written: the counters are what they were
  }
  report.counters = counters_;
  if (locked) {
    count_fronts(report.counters);
    report.unproved = stats::unproved_of(record_.unproved);
    mutex_.unlock();
  }
  stats::sum_up(report.counters);
}

}  // namespace gmlake::pool
