// Which other devices may reach the pool's memory: all of it, what is to come included, or single
// blocks, through the handles that show them. Access costs driver time for each handle and device
// (about 35 us on an H200), so what only a copy needs is opened for its block alone.
//
// Thread-safe; whoever changes the access itself holds the growth lock. A device that may reach all
// is known without a lock. O(log n) in the ranges opened to one device, of which adjacent ones are
// one.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <iterator>
#include <map>

#include "driver/device.h"
#include "support/ranked_mutex.h"

namespace gmlake::pool {

class Peers {
 public:
  static constexpr int kMostDevices = 64;

  // Whether the devices have turned out to be no peers.
  bool refuses(int device) const {
    return (refused_.load(std::memory_order_relaxed) >> device & 1) != 0;
  }
  bool reaches_all(int device) const {
    return (all_.load(std::memory_order_acquire) >> device & 1) != 0;
  }
  bool reaches(int device, driver::Address at, Bytes size) const {
    if (reaches_all(device)) return true;
    const Lock lock(mutex_);
    const auto& ranges = opened_[static_cast<unsigned>(device)];
    const auto next = ranges.upper_bound(at);
    return next != ranges.begin() && std::prev(next)->second >= at + size;
  }
  template <typename Each>
  void each_of_all(Each visit) const {
    const auto all = all_.load(std::memory_order_acquire);
    for (int device = 0; device < kMostDevices; ++device)
      if ((all >> device & 1) != 0) visit(device);
  }

  // With the growth lock.
  void refuse(int device) { refused_.fetch_or(std::uint64_t{1} << device); }
  void open(int device, driver::Address at, Bytes size) {
    const Lock lock(mutex_);
    any_.store(true, std::memory_order_relaxed);
    auto& ranges = opened_[static_cast<unsigned>(device)];
    driver::Address start = at, end = at + size;
    auto next = ranges.upper_bound(end);
    while (next != ranges.begin() && std::prev(next)->second >= start) {
      --next;
      start = std::min(start, next->first);
      end = std::max(end, next->second);
      next = ranges.erase(next);
    }
    ranges[start] = end;
  }
  // Nothing is mapped there any more.
  void unmapped(driver::Address at, Bytes size) {
    if (!any_.load(std::memory_order_relaxed)) return;
    const Lock lock(mutex_);
    for (auto& ranges : opened_) {
      auto next = ranges.lower_bound(at + size);
      while (next != ranges.begin() && std::prev(next)->second > at) {
        --next;
        const auto [start, end] = *next;
        next = ranges.erase(next);
        if (end > at + size) next = ranges.emplace(at + size, end).first;
        if (start < at) next = ranges.emplace(start, at).first;
      }
    }
  }
  void set_all(int device, bool reaches) {
    const Lock lock(mutex_);
    opened_[static_cast<unsigned>(device)].clear();
    const auto bit = std::uint64_t{1} << device;
    if (reaches)
      all_.fetch_or(bit, std::memory_order_release);
    else
      all_.fetch_and(~bit, std::memory_order_release);
  }

 private:
  using Ranges = std::map<driver::Address, driver::Address>;  // start to end

  std::atomic<std::uint64_t> all_{0};
  std::atomic<std::uint64_t> refused_{0};
  std::atomic<bool> any_{false};  // a block has been opened
  mutable RankedMutex<Rank::last> mutex_;
  std::array<Ranges, kMostDevices> opened_ GMLAKE_GUARDED_BY(mutex_);
};

}  // namespace gmlake::pool
