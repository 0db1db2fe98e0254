// A hash of numbers that a file holds, which may have been chosen to meet in one bucket: what is an
// address to us is a multiple of something to a table. Nobody who wrote the file knows the seed.
#pragma once

#include <cstddef>
#include <cstdint>

#include <sys/random.h>

namespace gmlake::trace {

struct MixedHash {
  std::size_t operator()(std::uint64_t value) const {
    static const std::uint64_t seed = [] {
      std::uint64_t random = 0;
      (void)getrandom(&random, sizeof random, GRND_NONBLOCK);
      return random;
    }();
    // splitmix64's last steps.
    value += seed;
    value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9;
    value = (value ^ value >> 27) * 0x94d049bb133111eb;
    return value ^ value >> 31;
  }
};

}  // namespace gmlake::trace
