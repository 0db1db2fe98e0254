// Which bytes a request gets. Owns the truth about the home range: what memory exists and which
// bytes are free.
//
// A hit is take(). A miss has two halves, so that handles are created and windows mapped between
// them without any lock: begin() decides and takes the free bytes it needs, finish() or abandon()
// settles. So has giving memory back: begin_trim() and finish_trim(), and cutting a handle:
// begin_cut() and finish_cut(). At most one of these may be under way at a time; hits and releases
// may come in between. Offsets are bytes from the start of home. Sizes are rounded by the caller
// (Wanted).
//
// Knows no device, no stream, no lock. Policy and terms: docs/placement.md. Complexity: take of a
// place that is recalled and release O(log64 g) in the granules of home; other takes O(1) in the
// free regions, plus a bounded number of windows of that size; a miss O(k log k) in at most a
// bounded number k of free regions.
#pragma once

#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "memory/home.h"
#include "memory/loan.h"
#include "memory/plan.h"
#include "memory/recall.h"
#include "memory/windows.h"

namespace gmlake::memory {

inline constexpr Bytes kAlignment = 512;

// A request: its size is a multiple of the alignment, which is a power of two and of kAlignment,
// and divides a granule.
struct Wanted {
  Bytes size;
  Bytes alignment;
  constexpr Wanted(Bytes bytes, Bytes aligned_to = kAlignment)
      : size(bytes), alignment(aligned_to) {}
  // Where in a range it may begin, and whether it has room there.
  Bytes start_in(Bytes start) const { return (start + alignment - 1) & ~(alignment - 1); }
  bool fits(Bytes start, Bytes bytes) const { return start_in(start) + size <= start + bytes; }
};

struct PlacementRules {
  Bytes granule = 2 * MiB;  // the least a handle has, and what small requests take over
  Bytes largest_handle = 256 * MiB;
  Bytes small_limit = MiB;  // requests up to here share granules of their own
  bool stitch = true;
  Bytes stitch_min_request = 0;
  std::size_t stitch_max_pieces = ~std::size_t{0};
  double growth_slack = 0.002;
};

enum class Served { exact, window, split, small, grown, stitched };

// Small enough to be returned in registers.
struct Taken {
  Region* block = nullptr;  // live; the first piece if it is stitched; null: nothing was taken
  Served how = Served::split;
  Provenance from = Provenance::fresh;
  explicit operator bool() const { return block != nullptr; }
};
static_assert(sizeof(Taken) == 16 && std::is_trivially_copyable_v<Taken>);

// The half-done miss: what to create and what has been taken for it.
struct Miss {
  Bytes size = 0;
  Plan plan;
  Bytes grow_start = 0;        // where the new handles go, side by side
  std::vector<Bytes> handles;  // their sizes
  std::vector<Region*> taken;  // free bytes held for it, by piece; null: all of it is new
  std::vector<std::vector<Stretch>> fences;  // what they carried
  Fence fresh;                               // what the unused bytes of the new handles carry
  Provenance from = Provenance::fresh;
};

// What a miss may do, as things stand.
struct MissRules {
  bool frugal = false;     // create as little as possible: physical memory has run out
  bool may_stitch = true;  // its driver time is within its budget
  // Each handle of the block will be shared with other processes: as few as can be.
  bool few_handles = false;
  Bytes grow_limit = ~Bytes{0};
  double map_cost = 0;        // driver time for each handle mapped into a window
  double grow_cost = 0;       // for each handle created
  double worth_per_byte = 1;  // driver time that a byte not created is worth
};

// A large handle on its way to become several, so that what a block leaves of it can be stitched.
struct Cut {
  Region* handle = nullptr;  // held
  std::vector<Stretch> fences;
  std::vector<Bytes> sizes;  // of the handles in its place, side by side
};

// What a take does where it would have a part of a large handle that can be cut first.
enum class Coarse { take, refuse };

// Memory on its way back to the device: whole handles, held, and the windows that show them.
struct Trim {
  std::vector<Region*> handles;
  std::vector<std::vector<Stretch>> fences;
  std::vector<Window*> windows;  // idle, to be unmapped and forgotten first
};

class Placement {
 public:
  static constexpr std::uint32_t kAnyTime = ~std::uint32_t{0};

