// Free spans: merging, fences, finding; and random operations against a plain array of bytes.
#include "memory/span_set.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace gmlake::memory {
namespace {

const std::vector<std::uint64_t> kPassed{0, 5, 0, 0};
const Order kOn1{1, 1, &kPassed};
const Order kOn2{2, 2, &kPassed};
const Order kHost{0, kNoTimeline, &kPassed};

std::vector<Span> all(const SpanSet& set) {
  std::vector<Span> spans;
  set.each([&](const Span& span) { spans.push_back(span); });
  return spans;
}

TEST(SpanSet, MergesNeighboursOfOneTimelineAndJoinsTheirFences) {
  SpanSet set;
  set.insert(0, 512, {1, 3});
  set.insert(1024, 512, {1, 7});
  set.insert(512, 512, {1, 5});
  ASSERT_EQ(all(set).size(), 1U);
  EXPECT_EQ(all(set)[0].size, 1536U);
  EXPECT_EQ(all(set)[0].fence.value, 7U);
}

TEST(SpanSet, KeepsTimelinesApart) {
  SpanSet set;
  set.insert(0, 512, {1, 3});
  set.insert(512, 512, {2, 1});
  EXPECT_EQ(all(set).size(), 2U);
  EXPECT_TRUE(set.free(0, 1024));
  EXPECT_FALSE(set.holds(0, 1024, kOn1)) << "timeline 2 has not passed 1";
  EXPECT_TRUE(set.holds(0, 1024, kOn2)) << "timeline 1 has passed 3, timeline 2 is its own";
}

TEST(SpanSet, KeepsFencesOfAnUnownedTimelineApartUntilTheyHavePassed) {
  SpanSet set;
  set.insert(0, 512, {1, 3, false});
  set.insert(512, 512, {1, 4, false});
  set.insert(1024, 512, {1, 9, false});
  EXPECT_EQ(all(set).size(), 3U);
  EXPECT_EQ(set.best(512, kHost)->start, 0U)
      << "9 has not passed, which is no matter to the others";
  set.settle(1, 4);
  set.check();
  ASSERT_EQ(all(set).size(), 2U);
  EXPECT_EQ(all(set)[0].size, 1024U);
  set.insert(1536, 512, {1, 9, false});
  EXPECT_EQ(all(set).size(), 2U) << "one batch merges";
}

TEST(SpanSet, HoldsRefusesHolesAndEnds) {
  SpanSet set;
  set.insert(1024, 512, {0, 0});
  set.insert(2048, 512, {0, 0});
  EXPECT_FALSE(set.holds(0, 512, kHost));
  EXPECT_FALSE(set.holds(512, 1024, kHost));
  EXPECT_FALSE(set.holds(1024, 1536, kHost));
  EXPECT_FALSE(set.holds(2560, 512, kHost));
  EXPECT_TRUE(set.holds(2048, 512, kHost));
}

TEST(SpanSet, BestPrefersTheOwnTimelineThenTheSmallest) {
  SpanSet set;
  set.insert(0, 4096, {2, 1});
  set.insert(8192, 2048, {1, 3});
  set.insert(16384, 1024, {1, 9});
  EXPECT_EQ(set.best(512, kOn2)->start, 0U)
      << "its own, though a smaller one of timeline 1 has passed";
  EXPECT_EQ(set.best(512, kOn1)->start, 16384U);
  EXPECT_EQ(set.best(512, kHost)->start, 8192U) << "9 has not passed, 3 has";
  EXPECT_FALSE(set.best(8192, kOn1));
}

TEST(SpanSet, TakeSaysHowTheBytesCameToBeFree) {
  SpanSet set;
  set.insert(0, 512, {1, 0});
  set.insert(1024, 512, {1, 4});
  set.insert(2048, 512, {2, 0});
  EXPECT_EQ(set.take(0, 512, kOn1), Provenance::fresh);
  EXPECT_EQ(set.take(1024, 512, kOn1), Provenance::own);
  set.insert(1024, 512, {1, 4});
  EXPECT_EQ(set.take(1024, 512, kOn2), Provenance::passed);
}

TEST(SpanSet, BestChunkNeedsAWholeAlignedOne) {
  SpanSet set;
  set.insert(512, 4096, {0, 0});
  set.insert(16384 - 512, 4096 + 512, {0, 0});
  EXPECT_EQ(set.best_chunk(4096, kHost), Bytes{16384});
}

TEST(SpanSet, AgreesWithAnArrayOfBytes) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  constexpr Bytes kUnits = 512;
  std::vector<int> owner(kUnits, -1);  // -1: not free; else the timeline
  SpanSet set;
  for (int step = 0; step < 20000; ++step) {
    const Bytes start = random() % kUnits;
    const Bytes most = std::min<Bytes>(kUnits - start, 1 + random() % 32);
    const auto timeline = static_cast<Timeline>(random() % 3);
    Bytes n = 0;
    if (random() % 2 == 0) {
      while (n < most && owner[start + n] == -1) ++n;
      if (n == 0) continue;
      set.insert(start, n, {timeline, 1});
      std::fill_n(owner.begin() + static_cast<std::ptrdiff_t>(start), n,
                  static_cast<int>(timeline));
    } else {
      while (n < most && owner[start + n] != -1) ++n;
      ASSERT_EQ(set.free(start, most), n == most) << "step " << step;
      if (n == 0) continue;
      set.take(start, n, kHost);
      std::fill_n(owner.begin() + static_cast<std::ptrdiff_t>(start), n, -1);
    }
    set.check();
    Bytes free = 0;
    for (const int who : owner) free += who != -1 ? 1 : 0;
    ASSERT_EQ(set.bytes(), free) << "step " << step;
  }
}

}  // namespace
}  // namespace gmlake::memory
