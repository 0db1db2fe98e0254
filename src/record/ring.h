// Where all threads note what they do, in one order, for one thread that takes it out.
//
// A note gets its place by raising one number, so that the notes' order agrees with all other order
// between the threads: a free that is noted before the pool has it stands before the allocation
// that gets its memory, whose note comes after. Whoever notes never waits: where the ring is full
// the note is lost, and counted.
#pragma once

#include <atomic>
#include <cstdint>
#include <new>

#include <sys/mman.h>

#include "record/entry.h"

namespace gmlake::record {

class Ring {
 public:
  static constexpr std::uint64_t kPlaces = std::uint64_t{1} << 17;  // 8 MiB

  // `places` is a power of two. Throws where there is no host memory, all of which is taken now:
  // whoever notes has no page to wait for.
  explicit Ring(std::uint64_t places = kPlaces) : mask_(places - 1) {
    void* at = mmap(nullptr, places * sizeof(Place), PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (at == MAP_FAILED) throw std::bad_alloc();
    places_ = static_cast<Place*>(at);  // all zero, which is a free place
  }
  ~Ring() { (void)munmap(places_, (mask_ + 1) * sizeof(Place)); }
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  // Any thread.
  [[gnu::always_inline]] void note(const Entry& entry) {
    auto number = head_.load(std::memory_order_relaxed);
    do {
      const auto noted = number - tail_.load(std::memory_order_acquire);
      // Less than none: others have been here since, and the exchange will say so.
      if (noted > mask_ && static_cast<std::int64_t>(noted) > 0) [[unlikely]] {
        lost_.fetch_add(1, std::memory_order_relaxed);
        return;
      }
    } while (!head_.compare_exchange_weak(number, number + 1, std::memory_order_relaxed));
    auto& place = places_[number & mask_];
    place.entry = entry;
    place.turn.store(number + 1, std::memory_order_release);
    __builtin_prefetch(&places_[(number + kAhead) & mask_], 1);
  }

  // One thread. Gives each note to `use`, up to one whose thread is not done with it; how many.
  template <typename Use>
  std::uint64_t take(Use use) {
    constexpr std::uint64_t kAtOnce = 1024;
    auto tail = tail_.load(std::memory_order_relaxed);
    const auto first = tail;
    for (;; ++tail) {
      const auto& place = places_[tail & mask_];
      if (place.turn.load(std::memory_order_acquire) != tail + 1) break;
      use(place.entry);
      if ((tail + 1) % kAtOnce == 0) tail_.store(tail + 1, std::memory_order_release);
    }
    tail_.store(tail, std::memory_order_release);
    return tail - first;
  }
  // Whether somebody has a place and is not done with it.
  bool is_unfinished() const {
    return head_.load(std::memory_order_relaxed) != tail_.load(std::memory_order_relaxed);
  }
  // In a forked child, where nobody else is: those who were amid a note will never be done.
  void forget_all() {
    tail_.store(head_.load(std::memory_order_relaxed), std::memory_order_relaxed);
    (void)take_lost();
  }
  // Since the last time this was asked.
  std::uint64_t take_lost() { return lost_.exchange(0, std::memory_order_relaxed); }

 private:
  struct alignas(64) Place {
    std::atomic<std::uint64_t> turn{0};
    Entry entry;
  };
  static_assert(sizeof(Place) == 64);
  static constexpr std::uint64_t kAhead = 8;

  const std::uint64_t mask_;
  Place* places_ = nullptr;
  alignas(64) std::atomic<std::uint64_t> head_{0};
  alignas(64) std::atomic<std::uint64_t> tail_{0};
  alignas(64) std::atomic<std::uint64_t> lost_{0};
};

}  // namespace gmlake::record
