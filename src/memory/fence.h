// What must have happened before free bytes may be used again, as plain numbers. This layer never
// asks what a timeline is (a stream, a context); it only compares.
//
// A Fence is a point on a timeline, as a timeline semaphore has it: passed once the timeline has
// reached the value. Value 0 is passed from the start, which is what never-used memory carries. Two
// fences of one timeline join to the later one; fences of different timelines are never joined, so
// their bytes are kept apart.
#pragma once

#include <cstdint>
#include <vector>

namespace gmlake::memory {

using Timeline = std::uint32_t;
inline constexpr Timeline kNoTimeline = ~Timeline{0};
inline constexpr Timeline kManyTimelines = kNoTimeline - 1;

struct Fence {
  std::uint64_t value = 0;
  Timeline timeline = 0;
  bool owned = true;  // a stream's: its own requests may have the bytes at once

  constexpr Fence() = default;
  constexpr Fence(Timeline line, std::uint64_t point, bool by_owner = true)
      : value(point), timeline(line), owned(by_owner) {}
};
inline constexpr std::uint64_t kSettled = 1;

inline bool may_join(Fence a, Fence b) {
  return a.timeline == b.timeline &&
         (a.owned || a.value == b.value || (a.value <= kSettled && b.value <= kSettled));
}

// What a request knows about order: the yes or no that decides which free bytes it may have.
struct Order {
  Timeline prefer = 0;  // whose free bytes are looked at first, and who owns what is newly created
  Timeline own =
      kNoTimeline;  // work of this timeline comes later by itself: its fences need not have passed
  const std::vector<std::uint64_t>* passed =
      nullptr;  // by timeline: the highest value known to have passed

  bool reusable(Fence fence) const {
    return fence.timeline == own || fence.value <= (*passed)[fence.timeline];
  }
};

// How taken bytes came to be reusable: the weakest claim among them, for the statistics.
enum class Provenance { fresh, own, passed };

inline Provenance provenance(Fence fence, const Order& order) {
  if (fence.value == 0) return Provenance::fresh;
  return fence.timeline == order.own ? Provenance::own : Provenance::passed;
}

}  // namespace gmlake::memory
