// Misses: growing, stitching, and giving memory back; see placement.h.
#include <algorithm>
#include <utility>

#include "memory/placement.h"

namespace gmlake::memory {
namespace {

// Whether a piece overlaps any of the given ones: O(log n).
auto touching(std::vector<Piece> pieces) {
  std::sort(pieces.begin(), pieces.end(),
            [](const Piece& a, const Piece& b) { return a.start < b.start; });
  std::vector<Piece> joined;
  for (const auto& piece : pieces) {
    if (joined.empty() || joined.back().end() < piece.start)
      joined.push_back(piece);
    else
      joined.back().size = std::max(joined.back().end(), piece.end()) - joined.back().start;
  }
  return [joined = std::move(joined)](const Piece& piece) {
    const auto next =
        std::upper_bound(joined.begin(), joined.end(), piece.start,
                         [](Bytes start, const Piece& other) { return start < other.start; });
    if (next != joined.end() && next->start < piece.end()) return true;
    return next != joined.begin() && std::prev(next)->end() > piece.start;
  };
}

// Most bytes of a handle once memory comes and goes, of what is made for `bytes` where there are
// `then` afterwards. A handle costs the driver the same whatever its size, and once more in each
// stitch that shows it; what is left over in one is an end of a stitch at best. The holes of a
// program are about as many whatever its size: so a thousandth of what there is, and more of what
// lies above the first few GiB, where a program's first step would spend a fifth of its time on
// handles; but nothing in less than three, as others will have parts of its place. What is itself a
// large part of all there is, is one of few, and every stitch of its kind shows all of it.
Bytes most_that_comes_and_goes(Bytes bytes, Bytes then) {
  constexpr Bytes kFirst = 3 * GiB;
  constexpr Bytes kLarge = 512 * MiB;
  const Bytes above = then - std::min(then, kFirst);
  Bytes most = std::max({then / 1000, bytes / 64, std::min(above / 125, bytes / 3)});
  // Half of its share of all there is, of itself.
  if (bytes >= kLarge)
    most = std::max(most, (bytes / MiB) * (bytes / MiB) / (2 * (then / MiB)) * MiB);
  return most;
}

}  // namespace

std::vector<Run> Placement::runs(const Order& order, std::size_t most) const {
  std::vector<Piece> free;
  home_.index(false).largest(order, most, [&](const Region& region) {
    free.push_back({region.start, region.size});
  });
  std::sort(free.begin(), free.end(),
            [](const Piece& a, const Piece& b) { return a.start < b.start; });
  std::vector<Run> runs;
  for (const auto& piece : free) {
    if (!runs.empty() && runs.back().end() == piece.start)
      runs.back().size += piece.size;
    else
      runs.push_back({piece.start, piece.size, 0, 0});
  }
  for (auto& run : runs) {
    run.up = home_.border_up(run.start);
    run.down = home_.border_down(run.end());
  }
  return runs;
}

// Handles for new memory. A large handle is cheaper to make and to map than many small ones, but
// what is left over in one can not be stitched. So there is a bound once memory comes and goes,
// and before that, where it is large, a 128th of what there is. `shared_end`: a neighbour will have
// the rest of the last granule, which is a handle of its own, as it would keep all of a larger one
// from being stitched once the other part is free. `few`: they are no larger than any may be, and
// that is all.
std::vector<Bytes> Placement::handles_for(Bytes bytes, bool shared_end, bool few) const {
  Bytes most = rules_.largest_handle;
  const Bytes then = home_.physical() + bytes;
  if (!few)
    most = std::min(most, comes_and_goes_ ? most_that_comes_and_goes(bytes, then)
                                          : std::max(32 * MiB, then / 128));
  most = std::max(rules_.granule, round_down(most, rules_.granule));
  const Bytes end = shared_end && bytes > rules_.granule ? rules_.granule : 0;
  std::vector<Bytes> handles;
  for (bytes -= end; bytes != 0; bytes -= handles.back()) handles.push_back(std::min(bytes, most));
  if (end != 0) handles.push_back(end);
  return handles;
}

// What to create where a request lacks `lack` bytes: more than that as long as hardly anything has
// been freed, as then the next request will want new memory too; so little that it does not matter
// if none comes. Where one size is asked for over and over it is a granule and a 512th.
Bytes Placement::growth_for(Bytes lack, const Room& room, const MissRules& given) const {
  if (comes_and_goes_ || given.frugal || given.few_handles) return lack;
  const Bytes more = alike_grown_ < kManyAlike ? home_.physical() / kThousand
                                               : home_.physical() / 512 + rules_.granule;
  const Bytes most = std::min({rules_.largest_handle, more, room.size, given.grow_limit});
  return std::max(lack, round_down(most, rules_.granule));
}

std::optional<Miss> Placement::begin(const Wanted& request, const Order& order,
                                     const MissRules& given) {
  if (!home_.opened()) return {};
  const Bytes size = request.size;
  const bool small = size <= rules_.small_limit;
  Miss miss;
  miss.size = size;
  miss.fresh = {order.prefer, 0, order.in_order != kNoTimeline};

  const Bytes wanted = small ? rules_.granule : round_up(size, rules_.granule);
  static const std::vector<std::uint64_t> nothing_passed(1, 0);
  const Order any{0, kNoTimeline, &nothing_passed};
  const Region* absent = home_.absent().best(wanted, any);
  if (!absent) home_.absent().largest(any, 1, [&](const Region& r) { absent = &r; });
  const Room room = absent ? Room{absent->start, absent->size} : Room{};

  if (small) {
    if (given.grow_limit < rules_.granule || room.size < rules_.granule) return {};
    miss.plan.grow = rules_.granule;
  } else {
    PlanRules rules;
    rules.granule = rules_.granule;
    rules.alignment = request.alignment;
    const bool stitches =
        rules_.stitch && (given.frugal || (given.may_stitch && !given.few_handles));
    rules.may_stitch = stitches && size >= rules_.stitch_min_request;
    // What it would take otherwise is a granule.
    rules.may_pack = stitches && wanted >= rules_.stitch_min_request;
    rules.max_pieces = rules_.stitch_max_pieces;
    rules.physical = home_.physical();
    rules.grow_limit = given.grow_limit;
    rules.map_cost = given.map_cost;
    rules.grow_cost = given.grow_cost;
    rules.mean_handle = handle_count_ == 0 ? rules_.granule : home_.physical() / handle_count_;
    rules.new_handle = handles_for(wanted, false).front();
    rules.worth_per_byte = given.frugal ? 1e300 : given.worth_per_byte;
    if (!given.frugal) {
      const auto peak = static_cast<double>(std::max(peak_, live_ + size));
      rules.cheap_physical = static_cast<Bytes>(peak * (1 + rules_.growth_slack));
    }
    rules.border_down = [&](Bytes at) { return home_.border_down(at); };
    auto found = plan(runs(order, most_runs(order)), room, size, rules);
    if (!found) return {};
    miss.plan = std::move(*found);
  }
  miss.grow_start = room.start;
  if (const Bytes lack = std::exchange(miss.plan.grow, 0); lack != 0) {
    miss.plan.grow = growth_for(lack, room, given);
    const bool shared_end = miss.plan.pieces.size() == 1 && miss.plan.grow == lack &&
                            miss.plan.pieces.front().end() % rules_.granule != 0;
    miss.handles = handles_for(miss.plan.grow, shared_end, given.few_handles);
  }

  const auto is_new = [&](Bytes at) {
    return at >= room.start && at < room.start + miss.plan.grow;
  };
  for (const auto& piece : miss.plan.pieces) {
    auto& region = miss.taken.emplace_back(nullptr);
    auto& fences = miss.fences.emplace_back();
    if (is_new(piece.start)) continue;
    const Bytes end = is_new(piece.end() - 1) ? room.start : piece.end();
    region = home_.claim(piece.start, end - piece.start, State::held, [&](const Stretch& part) {
      miss.from = std::max(miss.from, provenance(part.fence, order));
      fences.push_back(part);
    });
    held_ += region->size;
  }
  return miss;
}

Taken Placement::finish(Miss&& miss, Recall& recall) {
  for (const bool heap : {false, true}) home_.index(heap).look_on();
  if (!miss.handles.empty()) {
    alike_grown_ = miss.size == last_grown_ ? alike_grown_ + 1 : 0;
    last_grown_ = miss.size;
  }
  Bytes at = miss.grow_start;
  for (const Bytes size : miss.handles) {
    home_.wanted(at, size, look_);
    home_.set_free(home_.add_handle(at, size), miss.fresh);
    ++handle_count_;
    at += size;
  }
  if (miss.size <= rules_.small_limit) {
    recall.record_granule(miss.grow_start);
    home_.give_to_small(miss.grow_start);
    Region* block = home_.claim(miss.grow_start, miss.size, State::live, [](const Stretch&) {});
    home_.small_taken(*block, [](Bytes) {});
    small_live_ += miss.size;
    return {block, Served::grown, Provenance::fresh};
  }

  std::vector<Region*> regions;
  for (std::size_t i = 0; i < miss.plan.pieces.size(); ++i) {
    const auto& piece = miss.plan.pieces[i];
    Region* region = miss.taken[i];
    const auto claim_new = [&](Bytes start) {
      return home_.claim(start, piece.end() - start, State::held, [](const Stretch&) {});
    };
    if (!region) {
      region = claim_new(piece.start);
    } else {
      held_ -= region->size;
      if (region->size != piece.size) claim_new(region->end());
    }
    home_.join(region, piece.size);
    Home::begin_block(region, regions.empty() ? State::live : State::piece);
    regions.push_back(region);
  }
  live_ += miss.size;
  peak_ = std::max(peak_, live_);

  Region* block = regions.front();
  if (regions.size() == 1) {
    recall.record(miss.size, live_ - miss.size, place_of(*block), false);
    return {block, miss.plan.grow != 0 ? Served::grown : Served::split, miss.from};
  }
  Window* window = windows_.add(miss.size, std::move(miss.plan.pieces));
  window->regions = std::move(regions);
  windows_.use(window);
  keep_whole(window->pieces);
  block->live.window = window;
  recall.record(miss.size, live_ - miss.size, place_of(*block), false);
  return {block, Served::stitched, miss.from};
}

void Placement::abandon(Miss&& miss, std::size_t handles) {
  Bytes at = miss.grow_start;
  for (std::size_t i = 0; i < handles; ++i) {
    home_.wanted(at, miss.handles[i], look_);
    home_.set_free(home_.add_handle(at, miss.handles[i]), miss.fresh);
    ++handle_count_;
    at += miss.handles[i];
  }
  for (std::size_t i = 0; i < miss.taken.size(); ++i) {
    if (!miss.taken[i]) continue;
    held_ -= miss.taken[i]->size;
    home_.restore(miss.taken[i], miss.fences[i]);
  }
}

bool Placement::is_unwanted(const Region& region, std::uint32_t since) const {
  if (!region.is(State::free) || region.small) return false;
  for (Bytes at = home_.border_up(region.start);
       at < region.end() && home_.handle_end(at) <= region.end(); at = home_.handle_end(at))
    if (home_.is_unwanted(at, home_.handle_end(at) - at, since)) return true;
  return false;
}

Trim Placement::begin_trim(Bytes bytes, const Order& order, std::uint32_t since) {
  if (since == kAnyTime) reclaim_idle(0, home_.size());
  std::vector<Piece> candidates;
  auto everywhere = order;
  everywhere.everywhere = true;
  for (const auto& run : runs(everywhere, ~std::size_t{0}))
    for (Bytes at = run.up; at < run.down; at = candidates.back().end())
      candidates.push_back({at, home_.handle_end(at) - at});
  std::reverse(candidates.begin(), candidates.end());

  // Physical memory lives as long as any mapping of it: the windows that show it go as well, and
  // what a window shows whose last work may still run stays. A busy one holds no handle that is
  // free as a whole.
  std::vector<Piece> stuck;
  windows_.each([&](const Window& window) {
    if (window.busy || !order.reusable(window.last_use))
      stuck.insert(stuck.end(), window.pieces.begin(), window.pieces.end());
  });
  const auto shown = touching(std::move(stuck));

  Trim trim;
  Bytes found = 0;
  std::vector<Piece> chosen;
  for (const auto& candidate : candidates) {
    if (candidate.size > bytes - found || shown(candidate) ||
        !home_.is_unwanted(candidate.start, candidate.size, since))
      continue;
    chosen.push_back(candidate);
    found += candidate.size;
    auto& fences = trim.fences.emplace_back();
    trim.handles.push_back(home_.claim(candidate.start, candidate.size, State::held,
                                       [&](const Stretch& part) { fences.push_back(part); }));
    held_ += candidate.size;
  }
  const auto leaves = touching(std::move(chosen));
  windows_.each([&](Window& window) {
    if (std::any_of(window.pieces.begin(), window.pieces.end(), leaves))
      trim.windows.push_back(&window);
  });
  return trim;
}

void Placement::finish_trim(Trim&& trim, std::size_t released) {
  for (std::size_t i = 0; i < trim.handles.size(); ++i) {
    Region* region = trim.handles[i];
    held_ -= region->size;
    if (i < released) {
      --handle_count_;
      home_.remove_handle(region);
    } else {
      home_.restore(region, trim.fences[i]);
    }
  }
}

}  // namespace gmlake::memory
