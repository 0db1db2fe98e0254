#include "pool/mappings.h"

#include <algorithm>

namespace gmlake::pool {
namespace {

// Free addresses need no order: a window's range comes back only after it has been unmapped. The
// arena stands as the timeline, so that neighbouring reservations never merge: one mapping call
// must not cross two of them.
memory::Order any_address() {
  static const std::vector<std::uint64_t> all_passed(Mappings::kMostArenas, 0);
  return {0, memory::kNoTimeline, &all_passed};
}

}  // namespace

Mappings::~Mappings() {
  // Windows still mapped are unmapped with their arenas: an unmap covers any number of whole
  // mappings, but not holes, so each mapped stretch between the free addresses is one call.
  const auto arenas = arena_count_.load();
  for (std::size_t i = 0; i < arenas; ++i) {
    const auto start = arenas_[i].start.load();
    const auto end = start + arenas_[i].size;
    auto at = start;
    addresses_.each([&](const memory::Span& hole) {
      if (hole.end() <= start || hole.start >= end) return;
      if (hole.start > at) (void)device_.unmap(at, hole.start - at);
      at = hole.end();
    });
    if (at < end) (void)device_.unmap(at, end - at);
    (void)device_.free_reservation(start, arenas_[i].size);
  }
  if (!handles_.empty()) (void)device_.unmap(home_, handles_.size() * chunk_);
  for (const auto handle : handles_) (void)device_.release(handle);
  if (home_ != 0) (void)device_.free_reservation(home_, home_size_);
}

Status Mappings::open() {
  if (home_ != 0) return {};
  const auto info = device_.memory_info();
  if (!info) return fail(info.error());
  const Bytes size = round_up(info->total, chunk_);
  const auto at = device_.reserve(size);
  if (!at) return fail(at.error());
  home_size_ = size;
  home_.store(*at, std::memory_order_release);
  return {};
}

Status Mappings::grow(Bytes first, Bytes count, Bytes& created) {
  created = 0;
  Status problem;
  const auto base = home() + first * chunk_;
  for (; created < count; ++created) {
    const auto handle = device_.create(chunk_);
    if (!handle) {
      problem = fail(handle.error());
      break;
    }
    if (problem = device_.map(base + created * chunk_, chunk_, *handle); !problem) {
      (void)device_.release(*handle);
      break;
    }
    handles_.push_back(*handle);
  }
  if (created == 0) return problem;
  // One call for the whole range: set-access is what makes mapping expensive.
  if (const auto access = device_.set_access(base, created * chunk_); !access) {
    (void)device_.unmap(base, created * chunk_);
    for (; created != 0; --created) {
      (void)device_.release(handles_.back());
      handles_.pop_back();
    }
    return access;
  }
  return problem;
}

Bytes Mappings::window_size(const std::vector<memory::Piece>& pieces) const {
  Bytes size = 0;
  for (const auto& piece : pieces)
    size += round_up(piece.end(), chunk_) - round_down(piece.start, chunk_);
  return size;
}

Result<driver::Address> Mappings::map_window(const std::vector<memory::Piece>& pieces) {
  const Bytes size = window_size(pieces);
  const auto base = take_addresses(size);
  if (!base) return fail(base.error());
  Bytes mapped = 0;
  Status problem;
  for (const auto& piece : pieces) {
    for (Bytes at = round_down(piece.start, chunk_); problem && at < piece.end(); at += chunk_) {
      problem = device_.map(*base + mapped, chunk_, handles_[at / chunk_]);
      if (problem) mapped += chunk_;
    }
  }
  if (problem) problem = device_.set_access(*base, size);
  if (problem) return *base;
  if (mapped == 0 || device_.unmap(*base, mapped)) give_addresses(*base, size);
  return fail(problem.error());
}

Status Mappings::unmap_window(driver::Address at, Bytes size) {
  const auto done = device_.unmap(at, size);
  if (done) give_addresses(at, size);
  return done;
}

Result<driver::Address> Mappings::take_addresses(Bytes size) {
  auto found = addresses_.best(size, any_address());
  if (!found) {
    const auto index = arena_count_.load();
    if (index == kMostArenas)
      return fail(2 /* CUDA_ERROR_OUT_OF_MEMORY */, "virtual addresses for stitching");
    // Twice the device's memory at first, less if the driver will not: windows alias the same
    // chunks many times.
    Error last;
    for (Bytes wanted = std::max(size, 2 * home_size_); wanted >= size;
         wanted = round_up(wanted / 2, chunk_)) {
      const auto at = device_.reserve(wanted);
      if (at) {
        arenas_[index].size = wanted;
        arenas_[index].start.store(*at, std::memory_order_release);
        arena_count_.store(index + 1, std::memory_order_release);
        addresses_.insert(*at, wanted, {static_cast<memory::Timeline>(index), 0});
        break;
      }
      last = at.error();
      if (wanted == size) break;
      if (wanted / 2 < size) wanted = 2 * size;
    }
    found = addresses_.best(size, any_address());
    if (!found) return fail(last);
  }
  addresses_.take(found->start, size, any_address());
  return found->start;
}

void Mappings::give_addresses(driver::Address at, Bytes size) {
  memory::Timeline arena = 0;
  while (at - arenas_[arena].start.load() >= arenas_[arena].size) ++arena;
  addresses_.insert(at, size, {arena, 0});
}

bool Mappings::owns(driver::Address at) const {
  const auto base = home();
  if (base == 0) return false;
  if (at - base < home_size_) return true;
  const auto arenas = arena_count_.load(std::memory_order_acquire);
  for (std::size_t i = 0; i < arenas; ++i)
    if (at - arenas_[i].start.load(std::memory_order_relaxed) < arenas_[i].size) return true;
  return false;
}

}  // namespace gmlake::pool
