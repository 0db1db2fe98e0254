#include "memory/plan.h"

#include <algorithm>
#include <iterator>
#include <set>

namespace gmlake::memory {
namespace {

// The stitchable parts of the free runs: whole chunks, and the two kinds of partial ends.
struct Parts {
  std::multiset<std::pair<Bytes, Bytes>> whole;  // size, start: runs of whole chunks
  Bytes whole_bytes = 0;
  Piece first;  // the run that ends on a chunk border and reaches furthest into a chunk before it;
                // size 0: none
  Bytes first_head = 0;  // its bytes in that partial chunk
  Piece last;            // the longest head of a chunk that does not fill it; size 0: none
};

Parts parts_of(const std::vector<Run>& runs, Bytes chunk) {
  Parts parts;
  for (const auto& run : runs) {
    const Bytes up = round_up(run.start, chunk);
    const Bytes down = round_down(run.end(), chunk);
    if (down > up) {
      parts.whole.emplace(down - up, up);
      parts.whole_bytes += down - up;
    }
    if (down == run.end() && up - run.start > parts.first_head) {
      parts.first = run;
      parts.first_head = up - run.start;
    }
    if (down >= run.start && run.end() - down > parts.last.size)
      parts.last = {down, run.end() - down};
  }
  return parts;
}

// Chunks missing to stitch `size` bytes from these parts.
Bytes shortfall(const Parts& parts, Bytes size, Bytes chunk) {
  const Bytes have = parts.whole_bytes + parts.first_head;
  if (have >= size) return 0;
  const Bytes missing = size - have;
  const Bytes chunks = round_up(missing, chunk) / chunk;
  // The last, partly used chunk need not be a whole one.
  return missing - (chunks - 1) * chunk <= parts.last.size ? chunks - 1 : chunks;
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
    const Bytes start = parts.first.start + parts.first_head;
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

}  // namespace

std::optional<Plan> plan(const std::vector<Run>& runs, Bytes home_chunks, Bytes size,
                         const PlanRules& rules) {
  const Bytes chunk = rules.chunk_size;

  // The smallest run that holds it: only found here when it crosses spans of different timelines.
  const Run* fit = nullptr;
  for (const auto& run : runs)
    if (run.size >= size && (!fit || run.size < fit->size)) fit = &run;
  if (fit) return Plan{{{fit->start, size}}, 0};

  const Bytes home_end = home_chunks * chunk;
  const Bytes tail = !runs.empty() && runs.back().end() == home_end ? runs.back().size : 0;
  const Bytes extend = round_up(size - tail, chunk) / chunk;
  auto contiguous = [&] { return Plan{{{home_end - tail, size}}, extend}; };

  const Parts now = parts_of(runs, chunk);
  const Bytes short_of = rules.may_stitch ? shortfall(now, size, chunk) : extend;
  const bool cheap = home_chunks + extend <= rules.cheap_chunks;
  if (extend <= rules.grow_limit && (extend <= short_of || cheap)) return contiguous();
  if (!rules.may_stitch) return {};

  // Overlaps between the partial ends can leave it a chunk short of what was counted: try one more.
  for (Bytes grow = short_of; grow <= std::min(short_of + 1, rules.grow_limit); ++grow) {
    auto grown = runs;
    if (grow != 0) {
      if (tail != 0)
        grown.back().size += grow * chunk;
      else
        grown.push_back({home_end, grow * chunk});
    }
    if (auto pieces = pieces_from(parts_of(grown, chunk), size))
      return Plan{std::move(*pieces), grow};
  }
  return {};
}

}  // namespace gmlake::memory
