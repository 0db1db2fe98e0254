// Blocks between the small limit and a granule that stay, among large ones that come, grow and go.
// Without a device.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <vector>

#include "memory/placement.h"

namespace gmlake::memory {
namespace {

class PackingTest : public testing::Test {
 protected:
  explicit PackingTest(const PlacementRules& rules = {}) : placement_{rules} {
    placement_.open(64 * GiB);
  }
  void TearDown() override {
    const auto wrong = placement_.problem();
    EXPECT_FALSE(wrong) << *wrong;
  }
  Region* allocate(Bytes size) {
    auto taken = placement_.take(size, order_, recall_);
    if (!taken) taken = placement_.finish(*placement_.begin(size, order_, rules_), recall_);
    live_ += size;
    peak_ = std::max(peak_, live_);
    stitches_ += taken.how == Served::stitched ? 1 : 0;
    return taken.block;
  }
  void release(Region* block) {
    live_ -= size_of(block);
    placement_.release(block, {1, ++clock_});
  }
  // Each round three large blocks come and go, and one of `fence` bytes stays to the end.
  void grow_between(Bytes fence) {
    std::vector<Region*> fences;
    for (Bytes round = 0; round < 100; ++round) {
      std::array<Region*, 3> large;
      for (auto& block : large) block = allocate((64 + round) * MiB);
      fences.push_back(allocate(fence));
      for (auto* block : large) release(block);
    }
    for (auto* block : fences) release(block);
  }
  double utilization() const {
    return static_cast<double>(peak_) / static_cast<double>(placement_.physical());
  }

  std::vector<std::uint64_t> passed_{0, 0};
  Order order_{1, 1, &passed_};
  MissRules rules_;
  Recall recall_;
  Placement placement_;
  std::uint64_t clock_ = 1;
  Bytes live_ = 0, peak_ = 0;
  int stitches_ = 0;
};

// By their size: each would keep most of a granule from all others.
class Fences : public PackingTest, public testing::WithParamInterface<Bytes> {};

TEST_P(Fences, AreLaidEndToEnd) {
  grow_between(GetParam());
  EXPECT_GE(utilization(), 0.97);
  // What repeats itself has its places by then.
  const auto physical = placement_.physical();
  for (int loop = 2; loop <= 5; ++loop) {
    stitches_ = 0;
    grow_between(GetParam());
  }
  EXPECT_EQ(stitches_, 0);
  EXPECT_EQ(placement_.physical(), physical);
}

INSTANTIATE_TEST_SUITE_P(OfLessThanAGranule, Fences,
                         testing::Values(MiB + 512, 1028 * KiB, 1152 * KiB, 1280 * KiB, 1366 * KiB,
                                         1536 * KiB, 1664 * KiB, 1792 * KiB, 1900 * KiB, 2040 * KiB,
                                         2 * MiB - 512));

PlacementRules larger_ones_only() {
  PlacementRules rules;
  rules.stitch_min_request = GiB;
  return rules;
}
class LargerOnes : public PackingTest {
 protected:
  LargerOnes() : PackingTest(larger_ones_only()) {}
};

TEST_F(LargerOnes, AloneAreStitchedWhereTheRulesSaySo) {
  grow_between(1028 * KiB);
  EXPECT_EQ(stitches_, 0);
}

}  // namespace
}  // namespace gmlake::memory
