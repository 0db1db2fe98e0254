// The home range as a chain of regions, and what lies under it: handles of physical memory, and
// which granules belong to small requests.
//
// A granule is pool.chunk_size bytes (2 MiB); a handle covers one or more whole granules and a
// stitch can only meet at handle borders. Free neighbours of one heap (small or large) and one
// timeline are always one region; regions of live blocks are never split or merged.
//
// Complexity: locate O(log64 g) for g granules and the few regions that start in one (many only in
// granules of small requests); everything else O(1). Memory: 29 bytes a granule, 64 a region.
// Not thread-safe.
#pragma once

#include <algorithm>
#include <bit>
#include <optional>
#include <string>
#include <vector>

#include "memory/bit_tree.h"
#include "memory/free_index.h"
#include "memory/region.h"

namespace gmlake::memory {

class Home {
 public:
  // `granule`: a power of two.
  explicit Home(Bytes granule)
      : granule_(granule), shift_(static_cast<unsigned>(std::countr_zero(granule))) {}

  // Makes room for addresses 0 to `size`, all absent. Once, before anything else.
  void open(Bytes size);
  bool opened() const { return first_ != nullptr; }

  Bytes granule() const { return granule_; }
  Bytes size() const { return size_; }
  Bytes physical() const { return physical_; }
  // The region that contains `at`, which lies in the range.
  Region* locate(Bytes at) const;
  Region* first() const { return first_; }
  // For a walk in steps, between which regions come and go: shows at most `most` of them, from the
  // one that `at` is in, which may begin before it, and moves `at` behind them. False: no more.
  template <typename Visit>
  bool visit_some(Bytes& at, std::size_t most, Visit visit) const;

  // Free bytes. The region must not be in an index; gives the region it has become part of.
  Region* set_free(Region* region, Fence fence);
  // Takes [start, start + size), all of it free and beginning in `region`, out of the free regions:
  // one region of `state`. `each` sees every stretch with the fence it had.
  template <typename Each>
  Region* claim(Region* region, Bytes start, Bytes size, State state, Each each);
  template <typename Each>
  Region* claim(Bytes start, Bytes size, State state, Each each) {
    return claim(locate(start), start, size, state, each);
  }
  // Puts a held region's bytes back with the fences they had.
  void restore(Region* region, const std::vector<Stretch>& parts);
  // The region is taken: nobody's yet, before it can be seen as live, so that who still looks at it
  // for an earlier block does not take it for one of his.
  static void begin_block(Region* region, State state) {
    region->live = {};
    region->timeline.store(kNoTimeline, std::memory_order_relaxed);
    region->become(state);
  }
  // Of a held or lent region these bytes, as a region of their own of that state.
  Region* carve(Region* region, Bytes start, Bytes size) { return cut(region, start, size); }
  // Makes one region of this one and those behind it, all held, up to `size` bytes.
  void join(Region* region, Bytes size);

  FreeIndex& index(bool small) { return small ? small_ : large_; }
  const FreeIndex& index(bool small) const { return small ? small_ : large_; }
  const FreeIndex& absent() const { return absent_; }

  // The region that `start` is in, if all of these bytes are free for large requests and may be had
  // by `order`; else null.
  Region* holds(Bytes start, Bytes size, const Order& order) const;

  // Physical memory: absent bytes get one handle and are held; a held region that is one handle
  // loses it.
  Region* add_handle(Bytes start, Bytes size);
  void remove_handle(Region* region);
  // A held region that is one handle: it is several of these sizes, side by side, from now on.
  void divide(Region* region, const std::vector<Bytes>& sizes);
  // Whether a handle is to stay as it is: something counts on its being one, perhaps for good.
  bool pinned(Bytes at) const { return pins_[handle_[granule_of(at)]] != 0; }
  void pin(Bytes at) { ++pins_[handle_[granule_of(at)]]; }
  void unpin(Bytes at) { --pins_[handle_[granule_of(at)]]; }
  std::uint32_t pins(Bytes at) const { return pins_[handle_[granule_of(at)]]; }
  // Visits where each handle begins that holds some of these bytes.
  template <typename Each>
  void each_handle(Bytes start, Bytes size, Each visit) const {
    for (Bytes at = handle_start(start); at < start + size; at = handle_end(at)) visit(at);
  }
  Bytes handle_start(Bytes at) const { return handle_[granule_of(at)] * granule_; }
  Bytes handle_end(Bytes at) const;
  Bytes border_up(Bytes at) const;    // the first handle border at or after `at`
  Bytes border_down(Bytes at) const;  // the last one at or before it
  bool backed(Bytes at) const { return handle_[granule_of(at)] != kAbsent; }

