// One device's pool: requests become blocks. The ladder of a request, from a hit to out of memory,
// is here; what it climbs on is in three rooms: Books (what is free, whose, behind what), Follower
// (events: which work is over, and waiting for it) and Supply (memory from the device and back).
//
// Thread-safe. A hit and a free meet no lock that is held across a call of the device, and nobody
// waits for the GPU with any lock: while one thread waits, hits, frees, misses and streams of the
// others go on.
//
// device_pool.cpp has the ladder; pool_accounts.cpp the program's memory pools; pool_unproved.cpp
// what was not reused for want of a proof; shortage.cpp what is said when memory has run out.
#pragma once

#include <atomic>
#include <string>
#include <vector>

#include "config/config.h"
#include "driver/device.h"
#include "pool/books.h"
#include "pool/follower.h"
#include "pool/origin.h"
#include "pool/shortage.h"
#include "pool/supply.h"
#include "stats/counters.h"
#include "stats/holder.h"
#include "support/result.h"

namespace gmlake {
class JsonWriter;
}

namespace gmlake::pool {

class DevicePool {
 public:
  // `device` must outlive the pool. Nothing is asked of it before the first allocation.
  // The counters are in `records`, which must outlive it too, or in its own memory.
  DevicePool(int ordinal, driver::Device& device, const config::Config& config,
             stats::Records* records = nullptr);
  ~DevicePool();  // gives everything back to the device; blocks still live are gone
  DevicePool(const DevicePool&) = delete;
  DevicePool& operator=(const DevicePool&) = delete;

  // `bytes` > 0. The address is aligned to 512 bytes. On failure the error is the driver's own, or
  // of kind limit or pool_limit.
  Result<driver::Address> allocate(Bytes bytes, const Origin& origin);
  // The same if no driver call is needed, or at most the question whether what was freed without a
  // stream is over; otherwise nothing is done and the answer is 0.
  driver::Address try_allocate(Bytes bytes, const Origin& origin);

  // False if `at` is not the start of a live block of this pool.
  bool free(driver::Address at, const Origin& origin);
  // The block is used on that stream besides (an origin without one: on some stream of its
  // context), without the program's order behind it: unless the same stream frees it, it is freed
  // behind everything its context has been given until then. False as above.
  bool use_beside(driver::Address at, const Origin& by) { return books_.use_beside(at, by); }
  // The block that begins at `at`, for another process to map; nothing if cudaMalloc did not give
  // it out. Waits for a miss that is under way.
  std::optional<Supply::Shown> show(driver::Address at) {
    const Growing growing(supply_.mutex());
    return supply_.show(at);
  }
  // Whether the block that is live there now was shown.
  bool is_shown(driver::Address at) { return books_.is_shown(at); }
  int ordinal() const { return ordinal_; }
  // About the live block that an address is in (Books).
  std::optional<BlockView> view(driver::Address at) { return books_.view(at); }
  std::optional<BlockNote> note(driver::Address at, std::optional<bool> synchronous = {}) {
    return books_.note(at, synchronous);
  }
  bool is_synchronous(driver::Address at) { return books_.is_synchronous(at); }
  bool is_nobodys(driver::Address at) const { return books_.is_nobodys(at); }
  // Other devices (pool/peers.h): one may reach this live block from now on, and what it shares
  // handles with; or all memory, what is to come included, if `wanted()` holds when it is decided.
  Status open_to(int device, const BlockView& block);
  bool reaches_all(int device) const { return supply_.reaches_all(device); }
  template <typename Wanted>
  Status open_all_to(int device, Wanted wanted) {
    const Lock growing(supply_.mutex());
    return supply_.open_all_to(device, wanted());
  }
  // Whether `at` lies in the pool's virtual ranges. Lock-free.
  bool owns(driver::Address at) const { return supply_.owns(at); }

