// The program's own view of its memory pools on one device. All of them are served from one pool;
// an account holds what is one program pool's: what is in use of it, how much there was at most,
// and what the program has set. Account 0 is the device's default pool, whose use the fronts count
// (pool/front.h), so that a hit pays nothing for it; the others count for themselves.
//
// `held` is what the program pool holds of memory: the most that was in use since memory of it was
// last given back. It is never less than natively an allocator holds that knows no pieces.
//
// Thread-safe: figures are atomic and each is right by itself. Those of account 0 are written under
// the books' lock.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <memory>
#include <optional>

#include "pool/origin.h"
#include "support/ranked_mutex.h"
#include "support/units.h"

namespace gmlake::pool {

using Level = std::atomic<Bytes>;

// Whether it was lower.
inline bool rise_to(Level& level, Bytes value) {
  Bytes known = level.load(std::memory_order_relaxed);
  while (known < value)
    if (level.compare_exchange_weak(known, value, std::memory_order_relaxed)) return true;
  return false;
}

struct Account {
  std::atomic<bool> open{false};       // the program has not destroyed it
  std::atomic<void*> handle{nullptr};  // the program's, also when it has destroyed it
  Level limit{0};                      // 0: none

  // What the program has set, if it has; else the documented defaults.
  std::atomic<bool> has_threshold{false};
  Level threshold{0};
  std::atomic<bool> follows_events{true};
  std::atomic<bool> takes_completed{true};
  std::atomic<bool> inserts_waits{true};

  Level promised{0};  // in use, or about to be: what the limit is about
  Level used{0};
  Level used_high{0};
  Level held{0};
  Level held_high{0};
  Level owed{0};  // not held any more, but work was still pending on it when it should have gone

  // Where it is marked as one that may hold too much, and by which bit.
  std::atomic<std::uint64_t>* marks = nullptr;
  std::uint64_t mark_bit = 0;
  void mark() {
    if (marks && (marks->load(std::memory_order_relaxed) & mark_bit) == 0)
      marks->fetch_or(mark_bit);
  }
  bool holds_too_much() const {
    return held.load(std::memory_order_relaxed) > threshold_now() ||
           owed.load(std::memory_order_relaxed) != 0;
  }

  // False beyond the limit.
  bool promise(Bytes bytes) {
    const Bytes most = limit.load(std::memory_order_relaxed);
    Bytes known = promised.load(std::memory_order_relaxed);
    do {
      if (most != 0 && (known > most || bytes > most - known)) return false;
    } while (!promised.compare_exchange_weak(known, known + bytes, std::memory_order_relaxed));
    return true;
  }
  void take_back_promise(Bytes bytes) { promised.fetch_sub(bytes, std::memory_order_relaxed); }
  // What was promised is given.
  void add(Bytes bytes) { note(used.fetch_add(bytes, std::memory_order_relaxed) + bytes); }
  void remove(Bytes bytes) {
    used.fetch_sub(bytes, std::memory_order_relaxed);
    take_back_promise(bytes);
  }
  void note(Bytes level) {
    rise_to(used_high, level);
    rise_to(held_high, level);
    if (rise_to(held, level)) mark();
  }
  Bytes threshold_now() const { return threshold.load(std::memory_order_relaxed); }
};

class Accounts {
 public:
  Accounts() { accounts_[kDefaultPool] = std::make_unique<Account>(); }

  // Nothing if there are too many.
  std::optional<PoolTag> open(void* handle, Bytes limit) {
    const Lock lock(mutex_);
    for (std::size_t i = 1; i <= kMostPools; ++i) {
      auto& kept = accounts_[i];
      if (kept && (kept->open.load() || kept->promised.load() != 0)) continue;
      // In place: readers may still look at an earlier one's.
      if (!kept) {
        kept = std::make_unique<Account>();
        kept->marks = &marked_[i / 64];
        kept->mark_bit = std::uint64_t{1} << (i % 64);
      }
      begin(*kept, handle, limit);
      return static_cast<PoolTag>(i);
    }
    return {};
  }
  // What is in use stays in use.
  void close(PoolTag tag) { at(tag).open.store(false); }

  // One that has been opened.
  Account& at(PoolTag tag) { return *accounts_[tag]; }
  const Account& at(PoolTag tag) const { return *accounts_[tag]; }
  // Visits those that may hold too much: the default pool, and what is marked. It stays marked as
  // long as it does.
  template <typename Visit>
  void each_marked(Visit visit) {
    visit(kDefaultPool, at(kDefaultPool));
    for (std::size_t word = 0; word < marked_.size(); ++word) {
      if (marked_[word].load(std::memory_order_relaxed) == 0) continue;
      for (auto marked = marked_[word].exchange(0); marked != 0; marked &= marked - 1) {
        const auto tag =
            static_cast<PoolTag>(word * 64 + static_cast<unsigned>(std::countr_zero(marked)));
        if (at(tag).holds_too_much()) visit(tag, at(tag));
        if (at(tag).holds_too_much()) at(tag).mark();
      }
    }
  }

 private:
  static void begin(Account& account, void* handle, Bytes limit) {
    account.handle = handle;
    account.limit = limit;
    account.has_threshold = false;
    account.follows_events = account.takes_completed = account.inserts_waits = true;
    for (Level* level :
         {&account.threshold, &account.used_high, &account.held, &account.held_high, &account.owed})
      *level = 0;
    account.open = true;
  }

  RankedMutex<Rank::last> mutex_;
  std::array<std::unique_ptr<Account>, kMostPools + 1> accounts_;
  std::array<std::atomic<std::uint64_t>, kMostPools / 64 + 1> marked_{};
};

}  // namespace gmlake::pool
