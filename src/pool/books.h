// What the pool knows: which bytes are free and behind what, who owns which block, what the
// program's own order proves, and the counters. Makes no call of the device and never waits.
//
// Thread-safe. A free, and a stream that takes back the block it freed last, take the front's lock
// alone; any other hit the books' lock as well. Whoever holds the growth lock sees no other miss or
// trim under way.
//
// Complexity: finding a block O(1) without a lock; a hit and a free as in memory/placement.h. None
// grows with the number of live blocks.
//
// books.cpp has hits and frees; books_loans.cpp those in a stream's own loans; books_order.cpp
// what is known of order; books_blocks.cpp what can be asked about a block; books_accounts.cpp what
// is the program's memory pools'.
#pragma once

#include <atomic>
#include <optional>
#include <utility>
#include <vector>

#include "config/config.h"
#include "memory/placement.h"
#include "pool/accounts.h"
#include "pool/block_notes.h"
#include "pool/block_table.h"
#include "pool/front.h"
#include "pool/origin.h"
#include "pool/unproved_pairs.h"
#include "stats/counters.h"
#include "stats/records.h"
#include "stream/clocks.h"
#include "stream/timelines.h"
#include "support/books_lock.h"
#include "support/ranked_mutex.h"
#include "support/result.h"

namespace gmlake::pool {

// A batch of frees whose event is to be recorded, and what comes before that event.
struct Closed {
  stream::Batch batch;
  stream::Snapshot before;
};

// A block as it can be asked about by any address inside it.
struct BlockView {
  driver::Address start = 0;
  Bytes size = 0;  // as asked for
  bool of_stream = false;
  driver::Context context = nullptr;  // null: a stream's, which belongs to none
  driver::Address mapped_start = 0;   // the whole handles that it is seen through
  Bytes mapped_size = 0;
};

class Books {
 public:
  // Whom an exception throws out amid a change leaves them to nobody.
  using Mutex = BooksLock<RankedSpinLock<Rank::pool>>;
  using Opened = Writing<RankedSpinLock<Rank::pool>>;  // holds the lock for a scope
  // In the order of timelines: the first value there whose passing would help a request.
  using Awaited = stream::Snapshot;

  // The counters are in `records`, or in memory of its own without any.
  explicit Books(const config::Config& config, int ordinal = 0, stats::Records* records = nullptr);
  Books(const Books&) = delete;
  Books& operator=(const Books&) = delete;

  Mutex& mutex() const GMLAKE_RETURN_CAPABILITY(mutex_) { return mutex_; }

  // The home range is there: requests may be served from now on. The pool may have `most` bytes.
  void open(std::uint64_t home, Bytes home_size, Bytes most) GMLAKE_EXCLUDES(mutex_);
  std::uint64_t home() const { return home_.load(std::memory_order_relaxed); }

  // Fronts: found without a lock, made on first use.
  Front& front_of(const Origin& origin) GMLAKE_EXCLUDES(mutex_) {
    const auto key = origin.host() ? Fronts::key_of_context(origin.context)
                                   : Fronts::key_of_stream(origin.stream_id);
    Front* known = fronts().find(key);
    return known ? *known : add_front(key, origin);
  }
  Front* known_front(const Origin& stream) const {
    return fronts().find(Fronts::key_of_stream(stream.stream_id));
  }
  Front& host_front(driver::Context context) GMLAKE_EXCLUDES(mutex_);
  // Without a stream the work is that of the block's context, whichever is current. Where that is
  // gone only others can have used the block since.
  Front& host_front_of(const Front& owner, const Origin& by) GMLAKE_EXCLUDES(mutex_);
  // Those for which `which` holds.
  template <typename Which>
  std::vector<Front*> fronts(Which which) const GMLAKE_EXCLUDES(mutex_) {
    std::vector<Front*> found;
    const Opened books(mutex_);
    for (const auto& front : fronts_.all())
      if (which(*front)) found.push_back(front.get());
    return found;
  }
  std::vector<Front*> fronts_of(driver::Context context) const GMLAKE_EXCLUDES(mutex_);
  // Whether there is another front of a stream that waits for the legacy default stream and it for
  // them, or of that one itself. Null: any.
  bool has_blocking_beside(const Front* front) const {
    const bool own = front && front->blocking.load(std::memory_order_relaxed);
    return blocking_fronts_.load(std::memory_order_relaxed) > (own ? 1U : 0U);
  }

