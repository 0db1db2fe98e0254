// Free regions by timeline and size, against a plain list of them.
#include "memory/free_index.h"

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <random>
#include <set>

namespace gmlake::memory {
namespace {

const std::vector<std::uint64_t> kPassed{0, 5, 0, 0};
const Order kOn1{1, 1, &kPassed};
const Order kOn2{2, 2, &kPassed};
const Order kHost{0, kNoTimeline, &kPassed};

struct Bench {
  Region* add(Bytes start, Bytes size, Fence fence) {
    auto& region = regions.emplace_back();
    region.start = start;
    region.size = size;
    region.set_fence(fence);
    region.become(State::free);
    index.add(&region);
    listed.push_back(&region);
    return &region;
  }
  void remove(Region* region) {
    index.remove(region);
    std::erase(listed, region);
  }
  // The smallest of one timeline, the lowest of equals.
  Region* best_of(Timeline timeline, Bytes size, const Order& order) const {
    Region* best = nullptr;
    for (Region* r : listed) {
      if (r->fence().timeline != timeline || r->size < size || !order.reusable(r->fence()))
        continue;
      if (!best || r->size < best->size || (r->size == best->size && r->start < best->start))
        best = r;
    }
    return best;
  }
  // What the index promises while no bin holds more than it looks at.
  Region* best(Bytes size, const Order& order) const {
    if (Region* own = best_of(order.prefer, size, order)) return own;
    Region* best = nullptr;
    for (Timeline t = 0; t < kPassed.size(); ++t) {
      Region* other = t == order.prefer ? nullptr : best_of(t, size, order);
      if (other && (!best || other->size < best->size)) best = other;
    }
    return best;
  }

