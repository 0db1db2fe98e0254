// A set of small integers that finds the next or previous member in a few instructions: one bit
// each, and above every 64 bits one bit that says whether any of them is set.
//
// O(log64 n): three levels reach 256 Ki members. Not thread-safe.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace gmlake::memory {

class BitTree {
 public:
  static constexpr std::size_t kNone = ~std::size_t{0};

  explicit BitTree(std::size_t size = 0) {
    std::size_t words = 0;
    do {
      size = (size + 63) / 64;
      starts_[levels_++] = words;
      words += size;
    } while (size > 1);
    starts_[levels_] = words;
    words_.assign(words, 0);
  }

  bool test(std::size_t i) const { return (words_[i / 64] >> (i % 64) & 1) != 0; }
  void set(std::size_t i) {
    for (unsigned level = 0; level < levels_; ++level) {
      auto& word = words_[starts_[level] + i / 64];
      const bool was_empty = word == 0;
      word |= std::uint64_t{1} << (i % 64);
      if (!was_empty) return;
      i /= 64;
    }
  }
  void clear(std::size_t i) {
    for (unsigned level = 0; level < levels_; ++level) {
      auto& word = words_[starts_[level] + i / 64];
      word &= ~(std::uint64_t{1} << (i % 64));
      if (word != 0) return;
      i /= 64;
    }
  }

  // The first member at or after `i`, or kNone.
  std::size_t next(std::size_t i) const {
    for (unsigned level = 0; level < levels_; ++level) {
      if (starts_[level] + i / 64 >= starts_[level + 1]) return kNone;
      const auto word = words_[starts_[level] + i / 64] >> (i % 64);
      if (word != 0) {
        i += static_cast<std::size_t>(std::countr_zero(word));
        while (level-- > 0)
          i = i * 64 + static_cast<std::size_t>(std::countr_zero(words_[starts_[level] + i]));
        return i;
      }
      i = i / 64 + 1;
    }
    return kNone;
  }

  // The last member at or before `i`, or kNone.
  std::size_t previous(std::size_t i) const {
    for (unsigned level = 0; level < levels_; ++level) {
      const auto word = words_[starts_[level] + i / 64] << (63 - i % 64);
      if (word != 0) {
        i -= static_cast<std::size_t>(std::countl_zero(word));
        while (level-- > 0)
          i = i * 64 + 63 - static_cast<std::size_t>(std::countl_zero(words_[starts_[level] + i]));
        return i;
      }
      if (i / 64 == 0) return kNone;
      i = i / 64 - 1;
    }
    return kNone;
  }

 private:
  static constexpr unsigned kMostLevels = 11;  // all that 64 bits can need

  unsigned levels_ = 0;
  std::array<std::size_t, kMostLevels + 1> starts_{};  // of each level in words_, the members first
  std::vector<std::uint64_t> words_;
};

}  // namespace gmlake::memory
