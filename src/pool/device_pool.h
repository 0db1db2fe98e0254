// One device's pool: requests become blocks. The ladder of a request, from a hit to out of memory,
// is here.
//
// Thread-safe. A hit takes one lock and calls nothing outside the pool. A miss takes the growth
// lock, then makes its driver calls without the pool's lock, so hits and frees of other threads go
// on meanwhile.
//
// device_pool.cpp has hits, frees and reports; pool_misses.cpp the ladder; pool_order.cpp what
// needs events.
#pragma once

#include <mutex>
#include <string>
#include <unordered_map>

#include "config/config.h"
#include "driver/device.h"
#include "memory/placement.h"
#include "pool/mappings.h"
#include "stats/counters.h"
#include "stream/fences.h"
#include "stream/timelines.h"
#include "support/ranked_mutex.h"
#include "support/result.h"

namespace gmlake::pool {

// On whose behalf memory is taken or given back: a stream, or (stream_id 0) the host, which for an
// allocation means any stream at once and for a free means after everything the context has been
// given so far.
struct Origin {
  driver::Context context = nullptr;
  std::uint64_t stream_id = 0;      // cuStreamGetId: unique for the life of the process
  driver::Stream stream = nullptr;  // the handle, for recording events on it
  // The per-thread default stream: its handle means another stream on another thread.
  bool thread_bound = false;
  // Some stream is being captured: no event may be recorded, queried or waited for.
  bool capture_under_way = false;
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
  // Whether `at` lies in the pool's virtual ranges. Lock-free.
  bool owns(driver::Address at) const { return mappings_.owns(at); }

  // The stream's handle is about to be destroyed: follows its frees while that can still be done.
  // While it captures it is known by its handle alone (a stream_id of 0), and its frees are
  // followed through the context, later.
  void retire_stream(const Origin& origin);

  // The context is gone, and with it its work, its events and its blocks that were not
  // stream-ordered (cuda.h, cuCtxDestroy: memory from cuMemAllocAsync outlives it).
  void forget_context(driver::Context context);

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
  // Aborts with a message if the books do not balance. For tests.
  void check() const;

 private:
  struct Live {
    memory::Block block;
    Bytes requested = 0;
    bool stream_ordered = false;  // from the Async family
    driver::Context context = nullptr;
  };
  using LiveBlocks =
      std::unordered_map<driver::Address, Live, std::hash<driver::Address>, std::equal_to<>,
                         memory::SlabAllocator<std::pair<const driver::Address, Live>>>;

  // With the pool's lock held.
  memory::Order order_of(const Origin& origin);
  driver::Address take(Bytes bytes, const Origin& origin);
  driver::Address publish(const memory::Taken& taken, Bytes bytes, const Origin& origin);
  Live unpublish(LiveBlocks::iterator at);
  Bytes grow_limit() const;
  bool passed(const memory::Slot& window) const;
  void passed(stream::Timeline timeline, std::uint64_t value);

  // With the growth lock held (pool_misses.cpp).
  Result<driver::Address> miss(Bytes bytes, const Origin& origin);
  Result<driver::Address> attempt(Bytes bytes, const Origin& origin, memory::Effort effort);
  Result<driver::Address> ladder(Bytes bytes, const Origin& origin, Error error);
  // With the growth lock held (pool_order.cpp).
  void follow(stream::Timeline except);
  void poll();
  driver::Address wait_rather_than_grow(Bytes bytes, const Origin& origin);
  bool wait_for_frees();
  void waited(stream::Timeline timeline, std::uint64_t value);
  bool of_context(stream::Timeline timeline) const;
  bool evict_window(memory::Slot* window);
  bool evict_some();
  void keep_windows_in_bounds();

  const int ordinal_;
  driver::Device& device_;
  const config::Config& config_;

  mutable RankedMutex<Rank::growth> growth_;
  Mappings mappings_;
  stream::Fences fences_;

  mutable RankedMutex<Rank::pool> mutex_;
  memory::Placement placement_;
  stream::Timelines timelines_;
  LiveBlocks live_;
  stats::DeviceCounters counters_;
};

}  // namespace gmlake::pool
