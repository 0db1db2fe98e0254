// Who wanted free memory of whom and could not have it: the pairs of streams with the most bytes.
//
// At most kMost pairs are kept. A new one takes the place of the lightest, whose figures go to the
// others, and inherits its weight, so that a heavy pair stays however often light ones come by
// (the space-saving algorithm: Metwally et al., 2005). What is said of a pair is only what was
// counted for it: it may be less than all, never more.
//
// Complexity: O(kMost) to add, only on a miss. Guarded by the pool's lock.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "stats/records.h"
#include "support/units.h"

namespace gmlake::pool {

// What a miss could not have. By name: when the miss is over a timeline may be another stream's.
struct Refusal {
  struct Part {
    stats::StreamName freed_by;
    Bytes bytes;  // at most as many as were asked for
  };
  std::vector<Part> parts;  // none: nothing was refused
  stats::StreamName wanted_by;
  Bytes bytes = 0;  // asked for
};

class UnprovedPairs {
 public:
  static constexpr std::size_t kMost = stats::KeptPairs::kMost;

  // They are kept there.
  explicit UnprovedPairs(stats::KeptPairs& kept) : kept_(kept) {}
  void add(const stats::UnprovedPair& pair);

 private:
  stats::KeptPairs& kept_;
  std::array<Bytes, kMost> inherited_{};  // by pair
};

}  // namespace gmlake::pool
