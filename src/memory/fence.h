// What must have happened before free bytes may be used again, as plain numbers. This layer never
// asks what a timeline is (a stream, a context); it only compares.
//
// A Fence is a point on a timeline, as a timeline semaphore has it: passed once the timeline has
// reached the value. Value 0 is passed from the start, which is what never-used memory carries. Two
// mergeable fences of one timeline join to the later one; fences of different timelines are never
// joined, so their bytes are kept apart.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "support/fault.h"

namespace gmlake::memory {

using Timeline = std::uint32_t;
inline constexpr Timeline kNoTimeline = ~Timeline{0};
inline constexpr Timeline kManyTimelines = kNoTimeline - 1;

struct Fence {
  std::uint64_t value = 0;
  Timeline timeline = 0;
  // Its timeline's own requests are likely to want the bytes, and in one piece. Others are kept
  // apart, so that each becomes reusable when its own value has passed.
  bool mergeable = true;

  constexpr Fence() = default;
  constexpr Fence(Timeline line, std::uint64_t point, bool may_merge = true)
      : value(point), timeline(line), mergeable(may_merge) {}
};
inline constexpr std::uint64_t kSettled = 1;

// Whether bytes may become one with others whose fence is a different one.
inline bool is_mergeable(Fence fence) {
  return fence.mergeable || fence.value <= kSettled;
}
inline bool may_join(Fence a, Fence b) {
  return a.timeline == b.timeline && is_mergeable(a) == is_mergeable(b) &&
         (is_mergeable(a) || a.value == b.value);
}
inline Fence joined(Fence a, Fence b) {
  if (GMLAKE_FAULT(earlier_fence_kept)) return {a.timeline, std::min(a.value, b.value), true};
  return {a.timeline, a.value > b.value ? a.value : b.value, a.mergeable || b.mergeable};
}

// What a request knows about order: the yes or no that decides which free bytes it may have.
struct Order {
  Timeline prefer = 0;  // whose free bytes are looked at first, and who owns what is newly created
  Timeline in_order =
      kNoTimeline;  // work of this timeline comes later by itself: its fences need not have passed
  const std::vector<std::uint64_t>* passed =
      nullptr;  // by timeline: the highest value known to have passed
  // By timeline, as far as it goes: the value that all later work of the asking timeline comes
  // after, by the program's own events and waits. Null if it never waited.
  const std::vector<std::uint64_t>* clock = nullptr;
  // However many timelines there are, all are looked at (memory/free_index.h).
  bool everywhere = false;

  bool has_passed(Fence fence) const { return fence.value <= (*passed)[fence.timeline]; }
  bool covered(Fence fence) const {
    return clock && fence.timeline < clock->size() && fence.value <= (*clock)[fence.timeline];
  }
  bool reusable(Fence fence) const {
    return fence.timeline == in_order || has_passed(fence) || covered(fence);
  }
};

// How taken bytes came to be reusable: the weakest claim among them, for the statistics.
enum class Provenance { fresh, in_order, passed, proved };

inline Provenance provenance(Fence fence, const Order& order) {
  if (fence.value == 0) return Provenance::fresh;
  if (fence.timeline == order.in_order) return Provenance::in_order;
  return order.has_passed(fence) ? Provenance::passed : Provenance::proved;
}

}  // namespace gmlake::memory
