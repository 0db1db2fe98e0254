// A lock for sections of well under a microsecond that never block: one atomic exchange to take,
// one store to release. A waiter looks for a while, then gives its core away, so that a holder that
// lost its core gets it back. Knows its rank, as RankedMutex does. Meets Lockable.
#pragma once

#include <atomic>

#include <sched.h>

#include "support/ranked_mutex.h"

namespace gmlake {

template <Rank R>
class GMLAKE_CAPABILITY("mutex") RankedSpinLock {
 public:
  void lock() GMLAKE_ACQUIRE() {
    detail::enter(R);
    while (locked_.exchange(true, std::memory_order_acquire)) wait();
  }
  bool try_lock() GMLAKE_TRY_ACQUIRE(true) {
    if (locked_.load(std::memory_order_relaxed) ||
        locked_.exchange(true, std::memory_order_acquire))
      return false;
    detail::enter(R);
    return true;
  }
  void unlock() GMLAKE_RELEASE() {
    locked_.store(false, std::memory_order_release);
    detail::leave(R);
  }

 private:
  void wait() const {
    constexpr int kLooks = 128;
    for (int looks = 0; locked_.load(std::memory_order_relaxed); ++looks) {
      if (looks < kLooks) {
#if defined(__x86_64__)
        __builtin_ia32_pause();
#endif
      } else {
        ::sched_yield();
      }
    }
  }

  std::atomic<bool> locked_{false};
};

}  // namespace gmlake
