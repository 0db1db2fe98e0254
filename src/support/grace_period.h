// Sections that many threads go through at once, and a wait until all that had been entered have
// been left: for who must know that what others were about to say has been said. Entering costs two
// atomic additions and no lock.
//
// A section is short and never waits for the GPU. Whoever waits holds no lock and sleeps between
// two looks, as the holder of a section may need the processor. Thread-safe.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <thread>

#include "support/ranked_mutex.h"

namespace gmlake {

class GracePeriod {
 public:
  class Section {
   public:
    explicit Section(GracePeriod& of) : inside_(&of.enter()) {}
    ~Section() { inside_->fetch_sub(1, std::memory_order_release); }
    Section(const Section&) = delete;
    Section& operator=(const Section&) = delete;

   private:
    std::atomic<unsigned>* inside_;
  };

  // Until every section is over that was entered before.
  void wait() {
    const std::lock_guard lock(waiting_);
    // Who enters from now on is counted on the other side.
    auto& before = sides_[side_.fetch_xor(1)];
    while (before.load() != 0) std::this_thread::sleep_for(std::chrono::microseconds(20));
  }

 private:
  std::atomic<unsigned>& enter() {
    for (;;) {
      const unsigned side = side_.load();
      sides_[side].fetch_add(1);
      if (side_.load() == side) return sides_[side];
      sides_[side].fetch_sub(1);  // somebody began to wait in between
    }
  }

  RankedMutex<Rank::last> waiting_;
  std::atomic<unsigned> side_{0};
  std::array<std::atomic<unsigned>, 2> sides_{};
};

}  // namespace gmlake
