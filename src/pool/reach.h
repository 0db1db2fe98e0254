// Which virtual addresses are the pool's: its home range, and arenas for windows. They are added by
// whoever holds the growth lock, never taken back, and looked up by anybody without a lock.
#pragma once

#include <array>
#include <atomic>

#include "driver/device.h"

namespace gmlake::pool {

class Reach {
 public:
  static constexpr std::size_t kMostArenas = 16;

  void set_home(driver::Address at, Bytes size, Bytes device_memory) {
    home_size_.store(size, std::memory_order_relaxed);
    device_memory_.store(device_memory, std::memory_order_relaxed);
    home_.store(at, std::memory_order_release);
  }
  // Fewer than kMostArenas have been added.
  void add_arena(driver::Address at, Bytes size) {
    const auto n = arena_count_.load(std::memory_order_relaxed);
    arenas_[n].size.store(size, std::memory_order_relaxed);
    arenas_[n].start.store(at, std::memory_order_relaxed);
    arena_count_.store(n + 1, std::memory_order_release);
  }

  // 0 before it is there.
  driver::Address home() const { return home_.load(std::memory_order_acquire); }
  Bytes home_size() const { return home_size_.load(std::memory_order_relaxed); }
  Bytes device_memory() const { return device_memory_.load(std::memory_order_relaxed); }
  std::size_t arena_count() const { return arena_count_.load(std::memory_order_acquire); }
  driver::Address arena_start(std::size_t n) const {
    return arenas_[n].start.load(std::memory_order_relaxed);
  }
  Bytes arena_size(std::size_t n) const { return arenas_[n].size.load(std::memory_order_relaxed); }

  bool in_home(driver::Address at) const { return at - home() < home_size(); }
  bool owns(driver::Address at) const {
    if (home() == 0) return false;
    if (in_home(at)) return true;
    for (std::size_t n = 0, count = arena_count(); n < count; ++n)
      if (at - arena_start(n) < arena_size(n)) return true;
    return false;
  }
  // No request above this can ever be served; also keeps sizes far from wrapping round.
  Bytes most_bytes() const { return home() == 0 ? 1024 * TiB : device_memory(); }

 private:
  struct Arena {
    std::atomic<driver::Address> start{0};
    std::atomic<Bytes> size{0};
  };
  std::atomic<driver::Address> home_{0};
  std::atomic<Bytes> home_size_{0};
  std::atomic<Bytes> device_memory_{0};
  std::array<Arena, kMostArenas> arenas_{};
  std::atomic<std::size_t> arena_count_{0};
};

}  // namespace gmlake::pool
