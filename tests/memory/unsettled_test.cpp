// Which regions may join their neighbours, against a plain list of those that are kept apart.
#include "memory/unsettled.h"

#include <gtest/gtest.h>

#include <deque>
#include <random>
#include <set>

namespace gmlake::memory::unsettled_test {
namespace {

constexpr std::uint8_t kBit = 2;

struct Bench {
  Region* add(Fence fence) {
    auto& region = regions.emplace_back();
    enter(&region, fence);
    return &region;
  }
  void enter(Region* region, Fence fence) {
    region->become(State::free);
    region->set_fence(fence);
    region->free_in = kBit;
    unsettled.add(region);
  }
  void leave(Region* region) {
    region->free_in = 0;
    unsettled.remove(region);
    region->become(State::live);
    region->live = {};
  }
  std::set<const Region*> settle(std::size_t most) {
    std::set<const Region*> settled;
    unsettled.settle(most, [&](Region* region) {
      EXPECT_TRUE(settled.insert(region).second) << "twice";
      leave(region);
    });
    return settled;
  }
  std::deque<Region> regions;
  Unsettled unsettled{kBit};
};

TEST(Unsettled, WhatHasPassedSettlesOnce) {
  Bench bench;
  const auto* a = bench.add({3, 5, false});
  const auto* b = bench.add({3, 7, false});
  const auto* other = bench.add({1, 2, false});
  EXPECT_TRUE(bench.settle(10).empty());
  bench.unsettled.passed(3, 6);
  EXPECT_EQ(bench.settle(10), std::set{a});
  EXPECT_TRUE(bench.settle(10).empty());
  bench.unsettled.passed(3, 7);
  bench.unsettled.passed(1, 9);
  EXPECT_EQ(bench.settle(10), (std::set{b, other}));
}

TEST(Unsettled, NoMoreAtOnceThanAskedFor) {
  Bench bench;
  for (int i = 0; i < 10; ++i) bench.add({0, 2, false});
  bench.unsettled.passed(0, 2);
  EXPECT_EQ(bench.settle(4).size(), 4U);
  EXPECT_EQ(bench.settle(4).size(), 4U);
  EXPECT_EQ(bench.settle(4).size(), 2U);
}

TEST(Unsettled, WhatComesBackWithAFenceThatHasPassedIsDue) {
  Bench bench;
  auto* region = bench.add({0, 4, false});
  bench.leave(region);
  bench.unsettled.passed(0, 4);
  bench.enter(region, {0, 3, false});
  EXPECT_EQ(bench.settle(10), std::set<const Region*>{region});
}

// Regions come, go and come back otherwise, as they do where memory is taken and freed again.
TEST(Unsettled, AsAPlainListHasIt) {
  const auto seed = std::random_device()();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  Bench bench;
  std::vector<Region*> idle;
  std::set<Region*> apart;
  constexpr Timeline kTimelines = 3;
  std::vector<std::uint64_t> passed(kTimelines, kSettled), open(kTimelines, kSettled + 2);
  for (int i = 0; i < 200; ++i) idle.push_back(&bench.regions.emplace_back());
  for (int step = 0; step < 20000; ++step) {
    const auto timeline = static_cast<Timeline>(random() % kTimelines);
    const auto what = random() % 8;
    if (what < 4 && !idle.empty()) {
      std::swap(idle[random() % idle.size()], idle.back());
      bench.enter(idle.back(), {timeline, open[timeline] - random() % 2, false});
      apart.insert(idle.back());
      idle.pop_back();
    } else if (what < 6 && !apart.empty()) {
      auto* region = *std::next(apart.begin(), static_cast<long>(random() % apart.size()));
      bench.leave(region);
      apart.erase(region);
      idle.push_back(region);
    } else if (what == 6) {
      ++open[timeline];
    } else {
      passed[timeline] = std::max(passed[timeline], open[timeline] - random() % 2);
      bench.unsettled.passed(timeline, passed[timeline]);
      std::set<const Region*> expected;
      for (auto* region : apart)
        if (region->free.value <= passed[region->timeline]) expected.insert(region);
      ASSERT_EQ(bench.settle(~std::size_t{0}), expected);
      for (auto* region : std::set(apart))
        if (expected.count(region) != 0) apart.erase(region), idle.push_back(region);
    }
  }
}

}  // namespace
}  // namespace gmlake::memory::unsettled_test