  // What of the home range a request takes. As natively, large memory without a stream begins on a
  // page of 64 KiB, and has its pages for itself: GPUDirect and dma-buf hand out whole ones.
  static bool on_pages(const Front& front, Bytes bytes) { return bytes >= MiB && front.host; }
  static Bytes taken_by(const Front& front, Bytes bytes) {
    if (on_pages(front, bytes)) [[unlikely]]
      return round_up(bytes, kPage);
    return round_up(bytes, memory::kAlignment);
  }
  static memory::Wanted wanted(const Front& front, Bytes bytes) {
    return {taken_by(front, bytes), on_pages(front, bytes) ? kPage : memory::kAlignment};
  }
  static constexpr Bytes kPage = 64 * KiB;

  // A hit, or 0. What is not the default pool's has been promised there (Account::promise).
  driver::Address take(Front& front, Bytes bytes, PoolTag pool = kDefaultPool,
                       memory::Coarse coarse = memory::Coarse::take)
      GMLAKE_EXCLUDES(front.lock, mutex_);
  // Gives the block back. Nothing if `at` is not the start of a live block; else where its free is
  // in order: the front it was parked on.
  Front* free(driver::Address at, const Origin& by) GMLAKE_EXCLUDES(mutex_);
  // The live block at `at`, taken from its owner: the caller's from here on, to be parked or
  // settled.
  memory::Region* seize(driver::Address at, Front*& owner) GMLAKE_EXCLUDES(mutex_);
  void park(Front& front, memory::Region* block) GMLAKE_EXCLUDES(front.lock, mutex_);
  // Its work is over.
  void settle(Front& front, memory::Region* block) GMLAKE_EXCLUDES(front.lock, mutex_);
  bool use_beside(driver::Address at, const Origin& by) GMLAKE_EXCLUDES(mutex_);
  // The live block that `at` is in, if there is one; what is noted of it, made now if need be, with
  // a change; and whether synchronous copies that touch it are to be waited for.
  std::optional<BlockView> view(driver::Address at) GMLAKE_EXCLUDES(mutex_);
  std::optional<BlockNote> note(driver::Address at, std::optional<bool> synchronous)
      GMLAKE_EXCLUDES(mutex_);
  bool is_synchronous(driver::Address at) GMLAKE_EXCLUDES(mutex_);
  // Whether it is memory of the pool that nobody may use: no block has it, and what was freed there
  // was freed by cudaFree, or its stream has come to the free. No lock where a live block begins.
  bool is_nobodys(driver::Address at) const GMLAKE_EXCLUDES(mutex_);
  // Where a live block without a stream is, to be shown to another process, in the order in which
  // it is seen; nothing for any other address. The block is marked: `again`: it was before.
  struct Shown {
    bool again = false;
    Bytes bytes = 0;  // that were asked for
    std::vector<memory::Piece> pieces;
  };
  std::optional<Shown> show(driver::Address at) GMLAKE_EXCLUDES(mutex_);
  // Whether the block that is live there is one that was shown.
  bool is_shown(driver::Address at) GMLAKE_EXCLUDES(mutex_);
  // Whether the program has recorded uses of the block that a free on this front is not ordered
  // behind by itself.
  static bool is_used_beside(const Front& front, const memory::Region* block);
  // All parked blocks become free memory like any other, and what has become free in pieces joins.
  // Loans are taken back too, or stay.
  enum class Loans { taken_back, stay };
  void unpark_all(Loans loans = Loans::taken_back) GMLAKE_EXCLUDES(mutex_);
  // False: nothing is lent.
  bool take_all_loans_back() GMLAKE_EXCLUDES(mutex_);
  void take_loans_back_of(Front& front) GMLAKE_EXCLUDES(front.lock, mutex_);
  // Nothing is lent while there is one: what was taken back is for the request that needs it.
  class NoLoans {
   public:
    explicit NoLoans(Books& books) : books_(books) { ++books_.no_loans_; }
    ~NoLoans() { --books_.no_loans_; }
    NoLoans(const NoLoans&) = delete;
    NoLoans& operator=(const NoLoans&) = delete;

   private:
    Books& books_;
  };
  // Of one front. What was freed in its loans becomes free in the same order.
  void unpark(Front& front) GMLAKE_REQUIRES(front.lock, mutex_);

