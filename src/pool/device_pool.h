// One device's pool: requests become blocks. The ladder of a request, from a hit to out of memory,
// is here.
//
// Thread-safe. A free, and a stream that takes back the block it freed last, take the front's lock
// alone; any other hit the pool's lock as well, and neither calls anything outside the pool. A miss
// takes the growth lock, then makes its driver calls without the others, so hits and frees of other
// threads go on meanwhile.
//
// Complexity: finding a block O(1) without a lock; a hit and a free as in memory/placement.h. None
// grows with the number of live blocks.
//
// device_pool.cpp has hits, frees and reports; pool_misses.cpp the ladder; pool_order.cpp what
// needs events of its own; pool_proofs.cpp what the program's events prove; pool_one_stream.cpp
// what needs no proof while there is one stream; pool_unproved.cpp what was not reused for want of
// a proof.
#pragma once

#include <atomic>
#include <mutex>
#include <string>
#include <vector>

#include "config/config.h"
#include "driver/device.h"
#include "memory/placement.h"
#include "pool/block_table.h"
#include "pool/front.h"
#include "pool/mappings.h"
#include "pool/stitch_budget.h"
#include "pool/unproved_pairs.h"
#include "stats/counters.h"
#include "stream/clocks.h"
#include "stream/fences.h"
#include "stream/timelines.h"
#include "support/ranked_mutex.h"
#include "support/result.h"

namespace gmlake::pool {

// On whose behalf memory is taken or given back: a stream, or (stream_id 0) the host, which for an
// allocation means any stream at once and for a free means after everything the block's context
// has been given so far.
struct Origin {
  driver::Context context = nullptr;
  std::uint64_t stream_id = 0;      // cuStreamGetId: unique for the life of the process
  driver::Stream stream = nullptr;  // the handle, for recording events on it
  // The handle stands for the stream only on this thread (the per-thread default stream) or only
  // during this call (its end may go unseen).
  bool thread_bound = false;
  // Some stream is being captured: no event may be recorded, queried or waited for.
  bool capture_under_way = false;
};

// Memory as it was when a request failed.
struct Shortage {
  Bytes wanted = 0;
  Bytes missing = 0;  // beyond all that is free in the pool and that it could still grow by
  Bytes live = 0;
  Bytes physical = 0;
  Bytes free = 0;  // of it
  Bytes largest_span = 0;
  Bytes limit_left = 0;  // growth that the options allow
  Bytes device_free = 0;
  std::vector<Bytes> pending;  // by timeline: free bytes whose work is not known to be complete
};

class DevicePool {
 public:
  // `device` must outlive the pool. Nothing is asked of it before the first allocation.
  DevicePool(int ordinal, driver::Device& device, const config::Config& config);
  ~DevicePool();  // gives everything back to the device; blocks still live are gone
  DevicePool(const DevicePool&) = delete;
  DevicePool& operator=(const DevicePool&) = delete;

  // `bytes` > 0. The address is aligned to 512 bytes. On failure the error is the driver's own.
  Result<driver::Address> allocate(Bytes bytes, const Origin& origin);
  // The same if no driver call is needed, otherwise nothing is done and the answer is 0.
  driver::Address try_allocate(Bytes bytes, const Origin& origin);

  // False if `at` is not the start of a live block of this pool.
  bool free(driver::Address at, const Origin& origin);
  // The block is used on that stream besides (an origin without one: on some stream of its
  // context), without the program's order behind it: unless the same stream frees it, it is freed
  // behind everything its context has been given until then. False as above.
  bool record_use(driver::Address at, const Origin& origin);
  int ordinal() const { return ordinal_; }
  // Whether `at` lies in the pool's virtual ranges. Lock-free.
  bool owns(driver::Address at) const { return mappings_.owns(at); }

