// Which timelines may have something large, and bins by size, against plain sets.
#include "memory/tops.h"

#include <gtest/gtest.h>

#include <array>
#include <deque>
#include <map>
#include <random>
#include <set>

namespace gmlake::memory {
namespace {

TEST(Tops, AgreeWithAList) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  constexpr Timeline kTimelines = 300;
  Tops tops;
  tops.resize(kTimelines);
  std::vector<std::size_t> list(kTimelines, 0);
  for (int step = 0; step < 20000; ++step) {
    const auto timeline = static_cast<Timeline>(random() % kTimelines);
    list[timeline] = random() % 3 == 0 ? 0 : random() % (Bins::kCount + 1);
    tops.set(timeline, list[timeline]);
    const auto bin = random() % Bins::kCount;
    std::vector<Timeline> expected;
    for (Timeline t = 0; t < kTimelines; ++t)
      if (list[t] > bin) expected.push_back(t);
    std::array<Timeline, kTimelines> all;
    ASSERT_EQ(tops.above(bin, all), expected.size());
    ASSERT_TRUE(std::equal(expected.begin(), expected.end(), all.begin()));
    std::array<Timeline, 10> few;
    const auto found = tops.above(bin, few);
    ASSERT_EQ(found, std::min(few.size(), expected.size()));
    ASSERT_TRUE(std::includes(expected.begin(), expected.end(), few.begin(), few.begin() + found));
    if (random() % 4 == 0) tops.look_on();
  }
}

TEST(Tops, WhoLooksOnComesToAllOfThem) {
  constexpr Timeline kTimelines = 1000;
  Tops tops;
  tops.resize(kTimelines);
  for (Timeline t = 0; t < kTimelines; t += 2) tops.set(t, 200);
  for (Timeline t = 1; t < kTimelines; t += 2) tops.set(t, 130);
  std::set<Timeline> seen;
  std::array<Timeline, 64> some;
  for (int request = 0; request < 8; ++request) {
    std::array<Timeline, 64> again;
    const auto found = tops.above(150, some);
    ASSERT_EQ(tops.above(150, again), found);
    ASSERT_EQ(some, again) << "the same for all questions of a request";
    seen.insert(some.begin(), some.begin() + static_cast<std::ptrdiff_t>(found));
    tops.look_on();
  }
  EXPECT_EQ(seen.size(), kTimelines / 2);
}

TEST(Bins, AreFoundUpwardsAndDownwards) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  Bins bins;
  std::deque<Region> regions;
  std::map<std::size_t, std::vector<Region*>> map;
  for (int step = 0; step < 20000; ++step) {
    const auto bin = random() % 8 == 0 ? random() % Bins::kCount : random() % 200;
    if (auto& there = map[bin]; there.empty() || random() % 2 == 0) {
      there.push_back(&regions.emplace_back());
      bins.add(bin, there.back());
    } else {
      const auto which = random() % there.size();
      bins.remove(bin, there[which]);
      there.erase(there.begin() + static_cast<std::ptrdiff_t>(which));
    }
    if (map[bin].empty())
      map.erase(bin);
    else
      ASSERT_EQ(bins.first(bin), map[bin].back()) << "the youngest";
    const auto at = random() % Bins::kCount;
    const auto next = map.lower_bound(at);
    ASSERT_EQ(bins.next(at), next == map.end() ? Bins::kNone : next->first);
    const auto after = map.upper_bound(at);
    ASSERT_EQ(bins.previous(at), after == map.begin() ? Bins::kNone : std::prev(after)->first);
  }
}

}  // namespace
}  // namespace gmlake::memory
