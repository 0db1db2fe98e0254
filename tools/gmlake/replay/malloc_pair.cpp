// Timing the pair; see malloc_pair.h.
#include "replay/malloc_pair.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <limits>

namespace gmlake::replay {

double malloc_pair_nanoseconds() {
  using Clock = std::chrono::steady_clock;
  constexpr int kBatches = 8, kPairs = 20000;
  double best = std::numeric_limits<double>::max();
  for (int batch = 0; batch < kBatches; ++batch) {
    const auto start = Clock::now();
    for (int i = 0; i < kPairs; ++i) {
      void* at = std::malloc(64);
      asm volatile("" : "+r"(at) : : "memory");  // else the compiler leaves the pair out
      std::free(at);
    }
    best = std::min(best, std::chrono::duration<double, std::nano>(Clock::now() - start).count());
  }
  return best / kPairs;
}

}  // namespace gmlake::replay