  explicit Placement(const PlacementRules& rules) : rules_(rules), home_(rules.granule) {}

  // Makes room for `bytes` of home; until then every take is a miss.
  void open(Bytes bytes) { home_.open(bytes); }

  // Served from free bytes without any driver call, or nothing. `recall` is the asking timeline's.
  Taken take(const Wanted& wanted, const Order& order, Recall& recall,
             Coarse coarse = Coarse::take);

  // Nothing if it can not be done within the rules.
  std::optional<Miss> begin(const Wanted& wanted, const Order& order, const MissRules& rules);
  Taken finish(Miss&& miss, Recall& recall);       // all handles exist now
  void abandon(Miss&& miss, std::size_t handles);  // the first of them do

  // The bytes become free behind `fence`.
  void release(Region* block, Fence fence);

  // Begins the loan, of at least `least` and at most `most` bytes for the timeline that `order`
  // prefers, of free bytes that it may have. All three in granules, as where it begins. False:
  // there are none.
  bool lend(Loan& loan, Bytes least, Bytes most, const Order& order);
  // What is free in it is so for everybody, behind what it says of that timeline (stamped). Where
  // there are blocks, there is a held region each, as if they had been taken.
  void take_back(const Loan& loan, Timeline timeline);

  // Whole free handles whose fences have passed, from the end of home, of `bytes` at most. With
  // `since` only those that nothing has wanted since that look.
  Trim begin_trim(Bytes bytes, const Order& order, std::uint32_t since = kAnyTime);
  // The windows are gone; so are the first `released` of the handles, the others are free again.
  void finish_trim(Trim&& trim, std::size_t released);

  // The handle to be cut before such a request is served, if there is one: whole, free, its last
  // work over, in no window and never shown to another process.
  std::optional<Cut> begin_cut(const Wanted& wanted, const Order& order, const Recall& recall);
  // The handle to be cut so that a loan of such sizes is possible (lend): the next one of them.
  std::optional<Cut> begin_cut_to_lend(Bytes least, Bytes most, const Order& order);
  // Of the handles in its place the first `made` are there, and what the others were to have is
  // absent. Without a number the one that there was still is.
  void finish_cut(Cut&& cut, std::optional<std::size_t> made);
  // Another process may have these handles: they are never cut.
  void keep_whole(const std::vector<Piece>& pieces);
  // The window is not seen any more.
  void forget(Window* window);

  // Time, as far as it is known here: somebody has looked again. Gives the number of the look.
  std::uint32_t look_again() { return ++look_; }
  // The region is free and has a handle's worth that nothing has wanted since that look.
  bool is_unwanted(const Region& region, std::uint32_t since) const;

  // The timeline's fences that are not mergeable have passed up to `value`. Regions that may join
  // their neighbours for that do so little by little, as memory is taken; or some of them now: up
  // to `most` of each heap. Gives how many did.
  void passed(Timeline timeline, std::uint64_t value);
  std::size_t settle(std::size_t most);

  Windows& windows() { return windows_; }
  const Windows& windows() const { return windows_; }
  const Home& home() const { return home_; }
  Bytes granule() const { return rules_.granule; }
  Bytes physical() const { return home_.physical(); }
  Bytes free_bytes() const { return home_.index(false).bytes() + home_.index(true).bytes(); }
  Bytes largest_span() const {
    return std::max(home_.index(false).largest(), home_.index(true).largest());
  }