  std::deque<Region> regions;
  std::vector<Region*> listed;
  FreeIndex index;
};

TEST(FreeIndex, RefusedAreTheBytesThatOthersFencesKeepBack) {
  Bench bench;
  bench.add(0, 64 * KiB, {1, 5});         // passed
  bench.add(1 * MiB, 128 * KiB, {1, 6});  // not
  bench.add(2 * MiB, 512, {1, 7});        // nor this
  bench.add(3 * MiB, 256 * KiB, {2, 9});  // its own
  bench.add(4 * MiB, 512 * KiB, {3, 1});  // not passed either
  const auto refused = [&](const Order& order, Bytes least, Bytes most) {
    std::map<Timeline, Bytes> found;
    bench.index.refused(order, least, most, [&](Timeline t, Bytes bytes) { found[t] += bytes; });
    return found;
  };
  using Found = std::map<Timeline, Bytes>;
  EXPECT_EQ(refused(kOn2, 0, GiB), (Found{{1, 128 * KiB + 512}, {3, 512 * KiB}}));
  EXPECT_EQ(refused(kOn2, 1024, GiB), (Found{{1, 128 * KiB}, {3, 512 * KiB}}));
  EXPECT_EQ(refused(kOn2, 256 * KiB, GiB), (Found{{3, 512 * KiB}}));
  EXPECT_EQ(refused(kOn2, 0, 100 * KiB), (Found{{1, 100 * KiB}, {3, 100 * KiB}}));
  EXPECT_EQ(refused(kOn1, 0, GiB), (Found{{2, 256 * KiB}, {3, 512 * KiB}}));
  const std::vector<std::uint64_t> clock{0, 6, 0, 1};
  const Order covered{2, 2, &kPassed, &clock};
  EXPECT_EQ(refused(covered, 0, GiB), (Found{{1, 512}}));
}

TEST(FreeIndex, RefusedRegionsAreShownAsLongAsTheyAreWanted) {
  Bench bench;
  bench.add(0, 512 * KiB, {1, 5});        // passed
  bench.add(1 * MiB, 256 * KiB, {1, 7});  // not
  bench.add(2 * MiB, 128 * KiB, {1, 6});  // nor this
  bench.add(3 * MiB, 64 * KiB, {3, 1});   // nor this
  const auto refused = [&](Bytes least, bool all) {
    std::vector<Bytes> found;
    bench.index.each_refused(kOn2, least, [&](const Region& region) {
      found.push_back(region.size);
      return all;
    });
    return found;
  };
  using Found = std::vector<Bytes>;
  EXPECT_EQ(refused(0, true), (Found{256 * KiB, 128 * KiB, 64 * KiB}));
  EXPECT_EQ(refused(0, false), (Found{256 * KiB, 64 * KiB}));
  EXPECT_EQ(refused(128 * KiB, true), (Found{256 * KiB, 128 * KiB}));
}

TEST(FreeIndex, BestPrefersTheOwnTimelineThenTheSmallest) {
  Bench bench;
  Region* big = bench.add(0, 4096, {2, 1});
  Region* passed = bench.add(8192, 2048, {1, 3});
  Region* pending = bench.add(16384, 1024, {1, 9});
  EXPECT_EQ(bench.index.best(512, kOn2), big)
      << "its own, though a smaller one of timeline 1 has passed";
  EXPECT_EQ(bench.index.best(512, kOn1), pending);
  EXPECT_EQ(bench.index.best(512, kHost), passed) << "9 has not passed, 3 has";
  EXPECT_FALSE(bench.index.best(8192, kOn1));
  EXPECT_EQ(bench.index.best(3000, kOn1), nullptr) << "what is not over on timeline 2 is not given";
}

TEST(FreeIndex, SearchTakesOnlyWhatFits) {
  Bench bench;
  bench.add(512, 4096, {0, 0});
  Region* aligned = bench.add(16384, 8192, {0, 0});
  EXPECT_EQ(bench.index.search(4096, kHost,
                               [](const Region& region) { return region.start % 4096 == 0; }),
            aligned);
}

TEST(FreeIndex, SizesOfOneBinAreToldApart) {
  Bench bench;
  constexpr Bytes kInBin = 10 * MiB;  // the bin reaches 64 KiB further
  Region* more = bench.add(0, kInBin + 1024, {0, 0});
  Region* exact = bench.add(32 * MiB, kInBin + 512, {0, 0});
  Region* less = bench.add(64 * MiB, kInBin, {0, 0});
  EXPECT_EQ(bench.index.best(kInBin + 512, kHost), exact);
  EXPECT_EQ(bench.index.best(kInBin, kHost), less);
  EXPECT_EQ(bench.index.best(kInBin + 1024, kHost), more);
  EXPECT_EQ(bench.index.best(kInBin + 1536, kHost), nullptr);
}

TEST(FreeIndex, TheLargestSizesShareABin) {
  Bench bench;
  Region* vast = bench.add(0, 512 * TiB, {0, 0});
  Region* vaster = bench.add(512 * TiB, 1024 * TiB, {0, 0});
  EXPECT_EQ(bench.index.best(600 * TiB, kHost), vaster);
  EXPECT_EQ(bench.index.best(500 * TiB, kHost), vast);
  EXPECT_EQ(bench.index.largest(), 1024 * TiB);
}

TEST(FreeIndex, ManyUnreusableOnesDoNotHideALargerOneForLong) {
  Bench bench;
  for (Bytes i = 0; i < 100; ++i) bench.add(i * 4 * MiB, 2 * MiB, {2, 1});
  Region* larger = bench.add(GiB, 4 * MiB, {2, 0});
  EXPECT_EQ(bench.index.best(2 * MiB, kHost), larger);
  EXPECT_NE(bench.index.best(2 * MiB, kOn2), larger);
}

Bytes some_size(std::mt19937& random) {
  const Bytes units = random() % 3 == 0 ? 1 + random() % 40 : Bytes{1} << (random() % 20);
  return 512 * (units + random() % 3);
}

Fence some_fence(std::mt19937& random) {
  return {static_cast<Timeline>(random() % 4), random() % 8};
}

Order some_order(std::mt19937& random) {
  const auto timeline = static_cast<Timeline>(random() % 4);
  return {timeline, random() % 3 == 0 ? kNoTimeline : timeline, &kPassed};
}

// Few at a time, so that the bounds on looking never matter: the answers are exact.
TEST(FreeIndex, AgreesWithAList) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 100; ++round) {
    Bench bench;
    for (int step = 0; step < 400; ++step) {
      if (bench.listed.size() >= 16 || (random() % 3 == 0 && !bench.listed.empty()))
        bench.remove(bench.listed[random() % bench.listed.size()]);
      else
        bench.add(static_cast<Bytes>(step) * GiB, some_size(random), some_fence(random));

      const auto order = some_order(random);
      const Bytes size = some_size(random);
      ASSERT_EQ(bench.index.best(size, order), bench.best(size, order)) << "step " << step;

      std::set<const Region*> all, reusable, seen;
      Bytes bytes = 0, largest = 0;
      for (const Region* r : bench.listed) {
        all.insert(r);
        if (order.reusable(r->fence())) reusable.insert(r);
        bytes += r->size;
        largest = std::max(largest, r->size);
      }
      ASSERT_EQ(bench.index.bytes(), bytes);
      ASSERT_EQ(bench.index.largest(), largest);
      bench.index.each([&](const Region& r) { ASSERT_TRUE(seen.insert(&r).second); });
      ASSERT_EQ(seen, all);
      seen.clear();
      bench.index.each_of(order.prefer, [&](const Region& r) {
        ASSERT_EQ(r.fence().timeline, order.prefer);
        seen.insert(&r);
      });
      for (const Region* r : all)
        ASSERT_EQ(seen.count(r) == 1, r->fence().timeline == order.prefer);
      seen.clear();
      bench.index.largest(order, 1000, [&](const Region& r) { seen.insert(&r); });
      ASSERT_EQ(seen, reusable);
    }
  }
}

