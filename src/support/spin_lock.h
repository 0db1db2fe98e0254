// A lock for sections of well under a microsecond that never block: one atomic exchange to take,
// one store and one load to release. A waiter looks for a while, gives its core away a few times
// and then sleeps in the kernel, so that a holder that lost its core gets it back, also from a
// real-time thread, which no ordinary one can take it from. Knows its rank, as RankedMutex does.
// Meets Lockable.
#pragma once

#include <atomic>
#include <cstdint>

#include "support/ranked_mutex.h"

namespace gmlake {
namespace detail {

// The lock without its rank.
class SpinLock {
 public:
  void lock() {
    if (locked_.exchange(true, std::memory_order_acquire)) [[unlikely]]
      wait();
  }
  bool try_lock() {
    return !locked_.load(std::memory_order_relaxed) &&
           !locked_.exchange(true, std::memory_order_acquire);
  }
  // How often somebody has found it taken.
  std::uint32_t waits() const { return waits_.load(std::memory_order_relaxed); }
  // No fence between the store and the load, which costs more than all the rest: so the load may
  // miss a sleeper that has just found the lock taken. No sleep lasts long for that reason.
  void unlock() {
    locked_.store(false, std::memory_order_release);
    if (asleep_.load(std::memory_order_relaxed) != 0) [[unlikely]]
      wake();
  }

 private:
  [[gnu::noinline]] void wait();
  [[gnu::noinline]] void wake();

  std::atomic<bool> locked_{false};
  // 1 while somebody sleeps on it or is about to. Cleared by whoever wakes them, so that one call
  // does it however often the lock is released before they run.
  std::atomic<std::uint32_t> asleep_{0};
  std::atomic<std::uint32_t> waits_{0};
};

}  // namespace detail

template <Rank R>
class GMLAKE_CAPABILITY("mutex") RankedSpinLock {
 public:
  void lock() GMLAKE_ACQUIRE() {
    detail::enter(R);
    lock_.lock();
  }
  bool try_lock() GMLAKE_TRY_ACQUIRE(true) {
    if (!lock_.try_lock()) return false;
    detail::enter(R);
    return true;
  }
  void unlock() GMLAKE_RELEASE() {
    lock_.unlock();
    detail::leave(R);
  }
  std::uint32_t waits() const { return lock_.waits(); }

 private:
  detail::SpinLock lock_;
};

}  // namespace gmlake
