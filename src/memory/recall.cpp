#include "memory/recall.h"

#include <algorithm>
#include <utility>

namespace gmlake::memory {
namespace {

constexpr std::uint64_t hash_of(Bytes size, Bytes live) {
  std::uint64_t x = (size * 0x9e3779b97f4a7c15) ^ live;
  x = (x ^ (x >> 32)) * 0xd6e8feb86659fd93;
  return x ^ (x >> 32);
}

}  // namespace

const Place* Recall::guess(Bytes size, Bytes live) {
  // What was live says more than a period that has erred and has yet to prove itself.
  if (erred_ && trust_ <= kFirstTrust && find(size, live)) return &entry(count_ - period_).place;
  if (!matches(period_, size) && !slip(size) && !find(size, live)) return nullptr;
  return &entry(count_ - period_).place;
}

// The period as it is after a few requests too many or too few.
bool Recall::slip(Bytes size) {
  if (period_ == 0) return false;
  erred_ = true;
  if (--trust_ <= 0) {
    period_ = 0;
    return false;
  }
  for (std::uint64_t slip = 1; slip <= kSlip; ++slip)
    for (const auto period : {period_ + slip, period_ > slip ? period_ - slip : 0}) {
      // Two in a row, so that a size that is everywhere does not mislead.
      if (!matches(period, size) || !matches(period + 1, entry(count_ - 1).size)) continue;
      period_ = period;
      return true;
    }
  return false;
}

bool Recall::find(Bytes size, Bytes live) {
  if (positions_.empty()) return false;
  const auto check = static_cast<std::uint32_t>(hash_of(size, live) >> 32);
  const auto at = set_of(check);
  for (std::size_t i = 0; i < kWays; ++i) {
    const auto position = positions_[at + i];
    const std::uint64_t period = static_cast<std::uint32_t>(count_) - position.at;
    if (position.check != check || !matches(period, size)) continue;
    if (period == period_) return true;
    period_ = period;
    trust_ = kFirstTrust;
    erred_ = false;
    return true;
  }
  return false;
}

void Recall::record(Bytes size, Bytes live, const Place& place, bool taken_up) {
  append(size, place, taken_up);
  // While guesses are good the older positions will do, but for the ring that goes round.
  const auto hash = hash_of(size, live);
  if (taken_up && trust_ == kTrust && (hash >> 60) != 0) return;
  const auto check = static_cast<std::uint32_t>(hash >> 32);
  const auto at = set_of(check);
  std::size_t i = 0;
  while (i + 1 < kWays && positions_[at + i].check != check) ++i;
  for (; i != 0; --i) positions_[at + i] = positions_[at + i - 1];
  positions_[at] = {static_cast<std::uint32_t>(count_ - 1), check};
}

void Recall::append(Bytes size, const Place& place, bool taken_up) {
  if (period_ != 0 && taken_up) {
    if (trust_ < kTrust) ++trust_;
  } else if (period_ != 0) {
    erred_ = true;
    if (--trust_ <= 0) period_ = 0;
  }
  if (count_ == entries_.size() && count_ < kMost && may_grow()) grow();
  entries_[count_ & (entries_.size() - 1)] = {size, place};
  ++count_;
}

bool Recall::takes_back(Bytes size, const Place& place) {
  const auto was = [&](std::uint64_t period) {
    if (!matches(period, size)) return false;
    return entry(count_ - period).place == place;
  };
  // The same again counts once, however often: a loop may repeat it more or less often next time.
  if (was(1)) return true;
  if (period_ != 0 && !was(period_)) return false;
  append(size, place, true);
  return true;
}

bool Recall::may_grow() {
  if (!budget_ || entries_.empty()) return true;
  const auto more = entries_.size();  // as much again
  auto left = budget_->left.load(std::memory_order_relaxed);
  do {
    if (2 * more > left) return false;
  } while (!budget_->left.compare_exchange_weak(left, left - more, std::memory_order_relaxed));
  return true;
}

void Recall::grow() {
  // A ring that is full and has never wrapped: the order stays.
  entries_.resize(entries_.empty() ? kFirst : 2 * entries_.size());
  const auto positions =
      std::max(kSparse * entries_.size(), std::min(kSparser * entries_.size(), kFewPositions));
  // Sparse, so that few positions push others out. The youngest of a set stay first.
  const auto known = std::exchange(positions_, std::vector<Position>(positions));
  for (auto i = known.size(); i-- > 0;) {
    if (known[i].check == 0 && known[i].at == 0) continue;
    const auto at = positions_.begin() + static_cast<std::ptrdiff_t>(set_of(known[i].check));
    std::copy_backward(at, at + kWays - 1, at + kWays);
    *at = known[i];
  }
}

void Recall::record_granule(Bytes start) {
  if (granule_count_ != 0) {
    const auto& last = granules_[(granule_count_ - 1) % kGranules];
    if (last.position == count_ && last.start == start) return;
  }
  if (granules_.size() < kGranules)
    granules_.push_back({count_, start});
  else
    granules_[granule_count_ % kGranules] = {count_, start};
  ++granule_count_;
}

std::uint64_t Recall::first_granule(std::uint64_t position) const {
  std::uint64_t low = granule_count_ - granules_.size(), high = granule_count_;
  while (low < high) {
    const auto middle = low + (high - low) / 2;
    if (granules_[middle % kGranules].position < position)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

}  // namespace gmlake::memory
