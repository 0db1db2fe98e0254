// Where a request goes when no single free span holds it: the choice between growing and stitching,
// as a pure function of the free runs. The policy that decides utilisation lives here and nowhere
// else.
//
// Only whole chunks can be mapped side by side, so the pieces of a stitch meet at chunk borders:
// the first may start inside a chunk and the last may end inside one.
#pragma once

#include <optional>
#include <vector>

#include "support/units.h"

namespace gmlake::memory {

// A maximal free range that the request may have, whatever spans it consists of.
struct Run {
  Bytes start = 0;
  Bytes size = 0;
  Bytes end() const { return start + size; }
};
using Piece = Run;

struct Plan {
  std::vector<Piece>
      pieces;  // in the order they are to be seen; one piece: contiguous in the home range
  Bytes grow_chunks = 0;  // chunks to create at the end of home first; pieces may lie in them
};

struct PlanRules {
  Bytes chunk_size = 2 * MiB;
  bool may_stitch = true;
  Bytes grow_limit = ~Bytes{0};  // most chunks that may be created
  // Grow in one piece rather than stitch while this many chunks are not exceeded in all.
  Bytes cheap_chunks = 0;
};

// `runs` in address order, none adjacent to another; `home_chunks` chunks exist. Nothing if the
// request can not be served within grow_limit. O(n log n) for n runs.
std::optional<Plan> plan(const std::vector<Run>& runs, Bytes home_chunks, Bytes size,
                         const PlanRules& rules);

}  // namespace gmlake::memory
