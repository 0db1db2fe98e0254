#include "memory/placement.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <utility>

namespace gmlake::memory {

std::optional<Taken> Placement::take(Bytes size, const Order& order) {
  return size <= rules_.small_limit ? take_small(size, order) : take_large(size, order);
}

std::optional<Taken> Placement::take_small(Bytes size, const Order& order) {
  auto found = small_.best(size, order);
  if (!found) {
    const auto chunk = large_.best_chunk(rules_.chunk_size, order);
    if (!chunk) return {};
    large_.extract(*chunk, rules_.chunk_size,
                   [&](const Span& span) { small_.insert(span.start, span.size, span.fence); });
    ++small_chunks_;
    found = small_.best(size, order);
    // A chunk of several spans may offer none that is large enough alone: small requests do not
    // cross them.
    if (!found) return {};
  }
  const auto from = small_.take(found->start, size, order);
  small_live_ += size;
  return Taken{{found->start, size, nullptr}, Served::small, from};
}

std::optional<Taken> Placement::take_large(Bytes size, const Order& order) {
  auto commit = [&](Slot* slot, Served how) {
    auto from = Provenance::fresh;
    for (const auto& piece : slot->pieces)
      from = std::max(from, large_.take(piece.start, piece.size, order));
    slots_.use(slot);
    live_ += size;
    peak_ = std::max(peak_, live_);
    return Taken{{slot->pieces.front().start, size, slot}, how, from};
  };
  Slot* known = slots_.find(size, [&](const Slot& slot) {
    return std::all_of(slot.pieces.begin(), slot.pieces.end(), [&](const Piece& piece) {
      return large_.holds(piece.start, piece.size, order);
    });
  });
  if (known) return commit(known, known->window() ? Served::window : Served::exact);

  const auto best = large_.best(size, order);
  if (!best) return {};
  return commit(slots_.remember(size, {{best->start, size}}),
                best->size == size ? Served::exact : Served::split);
}

std::vector<Run> Placement::runs(const Order& order) const {
  std::vector<Run> runs;
  large_.each([&](const Span& span) {
    if (!order.reusable(span.fence)) return;
    if (!runs.empty() && runs.back().end() == span.start)
      runs.back().size += span.size;
    else
      runs.push_back({span.start, span.size});
  });
  return runs;
}

std::optional<Miss> Placement::begin(Bytes size, const Order& order, Effort effort,
                                     Bytes grow_limit) {
  Miss miss;
  miss.size = size;
  miss.first_chunk = home_chunks_;
  miss.fresh = {order.prefer, 0, order.own != kNoTimeline};
  if (size <= rules_.small_limit) {
    if (grow_limit == 0) return {};
    miss.plan.grow_chunks = 1;
    return miss;
  }
  PlanRules rules;
  rules.chunk_size = rules_.chunk_size;
  rules.may_stitch = rules_.stitch && size >= rules_.stitch_min_request;
  rules.grow_limit = grow_limit;
  if (effort == Effort::normal) {
    const auto peak = static_cast<double>(std::max(peak_, live_ + size));
    rules.cheap_chunks = static_cast<Bytes>(peak * (1 + rules_.growth_slack)) / rules_.chunk_size;
  }
  auto found = plan(runs(order), home_chunks_, size, rules);
  if (!found) return {};
  miss.plan = std::move(*found);

  const Bytes home_end = home_chunks_ * rules_.chunk_size;
  for (const auto& piece : miss.plan.pieces) {
    if (piece.start >= home_end) continue;
    const Bytes n = std::min(piece.end(), home_end) - piece.start;
    large_.extract(piece.start, n, [&](const Span& span) {
      miss.from = std::max(miss.from, provenance(span.fence, order));
      miss.taken.push_back(span);
      pending_ += span.size;
    });
  }
  return miss;
}

Taken Placement::finish(Miss&& miss) {
  const Bytes chunk = rules_.chunk_size;
  const Fence fresh = miss.fresh;
  home_chunks_ += miss.plan.grow_chunks;

  if (miss.size <= rules_.small_limit) {
    const Bytes start = miss.first_chunk * chunk;
    ++small_chunks_;
    small_.insert(start + miss.size, chunk - miss.size, fresh);
    small_live_ += miss.size;
    return {{start, miss.size, nullptr}, Served::grown, Provenance::fresh};
  }

  // What was created and is not part of the block is free: the gaps between its pieces in the new
  // chunks.
  Bytes at = miss.first_chunk * chunk;
  const Bytes end = home_chunks_ * chunk;
  auto pieces = miss.plan.pieces;
  std::sort(pieces.begin(), pieces.end(),
            [](const Piece& a, const Piece& b) { return a.start < b.start; });
  for (const auto& piece : pieces) {
    if (piece.end() <= at) continue;
    if (piece.start > at) large_.insert(at, piece.start - at, fresh);
    at = piece.end();
  }
  if (at < end) large_.insert(at, end - at, fresh);

  for (const auto& span : miss.taken) pending_ -= span.size;
  live_ += miss.size;
  peak_ = std::max(peak_, live_);
  Slot* slot = slots_.remember(miss.size, std::move(miss.plan.pieces));
  slots_.use(slot);
  const auto how = slot->window()               ? Served::stitched
                   : miss.plan.grow_chunks != 0 ? Served::grown
                                                : Served::split;
  return {{slot->pieces.front().start, miss.size, slot}, how, miss.from};
}

void Placement::abandon(Miss&& miss, Bytes created_chunks) {
  home_chunks_ += created_chunks;
  if (created_chunks != 0)
    large_.insert(miss.first_chunk * rules_.chunk_size, created_chunks * rules_.chunk_size,
                  miss.fresh);
  for (const auto& span : miss.taken) {
    large_.insert(span.start, span.size, span.fence);
    pending_ -= span.size;
  }
}

void Placement::release(const Block& block, Fence fence) {
  if (!block.slot) return release_small(block.start, block.size, fence);
  for (const auto& piece : block.slot->pieces) large_.insert(piece.start, piece.size, fence);
  slots_.leave(block.slot, fence);
  live_ -= block.size;
}

void Placement::release_small(Bytes start, Bytes size, Fence fence) {
  small_.insert(start, size, fence);
  small_live_ -= size;
  const Bytes chunk = round_down(start, rules_.chunk_size);
  if (!small_.free(chunk, rules_.chunk_size)) return;
  small_.extract(chunk, rules_.chunk_size,
                 [&](const Span& span) { large_.insert(span.start, span.size, span.fence); });
  --small_chunks_;
}

void Placement::check() const {
  auto require = [](bool holds, const char* what) {
    if (holds) return;
    std::fprintf(stderr, "gmlake: placement is inconsistent: %s\n", what);
    std::abort();
  };
  large_.check();
  small_.check();
  Bytes last = 0;
  each_free([&](const Span& span) { last = std::max(last, span.end()); });
  require(last <= home_chunks_ * rules_.chunk_size, "free bytes beyond the home range");
  require(small_.bytes() + small_live_ == small_chunks_ * rules_.chunk_size,
          "small chunks: free and live bytes do not add up");
  require(large_.bytes() + live_ + pending_ + small_chunks_ * rules_.chunk_size ==
              home_chunks_ * rules_.chunk_size,
          "free, live, pending and small bytes do not add up to the home range");
}

}  // namespace gmlake::memory
