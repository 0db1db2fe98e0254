// The placement policy, one step at a time, without a device.
#include "memory/placement_fixture.h"

namespace gmlake::memory {
namespace {

TEST_F(PlacementTest, IsClosedUntilThereIsRoom) {
  Placement closed{plain()};
  EXPECT_FALSE(closed.take(10 * MiB, order_, recall_));
  EXPECT_FALSE(closed.take(512, order_, recall_));
  EXPECT_FALSE(closed.begin(10 * MiB, order_, {}));
  EXPECT_FALSE(closed.problem());
}

TEST_F(PlacementTest, ABlockComesBackToItsPlace) {
  const auto first = allocate(10 * MiB);
  EXPECT_EQ(first.how, Served::grown);
  EXPECT_EQ(first.from, Provenance::fresh);
  const Bytes start = first.block->start;
  release(first);
  const auto again = allocate(10 * MiB);
  EXPECT_EQ(again.how, Served::exact);
  EXPECT_EQ(again.from, Provenance::in_order);
  EXPECT_EQ(again.block->start, start);
}

TEST_F(PlacementTest, ALargerFreeRegionIsSplit) {
  release(allocate(10 * MiB));
  const auto part = allocate(4 * MiB);
  EXPECT_EQ(part.how, Served::split);
  EXPECT_EQ(placement_.free_bytes(), 6 * MiB);
}

// Parts that were freed on several timelines do not merge, but who may have each may have them all.
TEST_F(PlacementTest, ASmallRequestTakesAGranuleThatIsFreeInParts) {
  std::array<Taken, 4> quarters;
  for (auto& quarter : quarters) quarter = allocate(512 * KiB);  // of one granule
  for (Timeline line = 1; const auto& quarter : quarters) release(quarter, {line++ % 2 + 1, 1});
  passed_ = {0, 1, 1};
  miss_rules_.grow_limit = 0;
  const auto taken = allocate(MiB);
  EXPECT_EQ(taken.block->size, MiB);
  EXPECT_EQ(placement_.physical(), 2 * MiB);
}

TEST_F(PlacementTest, WhatIsToBeAlignedIsWhereverItGoes) {
  constexpr Bytes kPage = 64 * KiB;
  const auto allocate_aligned = [&](Bytes size) {
    auto taken = placement_.take({size, kPage}, order_, recall_);
    if (!taken) {
      auto miss = placement_.begin({size, kPage}, order_, miss_rules_);
      EXPECT_TRUE(miss);
      taken = placement_.finish(std::move(*miss), recall_);
    }
    EXPECT_EQ(taken.block->start % kPage, 0U);
    balanced();
    return taken;
  };
  // Beside a small block and a large one that end anywhere.
  allocate(4096);
  allocate_aligned(MiB);
  allocate(5 * MiB + 512);
  const auto behind = allocate_aligned(4 * MiB);
  EXPECT_EQ(placement_.physical(), 12 * MiB) << "in the rest of the last granule";
  // In a hole of its own size that is not where it may be.
  std::array<Taken, 3> odd;
  for (auto& block : odd) block = allocate(8 * MiB + 512);
  release(odd[1]);
  EXPECT_NE(allocate_aligned(8 * MiB).block->start, odd[1].block->start);
  // And stitched: the first piece is the end of a handle.
  const auto comb_ends = comb(3 * MiB + 512);
  const auto stitched = allocate_aligned(5 * MiB);
  EXPECT_TRUE(comb_ends[1] && stitched);
  release(behind);
  allocate_aligned(2 * MiB + kPage);
}

TEST_F(PlacementTest, AWindowServesOnlyWhatMayBeginThere) {
  const auto parts = comb(3 * MiB + 512);
  const auto stitched = allocate(5 * MiB);
  ASSERT_EQ(stitched.how, Served::stitched);
  const bool aligned = stitched.block->start % (64 * KiB) == 0;
  ASSERT_FALSE(aligned) << "the test needs another";
  release(stitched);
  Recall other;
  EXPECT_FALSE(placement_.take({5 * MiB, 64 * KiB}, order_, other));
  EXPECT_TRUE(placement_.take(5 * MiB, order_, other));
  EXPECT_TRUE(parts[1]);
}

TEST_F(PlacementTest, GrowsAtTheFreeEndInWholeGranules) {
  const auto first = allocate(64 * MiB);
  const auto small = allocate(10 * MiB + 512);
  EXPECT_EQ(placement_.physical(), 76 * MiB);
  EXPECT_EQ(small.block->start, 64 * MiB);
  release(first);
  release(small);
  auto miss = placement_.begin(100 * MiB, order_, miss_rules_);
  ASSERT_TRUE(miss);
  EXPECT_EQ(miss->plan.grow, 24 * MiB) << "what is free before it is used";
  placement_.abandon(std::move(*miss), 0);
}

TEST_F(PlacementTest, WhatTakesWholeGranulesIsPutOnBordersIfLittleIsLostBeside) {
  allocate(10 * MiB + 128 * KiB);
  const auto hole = allocate(14 * MiB);
  allocate(10 * MiB);
  const Bytes start = hole.block->start;
  release(hole);
  EXPECT_EQ(allocate(4 * MiB).block->start, start + 14 * MiB - 128 * KiB - 4 * MiB)
      << "128 KiB are lost behind it";
  EXPECT_EQ(allocate(3 * MiB).block->start, start) << "no whole granules: at the beginning";
}

TEST_F(PlacementTest, MuchIsNotLostForTheSakeOfABorder) {
  allocate(11 * MiB);
  const auto hole = allocate(14 * MiB);
  allocate(10 * MiB);
  const Bytes start = hole.block->start;
  release(hole);
  EXPECT_EQ(allocate(4 * MiB).block->start, start);
}

TEST_F(PlacementTest, TheEndOfAHoleThatKeepsMoreHandlesWholeIsTaken) {
  allocate(10 * MiB);
  const auto hole = allocate(9 * MiB + MiB / 2);
  allocate(10 * MiB);
  const Bytes start = hole.block->start, end = hole.block->end();
  release(hole);
  // At the beginning it would break a handle, at the end it fits into one that is broken.
  EXPECT_EQ(allocate(MiB + MiB / 4).block->end(), end);
  EXPECT_EQ(allocate(MiB + MiB / 4).block->start, start);
}

TEST_F(PlacementTest, AStitchIsMadeOnceAndIsAWindowAfterwards) {
  const auto blocks = comb(10 * MiB);
  const auto stitched = allocate(20 * MiB);
  EXPECT_EQ(stitched.how, Served::stitched);
  EXPECT_EQ(placement_.physical(), 40 * MiB) << "nothing was created for it";
  const Window* window = stitched.block->live.window;
  ASSERT_TRUE(window);
  EXPECT_EQ(window->regions.size(), 2U);
  EXPECT_EQ(placement_.free_bytes(), 0U);
  release(stitched);
  EXPECT_EQ(placement_.free_bytes(), 20 * MiB);
  const auto again = allocate(20 * MiB);
  EXPECT_EQ(again.how, Served::window);
  EXPECT_EQ(again.from, Provenance::in_order);
  EXPECT_EQ(again.block->live.window, window);
  release(blocks[1]);
  release(blocks[3]);
  release(again);
  // All bytes are one region now; the window still serves its size.
  EXPECT_EQ(allocate(20 * MiB).how, Served::window);
  EXPECT_EQ(windows().size(), 1U);
}

TEST_F(PlacementTest, AWindowIsRefusedWhileAnyOfItsBytesIsTaken) {
  const auto blocks = comb(10 * MiB);
  release(allocate(20 * MiB));
  const auto thief = allocate(10 * MiB);
  EXPECT_NE(allocate(20 * MiB).how, Served::window);
  release(thief);
  release(blocks[1]);
}

TEST_F(PlacementTest, AWindowIsRefusedToAStreamThatMayNotHaveItsBytesYet) {
  comb(10 * MiB);
  release(allocate(20 * MiB));
  Recall recall;
  EXPECT_FALSE(placement_.take(20 * MiB, other_, recall));
  passed_[1] = clock_;
  const auto taken = placement_.take(20 * MiB, other_, recall);
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken.how, Served::window);
  EXPECT_EQ(taken.from, Provenance::passed);
}

TEST_F(PlacementTest, AForgottenWindowIsNotRecalled) {
  comb(10 * MiB);
  const auto stitched = allocate(20 * MiB);
  Window* window = stitched.block->live.window;
  release(stitched);
  placement_.forget(window);
  balanced();
  const auto again = allocate(20 * MiB);
  EXPECT_EQ(again.how, Served::stitched) << "mapped anew";
}

TEST_F(PlacementTest, AStitchThatIsNotAllowedOrNotWorthItGrows) {
  comb(10 * MiB);
  miss_rules_.may_stitch = false;
  const auto grown = allocate(20 * MiB);
  EXPECT_EQ(grown.how, Served::grown);
  release(grown);
  allocate(20 * MiB);
  miss_rules_ = {};
  miss_rules_.map_cost = 1e9;
  EXPECT_EQ(allocate(20 * MiB).how, Served::grown);
  miss_rules_.frugal = true;
  EXPECT_EQ(allocate(20 * MiB).how, Served::stitched) << "memory that has run out is worth it";
}

TEST_F(PlacementTest, GrowingIsCheapBelowThePeak) {
  PlacementRules slack = plain();
  slack.growth_slack = 1;
  Placement placement{slack};
  placement.open(GiB);
  Recall recall;
  std::vector<Taken> blocks;
  for (int i = 0; i < 4; ++i)
    blocks.push_back(placement.finish(std::move(*placement.begin(10 * MiB, order_, {})), recall));
  placement.release(blocks[0].block, {1, 2});
  placement.release(blocks[2].block, {1, 2});
  const auto miss = placement.begin(20 * MiB, order_, {});
  ASSERT_TRUE(miss);
  EXPECT_EQ(miss->plan.pieces.size(), 1U) << "60 MiB are no more than twice the peak";
}

TEST_F(PlacementTest, SmallRequestsShareAGranule) {
  const auto a = allocate(512);
  const auto b = allocate(1024);
  EXPECT_EQ(a.how, Served::grown);
  EXPECT_EQ(b.how, Served::small);
  EXPECT_EQ(placement_.physical(), 2 * MiB);
  EXPECT_EQ(b.block->start, 512U);
  EXPECT_TRUE(a.block->small && b.block->small);
  release(a);
  release(b);
  EXPECT_EQ(placement_.largest_span(), 2 * MiB);
  EXPECT_EQ(allocate(2 * MiB).block->start, 0U) << "the granule serves large requests again";
  EXPECT_EQ(placement_.physical(), 2 * MiB);
}

TEST_F(PlacementTest, SmallRequestsTakeOverAWholeAlignedGranuleOnly) {
  const auto a = allocate(MiB + 512);
  const auto b = allocate(5 * MiB);
  release(a);
  const Bytes before = placement_.physical();
  const auto small = allocate(512);
  EXPECT_EQ(small.how, Served::grown) << "no whole granule is free";
  EXPECT_EQ(placement_.physical(), before + 2 * MiB);
  release(b);
  release(small);
}

TEST_F(PlacementTest, OneEmptyGranuleIsKeptForSmallRequestsTheOthersGoBack) {
  release(allocate(8 * MiB));
  std::vector<Taken> blocks;
  for (int i = 0; i < 6; ++i) blocks.push_back(allocate(MiB));
  EXPECT_EQ(placement_.physical(), 8 * MiB);
  for (const auto& block : blocks) release(block);
  EXPECT_EQ(placement_.home().index(true).bytes(), 2 * MiB);
  const auto again = allocate(MiB);
  EXPECT_EQ(again.how, Served::small);
  release(again);
  EXPECT_EQ(allocate(8 * MiB).how, Served::exact) << "nor is that one kept from anybody";
}

TEST_F(PlacementTest, ASmallRequestTakesTheGranuleItHadNotTheOneThatWasKept) {
  const std::array earlier{allocate(MiB), allocate(MiB)};  // fill the first granule
  const auto loop = [&](auto between) {
    const auto a = allocate(3 * MiB);
    const auto small = allocate(512);
    const auto b = allocate(40 * MiB);
    between();
    const Bytes granule = round_down(small.block->start, 2 * MiB);
    for (const auto& block : {a, small, b}) release(block);
    return granule;
  };
  const Bytes had = loop([&] {
    for (const auto& small : earlier) release(small);
  });
  EXPECT_NE(had, 0U);
  EXPECT_EQ(loop([] {}), had);
}

TEST_F(PlacementTest, ATinyRequestGoesAmongMany) {
  std::vector<Taken> many;
  for (int i = 0; i < 16; ++i) many.push_back(allocate(64 * KiB));
  const auto large = allocate(MiB - 64 * KiB);
  const auto other = allocate(MiB);
  const auto rest = allocate(MiB - 32 * KiB);  // leaves the smaller hole, among few
  const Bytes granule = round_down(many[0].block->start, 2 * MiB);
  EXPECT_NE(round_down(rest.block->start, 2 * MiB), granule);
  EXPECT_EQ(round_down(allocate(512).block->start, 2 * MiB), granule);
  for (const auto& block : {large, other, rest}) release(block);
}

TEST_F(PlacementTest, AnAbandonedMissLeavesEverythingAsItWasBesideNewHandles) {
  const auto a = allocate(10 * MiB);
  const auto b = allocate(10 * MiB);
  const Bytes start = a.block->start;
  release(a);
  auto miss = placement_.begin(20 * MiB, order_, miss_rules_);
  ASSERT_TRUE(miss);
  EXPECT_EQ(placement_.free_bytes(), 0U);
  balanced();
  ASSERT_GE(miss->handles.size(), 2U);
  const Bytes created = miss->handles[0] + miss->handles[1];
  placement_.abandon(std::move(*miss), 2);
  balanced();
  EXPECT_EQ(placement_.free_bytes(), 10 * MiB + created);
  EXPECT_EQ(placement_.physical(), 20 * MiB + created);
  Recall recall;
  EXPECT_FALSE(placement_.take(10 * MiB, other_, recall)) << "the old bytes kept their fence";
  EXPECT_EQ(allocate(10 * MiB).block->start, start);
  release(b);
}

TEST_F(PlacementTest, AnAbandonedSmallMissLeavesNothing) {
  auto miss = placement_.begin(512, order_, miss_rules_);
  ASSERT_TRUE(miss);
  placement_.abandon(std::move(*miss), 0);
  balanced();
  EXPECT_EQ(placement_.physical(), 0U);
}

TEST_F(PlacementTest, TheGrowthLimitHolds) {
  miss_rules_.grow_limit = 8 * MiB;
  EXPECT_FALSE(placement_.begin(10 * MiB, order_, miss_rules_));
  miss_rules_.frugal = true;
  EXPECT_FALSE(placement_.begin(10 * MiB, order_, miss_rules_));
  miss_rules_.grow_limit = 0;
  EXPECT_FALSE(placement_.begin(512, order_, miss_rules_));
}

TEST_F(PlacementTest, SettledFreesMergeAndServeAnybody) {
  const auto a = allocate(10 * MiB);
  const auto b = allocate(10 * MiB);
  const auto c = allocate(10 * MiB);
  release(a, {0, 2, false});
  release(b, {0, 3, false});
  release(c, {0, 4, false});
  EXPECT_EQ(placement_.largest_span(), 10 * MiB) << "batches stay apart";
  placement_.passed(0, 3);
  EXPECT_EQ(placement_.settle(10), 2U);
  EXPECT_EQ(placement_.settle(10), 0U);
  balanced();
  EXPECT_EQ(placement_.largest_span(), 20 * MiB);
  placement_.passed(0, 4);
  EXPECT_EQ(placement_.settle(10), 1U);
  balanced();
  EXPECT_EQ(placement_.largest_span(), 30 * MiB);
  passed_[0] = kSettled;
  const auto all = allocate(30 * MiB);
  EXPECT_EQ(all.from, Provenance::passed);
}

TEST_F(PlacementTest, ATrimGivesBackWholeFreeHandlesFromTheEnd) {
  const auto a = allocate(10 * MiB);
  const auto b = allocate(10 * MiB);
  const auto c = allocate(10 * MiB);
  release(a);
  release(c);
  passed_[1] = clock_;
  auto trim = placement_.begin_trim(5 * MiB, order_);
  balanced();
  Bytes bytes = 0;
  for (const Region* handle : trim.handles) {
    EXPECT_GE(handle->start, 20 * MiB);
    bytes += handle->size;
  }
  EXPECT_EQ(bytes, 4 * MiB) << "no more than was asked for, in whole handles";
  const auto handles = trim.handles.size();
  placement_.finish_trim(std::move(trim), handles);
  balanced();
  EXPECT_EQ(placement_.physical(), 26 * MiB);
  EXPECT_EQ(placement_.free_bytes(), 16 * MiB);

  trim = placement_.begin_trim(GiB, order_);
  placement_.finish_trim(std::move(trim), 1);
  balanced();
  EXPECT_LT(placement_.physical(), 26 * MiB);
  EXPECT_GT(placement_.physical(), 10 * MiB) << "what the device did not take is free again";
  trim = placement_.begin_trim(GiB, order_);
  const auto rest = trim.handles.size();
  placement_.finish_trim(std::move(trim), rest);
  balanced();
  EXPECT_EQ(placement_.physical(), 10 * MiB) << "the live block stays";
  release(b);
  EXPECT_EQ(allocate(10 * MiB).how, Served::exact);
  EXPECT_EQ(allocate(20 * MiB).how, Served::grown) << "the holes are room again";
}

TEST_F(PlacementTest, ATrimLeavesWhatMayStillBeInUse) {
  const auto a = allocate(10 * MiB);
  release(a);
  const auto trim = placement_.begin_trim(GiB, other_);
  EXPECT_TRUE(trim.handles.empty());
}

TEST_F(PlacementTest, ATrimFindsHandlesThatSeveralTimelinesFreed) {
  const auto a = allocate(3 * MiB);
  const auto b = allocate(3 * MiB);
  release(a, {1, 2});
  release(b, {2, 2});
  passed_ = {0, 2, 2};
  auto trim = placement_.begin_trim(GiB, order_);
  EXPECT_EQ(trim.handles.size(), placement_.physical() / (2 * MiB));
  const auto handles = trim.handles.size();
  placement_.finish_trim(std::move(trim), handles - 1);
  balanced();
  EXPECT_EQ(placement_.physical(), 2 * MiB);
}

TEST_F(PlacementTest, ATrimNamesTheWindowsThatShowWhatGoes) {
  const auto blocks = comb(10 * MiB);
  const auto stitched = allocate(20 * MiB);
  const auto busy = comb(10 * MiB);
  const auto in_use = allocate(20 * MiB);
  EXPECT_EQ(in_use.how, Served::stitched);
  Window* idle = stitched.block->live.window;
  release(stitched);
  passed_[1] = clock_;
  // The bytes of a window in use are live; its live block is not to be taken apart.
  auto trim = placement_.begin_trim(GiB, order_);
  EXPECT_EQ(trim.windows, std::vector<Window*>{idle});
  for (Window* window : trim.windows) placement_.forget(window);
  const auto handles = trim.handles.size();
  EXPECT_GT(handles, 0U);
  placement_.finish_trim(std::move(trim), handles);
  balanced();
  EXPECT_EQ(placement_.physical(), 60 * MiB) << "what is live of 80";
  EXPECT_EQ(windows().size(), 1U);
  for (const auto& taken : {blocks[1], blocks[3], busy[1], busy[3], in_use}) release(taken);
}

TEST_F(PlacementTest, AnIdleGranuleOfSmallRequestsIsTrimmedToo) {
  release(allocate(512));
  passed_[1] = clock_;
  auto trim = placement_.begin_trim(GiB, order_);
  EXPECT_EQ(trim.handles.size(), 1U);
  placement_.finish_trim(std::move(trim), 1);
  EXPECT_EQ(placement_.physical(), 0U);
}

}  // namespace
}  // namespace gmlake::memory
