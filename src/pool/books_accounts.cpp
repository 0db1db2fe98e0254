// What is the program's memory pools' of what the books know: levels in use, their peaks, and what
// each pool holds. See pool/accounts.h.
#include <limits>

#include "pool/books.h"

namespace gmlake::pool {
namespace {

std::uint64_t not_negative(std::int64_t bytes) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(0, bytes));
}

// Of a handle others may use the rest: what a pool says to hold of it is counted in pages of the
// least size.
constexpr Bytes kLeastPage = 4 * KiB;

// Of more fronts nobody reckons with each: their lines of memory would cost more than it is worth.
constexpr std::size_t kFew = 64;
// Nor are so many looked at for a peak that memory need not grow for: a miss brings them up to
// date.
constexpr std::size_t kMany = 512;
constexpr auto kNoRoom = std::numeric_limits<std::int64_t>::min();

}  // namespace

// After a rise. Blocks parked on other streams still count in the sums; they are looked at only
// where a sum is beyond its peak: whether it was. What is live in loans changes meanwhile: whoever
// raises it after it was read here finds the new room (both are sequentially consistent).
bool Books::note_levels() {
  auto& c = counters_;
  auto& own = accounts_.at(kDefaultPool);
  leave_room_for_loans();
  const auto lent = loans_out_.load(std::memory_order_relaxed) == 0 ? 0 : lent_live_.load();
  const auto used = not_negative(default_used_ + lent);
  const auto held = not_negative(default_used_ + lent - let_go_parked_);
  rise_to(own.held, held);
  rise_to(own.held_high, held);
  const bool new_peak = not_negative(signed_of(c.live_bytes) + lent) > c.peak_live_bytes;
  if (!new_peak && used <= own.used_high.load(std::memory_order_relaxed)) return false;

  if (fronts_.listed().size() > kMany) return false;
  std::int64_t live = signed_of(c.live_bytes);
  std::int64_t in_use = default_used_;
  for (const Front* front : fronts_.listed()) {
    live += front->counted.live_bytes.get();
    in_use += front->default_pool_bytes();
  }
  c.peak_live_bytes = std::max(c.peak_live_bytes, not_negative(live + lent));
  rise_to(own.used_high, not_negative(in_use + lent));
  // Whoever takes parked blocks back looks, where there are few (count_on_parked).
  if (fronts_.listed().size() <= kFew)
    leave_room_for_loans(live, in_use);
  else
    leave_room_for_loans();
  return true;
}

// What is live in loans may rise as far without a new peak of anything, beside so much that is not
// in them.
void Books::leave_room_for_loans(std::int64_t live, std::int64_t in_use) {
  if (loans_out_.load(std::memory_order_relaxed) == 0) return;  // the first looks itself
  const auto& own = accounts_.at(kDefaultPool);
  const auto level = [](const std::atomic<Bytes>& bytes) {
    return signed_of(bytes.load(std::memory_order_relaxed));
  };
  lent_room_.store(std::min(
      {signed_of(counters_.peak_live_bytes) - live, level(own.used_high) - in_use,
       std::min(level(own.held), level(own.held_high)) - (default_used_ - let_go_parked_)}));
}

// With all that is parked counted as live: it may come back.
void Books::leave_room_for_loans() {
  leave_room_for_loans(signed_of(counters_.live_bytes), default_used_);
}

// Peaks are such that taking parked blocks back may be a new one: who does so next looks.
void Books::count_on_parked() {
  const auto& listed = fronts_.listed();
  if (listed.size() > kFew) return;
  for (Front* front : listed)
    if (front->counted.live_bytes.get() < 0)
      front->counted_parked.store(true, std::memory_order_relaxed);
}

Bytes Books::default_used() const {
  std::int64_t used = default_used_ + lent_live_.load();
  for (const Front* front : fronts_.listed()) used += front->default_pool_bytes();
  return not_negative(used);
}

Bytes Books::used_of(PoolTag pool) const {
  return pool == kDefaultPool ? default_used()
                              : accounts_.at(pool).used.load(std::memory_order_relaxed);
}

Bytes Books::live_besides(Bytes used) const {
  std::int64_t live = signed_of(counters_.live_bytes) + lent_live_.load() - signed_of(used);
  for (const Front* front : fronts_.listed()) live += front->counted.live_bytes.get();
  return not_negative(live);
}

