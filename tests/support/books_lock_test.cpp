// The lock over books that an exception spoils: whoever waits for it does not read them.
#include "support/books_lock.h"

#include <gtest/gtest.h>
#include <pthread.h>

#include <atomic>
#include <chrono>
#include <new>
#include <thread>

#include "support/spin_lock.h"

namespace gmlake {
namespace {

using Mutex = BooksLock<RankedSpinLock<Rank::pool>>;

struct Ledger {
  Mutex mutex;
  int debit GMLAKE_GUARDED_BY(mutex) = 0;
  int credit GMLAKE_GUARDED_BY(mutex) = 0;

  void enter(int amount, bool fails) {
    const Writing books(mutex);
    debit += amount;
    if (fails) throw std::bad_alloc();
    credit += amount;
  }
  bool balanced() {
    const Writing books(mutex);
    return debit == credit;
  }
};

TEST(BooksLock, IsALock) {
  Ledger ledger;
  const auto add = [&] {
    for (int i = 0; i < 10000; ++i) ledger.enter(1, false);
  };
  std::thread other(add);
  add();
  other.join();
  EXPECT_TRUE(ledger.balanced());
  const Writing books(ledger.mutex);
  EXPECT_EQ(ledger.debit, 20000);
}

TEST(BooksLock, IsRefusedOnceAnExceptionHasLeftItsScope) {
  Ledger ledger;
  EXPECT_THROW(ledger.enter(1, true), std::bad_alloc);
  EXPECT_THROW(ledger.enter(1, false), BooksBroken);
  EXPECT_THROW((void)ledger.balanced(), BooksBroken);
  // Not held by whoever was refused: another thread is refused as well, and does not wait.
  std::thread([&] { EXPECT_THROW((void)ledger.mutex.try_lock(), BooksBroken); }).join();
}

TEST(BooksLock, WhoWaitsMeanwhileIsRefused) {
  for (int round = 0; round < 50; ++round) {
    Ledger ledger;
    std::atomic<int> waiting{0}, refused{0};
    const auto wait = [&] {
      ++waiting;
      try {
        (void)ledger.balanced();
      } catch (const BooksBroken&) {
        ++refused;
      }
    };
    std::thread first, second;
    try {
      const Writing books(ledger.mutex);
      ledger.debit = 1;
      first = std::thread(wait);
      second = std::thread(wait);
      while (waiting != 2) std::this_thread::yield();
      if (round % 2 != 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));  // asleep
      throw std::bad_alloc();
    } catch (const std::bad_alloc&) {
    }
    first.join();
    second.join();
    EXPECT_EQ(refused, 2);
  }
}

TEST(BooksLock, AnExceptionThatIsCaughtInsideSpoilsNothing) {
  Ledger ledger;
  {
    const Writing books(ledger.mutex);
    try {
      throw std::bad_alloc();
    } catch (const std::bad_alloc&) {
    }
  }
  EXPECT_TRUE(ledger.balanced());
}

TEST(BooksLock, AReaderSpoilsNothingAndIsRefused) {
  Ledger ledger;
  const auto read = [&] {
    const Lock reading(ledger.mutex);
    throw std::bad_alloc();
  };
  EXPECT_THROW(read(), std::bad_alloc);
  EXPECT_TRUE(ledger.balanced());
  EXPECT_THROW(ledger.enter(1, true), std::bad_alloc);
  EXPECT_THROW(read(), BooksBroken);
}

// A destructor that keeps books while an exception of others passes by.
TEST(BooksLock, AnExceptionFromOutsideSpoilsNothing) {
  Ledger ledger;
  struct AtTheEnd {
    Ledger& ledger;
    ~AtTheEnd() { ledger.enter(1, false); }
  };
  try {
    const AtTheEnd end{ledger};
    throw std::bad_alloc();
  } catch (const std::bad_alloc&) {
  }
  EXPECT_TRUE(ledger.balanced());
}

}  // namespace
}  // namespace gmlake