  // The stream is about to be given work, or to wait for another: what was freed there is followed
  // first. Whether that was news since memory was freed there.
  bool before_work(const Origin& origin) { return follower_.before_work(origin); }
  // All streams of a context are about to wait.
  void before_all_wait() { follower_.before_all_wait(); }
  // A capture is about to begin there.
  void before_capture(driver::Context context) { follower_.before_capture(context); }
  // The stream's handle is about to be destroyed: follows its frees while that can still be done,
  // and nothing looks at it any more when this returns; or it ends with its thread, and they are
  // followed through its context, later. While it captures it is known by its handle alone (a
  // stream_id of 0), and its frees are followed through the context, later.
  void stream_ends(const Origin& origin) {
    follower_.ends(origin, !origin.thread_bound && !origin.host());
  }
  // It has ended; or it has not, and all is as before.
  void stream_ended(const Origin& origin, bool gone) {
    books_.ended(origin, gone);
    follower_.ended(origin, gone);
  }
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
  bool recording(driver::Event event, const Origin& origin, stream::Recording number) {
    return books_.recording(event, origin, number);
  }
  void recorded(driver::Event event, stream::Recording number, bool done) {
    books_.recorded(event, number, done);
  }
  // Recorded where it proves nothing, or gone.
  void forget_event(driver::Event event) { books_.forget_event(event); }
  void forget_events() { books_.forget_events(); }
  // The recording that a wait for the event is about, 0 if it would prove nothing: before the call.
  // After it the stream waits, or the event has happened.
  stream::Recording recording_of(driver::Event event) { return books_.recording_of(event); }
  void waits(const Origin& origin, driver::Event event, stream::Recording number) {
    books_.waits(origin, event, number);
  }
  void happened(driver::Event event, stream::Recording number) { books_.happened(event, number); }
  // All that a stream, or (stream_id 0) a context, has been given so far: before the host waits
  // for that. After it, it has happened.
  stream::Snapshot given(const Origin& origin) { return books_.given(origin); }
  void happened(const stream::Snapshot& snapshot) { books_.advance(snapshot); }

  // The context (null: each that there is), which had its legacy default stream only, is about to
  // get work elsewhere: from here on cudaFree's memory is followed there as in others. Waits for
  // what cudaMalloc took back on the strength of that; whether it had to. Whoever comes meanwhile
  // waits as well.
  bool end_one_stream(driver::Context context);

  // The context is about to end: nothing of it is looked at any more when this returns. Then it has
  // (forget_context), or has not.
  void leave_context(driver::Context context) { follower_.leave_context(context); }
  void stay_in_context(driver::Context context) { follower_.stay_in_context(context); }
  // The context is gone, and with it its work, its events and, if it takes them, its blocks that
  // were not stream-ordered (cuda.h, cuCtxDestroy: memory from cuMemAllocAsync outlives it).
  void forget_context(driver::Context context, bool takes_blocks = true);

  // Gives whole free handles back to the device as long as the pool still owns `keep` bytes then:
  // only what no work may still use, and about `part` at once, so that what others want of the pool
  // comes between. Gives the bytes given back.
  Bytes trim(Bytes keep, Bytes part = ~Bytes{0});
  // The same for a call of the program that just failed for want of memory: all free memory whose
  // work can be waited for, if there is any.
  Bytes trim_for_others();
  // A look at what nothing has wanted for `looks` of them (pool.release_after): to be taken in even
  // steps of time, by a thread that has nothing else to do. Gives back at most a part of it that
  // takes some milliseconds; true if there may be more. More looks are let pass where memory that
  // went was soon wanted again.
  bool look_for_unwanted(unsigned looks);
  // The same without another look.
  bool release_unwanted();
  // After a host synchronisation: what the pool owns above pool.release_threshold.
  void release_surplus();

  // The program is about to take memory of the device past the pool, which counts for
  // pool.max_bytes and pool.max_share: free memory goes back to the device where that makes room
  // within them. False: it may not. When the call has been made the claim is over, and what it has
  // got is noted.
  bool claim_beside(Bytes bytes);
  void unclaim_beside(Bytes bytes);
  void note_beside(stats::Gauge what, Bytes bytes);
  void leave_beside(stats::Gauge what, Bytes bytes);  // it has that no more
  // Another pool.max_bytes from now on, 0: none. What is taken already beyond it is not taken away,
  // but for what is free.
  void limit(Bytes most);
  // What the limits leave to the process, with what the pool itself can hand out.
  Bytes limit_left();

