#include "pool/mappings.h"

#include <algorithm>

namespace gmlake::pool {

Mappings::~Mappings() {
  // An unmap covers any number of whole mappings but no holes: each mapped stretch is one call.
  // Addresses that stay mapped can not be freed.
  const auto arenas = arena_count_.load();
  for (std::size_t i = 0; i < arenas; ++i) {
    auto& arena = arenas_[i];
    const auto start = arena.start.load();
    auto at = start;
    bool unmapped = true;
    const auto unmap_to = [&](driver::Address end) {
      if (end > at) unmapped = device_.unmap(at, end - at) && unmapped;
    };
    arena.free.each([&](driver::Address hole, Bytes size) {
      unmap_to(hole);
      at = hole + size;
    });
    unmap_to(start + arena.size);
    if (unmapped) (void)device_.free_reservation(start, arena.size);
  }
  bool unmapped = true;
  for (auto at = handles_.begin(); at != handles_.end();) {
    const Bytes start = at->first;
    Bytes end = start;
    for (; at != handles_.end() && at->first == end; ++at) end += at->second.size;
    unmapped = device_.unmap(home() + start, end - start) && unmapped;
  }
  for (const auto& [start, physical] : handles_) (void)device_.release(physical.handle);
  if (home_ != 0 && unmapped) (void)device_.free_reservation(home_, home_size_);
}

Status Mappings::open() {
  if (home_ != 0) return {};
  const auto info = device_.memory_info();
  if (!info) return fail(info.error());
  const Bytes memory = round_up(info->total, granule_);
  const auto at = device_.reserve(2 * memory);
  if (!at) return fail(at.error());
  home_size_ = 2 * memory;
  device_memory_ = memory;
  home_.store(*at, std::memory_order_release);
  return {};
}

Status Mappings::grow(Bytes start, const std::vector<Bytes>& sizes, std::size_t& created) {
  created = 0;
  if (sizes.empty()) return {};
  if (auto clean = unmap_stuck(); !clean) return clean;
  Status problem;
  Bytes end = start;
  for (; created < sizes.size(); ++created) {
    const Bytes size = sizes[created];
    const auto handle = device_.create(size);
    if (!handle) {
      problem = fail(handle.error());
      break;
    }
    if (problem = device_.map(home() + end, size, *handle); !problem) {
      (void)device_.release(*handle);
      break;
    }
    handles_.emplace(end, Physical{size, *handle});
    end += size;
  }
  if (created == 0) return problem;
  if (const auto access = device_.set_access(home() + start, end - start); !access) {
    (void)unmap(home() + start, end - start);
    created = 0;
    return problem ? access : problem;
  }
  return problem;
}

Status Mappings::shrink(Bytes start) {
  if (auto clean = unmap_stuck(); !clean) return clean;
  const auto at = handles_.find(start);
  if (auto done = device_.unmap(home() + start, at->second.size); !done) return done;
  (void)device_.release(at->second.handle);
  handles_.erase(at);
  return {};
}

Result<Mappings::Range> Mappings::map_window(const std::vector<memory::Piece>& pieces) {
  std::vector<Physical> shown;
  Range range;
  for (const auto& piece : pieces)
    for (auto at = std::prev(handles_.upper_bound(piece.start));
         at != handles_.end() && at->first < piece.end(); ++at) {
      if (shown.empty()) range.offset = piece.start - at->first;
      shown.push_back(at->second);
      range.size += at->second.size;
    }
  const auto base = take_addresses(range.size);
  if (!base) return fail(base.error());
  range.start = *base;
  Bytes mapped = 0;
  for (const auto& physical : shown) {
    const auto done = device_.map(*base + mapped, physical.size, physical.handle);
    if (!done) return give_up(range, mapped, done.error());
    mapped += physical.size;
  }
  const auto access = device_.set_access(*base, range.size);
  if (!access) return give_up(range, mapped, access.error());
  return range;
}

tl::unexpected<Error> Mappings::give_up(const Range& range, Bytes mapped, Error error) {
  if (mapped != range.size) give_addresses(range.start + mapped, range.size - mapped);
  if (mapped != 0) (void)unmap(range.start, mapped);
  return fail(error);
}

Status Mappings::unmap(driver::Address at, Bytes size) {
  stuck_.emplace_back(at, size);
  return unmap_stuck();
}

Status Mappings::unmap_stuck() {
  for (; !stuck_.empty(); stuck_.pop_back()) {
    const auto [at, size] = stuck_.back();
    if (auto done = device_.unmap(at, size); !done) return done;
    if (at - home() >= home_size_) {
      give_addresses(at, size);
      continue;
    }
    const auto first = handles_.lower_bound(at - home());
    const auto last = handles_.lower_bound(at - home() + size);
    for (auto handle = first; handle != last; ++handle)
      (void)device_.release(handle->second.handle);
    handles_.erase(first, last);
  }
  return {};
}

Result<driver::Address> Mappings::take_addresses(Bytes size) {
  const auto count = arena_count_.load();
  for (std::size_t i = 0; i < count; ++i)
    if (const auto at = arenas_[i].free.take(size)) return at;
  if (count == kMostArenas)
    return fail(2 /* CUDA_ERROR_OUT_OF_MEMORY */, "virtual addresses for stitching");
  // Four times the device's memory at first, less if the driver will not: windows alias the same
  // memory many times.
  Error last;
  for (Bytes wanted = std::max(size, 2 * home_size_); wanted >= size;
       wanted = round_up(wanted / 2, granule_)) {
    const auto at = device_.reserve(wanted);
    if (at) {
      auto& arena = arenas_[count];
      arena.size = wanted;
      arena.start.store(*at, std::memory_order_release);
      arena_count_.store(count + 1, std::memory_order_release);
      arena.free.give(*at, wanted);
      return arena.free.take(size);
    }
    last = at.error();
    if (wanted == size) break;
    if (wanted / 2 < size) wanted = 2 * size;
  }
  return fail(last);
}

void Mappings::give_addresses(driver::Address at, Bytes size) {
  std::size_t arena = 0;
  while (at - arenas_[arena].start.load() >= arenas_[arena].size) ++arena;
  arenas_[arena].free.give(at, size);
}

bool Mappings::in_arena(driver::Address at) const {
  const auto arenas = arena_count_.load(std::memory_order_acquire);
  for (std::size_t i = 0; i < arenas; ++i)
    if (at - arenas_[i].start.load(std::memory_order_relaxed) < arenas_[i].size) return true;
  return false;
}

}  // namespace gmlake::pool