  // A miss that the device has made room for, or has not.
  std::optional<memory::Miss> begin_miss(const Front& front, Bytes bytes, memory::MissRules rules,
                                         PoolTag pool) GMLAKE_EXCLUDES(mutex_);
  struct Seen {  // the virtual range of a stitch; no size: there is none
    driver::Address start = 0;
    Bytes size = 0;
    Bytes offset = 0;
  };
  driver::Address finish_miss(Front& front, memory::Miss&& miss, const Seen& window, Bytes bytes,
                              PoolTag pool) GMLAKE_EXCLUDES(front.lock, mutex_);
  void abandon_miss(memory::Miss&& miss, std::size_t created) GMLAKE_EXCLUDES(mutex_);
  // A handle that is to be cut, and has been as far as `made` says (Placement::finish_cut), with so
  // much memory more for a moment.
  std::optional<memory::Cut> begin_cut(Front& front, Bytes bytes, PoolTag pool)
      GMLAKE_EXCLUDES(front.lock, mutex_);
  // The same for a loan that the front is to get. Nothing: no more is to be cut for it, and if it
  // is the `first` that is asked for, it is not asked for again soon.
  std::optional<memory::Cut> begin_cut_to_lend(Front& front, bool first)
      GMLAKE_EXCLUDES(front.lock, mutex_);
  void finish_cut(memory::Cut&& cut, std::optional<std::size_t> made, Bytes more)
      GMLAKE_EXCLUDES(mutex_);

  // Memory of the device that the program has past the pool, or is about to take: the sum of the
  // three gauges and what is claimed. And one of the gauges becoming more or less.
  Bytes beside() const GMLAKE_REQUIRES(mutex_) {
    return counters_.native_live_bytes + counters_.own_handle_bytes + counters_.own_pool_bytes +
           claimed_;
  }
  void claim(Bytes bytes) GMLAKE_REQUIRES(mutex_) { claimed_ += bytes; }
  void unclaim(Bytes bytes) GMLAKE_REQUIRES(mutex_) { claimed_ -= bytes; }
  void add_beside(stats::Gauge what, Bytes bytes) GMLAKE_REQUIRES(mutex_);
  void remove_beside(stats::Gauge what, Bytes bytes) GMLAKE_REQUIRES(mutex_);

  // Order. Ends the timeline's open batch, and says what comes before the event that will follow
  // it.
  Closed close(stream::Timeline timeline) GMLAKE_REQUIRES(mutex_);
  // The front's frees so far, its parked ones among them: to be followed by an event at once.
  // Nothing if there are none.
  std::optional<Closed> close(Front& front) GMLAKE_EXCLUDES(front.lock, mutex_);
  // How that went.
  void followed(const stream::Batch& batch, const Status& recorded) GMLAKE_EXCLUDES(mutex_);
  // Everything on the timeline up to the point has happened.
  void advance(const stream::Point& point) GMLAKE_REQUIRES(mutex_);
  void advance(const stream::Snapshot& snapshot) GMLAKE_EXCLUDES(mutex_);
  // Whose frees are to be looked after: of the timelines that `awaited` names and of some that have
  // ended, so that others can go on in their place; without it of all. In order.
  std::vector<stream::Timeline> named(const Awaited* awaited) const GMLAKE_EXCLUDES(mutex_);
  // What is known to have passed of each.
  stream::Snapshot known_of(const std::vector<stream::Timeline>& timelines) const
      GMLAKE_EXCLUDES(mutex_);
  bool is_idle(const memory::Window& window) const GMLAKE_REQUIRES(mutex_);
  // The window unused for longest whose work is over; null if there is none.
  memory::Window* oldest_idle_window() GMLAKE_REQUIRES(mutex_);
  // What the program's order leaves to ask for. With `any` not the first value, but soon found.
  // A bounded look at a bounded number of timelines (memory/free_index.h).
  Awaited awaited_by(const Front& front, Bytes size, bool any) const GMLAKE_EXCLUDES(mutex_);
  // Requests look at all timelines while there is one.
  class Everywhere {
   public:
    explicit Everywhere(Books& books) : books_(books) { ++books_.everywhere_; }
    ~Everywhere() { --books_.everywhere_; }
    Everywhere(const Everywhere&) = delete;
    Everywhere& operator=(const Everywhere&) = delete;

