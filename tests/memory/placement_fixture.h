// A placement without a device, for tests that make single requests; its books are checked after
// each step.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <set>
#include <utility>
#include <vector>

#include "memory/placement.h"

namespace gmlake::memory {

class PlacementTest : public testing::Test {
 protected:
  // Handles of a granule, so that borders are where a test expects them.
  static PlacementRules plain() {
    PlacementRules rules;
    rules.growth_slack = 0;
    rules.largest_handle = rules.granule;
    return rules;
  }
  explicit PlacementTest(const PlacementRules& rules = plain()) : placement_{rules} {
    placement_.open(64 * GiB);
  }
  void TearDown() override { balanced(); }
  void balanced() {
    const auto wrong = placement_.problem();
    EXPECT_FALSE(wrong) << *wrong;
  }
  // As the pool does it, with a device that never fails.
  Taken allocate(Bytes size) {
    auto taken = placement_.take(size, order_, recall_);
    if (!taken) {
      auto miss = placement_.begin(size, order_, miss_rules_);
      EXPECT_TRUE(miss);
      taken = placement_.finish(std::move(*miss), recall_);
    }
    balanced();
    return taken;
  }
  void release(const Taken& taken) { release(taken, {1, ++clock_}); }
  void release(const Taken& taken, Fence fence) {
    placement_.release(taken.block, fence);
    balanced();
  }
  // Four blocks side by side of which the first and the third are free.
  std::array<Taken, 4> comb(Bytes size) {
    std::array<Taken, 4> blocks;
    for (auto& block : blocks) block = allocate(size);
    release(blocks[0]);
    release(blocks[2]);
    return blocks;
  }
  std::set<const Window*> windows() {
    std::set<const Window*> all;
    placement_.windows().each([&](const Window& window) { all.insert(&window); });
    return all;
  }

  std::vector<std::uint64_t> passed_{0, 0, 0};
  Order order_{1, 1, &passed_};
  const Order other_{2, 2, &passed_};
  MissRules miss_rules_;
  std::uint64_t clock_ = 1;
  Recall recall_;
  Placement placement_;
};

}  // namespace gmlake::memory
