// Every lock has a rank. A thread takes locks in rising rank only; debug builds abort on a
// violation, so a deadlock is found by the first test that runs the wrong order once, not by the
// one that loses the race.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <mutex>

#include "support/thread_safety.h"

namespace gmlake {

// Lower ranks are taken first. The GPU is waited for without any of them.
enum class Rank : unsigned {
  registry = 1,  // which devices have pools; creating one
  growth = 2,    // one per device: whoever creates, maps and gives back that device's memory
  front = 3,     // one per timeline: its blocks, those parked and what it recalls
  fences = 4,    // one per device: which events follow which frees; never held across a driver call
  pool = 5,      // one per device: placement, blocks, counters; never held across a driver call
  events = 6,    // which events of the program are also recorded where it is not seen
  captures = 7,  // which captures are open; held while events are recorded beside them
  streams = 8,   // which streams the program has made; held while events are recorded on them
  last = 9,      // nothing is taken under it: the log, and functions that have been found
};

#ifndef NDEBUG
namespace detail {
inline thread_local unsigned held_ranks = 0;  // one bit per rank

inline void enter(Rank rank) {
  if (held_ranks >> static_cast<unsigned>(rank) != 0) {
    std::fprintf(stderr, "gmlake: lock order violated: rank %u wanted while holding mask %#x\n",
                 static_cast<unsigned>(rank), held_ranks);
    std::abort();
  }
  held_ranks |= 1U << static_cast<unsigned>(rank);
}
inline void leave(Rank rank) {
  held_ranks &= ~(1U << static_cast<unsigned>(rank));
}
}  // namespace detail
#else
namespace detail {
inline void enter(Rank) {}
inline void leave(Rank) {}
}  // namespace detail
#endif

// A std::mutex that knows its place. Meets Lockable.
template <Rank R>
class GMLAKE_CAPABILITY("mutex") RankedMutex {
 public:
  void lock() GMLAKE_ACQUIRE() {
    detail::enter(R);
    mutex_.lock();
  }
  bool try_lock() GMLAKE_TRY_ACQUIRE(true) {
    if (!mutex_.try_lock()) return false;
    detail::enter(R);
    return true;
  }
  void unlock() GMLAKE_RELEASE() {
    mutex_.unlock();
    detail::leave(R);
  }

 private:
  std::mutex mutex_;
};

// Holds a lock for a scope, as std::lock_guard does, and says so to the compiler.
template <typename Mutex>
class GMLAKE_SCOPED_CAPABILITY Lock {
 public:
  explicit Lock(Mutex& mutex) GMLAKE_ACQUIRE(mutex) : mutex_(mutex) { mutex_.lock(); }
  ~Lock() GMLAKE_RELEASE() { mutex_.unlock(); }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

 private:
  Mutex& mutex_;
};

}  // namespace gmlake