   private:
    Books& books_;
  };
  memory::Order order_of(const Front& front, PoolTag pool = kDefaultPool) const
      GMLAKE_REQUIRES(mutex_);
  // The asking stream's later work comes after the point.
  void comes_after(Front& front, const stream::Snapshot& snapshot) GMLAKE_REQUIRES(mutex_);
  // The stream is about to end: gives the batch of its frees that an event can still follow by its
  // handle. Then it has, or has not.
  std::optional<Closed> ending(const Origin& origin, bool by_handle) GMLAKE_EXCLUDES(mutex_);
  void ended(const Origin& origin, bool gone) GMLAKE_EXCLUDES(mutex_);
  void forget_context(driver::Context context, bool takes_blocks) GMLAKE_EXCLUDES(mutex_);

  // The program's own events and waits (pool/device_pool.h).
  bool follows_events() const {
    return has_had_several_.load(std::memory_order_relaxed) && config_.streams_follow_events;
  }
  bool recording(driver::Event event, const Origin& origin, stream::Recording number)
      GMLAKE_EXCLUDES(mutex_);
  void recorded(driver::Event event, stream::Recording number, bool done) GMLAKE_EXCLUDES(mutex_);
  void forget_event(driver::Event event) GMLAKE_EXCLUDES(mutex_);
  void forget_events() GMLAKE_EXCLUDES(mutex_);
  stream::Recording recording_of(driver::Event event) GMLAKE_EXCLUDES(mutex_);
  void waits(const Origin& origin, driver::Event event, stream::Recording number)
      GMLAKE_EXCLUDES(mutex_);
  void happened(driver::Event event, stream::Recording number) GMLAKE_EXCLUDES(mutex_);
  stream::Snapshot given(const Origin& origin) GMLAKE_EXCLUDES(mutex_);

  // The program's memory pools. What each has in use and holds, as cuMemPoolGetAttribute gives it.
  struct Figures {
    Bytes used, used_high, reserved, reserved_high;
  };
  Figures figures(PoolTag pool) GMLAKE_EXCLUDES(mutex_);
  void reset_used_high(PoolTag pool) GMLAKE_EXCLUDES(mutex_);
  void reset_reserved_high(PoolTag pool) GMLAKE_EXCLUDES(mutex_);
  // The program pool no longer holds more than `keep` and what is in use; gives how much less that
  // is.
  Bytes let_go(PoolTag pool, Bytes keep) GMLAKE_EXCLUDES(mutex_);
  bool has_pending() const GMLAKE_EXCLUDES(mutex_);  // free memory whose work may not be over
  // What is live of all else, in bytes that were asked for.
  Bytes live_of_others(PoolTag pool) GMLAKE_EXCLUDES(mutex_);
  // The pool of the live block that begins there; nothing if there is none or it is no stream's.
  std::optional<PoolTag> pool_at(driver::Address at) GMLAKE_EXCLUDES(mutex_);
  Accounts& accounts() { return accounts_; }
  const Accounts& accounts() const { return accounts_; }

  // So much freed on one front, and no more, may go without an event that was recorded in time: the
  // sum over all of them is a small share of what the pool has.
  Bytes unfollowed_limit() const { return unfollowed_limit_.load(std::memory_order_relaxed); }

  // The books themselves, for the rooms of the pool that work on them.
  memory::Placement& placement() GMLAKE_REQUIRES(mutex_) { return placement_; }
  const memory::Placement& placement() const GMLAKE_REQUIRES(mutex_) { return placement_; }
  stream::Timelines& timelines() GMLAKE_REQUIRES(mutex_) { return timelines_; }
  const stream::Timelines& timelines() const GMLAKE_REQUIRES(mutex_) { return timelines_; }
  stats::DeviceCounters& counters() GMLAKE_REQUIRES(mutex_) { return counters_; }
  const stats::DeviceCounters& counters() const GMLAKE_REQUIRES(mutex_) { return counters_; }
  // For what is counted and written elsewhere: driver calls.
  stats::DeviceRecord& record() { return record_; }
  // A moment of the history, at most one a second.
  void note_moment(std::uint64_t nanoseconds) GMLAKE_EXCLUDES(mutex_);
  UnprovedPairs& unproved() GMLAKE_REQUIRES(mutex_) { return unproved_; }
  Front& front_at(stream::Timeline timeline) const GMLAKE_REQUIRES(mutex_) {
    return fronts_.of(timeline);
  }
  // The books' counters with what the fronts count for themselves.
  stats::DeviceCounters all_counters() const GMLAKE_REQUIRES(mutex_);
  Bytes reusable_bytes() const GMLAKE_EXCLUDES(mutex_);
  // Waits for the lock only so long: a thread may have died with it at exit. Then the copy is of
  // counters that nobody changes any more.
  void copy_for_report(stats::DeviceReport& report) const GMLAKE_NO_THREAD_SAFETY_ANALYSIS;

