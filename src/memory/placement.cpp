#include "memory/placement.h"

#include <algorithm>
#include <map>
#include <utility>

namespace gmlake::memory {

Taken Placement::take(const Wanted& wanted, const Order& order, Recall& recall, Coarse coarse) {
  if (!home_.opened()) return {};
  if (wanted.size <= rules_.small_limit) return take_small(wanted, order, recall, coarse);
  auto taken = take_large(wanted, order, recall, coarse);
  // What small requests keep for their next one is not kept from anybody else.
  if (!taken && reclaim_idle(0, home_.size())) taken = take_large(wanted, order, recall, coarse);
  return taken;
}

Taken Placement::claim(Region* region, Bytes start, Bytes size, const Order& order, Served how,
                       State state) {
  auto from = Provenance::fresh;
  Region* block = home_.claim(region, start, size, state, [&](const Stretch& part) {
    from = std::max(from, provenance(part.fence, order));
  });
  return {block, how, from};
}

Taken Placement::take_large(const Wanted& wanted, const Order& order, Recall& recall,
                            Coarse coarse) {
  const Bytes size = wanted.size;
  const auto served = [&](Taken taken, const Place& place, bool recalled) {
    recall.record(size, live_, place, recalled);
    live_ += size;
    peak_ = std::max(peak_, live_);
    return taken;
  };
  if (const Place* known = recall.guess(size, live_)) {
    const Place place = *known;
    if (auto taken = take_place(place, size, order)) return served(taken, place, true);
  }
  settle(kFewSettled);
  if (Window* window = windows_.find(size, [&](const Window& w) {
        // It is seen where its first piece is, but for whole granules.
        const Bytes start = w.pieces.front().start;
        return wanted.start_in(start) == start && holds(w, order);
      }))
    return served(take_window(window, order), {0, window, window->generation}, false);
  Spot spot = spot_for(wanted, order);
  // Many may be too small alone.
  if (!spot.region && settle(kManySettled)) spot = spot_for(wanted, order);
  if (!spot.region || (coarse == Coarse::refuse && coarse_handle(spot, order))) return {};
  const auto how = spot.region->size == size ? Served::exact : Served::split;
  return served(claim(spot.region, spot.start, size, order, how), {spot.start, nullptr, 0}, false);
}

Placement::Spot Placement::spot_for(const Wanted& wanted, const Order& order) const {
  Region* best = home_.index(false).search(wanted.size, order, [&](const Region& region) {
    return wanted.fits(region.start, region.size);
  });
  if (!best) return {};
  return {best, spot_in(*best, wanted), wanted.size};
}

// Where in a free region: at its beginning, unless its end keeps more whole handles free, which
// anybody can use. What takes whole granules is best put on borders, as it leaves whole ones when
// it goes, whatever has become of its neighbours; but not for more than a little lost beside it.
Bytes Placement::spot_in(const Region& region, const Wanted& wanted) const {
  const Bytes size = wanted.size;
  const Bytes left = wanted.start_in(region.start);
  if (region.size == size || !rules_.stitch) return left;
  const auto whole = [&](Bytes start, Bytes end) {
    const Bytes up = home_.border_up(start), down = home_.border_down(end);
    return down > up ? down - up : 0;
  };
  const auto kept = [&](Bytes at) {
    return whole(region.start, at) + whole(at + size, region.end());
  };
  Bytes best = left, most = kept(best);
  const Bytes right = round_down(region.end() - size, wanted.alignment);
  if (const Bytes also = kept(right); also > most) best = right, most = also;

  const Bytes up = home_.border_up(region.start), down = home_.border_down(region.end());
  if (size % rules_.granule != 0 || up == region.start || down < up + size) return best;
  const Bytes before = up - region.start, behind = region.end() - down;
  const bool lower = before < behind;
  const Bytes at = lower ? up : down - size;
  const bool aligned = home_.border_up(at) == at && home_.border_down(at + size) == at + size;
  if (aligned && std::min(before, behind) <= rules_.granule / 8 && kept(at) >= most) best = at;
  return best;
}

Taken Placement::take_place(const Place& place, Bytes size, const Order& order) {
  if (!place.window) {
    Region* region = home_.holds(place.start, size, order);
    if (!region && reclaim_idle(place.start, size)) region = home_.holds(place.start, size, order);
    if (!region) return {};
    return claim(region, place.start, size, order, Served::exact);
  }
  Window& window = *place.window;
  if (window.generation != place.generation || window.busy || !holds(window, order)) return {};
  return take_window(&window, order);
}

bool Placement::holds(const Window& window, const Order& order) {
  return std::all_of(window.pieces.begin(), window.pieces.end(), [&](const Piece& piece) {
    return home_.holds(piece.start, piece.size, order) ||
           (reclaim_idle(piece.start, piece.size) && home_.holds(piece.start, piece.size, order));
  });
}

Taken Placement::take_window(Window* window, const Order& order) {
  Taken taken{nullptr, Served::window, Provenance::fresh};
  for (const auto& piece : window->pieces) {
    const auto state = window->regions.empty() ? State::live : State::piece;
    const auto part =
        claim(home_.locate(piece.start), piece.start, piece.size, order, Served::window, state);
    taken.from = std::max(taken.from, part.from);
    window->regions.push_back(part.block);
  }
  taken.block = window->regions.front();
  taken.block->live.window = window;
  windows_.use(window);
  return taken;
}

// The smallest, but a tiny request goes among many: one that stays keeps its granule from all
// others, and where there are many it does so anyhow.
Region* Placement::small_hole(const Wanted& wanted, const Order& order) const {
  const Bytes size = wanted.size;
  const auto& holes = home_.index(true);
  constexpr unsigned kMany = 8;
  if (wanted.alignment != kAlignment)
    return holes.search(size, order,
                        [&](const Region& hole) { return wanted.fits(hole.start, hole.size); });
  if (size <= rules_.granule / 32)
    if (Region* found = holes.search(
            size, order, [&](const Region& hole) { return home_.small_live(hole.start) >= kMany; }))
      return found;
  return holes.best(size, order);
}

Taken Placement::take_small(const Wanted& wanted, const Order& order, Recall& recall,
                            Coarse coarse) {
  const Bytes size = wanted.size;
  settle(kFewSettled);
  Region* found = small_hole(wanted, order);
  // An empty granule that was kept is as good as a new one, unless last time it was another.
  if (const Bytes kept = found ? round_down(found->start, rules_.granule) : 0;
      found && is_idle(kept)) {
    if (known_granule(order, recall).value_or(kept) == kept) {
      recall.record_granule(kept);
    } else {
      reclaim_idle(kept, 1);
      found = nullptr;
    }
  }
  if (!found) {
    auto granule = known_granule(order, recall);
    if (!granule || is_idle(*granule)) {
      const Spot spot = granule_for_small(order);
      if (coarse == Coarse::refuse && (!spot.region || coarse_handle(spot, order))) return {};
      granule = spot.region ? spot.start : granule_of_parts(order);
      if (!granule) return {};
    }
    recall.record_granule(*granule);
    home_.give_to_small(*granule);
    add_idle(*granule);
    found = small_hole(wanted, order);
    if (!found) return take_parts(*granule, wanted, order);
  }
  return claim_small(found, wanted.start_in(found->start), size, order);
}

Taken Placement::claim_small(Region* region, Bytes start, Bytes size, const Order& order) {
  auto taken = claim(region, start, size, order, Served::small);
  home_.small_taken(*taken.block, [&](Bytes granule) { std::erase(idle_, granule); });
  small_live_ += size;
  return taken;
}

// In a granule of small requests where nothing is live: what was freed on several timelines does
// not merge, and no part may be large enough alone. One at its end may have merged with a
// neighbour's, and be behind that one's work now.
Taken Placement::take_parts(Bytes granule, const Wanted& wanted, const Order& order) {
  const Bytes end = granule + rules_.granule;
  Bytes start = granule;
  for (Region* region = home_.locate(granule); region && region->start < end;
       region = region->after) {
    if (!order.reusable(region->fence())) {
      start = region->end();
      continue;
    }
    const Bytes at = wanted.start_in(start);
    if (at + wanted.size <= std::min(end, region->end()))
      return claim_small(home_.locate(at), at, wanted.size, order);
  }
  return {};
}

// Where it was last time, if that is free.
std::optional<Bytes> Placement::known_granule(const Order& order, const Recall& recall) const {
  std::optional<Bytes> found;
  recall.each_granule([&](Bytes start) {
    if (is_idle(start) || home_.holds(start, rules_.granule, order)) found = start;
    return found.has_value();
  });
  return found;
}

// Elsewhere: in the smallest hole.
Placement::Spot Placement::granule_for_small(const Order& order) const {
  const Bytes granule = rules_.granule;
  Region* best = home_.index(false).search(granule, order, [&](const Region& region) {
    return round_up(region.start, granule) + granule <= region.end();
  });
  if (!best) return {};
  return {best, round_up(best->start, granule), granule};
}

// One that is free as a whole, in parts that were freed on several timelines, which do not merge.
std::optional<Bytes> Placement::granule_of_parts(const Order& order) {
  reclaim_idle(0, home_.size());
  for (const auto& run : runs(order, most_runs(order)))
    if (const Bytes start = round_up(run.start, rules_.granule);
        start + rules_.granule <= run.end())
      return start;
  return {};
}

void Placement::release(Region* block, Fence fence) {
  if (!comes_and_goes_) {
    freed_ += block->size;
    comes_and_goes_ = freed_ > home_.physical() / kThousand;
  }
  if (block->small) return release_small(block, fence);
  Window* window = block->live.window;
  if (!window) {
    live_ -= block->size;
    home_.wanted(block->start, block->size, look_);
    home_.set_free(block, fence);
    return;
  }
  live_ -= window->size;
  for (Region* piece : window->regions) {
    home_.wanted(piece->start, piece->size, look_);
    home_.set_free(piece, GMLAKE_FAULT(window_fence_dropped) ? Fence{} : fence);
  }
  windows_.leave(window, fence);
}

void Placement::release_small(Region* block, Fence fence) {
  // One empty granule is kept, so that a lone small block does not move it back and forth; what is
  // kept longer is elsewhere than it was when the loop came by here last time.
  constexpr std::size_t kKeep = 1;
  const Bytes start = block->start, size = block->size;
  small_live_ -= size;
  home_.wanted(start, size, look_);
  home_.set_free(block, fence);
  home_.small_freed(start, size, [&](Bytes granule) { add_idle(granule); });
  while (idle_.size() > kKeep) {
    const Bytes last = idle_.back();
    home_.take_from_small(last);
    idle_.pop_back();
  }
}

bool Placement::lend(Loan& loan, Bytes least, Bytes most, const Order& order) {
  for (Bytes size = most; size >= least; size = round_down(size / 2, rules_.granule)) {
    const Spot spot = spot_for({size, rules_.granule}, order);
    if (!spot.region || is_coarse(spot)) continue;
    Fence fence;
    Region* lent = home_.claim(spot.region, spot.start, size, State::lent,
                               [&](const Stretch& part) { fence = part.fence; });
    lent->timeline.store(order.prefer, std::memory_order_relaxed);
    lent_ += size;
    loan.begin(lent, lent->start, size, fence);
    return true;
  }
  return false;
}

void Placement::take_back(const Loan& loan, Timeline timeline) {
  Region* rest = loan.region();
  for (const auto& part : loan.parts()) {
    Region* here = home_.carve(rest, part.start, part.size);
    rest = here->after;
    lent_ -= part.size;
    if (part.behind != Loan::kAsLent) home_.wanted(part.start, part.size, look_);
    if (part.asked == 0) {
      const Fence fence = loan.fence_of(part, timeline);
      home_.set_free(here, GMLAKE_FAULT(loan_settles) ? Fence{timeline, kSettled} : fence);
      continue;
    }
    live_ += part.size;
    Home::begin_block(here, State::held);
  }
  peak_ = std::max(peak_, live_);
}

bool Placement::is_idle(Bytes granule) const {
  return std::find(idle_.begin(), idle_.end(), granule) != idle_.end();
}

void Placement::add_idle(Bytes granule) {
  idle_.insert(std::lower_bound(idle_.begin(), idle_.end(), granule), granule);
}

bool Placement::reclaim_idle(Bytes start, Bytes size) {
  if (idle_.empty()) return false;
  const auto first =
      std::lower_bound(idle_.begin(), idle_.end(), round_down(start, rules_.granule));
  const auto last = std::lower_bound(first, idle_.end(), start + size);
  for (auto at = first; at != last; ++at) home_.take_from_small(*at);
  const bool any = first != last;
  idle_.erase(first, last);
  return any;
}

void Placement::passed(Timeline timeline, std::uint64_t value) {
  for (const bool small : {false, true}) home_.index(small).unsettled().passed(timeline, value);
}

std::size_t Placement::settle(std::size_t most) {
  std::size_t settled = 0;
  for (const bool small : {false, true}) {
    auto& index = home_.index(small);
    index.unsettled().settle(most, [&](Region* region) {
      Fence fence = region->fence();
      fence.value = kSettled;
      index.remove(region);
      home_.set_free(region, fence);
      ++settled;
    });
  }
  return settled;
}

std::optional<std::string> Placement::problem() const {
  if (auto wrong = home_.problem()) return wrong;
  if (free_bytes() + live_ + small_live_ + held_ + lent_ != home_.physical())
    return "free, live, small, held and lent bytes do not add up to the physical ones";
  std::optional<std::string> wrong;
  std::map<Bytes, std::uint32_t> shown;  // by handle
  windows_.each([&](const Window& window) {
    for (const auto& piece : window.pieces)
      home_.each_handle(piece.start, piece.size, [&](Bytes handle) { ++shown[handle]; });
    Bytes bytes = 0;
    for (std::size_t i = 0; i < window.pieces.size(); ++i) {
      const auto& piece = window.pieces[i];
      bytes += piece.size;
      if (i != 0 && home_.border_up(piece.start) != piece.start)
        wrong = "a window's piece does not start on a handle border";
      if (i + 1 != window.pieces.size() && home_.border_up(piece.end()) != piece.end())
        wrong = "a window's piece does not end on a handle border";
      if (window.busy &&
          (window.regions[i]->start != piece.start || window.regions[i]->size != piece.size ||
           window.regions[i]->is(State::free)))
        wrong = "a window in use and its regions disagree";
    }
    if (bytes != window.size) wrong = "a window's pieces do not add up";
  });
  for (const auto& [handle, windows] : shown)
    if (home_.pins(handle) < windows) wrong = "a handle that windows show may be cut";
  return wrong;
}

}  // namespace gmlake::memory
