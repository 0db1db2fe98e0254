#include "ipc/descriptor.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <bit>
#include <cstdint>

namespace gmlake::ipc {
namespace {

// One bit a descriptor. A process with more of them leaves those to the child's exec.
constexpr int kMost = 1 << 16;
constexpr int kBits = 64;
constinit std::array<std::atomic<std::uint64_t>, kMost / kBits> ours{};

std::atomic<std::uint64_t>& word_of(int number) {
  return ours[static_cast<unsigned>(number) / kBits];
}
std::uint64_t bit_of(int number) {
  return std::uint64_t{1} << static_cast<unsigned>(number) % kBits;
}

}  // namespace

Descriptor::Descriptor(int number) : number_(number) {
  if (number_ < 0) return;
  (void)fcntl(number_, F_SETFD, FD_CLOEXEC);
  if (number_ < kMost) word_of(number_).fetch_or(bit_of(number_), std::memory_order_relaxed);
}

void Descriptor::close() {
  const int number = std::exchange(number_, -1);
  if (number < 0) return;
  if (number < kMost) word_of(number).fetch_and(~bit_of(number), std::memory_order_relaxed);
  (void)::close(number);
}

void close_descriptors_after_fork() {
  int number = 0;
  for (auto& word : ours) {
    for (auto bits = word.exchange(0, std::memory_order_relaxed); bits != 0; bits &= bits - 1)
      (void)::close(number + std::countr_zero(bits));
    number += kBits;
  }
}

}  // namespace gmlake::ipc