 private:
  // For finding, which takes no lock, and for lambdas that are called with it, of which the
  // analysis does not know. They are changed and walked with it.
  const BlockTable& blocks() const GMLAKE_NO_THREAD_SAFETY_ANALYSIS { return blocks_; }
  const Fronts& fronts() const GMLAKE_NO_THREAD_SAFETY_ANALYSIS { return fronts_; }

  // What is known of a timeline's front, beside what is its own.
  struct Standing {
    const std::vector<std::uint64_t>* clock = nullptr;  // it comes after by its waits; null: none
    bool has_kept_apart = false;  // has freed memory that is kept apart until it has passed
    std::size_t blocks = 0;       // its own, parked elsewhere or not
  };

  // What was given out around an address, live or parked: its first region, who owned it when it
  // was looked up, and where the program sees it. No block: nothing was.
  struct Inside {
    memory::Region* block = nullptr;
    Front* owner = nullptr;
    driver::Address start = 0;
  };
  Inside find_inside(driver::Address at) GMLAKE_EXCLUDES(mutex_);
  Front& add_front(std::uint64_t key, const Origin& origin) GMLAKE_EXCLUDES(mutex_);
  void share_out() GMLAKE_REQUIRES(mutex_);
  void learn_shown(Bytes bytes) GMLAKE_REQUIRES(mutex_);
  bool is_size_shown(Bytes bytes) const GMLAKE_REQUIRES(mutex_);
  driver::Address take_parked(Front& front, Bytes bytes, PoolTag pool) GMLAKE_REQUIRES(front.lock)
      GMLAKE_EXCLUDES(mutex_);
  // books_loans.cpp
  // The part of a loan that an address is in, as it was a moment ago, what it is free behind, and
  // the whole handles that it lies in.
  struct Lent {
    memory::Loan::Part part;
    memory::Fence fence;
    memory::Piece handles;
  };
  bool is_for_loans(Bytes bytes) const;
  std::pair<Bytes, Bytes> sizes_to_lend(const Front& front, Bytes bytes) const
      GMLAKE_REQUIRES(front.lock, mutex_);  // at least, at most
  void meet(Front& front, bool others, Bytes bytes) GMLAKE_REQUIRES(front.lock, mutex_);
  void lend(Front& front, Bytes bytes) GMLAKE_REQUIRES(front.lock, mutex_);
  driver::Address take_in_loan(Front& front, Bytes bytes) GMLAKE_REQUIRES(front.lock)
      GMLAKE_EXCLUDES(mutex_);
  bool free_in_loan(Front& front, driver::Address at) GMLAKE_REQUIRES(front.lock)
      GMLAKE_EXCLUDES(mutex_);
  void stamp_loans(Front& front) GMLAKE_REQUIRES(front.lock, mutex_);
  void take_loans_back(Front& front) GMLAKE_REQUIRES(front.lock, mutex_);
  static void less_soon(Front& front) GMLAKE_REQUIRES(front.lock);
  void close_loans(Front& front) GMLAKE_EXCLUDES(front.lock, mutex_);
  void close_loans_at(driver::Address at) GMLAKE_EXCLUDES(mutex_);
  Front* borrower_at(driver::Address at) const GMLAKE_EXCLUDES(mutex_);
  std::optional<Lent> lent_at(driver::Address at) const GMLAKE_EXCLUDES(mutex_);
  driver::Address publish(Front& front, const memory::Taken& taken, Bytes bytes, PoolTag pool)
      GMLAKE_REQUIRES(front.lock, mutex_);
  void release(memory::Region* block, memory::Fence fence) GMLAKE_REQUIRES(mutex_);
  void not_used_beside(memory::Region* block) GMLAKE_REQUIRES(mutex_);
  void park_on(Front& front, memory::Region* block) GMLAKE_REQUIRES(front.lock)
      GMLAKE_EXCLUDES(mutex_);
  void count_free(Front& front, memory::Region* block) GMLAKE_REQUIRES(front.lock);
  // books_accounts.cpp
  bool note_levels() GMLAKE_REQUIRES(mutex_);
  void leave_room_for_loans() GMLAKE_REQUIRES(mutex_);
  void leave_room_for_loans(std::int64_t live, std::int64_t in_use) GMLAKE_REQUIRES(mutex_);
  void count_on_parked() GMLAKE_REQUIRES(mutex_);
  Bytes default_used() const GMLAKE_REQUIRES(mutex_);
  Bytes used_of(PoolTag pool) const GMLAKE_REQUIRES(mutex_);
  Bytes live_besides(Bytes used) const GMLAKE_REQUIRES(mutex_);
  Bytes reserved_of(PoolTag pool, Bytes used) const GMLAKE_REQUIRES(mutex_);
  memory::Region* find(driver::Address at, Front*& owner) GMLAKE_EXCLUDES(mutex_);
  void append_given(Front& front, stream::Snapshot& out) GMLAKE_REQUIRES(front.lock, mutex_);
  void note_physical(Bytes more = 0) GMLAKE_REQUIRES(mutex_);
  void note_taken(Bytes more = 0) GMLAKE_REQUIRES(mutex_);
  void count_fronts(stats::DeviceCounters& counters) const GMLAKE_REQUIRES(mutex_);

