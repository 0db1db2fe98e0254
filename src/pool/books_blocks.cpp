// What can be asked about a block by any address inside it; see books.h.
#include "pool/books.h"

namespace gmlake::pool {
namespace {

Bytes asked_bytes(const memory::Region* block) {
  return size_of(block) - block->live.unused();
}

}  // namespace

Books::Inside Books::find_inside(driver::Address at) {
  const Opened books(mutex_);
  Inside found;
  const auto home = home_.load(std::memory_order_relaxed);
  if (at - home < placement_.home().size()) {
    memory::Region* block = placement_.home().locate(at - home);
    const bool given = block->is(memory::State::live) || block->is(memory::State::parked);
    if (!given || block->live.window) return {};  // a stitched block is not seen here
    found = {block, nullptr, home + block->start};
  } else {
    const auto* window = placement_.windows().showing(at);
    if (!window || !window->busy) return {};
    found = {window->regions.front(), nullptr, window->address};
  }
  const auto line = found.block->timeline.load(std::memory_order_relaxed);
  if (line >= standings_.size()) return {};
  found.owner = &fronts_.of(line);
  return found;
}

std::optional<BlockView> Books::view(driver::Address at) {
  if (const auto lent = lent_at(at)) {
    const auto start = home() + lent->part.start;
    if (at - start >= lent->part.asked) return {};
    const auto& handles = lent->handles;
    return BlockView{start, lent->part.asked, true, nullptr, home() + handles.start, handles.size};
  }
  const auto [block, owner, start] = find_inside(at);
  if (!block) return {};
  const Lock own(owner->lock);
  const Opened books(mutex_);
  if (!owner->owns(block, start) || at - start >= asked_bytes(block)) return {};
  BlockView seen;
  seen.start = start;
  seen.size = asked_bytes(block);
  seen.of_stream = block->of_stream;
  if (!seen.of_stream) seen.context = owner->context.load(std::memory_order_relaxed);
  if (const auto* window = block->live.window) {
    seen.mapped_start = window->mapped_start;
    seen.mapped_size = window->mapped_size;
  } else {
    const auto& home = placement_.home();
    const Bytes first = home.handle_start(block->start);
    seen.mapped_start = start - (block->start - first);
    seen.mapped_size = home.handle_end(block->end() - 1) - first;
  }
  return seen;
}

std::optional<BlockNote> Books::note(driver::Address at, std::optional<bool> synchronous) {
  close_loans_at(at);
  const auto [block, owner, start] = find_inside(at);
  if (!block) return {};
  const Lock own(owner->lock);
  const Opened books(mutex_);
  if (!owner->owns(block, start) || at - start >= asked_bytes(block)) return {};
  if (!block->live.noted()) {
    notes_.keep([&, this](driver::Address known) {
      auto* other = blocks().find(known);
      return other && other->live.noted();
    });
    notes_.add(start);
    block->live.set_noted();
  }
  auto& note = notes_.at(start);
  note.synchronous = synchronous.value_or(note.synchronous);
  return note;
}

bool Books::is_synchronous(driver::Address at) {
  const auto [block, owner, start] = find_inside(at);
  if (!block) return false;
  const Lock own(owner->lock);
  const Opened books(mutex_);
  return owner->owns(block, start) && at - start < asked_bytes(block) && block->live.noted() &&
         notes_.at(start).synchronous;
}

bool Books::is_nobodys(driver::Address at) const {
  if (const auto* block = blocks().find(at);
      block && (block->is(memory::State::live) || block->is(memory::State::lent)))
    return false;
  const auto lent = lent_at(at);
  const Opened books(mutex_);
  const auto* const lines = &timelines_;
  const auto is_over = [lines](memory::Fence fence) {
    return lines->is_context(fence.timeline) || fence.value <= lines->all_passed()[fence.timeline];
  };
  if (lent) return lent->part.asked == 0 && is_over(lent->fence);
  const auto is_over_in = [&](const memory::Region& region) {
    if (region.is(memory::State::parked)) return !region.of_stream;
    return region.is(memory::State::free) && is_over(region.fence());
  };
  const auto home = home_.load(std::memory_order_relaxed);
  if (at - home < placement_.home().size()) return is_over_in(*placement_.home().locate(at - home));
  const auto* window = placement_.windows().showing(at);
  if (!window) return false;
  return window->busy ? is_over_in(*window->regions.front()) : is_over(window->last_use);
}

}  // namespace gmlake::pool
