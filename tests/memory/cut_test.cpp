// Cutting a large handle before a block takes a part of it: which, where, and what is left of it.
#include <gtest/gtest.h>

#include <optional>

#include "memory/placement.h"

namespace gmlake::memory::cut_test {
namespace {

PlacementRules plain() {
  PlacementRules rules;
  rules.growth_slack = 0;
  return rules;
}

class CutTest : public testing::Test {
 protected:
  CutTest() { begin(plain()); }
  void begin(const PlacementRules& rules) {
    placement_.emplace(rules);
    placement_->open(64 * GiB);
  }
  void TearDown() override { balanced(); }
  void balanced() {
    const auto wrong = placement_->problem();
    EXPECT_FALSE(wrong) << *wrong;
  }
  Taken grow(Bytes size) {
    auto miss = placement_->begin(size, order_, {});
    EXPECT_TRUE(miss);
    return placement_->finish(std::move(*miss), *recall_);
  }
  // As the pool does it, with a device that never fails.
  Taken allocate(Bytes size) {
    auto taken = placement_->take(size, order_, *recall_, Coarse::refuse);
    if (!taken) {
      while (auto cut = placement_->begin_cut(size, order_, *recall_)) {
        balanced();
        ++cuts_;
        placement_->finish_cut(std::move(*cut), cut->sizes.size());
        balanced();
      }
      taken = placement_->take(size, order_, *recall_);
    }
    if (!taken) taken = grow(size);
    balanced();
    return taken;
  }
  void release(const Taken& taken) { placement_->release(taken.block, {1, 2}); }
  // What the first request left: free, and its work is over or not.
  void come_and_go(Bytes size, bool over = true) {
    release(grow(size));
    if (over) passed_[1] = 2;
  }
  std::vector<Bytes> handles(Bytes end) const {
    std::vector<Bytes> sizes;
    const auto& home = placement_->home();
    for (Bytes at = 0; at < end; at = home.handle_end(at))
      sizes.push_back(home.handle_end(at) - at);
    return sizes;
  }
  using Sizes = std::vector<Bytes>;

