// What is said when a request of the program fails for want of memory. A program may try again and
// again, so repeated ones are counted, and only the 1st, the 10th, the 100th and so on are said.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "pool/device_pool.h"

namespace gmlake::hooks {

// Counts what happens again and again. Thread-safe.
class Occasions {
 public:
  // Which one this is if it is to be said: 1, 10, 100, ...; else 0.
  std::uint64_t next() {
    const auto number = count_.fetch_add(1, std::memory_order_relaxed) + 1;
    std::uint64_t said = 1;
    while (said < number) said *= 10;
    return said == number ? number : 0;
  }

 private:
  std::atomic<std::uint64_t> count_{0};
};

// A pool's allocation failed and so did the native one, if it was tried. Says why on the log, and
// in stats.oom_file if that is set. On other occasions nothing is looked at.
void say_out_of_memory(pool::DevicePool& pool, std::size_t bytes) noexcept;

}  // namespace gmlake::hooks
