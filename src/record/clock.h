// Time, at the price of an instruction: the processor's counter, and what it says in microseconds.
// The two are compared as often as the notes are taken out; between two comparisons the counter is
// taken to run evenly.
#pragma once

#include <algorithm>
#include <cstdint>
#include <ctime>

#include <x86intrin.h>

namespace gmlake::record {

inline std::uint64_t ticks_now() {
  return __rdtsc();
}

class Clock {
 public:
  Clock() : before_(now()), after_(before_) {}

  // What is asked next happened before this.
  void compare() {
    before_ = after_;
    after_ = now();
  }
  // Microseconds since the clock was made; never less than before.
  std::uint64_t microseconds(std::uint64_t ticks) {
    const auto span = static_cast<double>(after_.ticks - before_.ticks);
    const auto into = static_cast<double>(static_cast<std::int64_t>(ticks - before_.ticks));
    const auto length = static_cast<double>(after_.nanoseconds - before_.nanoseconds);
    const auto offset = span > 0 ? into / span * length : 0;
    const auto since = static_cast<double>(before_.nanoseconds - began_) + offset;
    last_ = std::max(last_, static_cast<std::uint64_t>(std::max(0.0, since) / 1000));
    return last_;
  }

 private:
  struct Moment {
    std::uint64_t ticks, nanoseconds;
  };
  static Moment now() {
    timespec time{};
    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return {ticks_now(), static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 +
                             static_cast<std::uint64_t>(time.tv_nsec)};
  }

  Moment before_, after_;
  const std::uint64_t began_ = before_.nanoseconds;
  std::uint64_t last_ = 0;
};

}  // namespace gmlake::record