  std::vector<std::uint64_t> passed_{0, 0, 0};
  Order order_{1, 1, &passed_};
  // By itself, so that a test can begin with one that knows nothing.
  std::optional<Recall> recall_{std::in_place};
  int cuts_ = 0;
  std::optional<Placement> placement_;
};

// Every other block goes: all that is free can be stitched.
TEST_F(CutTest, OneEarlyBlockDoesNotSpoilStitching) {
  for (const Bytes size :
       {2 * MiB, 3 * MiB, 5 * MiB, 12 * MiB, 20 * MiB, 31 * MiB, 12 * MiB + 512}) {
    SCOPED_TRACE(size);
    begin(plain());
    recall_.emplace();
    come_and_go(960 * MiB);
    std::vector<Taken> blocks;
    while (placement_->free_bytes() >= size) blocks.push_back(allocate(size));
    EXPECT_EQ(placement_->physical(), 960 * MiB);
    for (std::size_t i = 0; i < blocks.size(); i += 2) release(blocks[i]);
    // A granule at each end of a hole may be shared, and a stitch uses two of these.
    const bool aligned = size % (2 * MiB) == 0;
    const Bytes lost = aligned ? 0 : blocks.size() / 2 * 2 * MiB + 2 * MiB;
    const Bytes most = round_down(placement_->free_bytes() - lost, 2 * MiB);
    MissRules frugal;
    frugal.frugal = true;
    frugal.grow_limit = 0;
    auto miss = placement_->begin(most, order_, frugal);
    ASSERT_TRUE(miss) << "of " << placement_->free_bytes() << " " << most;
    placement_->abandon(std::move(*miss), 0);
  }
}

TEST_F(CutTest, TheBordersAreWhereBlocksOfTheSizeEnd) {
  come_and_go(64 * MiB);
  ASSERT_EQ(handles(64 * MiB), (Sizes{32 * MiB, 32 * MiB}));
  const auto block = allocate(12 * MiB);
  EXPECT_EQ(block.how, Served::split);
  EXPECT_EQ(handles(64 * MiB), (Sizes{12 * MiB, 12 * MiB, 8 * MiB, 32 * MiB}));
  allocate(12 * MiB);
  EXPECT_EQ(cuts_, 1) << "the borders are there";
  // At the end, which keeps more handles whole.
  allocate(12 * MiB);
  EXPECT_EQ(handles(64 * MiB), (Sizes{12 * MiB, 12 * MiB, 8 * MiB, 8 * MiB, 12 * MiB, 12 * MiB}));
}

TEST_F(CutTest, AGranuleThatTwoBlocksShareIsAHandleOfItsOwn) {
  come_and_go(32 * MiB);
  allocate(11 * MiB);
  EXPECT_EQ(handles(32 * MiB), (Sizes{10 * MiB, 2 * MiB, 10 * MiB, 10 * MiB}));
}

TEST_F(CutTest, OfOneThatIsMuchLargerThanTheBlockOnlyALimitedNumberIsMade) {
  auto rules = plain();
  rules.largest_handle = GiB;
  begin(rules);
  come_and_go(GiB);
  allocate(2 * MiB);
  EXPECT_LE(cuts_, 3);
  EXPECT_EQ(placement_->home().handle_end(0), 2 * MiB);
  EXPECT_LE(handles(GiB).size(), 3 * 18U);
}

TEST_F(CutTest, ASmallRequestsGranuleIsCutOutToo) {
  come_and_go(32 * MiB);
  allocate(1000);
  EXPECT_EQ(cuts_, 1);
  EXPECT_EQ(handles(2 * MiB), (Sizes{2 * MiB}));
}

TEST_F(CutTest, NothingIsCutBeforeMemoryComesAndGoes) {
  auto miss = placement_->begin(32 * MiB, order_, {});
  placement_->abandon(std::move(*miss), 1);
  allocate(12 * MiB);
  EXPECT_EQ(cuts_, 0);
}

TEST_F(CutTest, NothingIsCutThatWorkMayStillUse) {
  come_and_go(32 * MiB, false);
  const auto block = allocate(12 * MiB);
  EXPECT_EQ(cuts_, 0);
  EXPECT_EQ(block.how, Served::split);
}

TEST_F(CutTest, NothingIsCutOfWhichAPartIsInUse) {
  come_and_go(32 * MiB, false);
  allocate(12 * MiB);
  passed_[1] = 2;
  allocate(7 * MiB);
  EXPECT_EQ(cuts_, 0);
}

TEST_F(CutTest, APlaceThatIsRecalledIsTakenAsItIs) {
  come_and_go(32 * MiB, false);
  const auto loop = [&] {
    for (const Bytes size : {12 * MiB, 7 * MiB, 9 * MiB}) release(allocate(size));
  };
  loop();
  passed_[1] = 2;
  for (int i = 0; i < 3; ++i) loop();
  EXPECT_EQ(cuts_, 0);
}

TEST_F(CutTest, WhatAWindowShowsIsNotCutUntilItIsForgotten) {
  std::array<Taken, 4> blocks;
  for (auto& block : blocks) block = grow(16 * MiB);
  release(blocks[0]);
  release(blocks[2]);
  MissRules frugal;
  frugal.frugal = true;
  auto miss = placement_->begin(32 * MiB, order_, frugal);
  ASSERT_TRUE(miss);
  const auto stitched = placement_->finish(std::move(*miss), *recall_);
  ASSERT_EQ(stitched.how, Served::stitched);
  Window* window = stitched.block->live.window;
  release(stitched);
  passed_[1] = 2;
  const auto block = allocate(6 * MiB);
  EXPECT_EQ(cuts_, 0);
  release(block);
  placement_->forget(window);
  recall_.emplace();
  allocate(6 * MiB);
  EXPECT_EQ(cuts_, 1);
}

TEST_F(CutTest, WhatAnotherProcessMayHaveIsNeverCut) {
  const auto block = grow(32 * MiB);
  placement_->keep_whole({{block.block->start, 32 * MiB}});
  release(block);
  passed_[1] = 2;
  allocate(12 * MiB);
  EXPECT_EQ(cuts_, 0);
}

TEST_F(CutTest, WhatCouldNotBeMadeAgainIsAbsent) {
  for (const std::size_t made : {0, 1, 2}) {
    SCOPED_TRACE(made);
    begin(plain());
    recall_.emplace();
    come_and_go(32 * MiB);
    auto cut = placement_->begin_cut(12 * MiB, order_, *recall_);
    ASSERT_TRUE(cut);
    EXPECT_FALSE(placement_->take(12 * MiB, order_, *recall_)) << "it is held";
    placement_->finish_cut(std::move(*cut), made);
    balanced();
    EXPECT_EQ(placement_->physical(), made * 12 * MiB);
    EXPECT_EQ(placement_->free_bytes(), made * 12 * MiB);
    EXPECT_EQ(allocate(12 * MiB).how, made == 1   ? Served::exact
                                      : made == 2 ? Served::split
                                                  : Served::grown);
  }
}

TEST_F(CutTest, OneThatStayedIsAsItWas) {
  come_and_go(32 * MiB);
  auto cut = placement_->begin_cut(12 * MiB, order_, *recall_);
  ASSERT_TRUE(cut);
  placement_->finish_cut(std::move(*cut), {});
  balanced();
  EXPECT_EQ(handles(32 * MiB), (Sizes{32 * MiB}));
  EXPECT_EQ(placement_->take(32 * MiB, order_, *recall_).how, Served::exact);
}

TEST_F(CutTest, WithoutStitchingThereIsNoUseForIt) {
  auto rules = plain();
  rules.stitch = false;
  begin(rules);
  come_and_go(32 * MiB);
  allocate(12 * MiB);
  EXPECT_EQ(cuts_, 0);
}

}  // namespace
}  // namespace gmlake::memory::cut_test
