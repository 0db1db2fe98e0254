// Where a request goes when no single free region holds it: the choice between growing and
// stitching, as a pure function of the free runs. The policy that decides utilisation lives here
// and nowhere else.
//
// Only whole handles can be mapped side by side, so the pieces of a stitch meet at handle borders:
// the first may start inside a handle and the last may end inside one.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "support/units.h"

namespace gmlake::memory {

struct Piece {
  Bytes start = 0;
  Bytes size = 0;
  Bytes end() const { return start + size; }
};

// A free range that the request may have, whatever regions it consists of, and the handle borders
// in it: `up` is the first at or after its start, `down` the last at or before its end; up > down
// if it has none.
struct Run {
  Bytes start = 0;
  Bytes size = 0;
  Bytes up = 0;
  Bytes down = 0;
  Bytes end() const { return start + size; }
  Bytes whole() const { return down > up ? down - up : 0; }
};

// Where new memory may go: `size` absent bytes from `start` on. A run may end there.
struct Room {
  Bytes start = 0;
  Bytes size = 0;
};

struct Plan {
  // In the order they are to be seen; one piece: contiguous in the home range.
  std::vector<Piece> pieces;
  Bytes grow = 0;  // bytes to create at the start of the room first; pieces may lie in them
};

struct PlanRules {
  Bytes granule = 2 * MiB;  // what is created comes in whole ones
  Bytes alignment = 1;      // of the first piece's start; the size is a multiple of it
  bool may_stitch = true;
  bool may_pack = false;  // beside others of less than a granule, over a handle's border
  std::size_t max_pieces = ~std::size_t{0};
  Bytes physical = 0;            // bytes there are
  Bytes grow_limit = ~Bytes{0};  // most bytes that may be created
  Bytes cheap_physical = 0;      // grow rather than stitch while no more than this exists then
  // What a stitch may cost: driver time (any unit) for each handle mapped and each handle created,
  // and how much of it a byte that need not be created is worth.
  double map_cost = 0;
  double grow_cost = 0;
  double worth_per_byte = 1;
  Bytes mean_handle = 2 * MiB;              // of what there is, to estimate the handles of a piece
  Bytes new_handle = 2 * MiB;               // the largest that growth creates
  std::function<Bytes(Bytes)> border_down;  // the last handle border at or before an address
};

// `runs` in address order, none adjacent to another. Nothing if the request can not be served
// within the rules. O(n log n) for n runs.
std::optional<Plan> plan(const std::vector<Run>& runs, const Room& room, Bytes size,
                         const PlanRules& rules);

}  // namespace gmlake::memory
