#include "memory/home.h"

#include <algorithm>

namespace gmlake::memory {

void Home::open(Bytes size) {
  const auto granules = static_cast<std::size_t>(granule_of(size));
  size_ = size;
  starts_.assign(granules, nullptr);
  has_start_ = BitTree(granules);
  handle_.assign(granules, kAbsent);
  handle_size_.assign(granules, 0);
  pins_.assign(granules, 0);
  wanted_.assign(granules, 0);
  small_live_.assign(granules, kLarge);
  first_ = last_ = slab_.take();
  first_->start = 0;
  first_->size = size;
  first_->before = first_->after = nullptr;
  first_->small = false;
  enter(first_);
  set_absent(first_);
}

void Home::set_absent(Region* region) {
  const auto joins = [](const Region* other) { return other && other->is(State::absent); };
  if (joins(region->after)) {
    absent_.remove(region->after);
    absorb(region);
  }
  if (joins(region->before)) {
    region = region->before;
    absent_.remove(region);
    absorb(region);
  }
  region->become(State::absent);
  region->set_fence({});
  absent_.add(region);
}

void Home::enter(Region* region) {
  const auto granule = granule_of(region->start);
  Region*& known = starts_[granule];
  if (!known) has_start_.set(granule);
  if (!known || known->start > region->start) known = region;
}

void Home::leave(Region* region) {
  const auto granule = granule_of(region->start);
  Region*& known = starts_[granule];
  if (known != region) return;
  Region* next = region->after;
  known = next && granule_of(next->start) == granule ? next : nullptr;
  if (!known) has_start_.clear(granule);
}

Region* Home::locate(Bytes at) const {
  const auto granule = granule_of(at);
  Region* region = starts_[granule];
  if (!region || region->start > at) {
    if (region) return region->before;
    const auto next = has_start_.next(granule + 1);
    return next == BitTree::kNone ? last_ : starts_[next]->before;
  }
  while (region->end() <= at) region = region->after;
  return region;
}

Region* Home::split(Region* region, Bytes at) {
  Region* upper = slab_.take();
  upper->start = at;
  upper->size = region->end() - at;
  upper->before = region;
  upper->after = region->after;
  upper->small = region->small;
  upper->become(region->state.load(std::memory_order_relaxed));
  if (upper->after)
    upper->after->before = upper;
  else
    last_ = upper;
  region->size = at - region->start;
  region->after = upper;
  enter(upper);
  return upper;
}

void Home::absorb(Region* region) {
  Region* gone = region->after;
  leave(gone);
  region->size += gone->size;
  region->after = gone->after;
  if (gone->after)
    gone->after->before = region;
  else
    last_ = region;
  slab_.put(gone);
}

Region* Home::cut(Region* region, Bytes start, Bytes size) {
  if (region->start != start) region = split(region, start);
  if (region->size != size) split(region, start + size);
  return region;
}

Region* Home::set_free(Region* region, Fence fence) {
  const auto joins = [&](const Region* other) {
    return other && other->is(State::free) && other->small == region->small &&
           may_join(other->fence(), fence);
  };
  auto& free = index(region->small);
  if (Region* after = region->after; joins(after)) {
    free.remove(after);
    fence = joined(fence, after->fence());
    absorb(region);
  }
  if (Region* before = region->before; joins(before)) {
    free.remove(before);
    fence = joined(fence, before->fence());
    region = before;
    absorb(region);
  }
  region->become(State::free);
  region->set_fence(fence);
  free.add(region);
  return region;
}

Region* Home::holds(Bytes start, Bytes size, const Order& order) const {
  const Bytes end = start + size;
  if (end > size_ || is_small(start)) return nullptr;
  Region* const first = locate(start);
  for (const Region* region = first;; region = region->after) {
    if (!region->is(State::free) || region->small || !order.reusable(region->fence()))
      return nullptr;
    if (region->end() >= end) return first;
  }
}

Region* Home::add_handle(Bytes start, Bytes size) {
  const auto first = granule_of(start);
  for (auto g = first; g < granule_of(start + size); ++g)
    handle_[g] = static_cast<std::uint32_t>(first);
  handle_size_[first] = static_cast<std::uint32_t>(granule_of(size));
  physical_ += size;
  Region* region = locate(start);
  absent_.remove(region);
  if (region->start != start) {
    Region* upper = split(region, start);
    absent_.add(region);
    region = upper;
  }
  if (region->size != size) {
    Region* rest = split(region, start + size);
    rest->set_fence({});
    absent_.add(rest);
  }
  region->become(State::held);
  return region;
}

void Home::remove_handle(Region* region) {
  pins_[granule_of(region->start)] = 0;
  for (auto g = granule_of(region->start); g < granule_of(region->end()); ++g) handle_[g] = kAbsent;
  physical_ -= region->size;
  set_absent(region);
}

void Home::divide(Region* region, const std::vector<Bytes>& sizes) {
  auto first = granule_of(region->start);
  for (const Bytes size : sizes) {
    const auto granules = granule_of(size);
    std::fill_n(handle_.begin() + static_cast<std::ptrdiff_t>(first), granules,
                static_cast<std::uint32_t>(first));
    handle_size_[first] = static_cast<std::uint32_t>(granules);
    first += granules;
  }
}

Bytes Home::handle_end(Bytes at) const {
  const auto first = handle_[granule_of(at)];
  return (first + Bytes{handle_size_[first]}) * granule_;
}

Bytes Home::border_up(Bytes at) const {
  if (at % granule_ == 0 && (at == size_ || !backed(at) || handle_start(at) == at)) return at;
  return handle_end(at);
}

Bytes Home::border_down(Bytes at) const {
  return at == size_ || !backed(at) ? round_down(at, granule_) : handle_start(at);
}

void Home::restore(Region* region, const std::vector<Stretch>& parts) {
  for (const auto& part : parts) {
    Region* piece = cut(region, part.start, part.size);
    region = piece->after;
    set_free(piece, part.fence);
  }
}

void Home::join(Region* region, Bytes size) {
  while (region->size < size) absorb(region);
}

void Home::change_heap(Bytes granule_start, bool small) {
  std::vector<Stretch> parts;
  Region* region = claim(granule_start, granule_, State::held,
                         [&](const Stretch& part) { parts.push_back(part); });
  small_live_[granule_of(granule_start)] = small ? 0 : kLarge;
  region->small = small;
  restore(region, parts);
}
void Home::give_to_small(Bytes granule_start) {
  change_heap(granule_start, true);
}
void Home::take_from_small(Bytes granule_start) {
  change_heap(granule_start, false);
}

std::optional<std::string> Home::problem() const {
  if (!opened()) return {};
  Bytes at = 0, free[2] = {0, 0}, backed_bytes = 0;
  std::size_t free_count[2] = {0, 0};
  std::vector<std::uint32_t> live(small_live_.size(), 0);
  for (const Region* r = first_; r; r = r->after) {
    if (r->start != at || r->size == 0) return "regions do not follow each other";
    if (r->after ? r->after->before != r : r != last_) return "a broken chain of regions";
    if (locate(r->start) != r || locate(r->end() - 1) != r)
      return "a region is not found by address";
    at = r->end();
    if (!r->is(State::absent)) backed_bytes += r->size;
    if (r->is(State::free)) {
      free[r->small] += r->size;
      ++free_count[r->small];
      const Region* next = r->after;
      if (next && next->is(State::free) && next->small == r->small &&
          may_join(next->fence(), r->fence()))
        return "free neighbours that should be one region";
    }
    if (r->is(State::absent) && r->after && r->after->is(State::absent))
      return "absent neighbours that should be one region";
    for (Bytes g = granule_of(r->start); g <= granule_of(r->end() - 1); ++g) {
      const bool small = small_live_[g] != kLarge;
      if (r->is(State::absent) ? (backed(g * granule_) || small) : !backed(g * granule_))
        return "the handles and the regions disagree";
      if (!r->is(State::absent) && small != r->small)
        return "a region of one heap in a granule of the other";
      if (small && !r->is(State::free)) ++live[g];
    }
  }
  if (at != size_) return "the regions do not cover the home range";
  if (backed_bytes != physical_) return "physical bytes do not add up";
  for (const bool small : {false, true}) {
    std::size_t count = 0;
    bool wrong = false;
    index(small).each([&](const Region& r) {
      ++count;
      wrong = wrong || !r.is(State::free) || r.small != small;
    });
    if (wrong || count != free_count[small] || index(small).bytes() != free[small])
      return "the index of free regions disagrees with the chain";
  }
  for (std::size_t g = 0; g < live.size(); ++g)
    if (small_live_[g] != kLarge && small_live_[g] != live[g])
      return "a granule's count of small blocks is wrong";
  return {};
}

}  // namespace gmlake::memory