  // The stream's handle is about to be destroyed: follows its frees while that can still be done;
  // or it ends with its thread, and they are followed through its context, later. While it captures
  // it is known by its handle alone (a stream_id of 0), and its frees are followed through the
  // context, later.
  void stream_ends(const Origin& origin);
  // It has ended; or it has not, and all is as before.
  void stream_ended(const Origin& origin, bool gone);
  void retire_stream(const Origin& origin) {
    stream_ends(origin);
    stream_ended(origin, true);
  }

  // The program's own order. Cheap where only one stream, or the host alone, ever had memory. Each
  // recording of an event has a number of its own; native calls lie between the two halves of an
  // observation, so that what is concluded was true of the call whatever other threads did
  // meanwhile.
  //
  // An event is recorded on a stream. False: not seen, and no recorded() is due.
  bool recording(driver::Event event, const Origin& origin, stream::Recording number);
  void recorded(driver::Event event, stream::Recording number, bool done);
  // Recorded where it proves nothing, or gone.
  void forget_event(driver::Event event);
  void forget_events();
  // The recording that a wait for the event is about, 0 if it would prove nothing: before the call.
  // After it the stream waits, or the event has happened.
  stream::Recording recording_of(driver::Event event);
  void waits(const Origin& origin, driver::Event event, stream::Recording number);
  void happened(driver::Event event, stream::Recording number);
  // All that a stream, or (stream_id 0) a context, has been given so far: before the host waits
  // for that. After it, it has happened.
  stream::Snapshot given(const Origin& origin);
  void happened(const stream::Snapshot& snapshot);

  // The context (null: each that there is), which had its legacy default stream only, is about to
  // get work elsewhere: from here on cudaFree's memory is followed there as in others. Whether the
  // host had to wait for the context.
  bool end_one_stream(driver::Context context);

  // The context is gone, and with it its work, its events and, if it takes them, its blocks that
  // were not stream-ordered (cuda.h, cuCtxDestroy: memory from cuMemAllocAsync outlives it).
  void forget_context(driver::Context context, bool takes_blocks = true);

  // Gives whole free handles back to the device as long as the pool still owns `keep` bytes then:
  // only what no work may still use. Gives the bytes given back.
  Bytes trim(Bytes keep, const Origin& origin);
  // The same for a call of the program that just failed for want of memory: all free memory whose
  // work can be waited for, if there is any.
  Bytes trim_for_others(const Origin& origin);
  // After a host synchronisation: what the pool owns above pool.release_threshold.
  void release_surplus(const Origin& origin);

  // Free bytes that an allocation could have without new physical memory, sooner or later.
  Bytes reusable_bytes() const;
  // A copy of the counters. Waits for the pool's lock only so long: a thread may have died with it
  // at exit.
  stats::DeviceReport report() const;
  // For calls that went past the pool: adds to the counters.
  template <typename Count>
  void count(Count add) {
    const std::lock_guard lock(mutex_);
    add(counters_);
  }
  // One paragraph for an out of memory message: live, physical, pending, largest span.
  std::string picture() const;
  // Out of memory, for people in one paragraph and for programs as JSON.
  Shortage shortage(Bytes wanted) const;
  std::string explain(const Shortage& shortage) const;
  std::string snapshot(const Shortage& shortage) const;
  // Aborts with a message if the books do not balance. For tests.
  void check() const;

 private:
  using Lock = RankedSpinLock<Rank::pool>;
  using Awaited = std::vector<std::uint64_t>;  // see awaited_by

  // Fronts: found without a lock, made on first use.
  Front& front_of(const Origin& origin) {
    const auto key = origin.stream_id == 0 ? Fronts::key_of_context(origin.context)
                                           : Fronts::key_of_stream(origin.stream_id);
    Front* known = fronts_.find(key);
    return known ? *known : new_front(key, origin);
  }
  Front* known_front(const Origin& stream) const {
    return fronts_.find(Fronts::key_of_stream(stream.stream_id));
  }
  Front& new_front(std::uint64_t key, const Origin& origin);
  Front& add_front(std::uint64_t key, const Origin& origin);
  void begin_one_stream(Front& front);
  Front& host_front(driver::Context context);
  bool nobody_names(stream::Timeline timeline) const;
  bool follows_events() const {
    return several_.load(std::memory_order_relaxed) && config_.streams_follow_events;
  }
  // With the front's lock held.
  driver::Address take_parked(Front& front, Bytes bytes);
  void park(Front& front, memory::Region* block);
  static void count_free(Front& front, const memory::Region* block);
  // With neither it nor the pool's.
  void flush_fronts();
  memory::Region* find(driver::Address at, Front*& owner);
  memory::Region* seize(driver::Address at, Front*& owner);
  Front& host_front_of(const Front& owner, const Origin& from);
  bool free_synchronously(driver::Address at, const Origin& from);

