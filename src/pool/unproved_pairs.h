// Who wanted free memory of whom and could not have it: the pairs of timelines with the most bytes.
//
// At most kMost pairs are kept. A new one takes the place of the lightest, whose figures go to the
// others, and inherits its weight, so that a heavy pair stays however often light ones come by
// (the space-saving algorithm: Metwally et al., 2005). What is said of a pair is only what was
// counted for it: it may be less than all, never more.
//
// Complexity: O(kMost) to add, only on a miss. Guarded by the pool's lock.
#pragma once

#include <cstdint>
#include <vector>

#include "memory/fence.h"
#include "stats/unproved.h"
#include "support/units.h"

namespace gmlake::pool {

// What a miss could not have, and some counters as they were when that was seen.
struct Refusal {
  memory::Timeline wanted_by = 0;
  Bytes bytes = 0;           // asked for
  std::vector<Bytes> freed;  // by timeline, at most as many; empty: nothing was refused
  std::uint64_t host_waits = 0;
  std::uint64_t stream_waits = 0;
  Bytes created = 0;
};

class UnprovedPairs {
 public:
  static constexpr std::size_t kMost = 64;

  void add(memory::Timeline wanted_by, memory::Timeline freed_by, const stats::UnprovedCost& cost);
  // visit(wanted_by, freed_by, cost), in no order.
  template <typename Visit>
  void each(Visit visit) const {
    for (const auto& row : rows_) visit(row.wanted_by, row.freed_by, row.cost);
  }
  const stats::UnprovedCost& others() const { return others_; }

 private:
  struct Row {
    memory::Timeline wanted_by, freed_by;
    Bytes inherited;
    stats::UnprovedCost cost;
    Bytes weight() const { return inherited + cost.bytes; }
  };
  std::vector<Row> rows_;
  stats::UnprovedCost others_;
};

}  // namespace gmlake::pool