  // Visits others' free bytes that a request of `size` could use were it not for their fences: each
  // timeline with at most `size` of them, perhaps once for each heap.
  template <typename Each>
  void each_refused(Bytes size, const Order& order, Each visit) const {
    if (size > rules_.small_limit) {
      const bool pieces = rules_.stitch && size >= rules_.stitch_min_request;
      return home_.index(false).refused(order, pieces ? 0 : size, size, visit);
    }
    home_.index(true).refused(order, size, size, visit);
    home_.index(false).refused(order, rules_.granule, size, visit);
  }
  // Visits the fences of others' free bytes that would help a request of `size` were it not for
  // them, beside what is free already: some of each timeline, until visit(fence) says no.
  template <typename Each>
  void each_awaited(Bytes size, const Order& order, Each visit) const {
    const auto fence_of = [&](const Region& region) { return visit(region.fence()); };
    const bool small = size <= rules_.small_limit;
    if (small) home_.index(true).each_refused(order, size, fence_of);
    home_.index(false).each_refused(order, small ? rules_.granule : 0, fence_of);
  }

  // What is inconsistent, if anything. For tests.
  std::optional<std::string> problem() const;

 private:
  // Where in free memory a request goes.
  struct Spot {
    Region* region = nullptr;  // null: nowhere
    Bytes start = 0;
    Bytes size = 0;
  };
  Taken take_small(const Wanted& wanted, const Order& order, Recall& recall, Coarse coarse);
  Taken take_large(const Wanted& wanted, const Order& order, Recall& recall, Coarse coarse);
  Spot spot_for(const Wanted& wanted, const Order& order) const;
  std::optional<Piece> coarse_handle(const Spot& spot, const Order& order) const;
  bool is_coarse(const Spot& spot) const;
  Cut cut_of(Region* free, const Piece& handle, std::vector<Bytes> sizes);
  Taken take_place(const Place& place, Bytes size, const Order& order);
  Taken take_window(Window* window, const Order& order);
  Bytes spot_in(const Region& region, const Wanted& wanted) const;
  Region* small_hole(const Wanted& wanted, const Order& order) const;
  std::optional<Bytes> known_granule(const Order& order, const Recall& recall) const;
  bool holds(const Window& window, const Order& order);
  Taken claim(Region* region, Bytes start, Bytes size, const Order& order, Served how,
              State state = State::live);
  Spot granule_for_small(const Order& order) const;
  std::optional<Bytes> granule_of_parts(const Order& order);
  Taken claim_small(Region* region, Bytes start, Bytes size, const Order& order);
  Taken take_parts(Bytes granule, const Wanted& wanted, const Order& order);
  void release_small(Region* block, Fence fence);
  bool is_idle(Bytes granule) const;
  void add_idle(Bytes granule);
  bool reclaim_idle(Bytes start, Bytes size);  // granules in there; whether there were any
  // At most `most` regions of each timeline, the largest.
  std::vector<Run> runs(const Order& order, std::size_t most) const;
  // Free regions of each timeline that a miss looks at: the largest, unless memory has run out.
  static std::size_t most_runs(const Order& order) {
    return order.everywhere ? ~std::size_t{0} : 1024;
  }
  std::vector<Bytes> handles_for(Bytes bytes, bool shared_end, bool few = false) const;
  Bytes growth_for(Bytes lack, const Room& room, const MissRules& given) const;

  // So many regions settle beside a request, which is more than it frees; and where none of those
  // that have is large enough.
  static constexpr std::size_t kFewSettled = 32;
  static constexpr std::size_t kManySettled = 1024;

  PlacementRules rules_;
  Home home_;
  Windows windows_;
  std::vector<Bytes> idle_;  // granules of the small heap with no live block: few, in order
  Bytes live_ = 0;           // bytes in live blocks above the small limit
  Bytes small_live_ = 0;     // and in small ones
  Bytes peak_ = 0;           // highest live_
  Bytes held_ = 0;           // taken by the miss or trim under way
  Bytes lent_ = 0;           // in loans, free or not
  std::size_t handle_count_ = 0;
  std::uint32_t look_ = 1;
  // What there is to begin with, parameters and the like, mostly stays: until a thousandth of it
  // has been freed.
  static constexpr Bytes kThousand = 1000;
  Bytes freed_ = 0;
  bool comes_and_goes_ = false;
  // The last request that took new memory, and how many before it that were of the same size.
  static constexpr unsigned kManyAlike = 16;
  Bytes last_grown_ = 0;
  unsigned alike_grown_ = 0;
};

}  // namespace gmlake::memory