// Many: what is given fits and may be had, is of the preferred timeline if a region well above the
// size is, and is no more than two bins larger than that one.
TEST(FreeIndex, OfManyTheAnswerIsNearTheBest) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  Bench bench;
  const std::vector<std::uint64_t> all_passed(4, 100);
  for (int step = 0; step < 20000; ++step) {
    if (bench.listed.size() >= 500 || (random() % 3 == 0 && !bench.listed.empty()))
      bench.remove(bench.listed[random() % bench.listed.size()]);
    else
      bench.add(static_cast<Bytes>(step) * GiB, some_size(random), some_fence(random));
    const Order order{static_cast<Timeline>(random() % 4), kNoTimeline, &all_passed};
    const Bytes size = some_size(random);
    const Bytes above = size + size / 64 + 512;
    const Region* found = bench.index.best(size, order);
    const Region* near = bench.best_of(order.prefer, above, order);
    ASSERT_TRUE(!found || found->size >= size) << "step " << step;
    if (!near) continue;
    ASSERT_TRUE(found) << "step " << step;
    ASSERT_EQ(found->fence().timeline, order.prefer);
    ASSERT_LE(found->size, near->size + near->size / 64 + 512);

    std::size_t seen[4] = {};
    bench.index.largest(order, 3, [&](const Region& r) { ++seen[r.fence().timeline]; });
    for (const auto count : seen) ASSERT_LE(count, 3U);
  }
}

// Where there are very many timelines only some are looked at, others by the next request; all of
// them where all else has failed.
TEST(FreeIndex, OfManyTimelinesSomeAreLookedAtInTurn) {
  constexpr Timeline kTimelines = 1000;
  const std::vector<std::uint64_t> passed(kTimelines, 0);
  Bench bench;
  for (Timeline t = 0; t + 1 < kTimelines; ++t) bench.add(t * GiB, 2 * MiB, {t, 1});
  const Region* reusable = bench.add(kTimelines * GiB, 2 * MiB, {kTimelines - 1, 0});
  Order order{kNoTimeline, kNoTimeline, &passed};
  const auto asked = [&] {
    std::size_t count = 0;
    bench.index.each_refused(order, 0, [&](const Region&) { return ++count, false; });
    return count;
  };
  EXPECT_EQ(asked(), FreeIndex::kMostAwaited);
  EXPECT_FALSE(bench.index.best(MiB, order));
  int requests = 1;
  for (; !bench.index.best(MiB, order) && requests < 100; ++requests) bench.index.look_on();
  EXPECT_EQ(bench.index.best(MiB, order), reusable);
  EXPECT_EQ(requests, 1 + 999 / 128);

  bench.index.look_on();
  EXPECT_FALSE(bench.index.best(MiB, order));
  order.everywhere = true;
  EXPECT_EQ(bench.index.best(MiB, order), reusable);
  EXPECT_EQ(asked(), kTimelines - 1);
}

TEST(FreeIndex, LargestVisitsTheLargestOfEachTimeline) {
  Bench bench;
  std::set<const Region*> wanted, seen;
  for (const Timeline t : {0U, 2U})
    for (Bytes i = 1; i <= 20; ++i) {
      Region* region = bench.add(i * GiB, i * MiB, {t, 0});
      if (i > 17) wanted.insert(region);
    }
  bench.index.largest(kHost, 3, [&](const Region& region) { seen.insert(&region); });
  EXPECT_EQ(seen, wanted);
}

}  // namespace
}  // namespace gmlake::memory
