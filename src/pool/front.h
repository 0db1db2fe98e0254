// A timeline's own corner of the pool: its blocks, the few of them it freed last, and what it
// recalls of its requests. A free, and an allocation that takes the last freed block back, touch
// nothing that other streams touch.
//
// Fronts are found without a lock and live as long as their pool. The front that a block was
// allocated on owns it: its lock guards that block's state, so that of two frees of one block one
// finds it live. It is taken before the pool's, and never two of them.
//
// Those with something that the books do not have yet are listed, so that nobody who brings them up
// to date walks over all of them: a program may have thousands of streams.
#pragma once

#include <array>
#include <atomic>
#include <cassert>
#include <cstdint>
#include <memory>
#include <vector>

#include "driver/device.h"
#include "memory/loan.h"
#include "memory/recall.h"
#include "memory/region.h"
#include "stats/records.h"
#include "stream/timelines.h"
#include "support/spin_lock.h"

namespace gmlake::pool {

// Written by whoever holds the lock, read by anybody.
using FrontCount = stats::Tally;

// A context's requests without a stream, where all of its work may be in one
// (streams.single_stream).
enum class OneStream { not_known, so_far, over };

struct alignas(128) Front {
  Front(stream::Timeline its, bool is_host, stats::FrontRecord& record,
        memory::RecallBudget* budget = nullptr)
      : timeline(its), host(is_host), recall(budget), counted(record) {}

  // Whether `block` is the live block of this front at `address`.
  bool owns(const memory::Region* block, std::uint64_t address) const GMLAKE_REQUIRES(lock) {
    return block->state.load(std::memory_order_acquire) == memory::State::live &&
           block->timeline.load(std::memory_order_relaxed) == timeline &&
           block->live.address == address;
  }

  RankedSpinLock<Rank::front> lock;
  const stream::Timeline timeline;
  const bool host;  // stands for requests without a stream: what it freed is nobody's at once
  // Changed with both locks held.
  std::atomic<OneStream> one_stream{OneStream::not_known};
  // Whether its requests come after its frees by themselves.
  bool in_order() const {
    return !host || one_stream.load(std::memory_order_relaxed) == OneStream::so_far;
  }
  bool has_taken_back GMLAKE_GUARDED_BY(lock) = false;  // gave out memory on the strength of that

  // Freed here, the last one last: state parked, still in the table of blocks. They become free
  // memory like any other with the next request that they do not serve.
  static constexpr std::int64_t kMostParked = 16;
  std::array<memory::Region*, kMostParked> parked GMLAKE_GUARDED_BY(lock){};
  FrontCount parked_count;
  // Among Fronts::listed(), and where: changed with both locks held. One that is not has nothing
  // parked, and no levels of its own.
  bool listed = false;
  std::size_t place = 0;

  memory::Recall recall GMLAKE_GUARDED_BY(lock);

  // Memory that is lent to it (Books::lend): where other streams are met in the books' lock, its
  // requests are served and its frees taken there without it. Changed with both locks held, but for
  // what is in them.
  std::vector<memory::Loan> loans GMLAKE_GUARDED_BY(lock);
  FrontCount free_in_loans;
  // Of a request for which nothing could be lent for want of a cut; 0: none.
  std::atomic<Bytes> wished_loan{0};
  std::size_t borrower = 0;  // its place among those that have some: changed with both locks held
  FrontCount met;            // others in the books' lock, lately
  FrontCount lent_in_vain;   // times in turn: it hardly served, or nothing could be

  // Freed here since an event last followed, and not taken back since.
  FrontCount unfollowed;
  // Of it, what is memory of streams, and so freed on their timelines.
  FrontCount unfollowed_elsewhere;
  // Work has been given since the last free.
  std::atomic<bool> worked_since{false};

  // Blocks that say that this stream uses them besides, and that are not free memory yet.
  std::atomic<std::uint32_t> uses_beside{0};

  // Done here, without the pool; not in its counters. Levels are since the last time the pool's
  // were brought up to date.
  stats::FrontRecord& counted;
  // Of live_bytes, a stream's are taken to be the default pool's (pool/accounts.h), and a context's
  // nobody's; what has to be added where they are not.
  FrontCount default_pool_besides;
  FrontCount let_go_parked;  // parked when the default pool last let memory go; the books' lock
  std::int64_t default_pool_bytes() const {
    return (host ? 0 : counted.live_bytes.get()) + default_pool_besides.get();
  }
  // It was made to wait for others by us: what that proves holds whatever the program has switched
  // off (pool/accounts.h).
  std::atomic<bool> made_to_wait{false};
  // Somebody has reckoned with blocks parked here as not in use: taking one back may be a new peak.
  std::atomic<bool> counted_parked{false};

