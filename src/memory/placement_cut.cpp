// Cutting large handles; see placement.h. Only whole handles can be mapped side by side: one that
// was made when memory was not expected to come and go, for a block that came and went, would keep
// what small blocks leave of it from every stitch for good. So before one of them takes a part of
// it, it is replaced by several, with borders where blocks of that size end. The addresses stay,
// and with them what is remembered of places.
#include <algorithm>
#include <utility>

#include "memory/placement.h"

namespace gmlake::memory {
namespace {

// Granules that a handle has at least to be cut: it costs driver time, as much as making two to
// five.
constexpr Bytes kLeast = 4;
// Handles that take the place of one, about: where blocks are a smaller part of it, it is cut
// again.
constexpr Bytes kMost = 16;

// Sizes of the handles in the place of one that a block takes a part of: the borders are where the
// block ends, and where others of its size would end beside it. A granule that two of them share
// becomes a handle of its own.
std::vector<Bytes> sizes_for(const Piece& handle, const Piece& block, Bytes granule) {
  std::vector<Bytes> borders{handle.end()};
  const auto add = [&](Bytes end) {
    for (const Bytes at : {round_down(end, granule), round_up(end, granule)})
      if (at > handle.start && at < handle.end()) borders.push_back(at);
  };
  const Bytes step = std::max(block.size, handle.size / kMost);
  for (Bytes at = block.end(); at < handle.end(); at += step) add(at);
  for (Bytes at = block.start; at > handle.start; at -= std::min(at, step)) add(at);
  std::sort(borders.begin(), borders.end());
  std::vector<Bytes> sizes;
  Bytes start = handle.start;
  for (const Bytes at : borders) {
    if (at == start) continue;
    sizes.push_back(at - start);
    start = at;
  }
  return sizes;
}

}  // namespace

// A part of one handle at each end of the block: the first that can be cut.
std::optional<Piece> Placement::coarse_handle(const Spot& spot, const Order& order) const {
  const Region& free = *spot.region;
  if (!rules_.stitch || !comes_and_goes_ || !order.has_passed(free.fence())) return {};
  const Bytes end = spot.start + spot.size;
  for (const Bytes at : {spot.start, end - 1}) {
    const Bytes first = home_.handle_start(at), last = home_.handle_end(at);
    const bool whole = first >= free.start && last <= free.end();
    const bool part = first < spot.start || last > end;
    if (whole && part && last - first >= kLeast * rules_.granule && !home_.pinned(at))
      return Piece{first, last - first};
  }
  return {};
}

// Whether a handle that would be cut lies there, or a part of one. Blocks in a loan come and go
// unseen, and would break it up.
bool Placement::is_coarse(const Spot& spot) const {
  for (Bytes at = spot.start; at < spot.start + spot.size; at = home_.handle_end(at))
    if (home_.handle_end(at) - home_.handle_start(at) >= kLeast * rules_.granule) return true;
  return false;
}

std::optional<Cut> Placement::begin_cut(const Wanted& wanted, const Order& order,
                                        const Recall& recall) {
  if (!home_.opened()) return {};
  const bool small = wanted.size <= rules_.small_limit;
  if (small && (small_hole(wanted, order) || known_granule(order, recall))) return {};
  const Spot spot = small ? granule_for_small(order) : spot_for(wanted, order);
  if (!spot.region) return {};
  const auto handle = coarse_handle(spot, order);
  if (!handle) return {};
  return cut_of(spot.region, *handle, sizes_for(*handle, {spot.start, spot.size}, rules_.granule));
}

Cut Placement::cut_of(Region* free, const Piece& handle, std::vector<Bytes> sizes) {
  Cut cut;
  cut.sizes = std::move(sizes);
  cut.handle = home_.claim(free, handle.start, handle.size, State::held,
                           [&](const Stretch& part) { cut.fences.push_back(part); });
  held_ += handle.size;
  return cut;
}

// In parts that are not cut again, or about as many as there are mostly.
std::optional<Cut> Placement::begin_cut_to_lend(Bytes least, Bytes most, const Order& order) {
  const Bytes granule = rules_.granule;
  if (!rules_.stitch || !comes_and_goes_) return {};
  for (Bytes size = most; size >= least; size = round_down(size / 2, granule)) {
    const Spot spot = spot_for({size, granule}, order);
    if (!spot.region || !order.has_passed(spot.region->fence())) continue;
    const Region& free = *spot.region;
    for (Bytes at = spot.start; at < spot.start + size; at = home_.handle_end(at)) {
      const Bytes first = home_.handle_start(at), last = home_.handle_end(at);
      if (last - first < kLeast * granule || first < free.start || last > free.end() ||
          home_.pinned(at))
        continue;
      const Bytes part =
          std::max((kLeast - 1) * granule, round_down((last - first) / kMost, granule));
      std::vector<Bytes> sizes;
      for (Bytes left = last - first; left != 0; left -= sizes.back())
        sizes.push_back(std::min(part, left));
      return cut_of(spot.region, {first, last - first}, std::move(sizes));
    }
  }
  return {};
}

void Placement::finish_cut(Cut&& cut, std::optional<std::size_t> made) {
  Bytes at = cut.handle->start;
  held_ -= cut.handle->size;
  if (made) {
    home_.divide(cut.handle, cut.sizes);
    handle_count_ += cut.sizes.size() - 1;
  }
  home_.restore(cut.handle, cut.fences);
  if (!made) return;
  for (std::size_t i = 0; i < cut.sizes.size(); at += cut.sizes[i++]) {
    if (i < *made) continue;
    --handle_count_;
    home_.remove_handle(home_.claim(at, cut.sizes[i], State::held, [](const Stretch&) {}));
  }
}

void Placement::keep_whole(const std::vector<Piece>& pieces) {
  for (const auto& piece : pieces)
    home_.each_handle(piece.start, piece.size, [&](Bytes handle) { home_.pin(handle); });
}

void Placement::forget(Window* window) {
  for (const auto& piece : window->pieces)
    home_.each_handle(piece.start, piece.size, [&](Bytes handle) { home_.unpin(handle); });
  windows_.forget(window);
}

}  // namespace gmlake::memory
