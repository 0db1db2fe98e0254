#include "memory/plan.h"

#include <algorithm>
#include <iterator>
#include <set>

namespace gmlake::memory {
namespace {

// The stitchable parts of the free runs: whole handles, and the two kinds of partial ends.
struct Parts {
  std::multiset<std::pair<Bytes, Bytes>> whole;  // size, start: runs of whole handles
  Bytes whole_bytes = 0;
  Run first;             // ends on a border and reaches furthest into the handle before its first
                         // border; size 0: none
  Bytes first_head = 0;  // its bytes in that partial handle
  Piece last;            // the longest beginning of a handle that does not fill it; size 0: none
};

Parts parts_of(const std::vector<Run>& runs) {
  Parts parts;
  for (const auto& run : runs) {
    if (run.up > run.down) continue;
    if (run.whole() != 0) {
      parts.whole.emplace(run.whole(), run.up);
      parts.whole_bytes += run.whole();
    }
    if (run.down == run.end() && run.up - run.start > parts.first_head) {
      parts.first = run;
      parts.first_head = run.up - run.start;
    }
    if (run.end() - run.down > parts.last.size) parts.last = {run.down, run.end() - run.down};
  }
  return parts;
}

// Bytes missing to stitch `size` from these parts, in whole granules.
Bytes shortfall(const Parts& parts, Bytes size, Bytes granule) {
  const Bytes have = parts.whole_bytes + parts.first_head;
  if (have >= size) return 0;
  // The last handle need not be wholly free.
  const Bytes missing = size - have;
  return round_up(missing - std::min(missing, parts.last.size), granule);
}

// The fewest pieces: a partial head, the largest whole runs, and to end with the smallest run that
// is enough.
std::optional<std::vector<Piece>> pieces_from(Parts parts, Bytes size) {
  std::vector<Piece> pieces;
  Bytes left = size;
  auto add = [&](Bytes start, Bytes n) {
    pieces.push_back({start, n});
    left -= n;
  };
  if (parts.first.size != 0) {
    const Bytes start = parts.first.up;
    if (auto run = parts.whole.find({parts.first.end() - start, start}); run != parts.whole.end())
      parts.whole.erase(run);
    add(parts.first.start, std::min(parts.first.size, left));
  }
  auto overlaps = [&](Bytes start, Bytes n) {
    return std::any_of(pieces.begin(), pieces.end(), [&](const Piece& piece) {
      return piece.start < start + n && start < piece.end();
    });
  };
  while (left != 0) {
    if (auto fit = parts.whole.lower_bound({left, 0}); fit != parts.whole.end()) {
      add(fit->second, left);
    } else if (left <= parts.last.size && !overlaps(parts.last.start, left)) {
      add(parts.last.start, left);
    } else if (!parts.whole.empty()) {
      const auto largest = std::prev(parts.whole.end());
      const auto [n, start] = *largest;
      parts.whole.erase(largest);
      add(start, std::min(n, left));
    } else {
      return {};
    }
  }
  return pieces;
}

double handles_in(Bytes bytes, Bytes each) {
  return static_cast<double>(bytes) / static_cast<double>(std::max<Bytes>(1, each)) + 1;
}

// Whether mapping these pieces costs less than the bytes it saves are worth.
bool worth_it(const Plan& stitch, Bytes size, Bytes grow_instead, const PlanRules& rules) {
  const double cost =
      handles_in(size, rules.mean_handle) * rules.map_cost +
      (stitch.grow == 0 ? 0 : handles_in(stitch.grow, rules.new_handle)) * rules.grow_cost;
  const double instead = handles_in(grow_instead, rules.new_handle) * rules.grow_cost;
  return cost - instead <= static_cast<double>(grow_instead - stitch.grow) * rules.worth_per_byte;
}

}  // namespace

std::optional<Plan> plan(const std::vector<Run>& runs, const Room& room, Bytes size,
                         const PlanRules& rules) {
  // The smallest run that holds it: only found here when it crosses regions of different timelines.
  const Run* fit = nullptr;
  for (const auto& run : runs)
    if (run.size >= size && (!fit || run.size < fit->size)) fit = &run;
  if (fit) return Plan{{{fit->start, size}}, 0};

  const auto before_room = std::find_if(runs.begin(), runs.end(),
                                        [&](const Run& run) { return run.end() == room.start; });
  const Bytes tail = before_room == runs.end() ? 0 : before_room->size;
  const Bytes extend = round_up(size - tail, rules.granule);
  const Bytes limit = std::min(rules.grow_limit, room.size);
  const bool may_extend = extend <= limit;
  const Plan contiguous{{{room.start - tail, size}}, extend};

  const Bytes short_of = rules.may_stitch ? shortfall(parts_of(runs), size, rules.granule) : extend;
  const bool cheap = rules.physical + extend <= rules.cheap_physical;
  if (may_extend && (extend <= short_of || cheap)) return contiguous;
  if (!rules.may_stitch) return {};

  // Overlaps between the partial ends can leave it a granule short of what was counted: try one
  // more.
  for (Bytes grow = short_of; grow <= std::min(short_of + rules.granule, limit);
       grow += rules.granule) {
    auto grown = runs;
    if (grow != 0) {
      const auto end = room.start + grow;
      const auto at = std::find_if(grown.begin(), grown.end(),
                                   [&](const Run& run) { return run.end() >= room.start; });
      if (tail != 0) {
        at->size += grow;
        at->down = end;
        at->up = std::min(at->up, room.start);
      } else {
        grown.insert(at, {room.start, grow, room.start, end});
      }
    }
    auto pieces = pieces_from(parts_of(grown), size);
    if (!pieces) continue;
    Plan stitch{std::move(*pieces), grow};
    const bool bounded =
        stitch.pieces.size() <= rules.max_pieces && worth_it(stitch, size, extend, rules);
    if (bounded || (!may_extend && stitch.pieces.size() <= rules.max_pieces)) return stitch;
    break;
  }
  if (may_extend) return contiguous;
  return {};
}

}  // namespace gmlake::memory
