// Random numbers that are the same everywhere: the standard's distributions differ between
// libraries.
#pragma once

#include <cstdint>
#include <random>

namespace gmlake::trace::generate {

class Random {
 public:
  // `a` and `b` tell independent sequences of one seed apart.
  explicit Random(std::uint64_t seed, std::uint64_t a = 0, std::uint64_t b = 0)
      : engine_(seed * 0x9e3779b97f4a7c15U + a * 0xbf58476d1ce4e5b9U + b * 0x94d049bb133111ebU) {}

  // From low to high, both included. The bias of the remainder is below 2^-40 for the ranges used
  // here.
  std::uint64_t between(std::uint64_t low, std::uint64_t high) {
    return low + engine_() % (high - low + 1);
  }

 private:
  std::mt19937_64 engine_;
};

}  // namespace gmlake::trace::generate
