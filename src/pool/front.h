// A timeline's own corner of the pool: the block it freed last, which it may have again as it is,
// and what it recalls of its requests. An allocation that takes the parked block back touches
// nothing that other streams touch.
//
// Fronts are found without a lock and live as long as their pool. Everything in one but its counts
// is guarded by its lock; a front's lock is taken before the pool's.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "memory/recall.h"
#include "memory/region.h"
#include "stream/timelines.h"
#include "support/spin_lock.h"

namespace gmlake::pool {

// Written by whoever holds the lock, read by anybody.
class FrontCount {
 public:
  void add(std::int64_t n) {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  std::int64_t get() const { return value_.load(std::memory_order_relaxed); }
  void reset() { value_.store(0, std::memory_order_relaxed); }

 private:
  std::atomic<std::int64_t> value_{0};
};

struct alignas(128) Front {
  RankedSpinLock<Rank::front> lock;
  memory::Region* parked = nullptr;  // contiguous, state parked, in the table of blocks
  stream::Timeline timeline = 0;
  std::uint32_t owner = 0;  // label of blocks allocated here, see DevicePool
  bool host = false;        // stands for requests without a stream: nothing is parked
  memory::Recall recall;

  // Served here, without the pool; not yet in its counters.
  FrontCount allocations, allocated_bytes, small_allocations, frees;
  // Levels since the last time the pool's were brought up to date.
  FrontCount live_bytes, live_blocks;

  std::uint64_t key = 0;
  std::atomic<Front*> next{nullptr};  // of the same bucket
};

class Fronts {
 public:
  // The front of a stream, by its id, or of a context's requests without a stream.
  Front* find(std::uint64_t key) const {
    Front* front = bucket(key).load(std::memory_order_acquire);
    while (front && front->key != key) front = front->next.load(std::memory_order_acquire);
    return front;
  }
  static std::uint64_t key_of_stream(std::uint64_t id) { return id << 1 | 1; }
  static std::uint64_t key_of_context(const void* context) {
    return reinterpret_cast<std::uintptr_t>(context) & ~std::uint64_t{1};
  }

  // With the pool's lock held.
  Front* add(std::uint64_t key) {
    fronts_.push_back(std::make_unique<Front>());
    Front* front = fronts_.back().get();
    front->key = key;
    front->next.store(bucket(key).load(std::memory_order_relaxed), std::memory_order_relaxed);
    return front;
  }
  void publish(Front* front) { bucket(front->key).store(front, std::memory_order_release); }
  const std::vector<std::unique_ptr<Front>>& all() const { return fronts_; }

 private:
  static constexpr std::size_t kBuckets = 1024;
  std::atomic<Front*>& bucket(std::uint64_t key) { return buckets_[index(key)]; }
  const std::atomic<Front*>& bucket(std::uint64_t key) const { return buckets_[index(key)]; }
  static std::size_t index(std::uint64_t key) {
    return static_cast<std::size_t>((key * 0x9e3779b97f4a7c15) >> 54);
  }

  std::array<std::atomic<Front*>, kBuckets> buckets_{};
  std::vector<std::unique_ptr<Front>> fronts_;
};

}  // namespace gmlake::pool
