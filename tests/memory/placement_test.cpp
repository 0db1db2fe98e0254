// The placement policy, one step at a time, on one timeline and without a device.
#include "memory/placement.h"

#include <gtest/gtest.h>

namespace gmlake::memory {
namespace {

class PlacementTest : public testing::Test {
 protected:
  // As the pool does it, with a device that never fails.
  Taken allocate(Bytes size) {
    if (auto taken = placement_.take(size, order_)) return *taken;
    auto miss = placement_.begin(size, order_, Effort::normal, ~Bytes{0});
    EXPECT_TRUE(miss);
    return placement_.finish(std::move(*miss));
  }
  void release(const Taken& taken) { placement_.release(taken.block, {0, ++clock_}); }
  void TearDown() override { placement_.check(); }

  std::vector<std::uint64_t> passed_{0};
  Order order_{0, 0, &passed_};
  std::uint64_t clock_ = 0;
  Placement placement_{PlacementRules{2 * MiB, MiB, true, 0, 0}};
};

TEST_F(PlacementTest, ABlockComesBackToItsPlace) {
  const auto first = allocate(10 * MiB);
  EXPECT_EQ(first.how, Served::grown);
  release(first);
  const auto again = allocate(10 * MiB);
  EXPECT_EQ(again.how, Served::exact);
  EXPECT_EQ(again.from, Provenance::own);
  EXPECT_EQ(again.block.start, first.block.start);
}

TEST_F(PlacementTest, AStitchIsMadeOnceAndIsAWindowAfterwards) {
  const auto a = allocate(10 * MiB);
  const auto b = allocate(10 * MiB);
  const auto c = allocate(10 * MiB);
  const auto d = allocate(10 * MiB);
  release(a);
  release(c);
  const auto stitched = allocate(20 * MiB);
  EXPECT_EQ(stitched.how, Served::stitched);
  EXPECT_EQ(placement_.home_chunks(), 20U) << "nothing was created for it";
  release(stitched);
  const auto again = allocate(20 * MiB);
  EXPECT_EQ(again.how, Served::window);
  EXPECT_EQ(again.block.slot, stitched.block.slot);
  release(b);
  release(d);
  release(again);
  // All bytes are one span now; the window still serves its size, lowest address first.
  EXPECT_EQ(allocate(20 * MiB).how, Served::window);
}

TEST_F(PlacementTest, AWindowIsRefusedWhileAnyOfItsBytesIsTaken) {
  const auto a = allocate(10 * MiB);
  const auto b = allocate(10 * MiB);
  const auto c = allocate(10 * MiB);
  release(a);
  release(c);
  release(allocate(20 * MiB));
  const auto thief = allocate(10 * MiB);
  EXPECT_NE(allocate(20 * MiB).how, Served::window);
  release(thief);
  release(b);
}

TEST_F(PlacementTest, SmallRequestsShareAChunkAndGiveItBack) {
  const auto a = allocate(512);
  const auto b = allocate(1024);
  EXPECT_EQ(placement_.home_chunks(), 1U);
  EXPECT_EQ(b.block.start, 512U);
  release(a);
  release(b);
  EXPECT_EQ(placement_.largest_span(), 2 * MiB) << "the chunk serves large requests again";
  EXPECT_EQ(allocate(2 * MiB).block.start, 0U);
}

TEST_F(PlacementTest, AnAbandonedMissLeavesEverythingAsItWasBesideNewChunks) {
  const auto a = allocate(10 * MiB);
  const auto b = allocate(10 * MiB);
  release(a);
  auto miss = placement_.begin(20 * MiB, order_, Effort::normal, ~Bytes{0});
  ASSERT_TRUE(miss);
  EXPECT_EQ(placement_.free_bytes(), 0U);
  placement_.abandon(std::move(*miss), 2);
  placement_.check();
  EXPECT_EQ(placement_.free_bytes(), 14 * MiB);
  release(b);
}

TEST_F(PlacementTest, TheLimitOfChunksHolds) {
  EXPECT_FALSE(placement_.begin(10 * MiB, order_, Effort::normal, 4));
  EXPECT_FALSE(placement_.begin(512, order_, Effort::frugal, 0));
}

}  // namespace
}  // namespace gmlake::memory
