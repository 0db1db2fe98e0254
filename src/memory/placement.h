// Which bytes a request gets. Owns the truth about the home range: which chunks exist, which bytes
// are free.
//
// A hit is take(). A miss has two halves, so that chunks are created and windows mapped between
// them without any lock: begin() decides and takes the free bytes it needs, finish() or abandon()
// settles. At most one miss may be under way at a time; hits and releases may come in between.
// Offsets are bytes from the start of home; chunk i is [i, i+1) * chunk_size. Sizes are rounded to
// kAlignment by the caller.
//
// Knows no device, no stream, no lock. Policy and terms: docs/placement.md.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "memory/plan.h"
#include "memory/slots.h"
#include "memory/span_set.h"

namespace gmlake::memory {

inline constexpr Bytes kAlignment = 512;

struct PlacementRules {
  Bytes chunk_size = 2 * MiB;
  Bytes small_limit = MiB;  // requests up to here share chunks of their own
  bool stitch = true;
  Bytes stitch_min_request = 0;
  double growth_slack = 0.002;
};

enum class Served { exact, window, split, small, grown, stitched };

struct Block {
  Bytes start = 0;  // of its first byte in the home range
  Bytes size = 0;
  Slot* slot = nullptr;  // null for a small block
};

struct Taken {
  Block block;
  Served how = Served::split;
  Provenance from = Provenance::fresh;
};

// The half-done miss: what to create and what has been taken for it.
struct Miss {
  Bytes size = 0;
  Plan plan;
  Bytes first_chunk = 0;    // index of the first chunk to create
  std::vector<Span> taken;  // free bytes reserved for it, with the fences they had
  Fence fresh;              // what the unused bytes of the new chunks carry
  Provenance from = Provenance::fresh;
};

enum class Effort {
  normal,  // grow or stitch, whichever the rules favour
  frugal,  // create as few chunks as possible: physical memory has run out
};

class Placement {
 public:
  explicit Placement(const PlacementRules& rules) : rules_(rules) {}

  // Served from free bytes without any driver call, or nothing.
  std::optional<Taken> take(Bytes size, const Order& order);

  // Nothing if it can not be done with at most `grow_limit` new chunks.
  std::optional<Miss> begin(Bytes size, const Order& order, Effort effort, Bytes grow_limit);
  Taken finish(Miss&& miss);                        // all of plan.grow_chunks exist now
  void abandon(Miss&& miss, Bytes created_chunks);  // the first `created_chunks` of them do

  // The bytes become free behind `fence`.
  void release(const Block& block, Fence fence);

  // Fences of an unowned timeline have passed up to `value`.
  void settle(Timeline timeline, std::uint64_t value) {
    large_.settle(timeline, value);
    small_.settle(timeline, value);
  }

  Slots& slots() { return slots_; }
  Bytes chunk_size() const { return rules_.chunk_size; }
  Bytes home_chunks() const { return home_chunks_; }
  Bytes free_bytes() const { return large_.bytes() + small_.bytes(); }
  Bytes largest_span() const { return large_.largest(); }
  // Visits every free span, large and small; for pictures and tests.
  template <typename Each>
  void each_free(Each visit) const {
    large_.each(visit);
    small_.each(visit);
  }

  // Aborts if free spans overlap, leave the home range or do not add up with live blocks. For
  // tests.
  void check() const;

 private:
  std::optional<Taken> take_small(Bytes size, const Order& order);
  std::optional<Taken> take_large(Bytes size, const Order& order);
  void release_small(Bytes start, Bytes size, Fence fence);
  std::vector<Run> runs(const Order& order) const;

  PlacementRules rules_;
  SpanSet large_;
  SpanSet small_;  // free bytes inside the chunks given over to small requests
  Slots slots_;
  Bytes home_chunks_ = 0;
  Bytes small_chunks_ = 0;
  Bytes live_ = 0;        // bytes in live blocks above the small limit
  Bytes small_live_ = 0;  // and in small ones
  Bytes peak_ = 0;        // highest live_
  Bytes pending_ = 0;     // bytes taken by the miss under way
};

}  // namespace gmlake::memory
