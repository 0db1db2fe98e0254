// Where counters live: in records that a Records gives out, so that they can lie in memory that
// other processes read while this one counts (stats/live_page.h), or in its own.
//
// A record is plain figures, of which zero is a good beginning. Each is written under the lock of
// whoever counts there, and read by anybody: with another figure beside it, it may be of a slightly
// different moment.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <vector>

#include "stats/counters.h"
#include "stats/unproved.h"
#include "support/units.h"

namespace gmlake::stats {

// Written by one at a time, read by anybody.
class Tally {
 public:
  void add(std::int64_t n) {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  std::int64_t get() const { return value_.load(std::memory_order_relaxed); }
  void reset() { value_.store(0, std::memory_order_relaxed); }

 private:
  std::atomic<std::int64_t> value_{0};
};

struct DriverTally {
  std::atomic<std::uint64_t> calls{0}, nanoseconds{0}, failures{0};
};

// The pairs of streams that are kept one by one (pool/unproved_pairs.h).
struct KeptPairs {
  static constexpr std::size_t kMost = 64;
  std::atomic<std::uint64_t> count{0};
  std::array<UnprovedPair, kMost> pairs{};
  UnprovedCost others;
};

// The device's levels at some moments of the last minutes, at most one a second: a ring.
struct Sample {
  std::uint64_t nanoseconds = 0;  // of the monotonic clock
  Bytes live = 0, physical = 0;
  std::uint64_t allocations = 0, stitches = 0, waits = 0;
};
struct History {
  static constexpr std::size_t kMost = 128;
  std::atomic<std::uint64_t> count{0};  // ever taken
  std::array<Sample, kMost> samples{};
};

// Of a device: what is counted under its pool's lock, and its driver calls.
struct DeviceRecord {
  DeviceCounters counters;
  std::array<DriverTally, kDriverCalls> driver{};
  KeptPairs unproved;
  History history;
};

// Of a timeline: what is done there without the pool, and is not in the device's counters; levels
// are since those were brought up to date.
struct FrontRecord {
  Tally allocations, allocated_bytes, small_allocations, lent_allocations, frees, deferred_frees;
  Tally live_bytes, live_blocks;
  Tally lent_bytes, lent_blocks;  // live in what was lent to it, beside those; whole levels
};

static_assert(std::is_standard_layout_v<DeviceRecord> && std::is_standard_layout_v<FrontRecord>);
static_assert(std::atomic<std::int64_t>::is_always_lock_free);

// Adds what a front has counted to its device's.
void add(DeviceCounters& sum, const FrontRecord& front);
// The counters that are sums of others.
void sum_up(DeviceCounters& counters);
// The pairs with the most bytes first.
Unproved unproved_of(const KeptPairs& kept);

// A record lives as long as what gave it. Whoever asks for one holds a lock that others of the same
// device do.
class Records {
 public:
  Records() = default;
  Records(const Records&) = delete;
  Records& operator=(const Records&) = delete;
  virtual ~Records() = default;
  // Throws std::bad_alloc.
  virtual DeviceRecord& add_device(int ordinal) = 0;
  virtual FrontRecord& add_front(int ordinal) = 0;
};

// In this process's own memory, none of which it takes before it is asked for some; for one device,
// whose pool is its lock.
class PrivateRecords final : public Records {
 public:
  DeviceRecord& add_device(int) override { return *devices_.emplace_back(new DeviceRecord); }
  FrontRecord& add_front(int) override { return fronts_.emplace_back(new Apart)->record; }

 private:
  struct alignas(128) Apart {
    FrontRecord record;
  };
  std::vector<std::unique_ptr<DeviceRecord>> devices_;
  std::vector<std::unique_ptr<Apart>> fronts_;
};

}  // namespace gmlake::stats
