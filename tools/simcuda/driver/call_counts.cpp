#include "call_counts.h"

#include <array>
#include <atomic>

#include "entry.h"

namespace gmlake::simcuda {
namespace {

using Count = std::atomic<std::uint64_t>;

// Of one thread; stays when the thread is gone, as its calls have been made.
struct Counts {
  std::array<Count, kFunctions> calls{};
  Counts* next = nullptr;
};
constinit std::atomic<Counts*> all{nullptr};
constinit std::array<Count, kFunctions> in_turn{};
// The loader gives it a place beside the thread pointer: every call looks at it.
constinit thread_local Counts* own __attribute__((tls_model("initial-exec"))) = nullptr;

Counts& counts() {
  if (own == nullptr) [[unlikely]] {
    own = new Counts;
    own->next = all.load(std::memory_order_relaxed);
    while (!all.compare_exchange_weak(own->next, own, std::memory_order_release)) {
    }
  }
  return *own;
}

std::uint64_t by_threads(unsigned function) {
  std::uint64_t sum = 0;
  for (const Counts* one = all.load(std::memory_order_acquire); one; one = one->next)
    sum += one->calls[function].load(std::memory_order_relaxed);
  return sum;
}

}  // namespace

void count_call(unsigned function) {
  Count& count = counts().calls[function];
  count.store(count.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

std::uint64_t count_call_in_turn(unsigned function) {
  return in_turn[function].fetch_add(1, std::memory_order_relaxed) + 1 + by_threads(function);
}

std::uint64_t call_count(unsigned function) {
  return in_turn[function].load(std::memory_order_relaxed) + by_threads(function);
}

}  // namespace gmlake::simcuda
