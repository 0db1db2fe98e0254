// Lists of free regions by size: 64 bins to an octave (exact up to 64 KiB of 512 bytes each, within
// 1.6 % above). An octave has its bins from the first region on that falls into it: a stream has
// few of them, and a program may have thousands of streams.
//
// All O(1). 540 bytes, and 512 for each octave. Not thread-safe.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <memory>

#include "memory/region.h"

namespace gmlake::memory {

class Bins {
 public:
  static constexpr std::size_t kPerOctave = 64;
  static constexpr std::size_t kOctaves = 33;  // up to 512 B * 2^38
  static constexpr std::size_t kCount = kPerOctave * kOctaves;
  static constexpr std::size_t kNone = ~std::size_t{0};

  static std::size_t of(Bytes size) {
    constexpr Bytes kUnit = 512;
    const Bytes units = size / kUnit;
    if (units < kPerOctave) return units;
    const auto octave = static_cast<std::size_t>(std::bit_width(units)) - 7;  // it >> octave < 128
    const auto bin = kPerOctave * (octave + 1) + ((units >> octave) - kPerOctave);
    return bin < kCount ? bin : kCount - 1;
  }

  // The youngest of a bin that has any.
  Region* first(std::size_t bin) const { return (*octaves_[bin / kPerOctave])[bin % kPerOctave]; }
  void add(std::size_t bin, Region* region) {
    const auto octave = bin / kPerOctave;
    auto& bins = octaves_[octave];
    if (!bins) bins = std::make_unique<Octave>();
    Region*& first = (*bins)[bin % kPerOctave];
    region->free.before = nullptr;
    region->free.after = first;
    if (first) first->free.before = region;
    first = region;
    filled_[octave] |= bit(bin);
    any_ |= std::uint64_t{1} << octave;
  }
  void remove(std::size_t bin, Region* region) {
    Region* before = region->free.before;
    Region* after = region->free.after;
    if (after) after->free.before = before;
    if (before) {
      before->free.after = after;
      return;
    }
    const auto octave = bin / kPerOctave;
    (*octaves_[octave])[bin % kPerOctave] = after;
    if (after) return;
    filled_[octave] &= ~bit(bin);
    if (filled_[octave] == 0) any_ &= ~(std::uint64_t{1} << octave);
  }

  // The first bin at or above `bin` that has any, or kNone; the last one at or below it.
  std::size_t next(std::size_t bin) const {
    const auto octave = bin / kPerOctave;
    if (octave >= kOctaves) return kNone;
    if (const auto here = filled_[octave] >> (bin % kPerOctave); here != 0)
      return bin + static_cast<std::size_t>(std::countr_zero(here));
    const auto above = any_ >> octave >> 1;
    if (above == 0) return kNone;
    const auto other = octave + 1 + static_cast<std::size_t>(std::countr_zero(above));
    return other * kPerOctave + static_cast<std::size_t>(std::countr_zero(filled_[other]));
  }
  std::size_t previous(std::size_t bin) const {
    const auto octave = bin / kPerOctave;
    if (const auto here = filled_[octave] << (kPerOctave - 1 - bin % kPerOctave); here != 0)
      return bin - static_cast<std::size_t>(std::countl_zero(here));
    const auto below = any_ & ((std::uint64_t{1} << octave) - 1);
    if (below == 0) return kNone;
    const auto other = static_cast<std::size_t>(std::bit_width(below)) - 1;
    return other * kPerOctave + static_cast<std::size_t>(std::bit_width(filled_[other])) - 1;
  }

 private:
  using Octave = std::array<Region*, kPerOctave>;
  static std::uint64_t bit(std::size_t bin) { return std::uint64_t{1} << (bin % kPerOctave); }

  std::array<std::unique_ptr<Octave>, kOctaves> octaves_;
  std::array<std::uint64_t, kOctaves> filled_{};
  std::uint64_t any_ = 0;  // octaves with something
};

}  // namespace gmlake::memory
