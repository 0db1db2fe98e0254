// The parts of the home range: every byte of it belongs to exactly one region, and regions know
// their neighbours, so a free merges with what lies beside it without a search.
//
// Ownership: a RegionSlab owns its regions and reuses them; their addresses stay valid for its
// life, so a stale pointer can be looked at but never trusted. A region is guarded by the pool's
// lock, but for the first one of a block: while that is live or parked, its `live`, `state` and
// `timeline` are its owner's (pool/front.h); anybody may look at the last two.
//
// One cache line, and no more: a hit touches the block's and its neighbours', and no other
// thread's.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "memory/fence.h"
#include "support/units.h"

namespace gmlake::memory {

struct Window;

// Bytes of home with the fence they carried.
struct Stretch {
  Bytes start = 0;
  Bytes size = 0;
  Fence fence;
};

enum class State : std::uint8_t {
  absent,  // no physical memory behind it
  free,    // anybody's whose order covers its fence
  held,    // taken, but nobody's block yet: a miss or a trim is under way
  live,    // a block starts here
  piece,   // of a stitched block, behind its first
  parked,  // a freed block that its stream may have again as it is
  lent,    // a stream's own loan (memory/loan.h), which alone knows what is live there
};

struct alignas(64) Region {
  Bytes start = 0;
  Bytes size = 0;
  Region* before = nullptr;  // neighbours in the home range; null at its ends
  Region* after = nullptr;

  struct Free {
    Region* before;  // in its list of equals, see FreeIndex
    Region* after;
    std::uint64_t value;  // of its fence
  };
  struct Live {
    Window* window;         // of a stitched block; null for a contiguous one
    std::uint64_t address;  // what the program was given; 0: no block starts here
    std::uint32_t slack;    // bytes that were not asked for, and kNoted
    Timeline used_on;       // by record of the program: kNoTimeline, one, or kManyTimelines

    // Bytes of it that were not asked for. Its owner writes them, others may look meanwhile.
    Bytes unused() { return std::atomic_ref(slack).load(std::memory_order_relaxed) & ~kNoted; }
    Bytes unused() const { return slack & ~kNoted; }
    // Whether something is noted of this block (pool/block_notes.h): not of the next one here.
    bool noted() { return (std::atomic_ref(slack).load(std::memory_order_relaxed) & kNoted) != 0; }
    void set_noted() { std::atomic_ref(slack).fetch_or(kNoted, std::memory_order_relaxed); }
    static constexpr std::uint32_t kNoted = std::uint32_t{1} << 31;
  };
  union {
    Free free;
    Live live;
  };
  // Of its fence while it is free; of the request it serves while it is live.
  std::atomic<Timeline> timeline{0};
  std::atomic<State> state{State::absent};
  bool small : 1 = false;     // lies in a granule given over to small requests
  bool mergeable : 1 = true;  // its fence is, while it is free
  bool of_stream : 1 = true;  // a stream's block, not a context's, while it is live or parked
  bool listed : 1 = false;    // has a place in a bin of its free index
  bool shared : 1 = false;    // another process was told of the block, while it is live
  // By the bits of the free indexes: which one it is in, and whose queues name it, also after it
  // was taken or recycled. Written while the region may be a front's, which reads the bits above:
  // so they begin a memory location of their own.
  std::uint8_t : 0;
  std::uint8_t free_in : 4 = 0;
  std::uint8_t queued_in : 4 = 0;
  // Which of the program's memory pools a live block is of; 0 of every other region.
  std::uint8_t pool = 0;

  Region() : live{} {}
  Fence fence() const { return {timeline.load(std::memory_order_relaxed), free.value, mergeable}; }
  void set_fence(Fence fence) {
    free.value = fence.value;
    timeline.store(fence.timeline, std::memory_order_relaxed);
    mergeable = fence.mergeable;
  }
  Bytes end() const { return start + size; }
  bool is(State wanted) const { return state.load(std::memory_order_relaxed) == wanted; }
  // Released, so that who finds it live does not see the address of an earlier block.
  void become(State wanted) { state.store(wanted, std::memory_order_release); }
};

static_assert(sizeof(Region) == 64);

class RegionSlab {
 public:
  Region* take() {
    if (!free_) refill();
    Region* region = free_;
    free_ = region->after;
    return region;
  }
  void put(Region* region) {
    region->become(State::absent);
    region->after = free_;
    free_ = region;
  }

 private:
  static constexpr std::size_t kRegions = 512;
  void refill() {
    blocks_.push_back(std::make_unique<Region[]>(kRegions));
    for (std::size_t i = kRegions; i-- > 0;) put(&blocks_.back()[i]);
  }
  Region* free_ = nullptr;
  std::vector<std::unique_ptr<Region[]>> blocks_;
};

}  // namespace gmlake::memory