  // The program's memory pools on the device that are served from this one: `Origin::pool` says of
  // which one memory is. What each of them has is in its account (pool/accounts.h).
  //
  // A new one, which may have so much in use; 0: no limit. Nothing if there are too many.
  std::optional<PoolTag> open_account(void* handle, Bytes limit) {
    return books_.accounts().open(handle, limit);
  }
  // The program has destroyed it. Its live blocks stay.
  void close_account(PoolTag pool);
  Account& account(PoolTag pool) { return books_.accounts().at(pool); }
  Books::Figures figures(PoolTag pool) { return books_.figures(pool); }
  void reset_used_high(PoolTag pool) { books_.reset_used_high(pool); }
  void reset_reserved_high(PoolTag pool) { books_.reset_reserved_high(pool); }
  // The program gives back what the pool holds beyond `keep`: of the default pool, whatever is free
  // beyond it, since nobody asks for that to be given back otherwise.
  void trim_account(PoolTag pool, Bytes keep);
  // After a host synchronisation: pools hold no more than their threshold. Memory goes back where
  // the program has set that.
  void after_wait();
  std::optional<PoolTag> pool_at(driver::Address at) { return books_.pool_at(at); }

  // Free bytes that an allocation could have without new physical memory, sooner or later.
  Bytes reusable_bytes() const { return books_.reusable_bytes(); }
  // A copy of the counters. Waits for the pool's lock only so long: a thread may have died with it
  // at exit.
  stats::DeviceReport report() const;
  // For calls that went past the pool: adds to the counters.
  template <typename Count>
  void count(Count add) {
    const Books::Opened books(books_.mutex());
    add(books_.counters());
  }
  // One paragraph on the state of the pool: live, physical, pending, largest span.
  std::string picture() const;
  // Out of memory, for people in a few lines and for programs as JSON. Other threads go on
  // meanwhile, as in picture(): figures may be of different moments.
  Shortage shortage(Bytes wanted);
  std::string explain(const Shortage& shortage) const {
    return pool::explain(shortage, ordinal_, config_);
  }
  std::string snapshot(const Shortage& shortage, const stats::Holders& who) const;
  // Aborts with a message if the books do not balance. For tests.
  void check() const;

 private:
  using Growing = Lock<Supply::Mutex>;
  using Rung = std::uint64_t stats::DeviceCounters::*;

  // A request that is no hit, and what was done for it.
  struct Request {
    Bytes bytes;
    const Origin& origin;
    Front& front;
    // Nothing is asked twice for one request.
    Follower::Time since = stream::Fences::Clock::now();
    Bytes created = 0;
    unsigned host_waits = 0;
    unsigned stream_waits = 0;
  };

  Front& front_of(const Origin& origin);
  driver::Address try_allocate_of(Bytes bytes, const Origin& origin);
  Result<driver::Address> allocate_anew(Bytes bytes, const Origin& origin);
  bool takes_completed(const Request& request) const;
  void let_go(PoolTag pool, Bytes keep);
  void begin_one_stream(Front& front);
  bool free_synchronously(driver::Address at, const Origin& by);
  Result<driver::Address> miss(Request& request);
  Result<driver::Address> ladder(Request& request, Error error);
  Result<driver::Address> attempt(Request& request, Supply::Room room);
  driver::Address wait_rather_than_grow(Request& request);
  bool evict_or_wait();
  void keep_windows_in_bounds();
  void count_rung(Rung rung) {
    count([&](stats::DeviceCounters& counters) { ++(counters.*rung); });
  }
  // A walk over everything, with the books' lock held for some of it at a time (shortage.cpp).
  bool has_unwanted(std::uint32_t since) const;
  void note_growth();
  struct SeenRegion;
  struct SeenWindow;
  struct SeenTimeline;
  bool look(Bytes& at, std::vector<SeenRegion>& some) const;
  bool look(std::size_t& at, std::vector<SeenWindow>& some) const;
  bool look(std::size_t& at, std::vector<SeenTimeline>& some) const;
  template <typename Seen, typename At, typename Visit>
  void walk(Visit visit) const;
  void add_regions(JsonWriter& json) const;
  // pool_unproved.cpp
  Refusal refusal(const Request& request) const;
  void count_refusal(const Refusal& refusal, const Request& request, bool served);

  const int ordinal_;
  driver::Device& device_;
  const config::Config& config_;
  Books books_;
  Supply supply_;
  Follower follower_;
  // Of looks: how many there were, since when what is free has to have been unwanted, how many are
  // to pass, and when memory last went (0: all that went has been made again).
  std::atomic<std::uint32_t> look_{0}, unwanted_since_{0}, patience_{0}, last_release_{0};
};

}  // namespace gmlake::pool