  // With the pool's lock held, and the front's where one is given.
  memory::Order order_of(const Front& front) const;
  driver::Address take(Front& front, Bytes bytes);
  driver::Address publish(Front& front, const memory::Taken& taken, Bytes bytes);
  void release(memory::Region* block, memory::Fence fence);
  void unpark(Front& front);
  bool passed(const memory::Window& window) const;
  void passed(stream::Timeline timeline, std::uint64_t value);
  stats::DeviceCounters all_counters(bool locked) const;
  void append_given(Front& front, stream::Snapshot& out);
  void comes_after(Front& front, const stream::Snapshot& snapshot);
  bool followed(const Awaited* awaited, stream::Timeline timeline) const;
  std::pair<stream::Batch, stream::Snapshot> close(stream::Timeline timeline);

  // With the growth lock held (pool_misses.cpp).
  Result<driver::Address> miss(Bytes bytes, const Origin& origin);
  Result<driver::Address> serve_miss(Bytes bytes, const Origin& origin);
  Result<driver::Address> attempt(Bytes bytes, const Origin& origin, bool frugal,
                                  bool into_head_room = false);
  Result<driver::Address> ladder(Bytes bytes, const Origin& origin, Error error);
  memory::MissRules rules(bool frugal, Bytes room) const;
  // With the growth lock held (pool_unproved.cpp).
  Refusal refusal(const Front& front, Bytes bytes) const;
  void count_refusal(const Refusal& refusal, bool served);
  // With the growth lock held (pool_order.cpp).
  Awaited awaited_by(const Front& front, Bytes size, bool any) const;
  static bool named(const Awaited& awaited, stream::Timeline timeline);
  bool harvest(stream::Fences::Stake stake, stream::Fences::Time now,
               const Awaited* awaited = nullptr);
  void harvest_all() { (void)harvest(stream::Fences::Stake::all, stream::Fences::Clock::now()); }
  bool harvest_before_growth(const Front& front, Bytes bytes);
  void record(stream::Batch batch, stream::Snapshot before, stream::Fences::Time now);
  driver::Address wait_rather_than_grow(Bytes bytes, const Origin& origin);
  bool insert_wait(Bytes bytes, const Origin& origin);
  bool wait_for_frees();
  void waited(const stream::Point& point);
  bool of_context(stream::Timeline timeline) const;
  bool evict_window(memory::Window* window);
  bool evict_some();
  void keep_windows_in_bounds();
  Bytes give_back(Bytes keep, Bytes least);
  bool change_shape(Bytes bytes);
  Bytes growth_limit() const;
  Bytes head_room() const;
  Bytes room_on_device(Bytes bytes, bool frugal, bool into_head_room) const;

  const int ordinal_;
  driver::Device& device_;
  const config::Config& config_;

  mutable RankedMutex<Rank::growth> growth_;
  Mappings mappings_;
  stream::Fences fences_;
  stream::Fences::Time missed_at_{};  // the miss under way

  StitchBudget budget_;
  BlockTable blocks_;
  Fronts fronts_;
  std::atomic<bool> several_{false};  // fronts: order between them matters

  mutable Lock mutex_;
  memory::Placement placement_;
  stream::Timelines timelines_;
  stream::Clocks clocks_;
  stats::DeviceCounters counters_;
  UnprovedPairs unproved_;
};

}  // namespace gmlake::pool
