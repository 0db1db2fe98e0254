// The pool's physical chunks and virtual ranges: the driver calls of growing and stitching, and
// nothing of policy.
//
// home: one reservation with room for all the device's memory; chunk i is mapped at home + i *
// chunk_size from its creation on. arenas: large reservations out of which windows get their
// virtual addresses, so that whether an address is the pool's is a few comparisons.
//
// Guarded by the growth lock, but for owns() and home(), which are lock-free. A failing call leaves
// no trace.
#pragma once

#include <array>
#include <atomic>
#include <vector>

#include "driver/device.h"
#include "memory/plan.h"
#include "memory/span_set.h"

namespace gmlake::pool {

class Mappings {
 public:
  Mappings(driver::Device& device, Bytes chunk_size) : device_(device), chunk_(chunk_size) {}
  ~Mappings();  // unmaps and releases everything
  Mappings(const Mappings&) = delete;
  Mappings& operator=(const Mappings&) = delete;

  // Reserves the home range, once.
  Status open();
  // Creates chunks first .. first+count-1 and maps them at home. Tells how many exist afterwards in
  // `created`, which on failure may be fewer.
  Status grow(Bytes first, Bytes count, Bytes& created);

  // Maps the chunks of `pieces` side by side into a new range of window_size(pieces) bytes; gives
  // its start.
  Result<driver::Address> map_window(const std::vector<memory::Piece>& pieces);
  Status unmap_window(driver::Address at, Bytes size);
  Bytes window_size(const std::vector<memory::Piece>& pieces) const;

  driver::Address home() const { return home_.load(std::memory_order_acquire); }
  bool owns(driver::Address at) const;
  // No request above this can ever be served; also keeps sizes far from wrapping round.
  Bytes most_bytes() const { return home() == 0 ? 1024 * TiB : home_size_; }
  Bytes chunk_limit() const { return home_size_ / chunk_; }  // chunks the home range has room for

  static constexpr std::size_t kMostArenas = 16;

 private:
  struct Arena {
    std::atomic<driver::Address> start{0};
    Bytes size = 0;
  };

  Result<driver::Address> take_addresses(Bytes size);
  void give_addresses(driver::Address at, Bytes size);

  driver::Device& device_;
  const Bytes chunk_;
  std::atomic<driver::Address> home_{0};
  Bytes home_size_ = 0;
  std::vector<driver::Handle> handles_;  // by chunk
  std::array<Arena, kMostArenas> arenas_;
  std::atomic<std::size_t> arena_count_{0};
  memory::SpanSet addresses_;  // free virtual addresses of the arenas
};

}  // namespace gmlake::pool
