// What a timeline's requests had last time round: training and serving repeat themselves, and a
// sequence that repeats can be placed as it was before.
//
// The places of the last requests are kept in order. When the sequence is found to repeat with some
// period, the place that the request one period ago had is the guess for this one. If sequence,
// frees and memory are the same as then, every guessed place is free again (by induction over the
// requests), so from the second repetition on a loop needs no search, no stitch and no growth. A
// guess is only ever a hint: the caller checks that its bytes are free.
//
// A period is found by what was live when a size was asked for: that says where in a step a request
// is, even in one of many equal layers. It is kept while its guesses are good; a few requests too
// many or too few are stepped over.
//
// Complexity: O(1) for each request. Memory: 64 bytes a request remembered, at most kMost of them,
// and of all timelines together no more than their budget has: each may have half of what is left.
// Not thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "support/units.h"

namespace gmlake::memory {

struct Window;

// Where a request was placed: contiguous from `start`, or through a window.
struct Place {
  Bytes start = 0;
  Window* window = nullptr;
  std::uint32_t generation = 0;  // of the window
  friend bool operator==(const Place&, const Place&) = default;
};

// Requests that the timelines of one pool may remember together, beside the first few of each.
struct RecallBudget {
  std::atomic<std::size_t> left{std::size_t{1} << 18};
};

class Recall {
 public:
  // Without a budget: as much as it wants.
  explicit Recall(RecallBudget* budget = nullptr) : budget_(budget) {}

  // The place that the matching request had last time, or null; `live` bytes are in use. Then
  // `record` the request once it is served.
  const Place* guess(Bytes size, Bytes live);
  // `taken_up`: the guess was followed.
  void record(Bytes size, Bytes live, const Place& place, bool taken_up);
  // For a request that could have the place, just freed, back at once:
  // whether that is what it had last time, or nothing is known of it. If so, the request is
  // recorded, unless it repeats the one before.
  bool takes_back(Bytes size, const Place& place);

  // Granules taken over for small requests between two of these requests: `visit` gets the starts
  // of those that were taken at about this point last time, the likeliest first, until it says
  // true.
  void record_granule(Bytes start);
  template <typename Visit>
  void each_granule(Visit visit) const;

 private:
  static constexpr std::size_t kMost = std::size_t{1} << 17;
  static constexpr std::size_t kFirst = 8;
  static constexpr int kTrust = 32;          // bad guesses that a proven period survives
  static constexpr int kFirstTrust = 4;      // and a new one
  static constexpr std::uint64_t kSlip = 8;  // requests too many or too few that are stepped over
  static constexpr std::size_t kGranules = 4096;
  // Positions: so many to an entry, and more while they are few, as each time that the ring is full
  // some have pushed others out.
  static constexpr std::size_t kSparse = 4;
  static constexpr std::size_t kSparser = 16;
  static constexpr std::size_t kFewPositions = 4096;
  static constexpr std::size_t kWays = 4;

  struct Entry {
    Bytes size;
    Place place;
  };
  struct Position {
    std::uint32_t at = 0;  // the low bits of the request's number
    std::uint32_t check = 0;
  };
  struct Granule {
    std::uint64_t position;
    Bytes start;
  };

  // Whether a request of that size was made one period ago.
  bool matches(std::uint64_t period, Bytes size) const {
    return period != 0 && period <= count_ && period <= entries_.size() &&
           entry(count_ - period).size == size;
  }
  const Entry& entry(std::uint64_t position) const {
    return entries_[position & (entries_.size() - 1)];
  }
  std::size_t set_of(std::uint32_t check) const {
    return check & (positions_.size() - 1) & ~(kWays - 1);
  }
  bool slip(Bytes size);
  bool find(Bytes size, Bytes live);
  void append(Bytes size, const Place& place, bool taken_up);
  bool may_grow();
  void grow();
  std::uint64_t first_granule(std::uint64_t position) const;  // at or after it

  RecallBudget* const budget_;
  std::vector<Entry> entries_;       // a ring; its size is a power of two
  std::vector<Position> positions_;  // by hash of live and size, in sets of kWays: the oldest goes
  std::uint64_t count_ = 0;          // requests so far
  std::uint64_t period_ = 0;         // 0: none
  int trust_ = 0;
  bool erred_ = false;  // since it was found

  std::vector<Granule> granules_;  // a ring, in order of position
  std::uint64_t granule_count_ = 0;
};

template <typename Visit>
void Recall::each_granule(Visit visit) const {
  if (period_ == 0 || count_ < period_) return;
  const std::uint64_t about = count_ - period_;
  constexpr std::uint64_t kNear = 4;
  const auto each = [&](std::uint64_t from, std::uint64_t to, auto skip) {
    for (auto i = first_granule(from); i < granule_count_; ++i) {
      const auto& granule = granules_[i % kGranules];
      if (granule.position > to) break;
      if (!skip(granule.position) && visit(granule.start)) return true;
    }
    return false;
  };
  // Those taken at this very point, then what a few requests too many or too few have moved.
  if (each(about, about, [](std::uint64_t) { return false; })) return;
  each(about < kNear ? 0 : about - kNear, about + kNear,
       [&](std::uint64_t position) { return position == about; });
}

}  // namespace gmlake::memory
