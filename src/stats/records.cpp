#include "stats/records.h"

#include <algorithm>

namespace gmlake::stats {

void add(DeviceCounters& sum, const FrontRecord& front) {
  const auto allocations = static_cast<std::uint64_t>(front.allocations.get());
  const auto small = static_cast<std::uint64_t>(front.small_allocations.get());
  sum.allocations += allocations;
  sum.hits_small += small;
  const auto lent = static_cast<std::uint64_t>(front.lent_allocations.get());
  sum.hits_split += lent;
  sum.hits_exact += allocations - small - lent;
  sum.reuse_own_stream += allocations;
  sum.reuse_own_stream_bytes += static_cast<std::uint64_t>(front.allocated_bytes.get());
  sum.frees += static_cast<std::uint64_t>(front.frees.get());
  sum.deferred_frees += static_cast<std::uint64_t>(front.deferred_frees.get());
  sum.live_bytes += static_cast<std::uint64_t>(front.live_bytes.get() + front.lent_bytes.get());
  sum.live_blocks += static_cast<std::uint64_t>(front.live_blocks.get() + front.lent_blocks.get());
}

// Every allocation has one of these grounds.
void sum_up(DeviceCounters& c) {
  c.allocated_bytes =
      c.reuse_own_stream_bytes + c.reuse_completed_bytes + c.reuse_proved_bytes + c.reuse_new_bytes;
}

Unproved unproved_of(const KeptPairs& kept) {
  const auto count =
      std::min<std::uint64_t>(kept.count.load(std::memory_order_acquire), KeptPairs::kMost);
  Unproved unproved{{kept.pairs.begin(), kept.pairs.begin() + static_cast<std::ptrdiff_t>(count)},
                    kept.others};
  sort(unproved);
  return unproved;
}

}  // namespace gmlake::stats