  // Of the stream that it stands for now.
  std::atomic<std::uint64_t> key{0};
  std::atomic<driver::Context> context{nullptr};
  std::atomic<stats::StreamName::Kind> kind{stats::StreamName::Kind::created};
  std::atomic<bool> blocking{false};
  std::atomic<const void*> thread{nullptr};  // whose own default stream it is; null: nobody's
  std::atomic<Front*> next{nullptr};         // of the same bucket
};

class Fronts {
 public:
  // The front of a stream, by its id, or of a context's requests without a stream. While others are
  // renamed one may be overlooked, but not with the pool's lock held.
  Front* find(std::uint64_t key) const {
    Front* front = bucket(key).load(std::memory_order_acquire);
    while (front && front->key.load(std::memory_order_relaxed) != key)
      front = front->next.load(std::memory_order_acquire);
    return front;
  }
  static std::uint64_t key_of_stream(std::uint64_t id) { return id << 1 | 1; }
  // Of a front that nobody finds any more: what it has given out is freed on others.
  static constexpr std::uint64_t kNoKey = 2;
  static std::uint64_t stream_of_key(std::uint64_t key) { return key >> 1; }
  static std::uint64_t key_of_context(const void* context) {
    return reinterpret_cast<std::uintptr_t>(context) & ~std::uint64_t{1};
  }

  // With the pool's lock held. They are added in the order of their timelines.
  Front* add(std::uint64_t key, stream::Timeline timeline, bool host, stats::FrontRecord& record) {
    assert(timeline == fronts_.size());
    fronts_.push_back(std::make_unique<Front>(timeline, host, record, &budget_));
    Front* front = fronts_.back().get();
    front->key.store(key, std::memory_order_relaxed);
    return front;
  }
  void publish(Front* front) {
    auto& first = bucket(front->key.load(std::memory_order_relaxed));
    front->next.store(first.load(std::memory_order_relaxed), std::memory_order_release);
    first.store(front, std::memory_order_release);
  }
  // From now on it is another stream's; publish() it then.
  void rename(Front* front, std::uint64_t key) {
    auto* link = &bucket(front->key.load(std::memory_order_relaxed));
    while (Front* other = link->load(std::memory_order_relaxed)) {
      if (other == front) break;
      link = &other->next;
    }
    link->store(front->next.load(std::memory_order_relaxed), std::memory_order_release);
    front->key.store(key, std::memory_order_relaxed);
  }
  const std::vector<std::unique_ptr<Front>>& all() const { return fronts_; }
  const std::vector<Front*>& listed() const { return listed_; }
  // With the front's lock held as well.
  void list(Front& front) {
    if (front.listed) return;
    listed_.push_back(&front);
    front.place = listed_.size() - 1;
    front.listed = true;
  }
  void unlist(Front& front) {
    if (!front.listed) return;
    listed_.back()->place = front.place;
    listed_[front.place] = listed_.back();
    listed_.pop_back();
    front.listed = false;
  }
  Front& of(stream::Timeline timeline) const { return *fronts_[timeline]; }

 private:
  static constexpr std::size_t kBuckets = 1024;
  std::atomic<Front*>& bucket(std::uint64_t key) { return buckets_[index(key)]; }
  const std::atomic<Front*>& bucket(std::uint64_t key) const { return buckets_[index(key)]; }
  static std::size_t index(std::uint64_t key) {
    return static_cast<std::size_t>((key * 0x9e3779b97f4a7c15) >> 54);
  }

  std::array<std::atomic<Front*>, kBuckets> buckets_{};
  std::vector<std::unique_ptr<Front>> fronts_;
  std::vector<Front*> listed_;
  memory::RecallBudget budget_;
};

// As reports call it.
inline stats::StreamName name_of(const Front& front) {
  auto* const context = front.context.load(std::memory_order_relaxed);
  if (front.host) return {stats::StreamName::Kind::host, 0, context};
  return {front.kind.load(std::memory_order_relaxed),
          Fronts::stream_of_key(front.key.load(std::memory_order_relaxed)), context};
}

}  // namespace gmlake::pool
