#include "pool/mappings.h"

#include <algorithm>

namespace gmlake::pool {

Mappings::~Mappings() {
  // An unmap covers any number of whole mappings but no holes: each mapped stretch is one call.
  // Addresses that stay mapped can not be freed.
  for (std::size_t n = 0; n < reach_.arena_count(); ++n) {
    const auto start = reach_.arena_start(n);
    const auto arena_size = reach_.arena_size(n);
    auto at = start;
    bool unmapped = true;
    const auto unmap_to = [&](driver::Address end) {
      if (end > at) unmapped = device_.unmap(at, end - at) && unmapped;
    };
    free_in_arena_[n].each([&](driver::Address hole, Bytes size) {
      unmap_to(hole);
      at = hole + size;
    });
    unmap_to(start + arena_size);
    if (unmapped) (void)device_.free_reservation(start, arena_size);
  }
  const auto home = reach_.home();
  bool unmapped = true;
  for (auto at = handles_.begin(); at != handles_.end();) {
    const Bytes start = at->first;
    Bytes end = start;
    for (; at != handles_.end() && at->first == end; ++at) end += at->second.size;
    unmapped = device_.unmap(home + start, end - start) && unmapped;
  }
  for (const auto& [start, physical] : handles_) (void)device_.release(physical.handle);
  if (home != 0 && unmapped) (void)device_.free_reservation(home, reach_.home_size());
}

Status Mappings::open() {
  if (reach_.home() != 0) return {};
  const auto info = device_.memory_info();
  if (!info) return fail(info.error());
  const Bytes memory = round_up(info->total, granule_);
  const auto at = device_.reserve(2 * memory);
  if (!at) return fail(at.error());
  reach_.set_home(*at, 2 * memory, memory);
  return {};
}

Status Mappings::grow(Bytes start, const std::vector<Bytes>& sizes,
                      const std::vector<driver::Handle>& ready, std::size_t& created) {
  created = 0;
  if (sizes.empty()) return {};
  if (auto clean = unmap_stuck(); !clean) return release(ready, 0), clean;
  Status problem;
  Bytes end = start;
  for (; created < sizes.size(); ++created) {
    const Bytes size = sizes[created];
    const auto handle = created < ready.size() ? ready[created] : device_.create(size);
    if (!handle) {
      problem = fail(handle.error());
      break;
    }
    if (problem = device_.map(reach_.home() + end, size, *handle); !problem) {
      (void)device_.release(*handle);
      release(ready, created + 1);
      break;
    }
    handles_.emplace(end, driver::Physical{size, *handle});
    end += size;
  }
  if (created == 0) return problem;
  if (const auto access = allow(reach_.home() + start, end - start); !access) {
    (void)unmap(reach_.home() + start, end - start);
    created = 0;
    return problem ? access : problem;
  }
  return problem;
}

std::vector<driver::Handle> Mappings::create_all(const std::vector<Bytes>& sizes) {
  std::vector<driver::Handle> handles;
  for (const Bytes size : sizes) {
    const auto handle = device_.create(size);
    if (!handle) return release(handles, 0), std::vector<driver::Handle>{};
    handles.push_back(*handle);
  }
  return handles;
}

void Mappings::release(const std::vector<driver::Handle>& handles, std::size_t from) {
  for (; from < handles.size(); ++from) (void)device_.release(handles[from]);
}

// Another process may take the memory between its release and its creation.
Result<Mappings::Divided> Mappings::divide(Bytes start, const std::vector<Bytes>& sizes,
                                           bool beside) {
  const auto ready = beside ? create_all(sizes) : std::vector<driver::Handle>{};
  if (auto gone = shrink(start); !gone) return release(ready, 0), fail(gone.error());
  Divided divided;
  divided.beside = !ready.empty();
  divided.done = grow(start, sizes, ready, divided.made);
  return divided;
}

Status Mappings::shrink(Bytes start) {
  if (auto clean = unmap_stuck(); !clean) return clean;
  const auto at = handles_.find(start);
  if (auto done = device_.unmap(reach_.home() + start, at->second.size); !done) return done;
  peers_.unmapped(reach_.home() + start, at->second.size);
  (void)device_.release(at->second.handle);
  handles_.erase(at);
  return {};
}

Status Mappings::allow(driver::Address at, Bytes size) {
  Status done;
  peers_.each_of_all([&](int device) {
    if (done) done = device_.set_peer_access(at, size, device, true);
  });
  return done ? device_.set_access(at, size) : done;
}

Status Mappings::open_to(int device, driver::Address at, Bytes size) {
  if (peers_.reaches(device, at, size)) return {};
  if (peers_.refuses(device)) return fail(ErrorKind::unsupported, "the devices are no peers");
  auto done = device_.set_peer_access(at, size, device, true);
  if (done) peers_.open(device, at, size);
  if (!done && done.error().kind == ErrorKind::unsupported) peers_.refuse(device);
  return done;
}

// Home in as few calls as it has holes, then the windows.
template <typename Visit>
void Mappings::each_range(Visit visit) const {
  for (auto at = handles_.begin(); at != handles_.end();) {
    const Bytes start = at->first;
    Bytes end = start;
    for (; at != handles_.end() && at->first == end; ++at) end += at->second.size;
    visit(reach_.home() + start, end - start);
  }
  for (const auto& [start, size] : windows_) visit(start, size);
}

Status Mappings::open_all_to(int device, bool may) {
  if (peers_.reaches_all(device) == may) return {};
  const auto set = [&](bool wanted) {
    Status done;
    each_range([&](driver::Address at, Bytes size) {
      if (!done && wanted) return;
      auto one = device_.set_peer_access(at, size, device, wanted);
      if (!one) done = one;
    });
    return done;
  };
  auto done = set(may);
  if (!done && may) {
    (void)set(false);
    may = false;
  }
  peers_.set_all(device, may);
  return done;
}

std::vector<driver::Physical> Mappings::handles_under(const std::vector<memory::Piece>& pieces,
                                                      Bytes& offset) const {
  std::vector<driver::Physical> found;
  for (const auto& piece : pieces)
    for (auto at = std::prev(handles_.upper_bound(piece.start));
         at != handles_.end() && at->first < piece.end(); ++at) {
      if (found.empty()) offset = piece.start - at->first;
      found.push_back(at->second);
    }
  return found;
}

Result<Mappings::Range> Mappings::map_window(const std::vector<memory::Piece>& pieces) {
  Range range;
  const auto shown = handles_under(pieces, range.offset);
  for (const auto& physical : shown) range.size += physical.size;
  const auto base = take_addresses(range.size);
  if (!base) return fail(base.error());
  range.start = *base;
  Bytes mapped = 0;
  for (const auto& physical : shown) {
    const auto done = device_.map(*base + mapped, physical.size, physical.handle);
    if (!done) return give_up(range, mapped, done.error());
    mapped += physical.size;
  }
  const auto access = allow(*base, range.size);
  if (!access) return give_up(range, mapped, access.error());
  windows_.emplace(range.start, range.size);
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
    peers_.unmapped(at, size);
    if (!reach_.in_home(at)) {
      windows_.erase(at);
      give_addresses(at, size);
      continue;
    }
    const auto first = handles_.lower_bound(at - reach_.home());
    const auto last = handles_.lower_bound(at - reach_.home() + size);
    for (auto handle = first; handle != last; ++handle)
      (void)device_.release(handle->second.handle);
    handles_.erase(first, last);
  }
  return {};
}

Result<driver::Address> Mappings::take_addresses(Bytes size) {
  const auto count = reach_.arena_count();
  for (std::size_t n = 0; n < count; ++n)
    if (const auto at = free_in_arena_[n].take(size)) return at;
  if (count == Reach::kMostArenas)
    return fail(ErrorKind::mappings, "virtual addresses for stitching");
  // Four times the device's memory at first, less if the driver will not: windows alias the same
  // memory many times.
  Error last;
  for (Bytes wanted = std::max(size, 2 * reach_.home_size()); wanted >= size;
       wanted = round_up(wanted / 2, granule_)) {
    const auto at = device_.reserve(wanted);
    if (at) {
      reach_.add_arena(*at, wanted);
      free_in_arena_[count].give(*at, wanted);
      return free_in_arena_[count].take(size);
    }
    last = at.error();
    if (wanted == size) break;
    if (wanted / 2 < size) wanted = 2 * size;
  }
  return fail(last);
}

void Mappings::give_addresses(driver::Address at, Bytes size) {
  std::size_t n = 0;
  while (at - reach_.arena_start(n) >= reach_.arena_size(n)) ++n;
  free_in_arena_[n].give(at, size);
}

}  // namespace gmlake::pool
