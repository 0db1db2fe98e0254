// Free regions that are kept apart until their fences have passed, by timeline and value: when a
// timeline has got somewhere it is known at once whether any of its regions may join their
// neighbours now, and which ones, without a look at the others.
//
// A region that leaves is not looked for: what is said of it here goes later, so that there are at
// most twice as many entries as regions, and a few more.
//
// Complexity: O(1), amortised, to add and to remove; passed O(1); settling O(log n) for each region
// that is settled. 16 to 32 bytes a region. Not thread-safe.
#pragma once

#include <cstdint>
#include <vector>

#include "memory/region.h"

namespace gmlake::memory {

class Unsettled {
 public:
  // The regions of the index that `bit` stands for (Region::free_in).
  explicit Unsettled(std::uint8_t bit) : bit_(bit) {}

  static bool is_apart(const Region& region) {
    return !region.mergeable && region.free.value > kSettled;
  }

  // The region is in the index from now on, and kept apart; or is not any more.
  void add(Region* region);
  void remove(const Region* region) {
    --lines_[region->timeline.load(std::memory_order_relaxed)].regions;
  }

  // The timeline's fences have passed up to `value`.
  void passed(Timeline timeline, std::uint64_t value);
  bool any_due() const { return !due_.empty(); }
  // Up to `most` regions whose fences have passed, for settle(region), which takes the region out
  // and puts it back as one that is not kept apart.
  template <typename Settle>
  void settle(std::size_t most, Settle settle) {
    while (most != 0 && !due_.empty())
      if (Region* region = next_due()) {
        settle(region);
        --most;
      }
  }

 private:
  struct Entry {
    std::uint64_t value;
    Region* region;
    friend bool operator>(const Entry& a, const Entry& b) { return a.value > b.value; }
    friend bool operator==(const Entry&, const Entry&) = default;
  };
  struct Line {
    std::vector<Entry> entries;  // a heap, the lowest value first
    std::size_t regions = 0;     // that are kept apart on it
    std::uint64_t passed = kSettled;
    bool due = false;
  };
  bool is_there(const Entry& entry, Timeline timeline) const {
    const Region& region = *entry.region;
    return region.free_in == bit_ && is_apart(region) && region.free.value == entry.value &&
           region.timeline.load(std::memory_order_relaxed) == timeline;
  }
  void note_due(Timeline timeline);
  void forget_gone(Timeline timeline);
  // One whose fence has passed; null if there was none where it was looked.
  Region* next_due();

  const std::uint8_t bit_;
  std::vector<Line> lines_;    // by timeline
  std::vector<Timeline> due_;  // those with something to settle
};

}  // namespace gmlake::memory
