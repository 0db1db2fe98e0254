// Free virtual addresses, against a plain array of units.
#include "pool/address_ranges.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace gmlake::pool {
namespace {

using Ranges = std::vector<std::pair<driver::Address, Bytes>>;

Ranges all(const AddressRanges& ranges) {
  Ranges out;
  ranges.each([&](driver::Address start, Bytes size) { out.emplace_back(start, size); });
  return out;
}

TEST(AddressRanges, TakesTheSmallestThatIsEnough) {
  AddressRanges ranges;
  ranges.give(0x1000, 0x800);
  ranges.give(0x3000, 0x300);
  ranges.give(0x5000, 0x400);
  EXPECT_EQ(ranges.take(0x300), 0x3000U);
  EXPECT_EQ(ranges.take(0x300), 0x5000U);
  EXPECT_EQ(ranges.take(0x300), 0x1000U);
  EXPECT_EQ(ranges.take(0x600), 0U) << "none is left that is enough";
  EXPECT_EQ(all(ranges), (Ranges{{0x1300, 0x500}, {0x5300, 0x100}}));
}

TEST(AddressRanges, WhatIsGivenBackJoinsBothNeighbours) {
  AddressRanges ranges;
  ranges.give(0x1000, 0x3000);
  const auto a = ranges.take(0x1000), b = ranges.take(0x1000), c = ranges.take(0x1000);
  EXPECT_TRUE(all(ranges).empty());
  ranges.give(a, 0x1000);
  ranges.give(c, 0x1000);
  EXPECT_EQ(all(ranges).size(), 2U);
  ranges.give(b, 0x1000);
  EXPECT_EQ(all(ranges), (Ranges{{0x1000, 0x3000}}));
}

TEST(AddressRanges, AgreesWithAnArray) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  constexpr Bytes kUnit = 2 * MiB, kUnits = 256;
  constexpr driver::Address kStart = TiB;
  AddressRanges ranges;
  ranges.give(kStart, kUnits * kUnit);
  std::vector<bool> free(kUnits, true);
  Ranges taken;
  for (int step = 0; step < 20000; ++step) {
    if (random() % 2 == 0 && !taken.empty()) {
      std::swap(taken[random() % taken.size()], taken.back());
      const auto [at, size] = taken.back();
      taken.pop_back();
      ranges.give(at, size);
      for (Bytes i = 0; i < size / kUnit; ++i) free[(at - kStart) / kUnit + i] = true;
    } else {
      const Bytes size = (1 + random() % 20) * kUnit;
      if (const auto at = ranges.take(size)) {
        for (Bytes i = 0; i < size / kUnit; ++i) {
          ASSERT_TRUE(free[(at - kStart) / kUnit + i]) << "step " << step;
          free[(at - kStart) / kUnit + i] = false;
        }
        taken.emplace_back(at, size);
      } else {
        for (const auto& range : all(ranges)) ASSERT_LT(range.second, size) << "step " << step;
      }
    }
    Ranges expected;
    for (Bytes i = 0; i < kUnits; ++i) {
      if (!free[i]) continue;
      if (i != 0 && free[i - 1])
        expected.back().second += kUnit;
      else
        expected.emplace_back(kStart + i * kUnit, kUnit);
    }
    ASSERT_EQ(all(ranges), expected) << "step " << step;
  }
}

}  // namespace
}  // namespace gmlake::pool
