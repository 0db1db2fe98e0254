#include "memory/plan.h"

#include <algorithm>
#include <iterator>
#include <set>

namespace gmlake::memory {
namespace {

// The stitchable parts of the free runs: whole handles, and the partial ones that a stitch may
// begin and end in. No two of them overlap.
struct Parts {
  std::set<std::pair<Bytes, Bytes>> whole;  // size, start: runs of whole handles
  Bytes whole_bytes = 0;
  std::vector<Piece> heads;  // the free ends of handles, the smallest first
  std::vector<Piece> tails;  // and their free beginnings

  void add_new(Bytes start, Bytes size) {
    const auto joins = std::find_if(whole.begin(), whole.end(), [&](const auto& run) {
      return run.second + run.first == start;
    });
    if (joins != whole.end()) {
      size += joins->first;
      start = joins->second;
      whole.erase(joins);
    }
    whole.emplace(size, start);
  }
};

Parts parts_of(const std::vector<Run>& runs, Bytes alignment) {
  Parts parts;
  for (const auto& run : runs) {
    if (run.up > run.down) continue;
    if (run.whole() != 0) parts.whole.emplace(run.whole(), run.up);
    parts.whole_bytes += run.whole();
    // A stitch begins here: handle borders are aligned.
    const Bytes start = round_up(run.start, alignment);
    if (start < run.up) parts.heads.push_back({start, run.up - start});
    if (run.end() != run.down) parts.tails.push_back({run.down, run.end() - run.down});
  }
  const auto by_size = [](const Piece& a, const Piece& b) {
    return std::pair(a.size, a.start) < std::pair(b.size, b.start);
  };
  std::sort(parts.heads.begin(), parts.heads.end(), by_size);
  std::sort(parts.tails.begin(), parts.tails.end(), by_size);
  return parts;
}

// What a stitch of `size` bytes consists of: the end of a handle, whole granules, the beginning of
// a handle. Anybody can use whole granules and few the ends, so: as few granules as can be, and the
// pair of ends that then fits best.
struct Shape {
  Piece head, tail;  // of no size: none
  Bytes body = 0;
};

Shape shape_of(const Parts& parts, Bytes size, Bytes granule) {
  const auto largest = [](const std::vector<Piece>& ends) {
    return ends.empty() ? 0 : ends.back().size;
  };
  const Bytes most = largest(parts.heads) + largest(parts.tails);
  Shape shape;
  shape.body = round_up(size - std::min(size, most), granule);
  if (shape.body >= size) return shape;

  // The smallest tail that is enough beside each head; it shrinks as the head grows.
  const Bytes needed = size - shape.body;
  Bytes best = ~Bytes{0};
  auto tail = parts.tails.size();
  for (std::size_t head = 0; head <= parts.heads.size(); ++head) {
    const auto of = [](const std::vector<Piece>& ends, std::size_t count) {
      return count == 0 ? Piece{} : ends[count - 1];
    };
    const Piece first = of(parts.heads, head);
    while (tail != 0 && first.size + of(parts.tails, tail - 1).size >= needed) --tail;
    const Piece last = of(parts.tails, tail);
    if (first.size + last.size < needed || first.size + last.size >= best) continue;
    best = first.size + last.size;
    const Bytes used = std::min(first.size, needed);
    shape.head = {first.end() - used, used};
    shape.tail = {last.start, needed - used};
  }
  return shape;
}

// Few pieces: the largest runs, and to end with the smallest that is enough.
std::vector<Piece> pieces_of(const Shape& shape, Parts parts, Bytes size, const PlanRules& rules) {
  std::vector<Piece> pieces;
  Bytes left = size;
  const auto add = [&](Bytes start, Bytes n) {
    if (!pieces.empty() && pieces.back().end() == start)
      pieces.back().size += n;
    else
      pieces.push_back({start, n});
    left -= n;
  };
  if (shape.head.size != 0) add(shape.head.start, shape.head.size);
  // As much of a run as leaves what the tail holds; 0 if no handle ends there.
  const auto up_to_tail = [&](Bytes start, Bytes n) -> Bytes {
    const Bytes most = std::min(n, left);
    if (shape.tail.size == 0) return most;
    const Bytes whole = rules.border_down(start + most) - start;
    return whole >= left - shape.tail.size ? whole : 0;
  };
  constexpr int kLooks = 16;
  while (left > shape.tail.size) {
    auto run = parts.whole.lower_bound({left - shape.tail.size, 0});
    Bytes n = 0;
    for (int looks = kLooks; looks != 0 && run != parts.whole.end(); --looks, ++run)
      if ((n = up_to_tail(run->second, run->first)) != 0) break;
    if (n == 0) {
      // The largest that is not too large, else the first bytes of one that is.
      run = parts.whole.upper_bound({left, ~Bytes{0}});
      if (run != parts.whole.begin()) --run;
      n = std::min(run->first, left);
    }
    const Bytes start = run->second;
    parts.whole.erase(run);
    add(start, n);
  }
  if (left != 0) add(shape.tail.start, left);
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

// A request of less than a granule for which one must be created: alone in it, it leaves less than
// the next one takes, and so does that. It begins in the free end of a handle instead, and leaves
// as much more of the new one. In the smallest that is worth the window: others have more use for
// the larger ones.
std::optional<Plan> packed(const Parts& parts, const Room& room, Bytes size,
                           const PlanRules& rules) {
  if (size >= rules.granule || rules.max_pieces < 2) return {};
  const auto head = std::find_if(parts.heads.begin(), parts.heads.end(), [&](const Piece& end) {
    return 2 * rules.map_cost <= static_cast<double>(end.size) * rules.worth_per_byte;
  });
  if (head == parts.heads.end()) return {};
  // Each is too small alone.
  return Plan{{*head, {room.start, size - head->size}}, rules.granule};
}

}  // namespace

std::optional<Plan> plan(const std::vector<Run>& runs, const Room& room, Bytes size,
                         const PlanRules& rules) {
  // The smallest run that holds it: only found here when it crosses regions of different timelines.
  const Run* fit = nullptr;
  const auto start_in = [&](const Run& run) { return round_up(run.start, rules.alignment); };
  for (const auto& run : runs)
    if (start_in(run) + size <= run.end() && (!fit || run.size < fit->size)) fit = &run;
  if (fit) return Plan{{{start_in(*fit), size}}, 0};

  const auto before_room = std::find_if(runs.begin(), runs.end(),
                                        [&](const Run& run) { return run.end() == room.start; });
  const Bytes tail = before_room == runs.end() || start_in(*before_room) >= room.start
                         ? 0
                         : room.start - start_in(*before_room);
  const Bytes extend = round_up(size - tail, rules.granule);
  const Bytes limit = std::min(rules.grow_limit, room.size);
  const bool may_extend = extend <= limit;
  const Plan contiguous{{{room.start - tail, size}}, extend};

  auto parts = parts_of(runs, rules.alignment);
  const auto shape = shape_of(parts, size, rules.granule);
  const Bytes short_of =
      rules.may_stitch ? shape.body - std::min(shape.body, parts.whole_bytes) : extend;
  const bool cheap = rules.physical + extend <= rules.cheap_physical;
  if (rules.may_pack && may_extend && tail == 0 && short_of != 0)
    if (auto found = packed(parts, room, size, rules)) return found;
  if (may_extend && (extend <= short_of || cheap)) return contiguous;
  if (!rules.may_stitch || short_of > limit) return {};

  if (short_of != 0) parts.add_new(room.start, short_of);
  const Plan stitch{pieces_of(shape, std::move(parts), size, rules), short_of};
  if (stitch.pieces.size() <= rules.max_pieces &&
      (!may_extend || worth_it(stitch, size, extend, rules)))
    return stitch;
  if (may_extend) return contiguous;
  return {};
}

}  // namespace gmlake::memory