  const config::Config& config_;
  const int ordinal_;
  stats::PrivateRecords own_records_;
  stats::Records& records_;
  std::atomic<bool> has_had_several_{false};  // fronts: order between them matters
  std::atomic<unsigned> blocking_fronts_{0};
  std::atomic<unsigned> everywhere_{0};
  std::atomic<Bytes> unfollowed_limit_{0};
  std::atomic<unsigned> no_loans_{0};
  std::atomic<std::size_t> loans_out_{0};
  std::atomic<driver::Address> home_{0};

  // Of the pool's memory, what may be free and not followed in time, on all fronts together: less
  // than what rounding and fragments take; some granules, at least, where that is no more of what
  // it may ever have.
  static constexpr Bytes kUnfollowedShare = 1024;
  static constexpr Bytes kUnfollowedGranules = 8;

  static constexpr std::size_t kSettledAtOnce = 256;

  // Apart from what is read without it.
  alignas(128) mutable Mutex mutex_;
  alignas(128) Bytes least_unfollowed_ GMLAKE_GUARDED_BY(mutex_) = 0;
  BlockTable blocks_ GMLAKE_GUARDED_BY(mutex_);
  Fronts fronts_ GMLAKE_GUARDED_BY(mutex_);
  memory::Placement placement_ GMLAKE_GUARDED_BY(mutex_);
  stream::Timelines timelines_ GMLAKE_GUARDED_BY(mutex_);
  stream::Clocks clocks_ GMLAKE_GUARDED_BY(mutex_);
  stats::DeviceRecord& record_;
  stats::DeviceCounters& counters_ GMLAKE_GUARDED_BY(mutex_);
  Bytes claimed_ GMLAKE_GUARDED_BY(mutex_) = 0;
  // Of counters_.live_bytes, what is the default pool's; and of that, what was parked when it last
  // let memory go, so that it is not held any more.
  std::int64_t default_used_ GMLAKE_GUARDED_BY(mutex_) = 0;
  std::int64_t let_go_parked_ GMLAKE_GUARDED_BY(mutex_) = 0;
  // Bytes that are live in loans, the sum of counted.lent_bytes; and how far it may rise before
  // somebody looks whether that is a new peak. Each borrower changes the first.
  alignas(128) std::atomic<std::int64_t> lent_live_{0};
  alignas(128) std::atomic<std::int64_t> lent_room_{0};
  alignas(128) Accounts accounts_;
  UnprovedPairs unproved_ GMLAKE_GUARDED_BY(mutex_);
  BlockNotes notes_ GMLAKE_GUARDED_BY(mutex_);
  std::vector<Standing> standings_ GMLAKE_GUARDED_BY(mutex_);  // by timeline
  std::vector<Front*> borrowers_ GMLAKE_GUARDED_BY(mutex_);    // who has loans
  std::vector<Bytes> shown_sizes_ GMLAKE_GUARDED_BY(mutex_);   // that were asked for
};

}  // namespace gmlake::pool
