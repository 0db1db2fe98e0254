// The parts of the home range: every byte of it belongs to exactly one region, and regions know
// their neighbours, so a free merges with what lies beside it without a search.
//
// Ownership: a RegionSlab owns its regions and reuses them; their addresses stay valid for its
// life, so a stale pointer can be looked at but never trusted (check `state` and `address`).
// `state` and the fields of a live region may be touched by the block's owner without the pool's
// lock; everything else is guarded by it. One region is 80 bytes.
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
  absent,   // no physical memory behind it
  free,     // anybody's whose order covers its fence
  held,     // taken, but nobody's block yet or any more: a miss or a free is under way
  live,     // a block starts here
  piece,    // of a stitched block, behind its first
  claimed,  // live, and perhaps about to be held or parked, see Region::claim
  parked,   // a freed block that its stream may have again as it is
};

struct Region {
  Bytes start = 0;
  Bytes size = 0;
  Region* before = nullptr;  // neighbours in the home range; null at its ends
  Region* after = nullptr;

  struct Free {
    Region* before;  // in its list of equals, see FreeIndex
    Region* after;
    Fence fence;
  };
  struct Live {
    Window* window;       // of a stitched block; null for a contiguous one
    std::uint32_t slack;  // bytes of the block that were not asked for
    std::uint32_t owner;  // the pool's own label
  };
  union {
    Free free;
    Live live;
  };
  std::atomic<std::uint64_t> address{0};  // what the program was given; 0: no block starts here
  std::atomic<State> state{State::absent};
  bool small = false;  // lies in a granule given over to small requests
  // For the free indexes, by their bits: which one it is in, whether that has it in a bin, and
  // whose queues name it, also after it was taken or recycled.
  std::uint8_t free_in = 0;
  bool listed = false;
  std::uint8_t queued_in = 0;

  Region() : live{} {}
  Bytes end() const { return start + size; }
  bool is(State wanted) const { return state.load(std::memory_order_relaxed) == wanted; }
  // Released, so that who finds it live does not see the address of an earlier block.
  void become(State wanted) { state.store(wanted, std::memory_order_release); }
  // Takes the live block at `at` away from the program. Of all who try at once one does. Needs no
  // lock: a record that has become another block's since it was found stays that.
  bool claim(std::uint64_t at, State as) {
    auto known = State::live;
    while (!state.compare_exchange_weak(known, State::claimed, std::memory_order_acquire)) {
      if (known != State::live && known != State::claimed) return false;
      known = State::live;
    }
    const bool meant = address.load(std::memory_order_relaxed) == at;
    state.store(meant ? as : State::live, std::memory_order_release);
    return meant;
  }
};

static_assert(sizeof(Region) == 80);

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