  // Granules of small requests.
  void give_to_small(Bytes granule_start);    // its bytes are free and large
  void take_from_small(Bytes granule_start);  // its bytes are free and small
  // Live small blocks that touch it.
  unsigned small_live(Bytes at) const { return small_live_[granule_of(at)]; }
  bool is_small(Bytes at) const { return small_live_[granule_of(at)] != kLarge; }
  // A small block comes or goes: `each` sees the granules, at most two, that were or are empty.
  template <typename Each>
  void small_taken(const Region& block, Each each);
  template <typename Each>
  void small_freed(Bytes start, Bytes size, Each each);

  // When memory was last wanted, by granule: the look (Placement::look_again) in which it was last
  // made or freed. What is live has no such time.
  void wanted(Bytes start, Bytes size, std::uint32_t look) {
    std::fill(wanted_.begin() + static_cast<std::ptrdiff_t>(granule_of(start)),
              wanted_.begin() + static_cast<std::ptrdiff_t>(granule_of(start + size - 1)) + 1,
              look);
  }
  // Not since that look.
  bool is_unwanted(Bytes start, Bytes size, std::uint32_t since) const {
    for (auto g = granule_of(start); g <= granule_of(start + size - 1); ++g)
      if (wanted_[g] >= since) return false;
    return true;
  }

  // What is inconsistent, if anything. For tests.
  std::optional<std::string> problem() const;

 private:
  static constexpr std::uint32_t kAbsent = ~std::uint32_t{0};
  static constexpr std::uint32_t kLarge = ~std::uint32_t{0};

  Region* split(Region* region, Bytes at);               // gives the upper part, in no index
  Region* cut(Region* region, Bytes start, Bytes size);  // of a held region
  void set_absent(Region* region);
  void absorb(Region* region);  // its `after` becomes part of it
  void enter(Region* region);   // into the table of granules
  void leave(Region* region);
  void change_heap(Bytes granule_start, bool small);

  std::size_t granule_of(Bytes at) const { return at >> shift_; }

  const Bytes granule_;
  const unsigned shift_;
  Bytes size_ = 0;
  Bytes physical_ = 0;
  RegionSlab slab_;
  Region* first_ = nullptr;
  Region* last_ = nullptr;
  std::vector<Region*> starts_;             // by granule: the first region that starts in it
  BitTree has_start_;                       // granules with one
  std::vector<std::uint32_t> handle_;       // by granule: the first granule of its handle
  std::vector<std::uint32_t> handle_size_;  // by first granule: granules
  std::vector<std::uint32_t> pins_;         // by first granule
  std::vector<std::uint32_t> wanted_;       // by granule
  std::vector<std::uint32_t> small_live_;   // by granule: live small blocks in it, or kLarge
  FreeIndex large_{1};
  FreeIndex small_{2};
  FreeIndex absent_{4};
};

template <typename Visit>
bool Home::visit_some(Bytes& at, std::size_t most, Visit visit) const {
  for (Region* region = at < size_ ? locate(at) : nullptr; region && most-- != 0;
       region = region->after) {
    visit(*region);
    at = region->end();
  }
  return at < size_;
}

template <typename Each>
Region* Home::claim(Region* region, Bytes start, Bytes size, State state, Each each) {
  const Bytes end = start + size;
  // Takes what [start, end) has of this region out of the index.
  const auto take = [&](Region* part) {
    auto& free = index(part->small);
    free.remove(part);
    const Fence fence = part->fence();
    if (part->start < start) {
      Region* upper = split(part, start);
      free.add(part);
      part = upper;
    }
    if (part->end() > end) {
      Region* rest = split(part, end);
      rest->set_fence(fence);
      free.add(rest);
    }
    each(Stretch{part->start, part->size, fence});
    return part;
  };
  Region* whole = take(region);
  while (whole->end() != end) {
    take(whole->after);
    absorb(whole);
  }
  begin_block(whole, state);
  return whole;
}

template <typename Each>
void Home::small_taken(const Region& block, Each each) {
  for (auto g = granule_of(block.start); g <= granule_of(block.end() - 1); ++g)
    if (small_live_[g]++ == 0) each(g * granule_);
}

template <typename Each>
void Home::small_freed(Bytes start, Bytes size, Each each) {
  for (auto g = granule_of(start); g <= granule_of(start + size - 1); ++g)
    if (--small_live_[g] == 0) each(g * granule_);
}

}  // namespace gmlake::memory
