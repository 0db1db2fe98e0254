// Arenas: streams that ask for ever other sizes would all meet in the books' lock, each with the
// others' cache lines to fetch. One that has met others there often is lent a part of what is free
// (memory/arena.h), and asks and frees in it under its own lock alone.
//
// It is memory that is free to nobody else meanwhile, so whoever finds no other takes all of it
// back; and a stream's own is closed by whatever is to know where its frees lie in the order of its
// work: an event, a wait, a block that is looked at, a free by another. Where that happens soon
// after it was lent, it is lent less and less often.
#include <algorithm>

#include "pool/books.h"
#include "support/fault.h"

namespace gmlake::pool {
namespace {

constexpr std::size_t kMostArenas = 4;  // of a stream, each twice as large as the one before
constexpr Bytes kFirstArena = 64 * MiB;
constexpr Bytes kBlocks = 8;                 // or for so many of the size that is asked for
constexpr Bytes kShare = 4;                  // but at most such a part of what is free
constexpr std::uint64_t kNever = 1'000'000;  // of streams.arena_after
// Others are met by at least one request of so many, or they do not count.
constexpr std::int64_t kOneOf = 5;
constexpr std::size_t kHardly = 256;  // requests that an arena has to serve to be worth it
constexpr unsigned kMostEarly = 10;
// Peaks are looked at so often while requests are served in arenas.
constexpr unsigned kBetweenLevels = 32;

}  // namespace

// Each that begins in an arena does so in a MiB of its own (BlockTable), and small ones have
// theirs.
bool Books::is_for_arenas(Bytes bytes) const {
  return bytes > std::max(config_.pool_small_limit, MiB);
}

void Books::meet(Front& front, bool others, Bytes bytes) {
  if (!others && front.met == 0 && config_.streams_arena_after != 0) [[likely]]
    return;
  if (config_.streams_arena_after == kNever) return;
  front.met = std::max<std::int64_t>(0, front.met + (others ? kOneOf - 1 : -1));
  const auto enough = (config_.streams_arena_after * (kOneOf - 1)) << front.closed_early;
  if (static_cast<std::uint64_t>(front.met) < enough || front.host) return;
  front.met = 0;
  lend(front, bytes);
}

void Books::lend(Front& front, Bytes bytes) {
  if (front.arenas.size() == kMostArenas || !is_for_arenas(bytes)) return;
  const auto granule = placement_.granule();
  const Bytes least = round_up(bytes, granule);
  const Bytes ample = std::max(kFirstArena << front.arenas.size(), kBlocks * least);
  const Bytes share = round_down(placement_.free_bytes() / kShare, granule);
  front.arenas.reserve(kMostArenas);
  auto arena = placement_.lend(least, std::min(ample, share), order_of(front));
  if (!arena) return;
  front.free_in_arenas.add(signed_of(arena->free_bytes()));
  front.arenas.push_back(std::move(*arena));
  front.has_arenas.store(true, std::memory_order_relaxed);
  ++standings_[front.timeline].blocks;
  ++counters_.arenas;
}

driver::Address Books::take_in_arena(Front& front, Bytes bytes) {
  if (!is_for_arenas(bytes)) return 0;
  const Bytes size = taken_by(front, bytes);
  for (auto& arena : front.arenas) {
    const auto start = arena.take(size, bytes);
    if (!start) continue;
    const auto at = home_.load(std::memory_order_relaxed) + *start;
    blocks().insert_in_arena(at, arena.region());
    front.has_taken_back = true;
    front.free_in_arenas.add(-signed_of(size));
    front.live_in_arenas.add(signed_of(bytes));
    front.counted.allocations.add(1);
    front.counted.arena_allocations.add(1);
    front.counted.allocated_bytes.add(signed_of(bytes));
    front.counted.live_bytes.add(signed_of(bytes));
    front.counted.live_blocks.add(1);
    // Now or with one of the next ones: nobody is met for it.
    if (++front.served_in_arenas >= kBetweenLevels && mutex_.try_lock()) {
      front.served_in_arenas = 0;
      add_levels(front);
      if (note_levels()) count_on_parked();
      mutex_.unlock();
    }
    return at;
  }
  return 0;
}

// False: no block of its own begins there.
bool Books::free_in_arena(Front& front, driver::Address at) {
  const Bytes start = at - home_.load(std::memory_order_relaxed);
  for (auto& arena : front.arenas) {
    if (!arena.contains(start)) continue;
    const auto block = arena.free(start);
    if (!block) return false;
    blocks().erase_in_arena(at);
    front.free_in_arenas.add(signed_of(block->size));
    front.live_in_arenas.add(-signed_of(block->asked));
    front.counted.frees.add(1);
    front.counted.live_bytes.add(-signed_of(block->asked));
    front.counted.live_blocks.add(-1);
    return true;
  }
  return false;
}

// What is live there becomes blocks like any others, and what is free is free like any other.
void Books::take_arenas_back(Front& front) {
  if (front.arenas.empty()) [[likely]]
    return;
  for (const auto& arena : front.arenas) {
    Bytes freed = 0;
    for (const auto& part : arena.parts())
      if (part.asked == 0 && part.used) freed += part.size;
    if (freed != 0) {
      front.unfollowed.add(signed_of(freed));
      front.worked_since.store(true, std::memory_order_relaxed);
    }
    const auto value = freed != 0 ? timelines_.free_on(front.timeline) : 0;
    const memory::Fence fence{front.timeline, GMLAKE_FAULT(arena_settles) ? 0 : value};
    placement_.take_back(arena, fence);
    auto& standing = standings_[front.timeline];
    for (const auto& part : arena.parts()) {
      if (part.asked == 0) continue;
      memory::Region* block = placement_.home().locate(part.start);
      block->live.address = home_.load(std::memory_order_relaxed) + part.start;
      block->live.slack = static_cast<std::uint32_t>(part.size - part.asked);
      block->live.used_on = memory::kNoTimeline;
      block->timeline.store(front.timeline, std::memory_order_relaxed);
      block->of_stream = true;
      block->shared = false;
      block->become(memory::State::live);
      ++standing.blocks;
      blocks_.erase(block->live.address);
      blocks_.insert(block->live.address, block);
    }
    --standing.blocks;
  }
  front.arenas.clear();
  front.has_arenas.store(false, std::memory_order_relaxed);
  front.free_in_arenas.reset();
}

bool Books::take_all_arenas_back() {
  {
    const Opened books(mutex_);
    if (placement_.lent() == 0) return false;
  }
  unpark_all();
  return true;
}

// For something of the stream's own, which is likely to come again.
void Books::close_arenas(Front& front) {
  if (front.arenas.empty()) [[likely]]
    return;
  std::size_t served = 0;
  for (const auto& arena : front.arenas) served += arena.served();
  front.closed_early = served < kHardly ? std::min(front.closed_early + 1, kMostEarly) : 0;
  take_arenas_back(front);
}

void Books::close_arenas_of(Front& front) {
  const Lock own(front.lock);
  const Opened books(mutex_);
  close_arenas(front);
}

void Books::close_arenas_at(driver::Address at) {
  Front* front = nullptr;
  {
    const Opened books(mutex_);
    const Bytes offset = at - home_.load(std::memory_order_relaxed);
    if (offset >= placement_.home().size()) return;
    const auto* region = placement_.home().locate(offset);
    if (!region->is(memory::State::lent)) return;
    front = &fronts_.of(region->timeline.load(std::memory_order_relaxed));
  }
  close_arenas_of(*front);
}

}  // namespace gmlake::pool
