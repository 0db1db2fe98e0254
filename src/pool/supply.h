// The pool's memory from the device and back: growing, stitching, unmapping, giving back. Under the
// growth lock, which keeps one miss or trim at a time, and with driver calls made without the
// books' lock, so that hits and frees of other threads go on meanwhile. Never waits for the GPU.
#pragma once

#include <atomic>

#include "config/config.h"
#include "driver/device.h"
#include "pool/books.h"
#include "pool/mappings.h"
#include "pool/reach.h"
#include "pool/stitch_budget.h"
#include "support/ranked_mutex.h"

namespace gmlake::pool {

class Supply {
 public:
  using Mutex = RankedMutex<Rank::growth>;

  Supply(driver::Device& device, const config::Config& config, Books& books);

  Mutex& mutex() const GMLAKE_RETURN_CAPABILITY(mutex_) { return mutex_; }

  // Without the lock.
  bool owns(driver::Address at) const { return reach_.owns(at); }
  Bytes most_bytes() const { return reach_.most_bytes(); }
  Bytes device_memory() const { return reach_.device_memory(); }

  // Makes the home range, once.
  Status open() GMLAKE_REQUIRES(mutex_);
  enum class Room { ample, frugal, head };  // how near the end of the device's memory it may go
  // One try to serve a miss, by new memory, a stitch or both. Where it would grow and `harvest()`
  // then finds that work is over, nothing is done and the answer is 0: take again.
  template <typename Harvest>
  Result<driver::Address> serve(Front& front, Bytes bytes, PoolTag pool, Room room, Harvest harvest)
      GMLAKE_REQUIRES(mutex_);

  // A large handle that the request would take a part of is cut first, if it can be: so that what
  // is left of it can be stitched. An error: some of its memory has gone.
  Status cut(Front& front, Bytes bytes, PoolTag pool) GMLAKE_REQUIRES(mutex_);
  // So that the front can be lent memory: some handles at once.
  Status cut_to_lend(Front& front) GMLAKE_REQUIRES(mutex_);

  // Where a live block without a stream is, for another process to map (Books::show).
  struct Shown {
    bool again = false;
    Bytes bytes = 0;
    Bytes offset = 0;                       // of the block in the first handle
    std::vector<driver::Physical> handles;  // side by side, as the block is seen
  };
  std::optional<Shown> show(driver::Address at) GMLAKE_REQUIRES(mutex_);

  // Evicts a share of the idle windows whose work is over, oldest first; whether any went.
  bool evict_some() GMLAKE_REQUIRES(mutex_);
  bool has_idle_window() const GMLAKE_REQUIRES(mutex_);
  bool windows_exceed() const GMLAKE_REQUIRES(mutex_);
  void keep_windows_in_bounds() GMLAKE_REQUIRES(mutex_);
  // Gives whole free handles back, down to `keep` bytes; nothing unless at least `least` can go.
  // Gives the bytes given back.
  Bytes give_back(Bytes keep, Bytes least) GMLAKE_REQUIRES(mutex_);
  // Of what nothing has wanted since that look, `most` bytes.
  Bytes give_back_unwanted(Bytes most, std::uint32_t since) GMLAKE_REQUIRES(mutex_);
  // Free memory that can not be mapped side by side is given back to be had in one piece.
  bool change_shape(Bytes bytes) GMLAKE_REQUIRES(mutex_);

  // Other devices (pool/peers.h).
  bool reaches(int device, driver::Address at, Bytes size) const {
    return peers_.reaches(device, at, size);
  }
  bool reaches_all(int device) const { return peers_.reaches_all(device); }
  bool refuses(int device) const { return peers_.refuses(device); }
  Status open_to(int device, driver::Address at, Bytes size) GMLAKE_REQUIRES(mutex_) {
    return mappings_.open_to(device, at, size);
  }
  Status open_all_to(int device, bool may) GMLAKE_REQUIRES(mutex_) {
    return mappings_.open_all_to(device, may);
  }

  Bytes physical() const;
  // By the program's own limits, which are for all that the process takes of the device.
  Bytes most_physical() const;
  bool is_limited() const {
    return config_.pool_enabled && (max_bytes() != 0 || config_.pool_max_share < 1);
  }
  // pool.max_bytes, which may be changed while the program runs.
  Bytes max_bytes() const { return max_bytes_.load(std::memory_order_relaxed); }
  void set_max_bytes(Bytes most) { max_bytes_.store(most, std::memory_order_relaxed); }
  Bytes growth_limit() const;
  // The program is about to take memory past the pool. 0: it may; else what the pool would have to
  // give back for that, more than it has if that can not be enough.
  Bytes claim_beside(Bytes bytes) GMLAKE_REQUIRES(mutex_);
  bool has_head_room() const { return head_room() != 0; }

 private:
  Result<bool> divide(memory::Cut&& cut) GMLAKE_REQUIRES(mutex_);
  std::optional<memory::Miss> begin(Front& front, Bytes bytes, PoolTag pool, Room room)
      GMLAKE_REQUIRES(mutex_);
  Result<driver::Address> finish(Front& front, memory::Miss miss, Bytes bytes, PoolTag pool)
      GMLAKE_REQUIRES(mutex_);
  memory::Order passed() const GMLAKE_REQUIRES(mutex_, books_.mutex());
  Bytes finish(memory::Trim trim) GMLAKE_REQUIRES(mutex_);
  bool evict(memory::Window* window) GMLAKE_REQUIRES(mutex_);
  memory::MissRules rules(Room room, Bytes most) const GMLAKE_REQUIRES(mutex_);
  Bytes head_room() const;
  Bytes room_on_device(Bytes bytes, Room room) const GMLAKE_REQUIRES(mutex_);

  driver::Device& device_;
  const config::Config& config_;
  std::atomic<Bytes> max_bytes_{config_.pool_max_bytes};
  Books& books_;
  mutable Mutex mutex_;
  Reach reach_;
  Peers peers_;
  Mappings mappings_ GMLAKE_GUARDED_BY(mutex_);
  StitchBudget budget_ GMLAKE_GUARDED_BY(mutex_);
};

// The limit of the pool or of the device's memory is reached: no error of the driver's.
inline tl::unexpected<Error> no_room() {
  return fail(ErrorKind::limit, "the pool's limit or the device's memory is reached");
}

template <typename Harvest>
Result<driver::Address> Supply::serve(Front& front, Bytes bytes, PoolTag pool, Room room,
                                      Harvest harvest) {
  auto miss = begin(front, bytes, pool, room);
  if (miss && miss->plan.grow != 0 && room == Room::ample && harvest()) {
    books_.abandon_miss(std::move(*miss), 0);
    return 0;
  }
  if (!miss) return no_room();
  return finish(front, std::move(*miss), bytes, pool);
}

}  // namespace gmlake::pool