// Of physical memory, which all pools and cudaMalloc share: what is in use, and what it held before
// as far as nobody else uses it now.
Bytes Books::reserved_of(PoolTag pool, Bytes used) const {
  const auto held = std::max(used, accounts_.at(pool).held.load(std::memory_order_relaxed));
  const auto others = live_besides(used);
  const auto physical = placement_.physical();
  return std::max(
      used, std::min(round_up(held, placement_.granule()), physical - std::min(physical, others)));
}

Books::Figures Books::figures(PoolTag pool) {
  const Opened books(mutex_);
  auto& account = accounts_.at(pool);
  const Bytes used = used_of(pool);
  const Bytes held = std::max(used, account.held.load(std::memory_order_relaxed));
  const Bytes reserved = std::min(reserved_of(pool, used), round_up(held, kLeastPage));
  rise_to(account.used_high, used);
  rise_to(account.held_high, used);
  const auto held_high = account.held_high.load(std::memory_order_relaxed);
  return {used, account.used_high.load(std::memory_order_relaxed), reserved,
          std::max(reserved, round_up(held_high, kLeastPage))};
}

void Books::reset_used_high(PoolTag pool) {
  const Opened books(mutex_);
  if (pool == kDefaultPool) lent_room_.store(kNoRoom);  // nobody rises unseen until it is reckoned
  accounts_.at(pool).used_high.store(used_of(pool), std::memory_order_relaxed);
  if (pool != kDefaultPool) return;
  leave_room_for_loans();
  count_on_parked();
}

void Books::reset_reserved_high(PoolTag pool) {
  const Opened books(mutex_);
  auto& account = accounts_.at(pool);
  if (pool == kDefaultPool) lent_room_.store(kNoRoom);
  account.held_high.store(std::min(account.held.load(), reserved_of(pool, used_of(pool))),
                          std::memory_order_relaxed);
  if (pool == kDefaultPool) leave_room_for_loans();
}

Bytes Books::let_go(PoolTag pool, Bytes keep) {
  const Opened books(mutex_);
  auto& account = accounts_.at(pool);
  if (pool == kDefaultPool) lent_room_.store(kNoRoom);
  if (pool == kDefaultPool && fronts_.listed().size() > kFew && keep == 0 &&
      !account.has_threshold.load(std::memory_order_relaxed)) {
    // Nothing depends on it but the figure, which comes out too low rather than too high.
    account.held.store(0, std::memory_order_relaxed);
    let_go_parked_ = default_used_;
    leave_room_for_loans();
    return 0;
  }
  const Bytes used = used_of(pool);
  const Bytes before = reserved_of(pool, used);
  const Bytes after = std::max(used, std::min(before, keep));
  account.held.store(std::min(account.held.load(std::memory_order_relaxed), after),
                     std::memory_order_relaxed);
  if (pool == kDefaultPool) {
    let_go_parked_ = 0;
    for (Front* front : fronts_.listed()) {
      const auto parked = -front->default_pool_bytes();
      front->let_go_parked.reset();
      front->let_go_parked.add(parked);
      let_go_parked_ += parked;
    }
    leave_room_for_loans();
  }
  return before - std::min(before, round_up(after, placement_.granule()));
}

bool Books::has_pending() const {
  const Opened books(mutex_);
  bool any = false;
  memory::Order order{0, memory::kNoTimeline, &timelines_.all_passed()};
  order.everywhere = true;
  placement_.each_refused(placement_.granule(), order, [&](auto...) { any = true; });
  return any;
}

Bytes Books::live_of_others(PoolTag pool) {
  const Opened books(mutex_);
  return live_besides(used_of(pool));
}

std::optional<PoolTag> Books::pool_at(driver::Address at) {
  if (const auto lent = lent_at(at)) {
    const bool begins = lent->part.asked != 0 && home() + lent->part.start == at;
    return begins ? std::optional(kDefaultPool) : std::nullopt;
  }
  Front* owner = nullptr;
  memory::Region* block = find(at, owner);
  if (!block) return {};
  const Lock own(owner->lock);
  if (!owner->owns(block, at) || !block->of_stream) return {};
  return block->pool;
}

}  // namespace gmlake::pool
