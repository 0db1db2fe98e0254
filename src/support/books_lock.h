// A lock over books that one exception spoils. What is thrown amid a change (no host memory) leaves
// them half written: the scope that it leaves marks them broken before it lets the lock go, so that
// nobody who waited for it reads them. Whoever takes the lock of broken books gets BooksBroken
// thrown and does not have it.
//
// A capability over a RankedSpinLock, or any lock of that kind:
//
//   BooksLock<RankedSpinLock<Rank::pool>> mutex_;
//   Placement placement_ GMLAKE_GUARDED_BY(mutex_);
//   ...
//   const Writing books(mutex_);  // in place of Lock lock(mutex_)
//
// Only exceptions that begin inside the scope and leave it count; those that are caught inside, and
// scopes that are entered while one is under way elsewhere on the stack, do not. To know that, the
// thread's exceptions are counted twice: a scope that only reads, or in which nothing can throw,
// does with Lock lock(mutex_), which refuses broken books too and spoils none.
#pragma once

#include <exception>

#include "support/thread_safety.h"

namespace gmlake {

struct BooksBroken : std::exception {
  const char* what() const noexcept override { return "an earlier change was cut short"; }
};

template <typename Mutex>
class GMLAKE_CAPABILITY("mutex") BooksLock : private Mutex {
 public:
  void lock() GMLAKE_ACQUIRE() {
    Mutex::lock();
    if (broken_) [[unlikely]]
      refuse();
  }
  bool try_lock() GMLAKE_TRY_ACQUIRE(true) {
    if (!Mutex::try_lock()) return false;
    if (broken_) [[unlikely]]
      refuse();
    return true;
  }
  void unlock() GMLAKE_RELEASE() { Mutex::unlock(); }
  using Mutex::waits;
  // Nobody takes it any more. By whoever has it.
  void give_up() GMLAKE_REQUIRES(this) { broken_ = true; }

 private:
  [[noreturn]] void refuse() GMLAKE_REQUIRES(this) {
    Mutex::unlock();
    throw BooksBroken();
  }

  bool broken_ GMLAKE_GUARDED_BY(this) = false;
};

// Holds it for a scope.
template <typename Mutex>
class GMLAKE_SCOPED_CAPABILITY Writing {
 public:
  explicit Writing(BooksLock<Mutex>& lock) GMLAKE_ACQUIRE(lock)
      : lock_(lock), thrown_(std::uncaught_exceptions()) {
    lock_.lock();
  }
  ~Writing() GMLAKE_RELEASE() {
    if (std::uncaught_exceptions() > thrown_) [[unlikely]]
      lock_.give_up();
    lock_.unlock();
  }
  Writing(const Writing&) = delete;
  Writing& operator=(const Writing&) = delete;

 private:
  BooksLock<Mutex>& lock_;
  const int thrown_;  // under way when the scope was entered
};

}  // namespace gmlake
