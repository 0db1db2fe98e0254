// The chain of regions: merging by fences, handles and their borders, granules given to small
// requests and back; and random operations against a plain array.
#include "memory/home.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace gmlake::memory::home_test {
namespace {

constexpr Bytes kGranule = 2 * MiB;
const std::vector<std::uint64_t> kPassed{0, 5, 0, 0};
const Order kOn1{1, 1, &kPassed};
const Order kOn2{2, 2, &kPassed};
const Order kHost{0, kNoTimeline, &kPassed};
const auto ignore = [](const auto&) {};

std::size_t count_free(const Home& home) {
  std::size_t count = 0;
  home.index(false).each([&](const Region&) { ++count; });
  return count;
}

class HomeTest : public testing::Test {
 protected:
  HomeTest() { home_.open(32 * kGranule); }
  void TearDown() override { balanced(); }
  void balanced() {
    const auto wrong = home_.problem();
    EXPECT_FALSE(wrong) << *wrong;
  }
  // New memory, free behind `fence`.
  void add(Bytes start, Bytes size, Fence fence = {}) {
    home_.set_free(home_.add_handle(start, size), fence);
  }
  Region* take(Bytes start, Bytes size) { return home_.claim(start, size, State::live, ignore); }

  Home home_{kGranule};
};

TEST_F(HomeTest, MergesNeighboursOfOneTimelineAndJoinsTheirFences) {
  add(0, kGranule);
  Region* a = take(0, 512);
  Region* b = take(512, 512);
  Region* c = take(1024, kGranule - 1024);
  home_.set_free(a, {1, 3});
  home_.set_free(c, {1, 7});
  EXPECT_EQ(count_free(home_), 2U);
  const Region* whole = home_.set_free(b, {1, 5});
  EXPECT_EQ(count_free(home_), 1U);
  EXPECT_EQ(whole->size, kGranule);
  EXPECT_EQ(whole->free.value, 7U);
}

TEST_F(HomeTest, KeepsTimelinesApart) {
  add(0, kGranule, {1, 3});
  add(kGranule, kGranule, {2, 1});
  EXPECT_EQ(count_free(home_), 2U);
  EXPECT_FALSE(home_.holds(0, 2 * kGranule, kOn1)) << "timeline 2 has not passed 1";
  EXPECT_TRUE(home_.holds(0, 2 * kGranule, kOn2))
      << "timeline 1 has passed 3, timeline 2 is its own";
}

TEST_F(HomeTest, KeepsFencesOfAnUnownedTimelineApartUntilTheyAreSettled) {
  add(0, kGranule, {1, 3, false});
  add(kGranule, kGranule, {1, 4, false});
  EXPECT_EQ(count_free(home_), 2U);
  add(2 * kGranule, kGranule, {1, 4, false});
  EXPECT_EQ(count_free(home_), 2U) << "one batch merges";
  add(4 * kGranule, kGranule, {1, kSettled, false});
  add(5 * kGranule, kGranule, {1, 0, false});
  EXPECT_EQ(count_free(home_), 3U) << "what is settled merges with what was never used";
  EXPECT_EQ(home_.locate(4 * kGranule)->free.value, kSettled) << "and does not count as unused";
}

TEST_F(HomeTest, HoldsRefusesHolesAndEnds) {
  add(kGranule, kGranule);
  add(3 * kGranule, kGranule);
  EXPECT_FALSE(home_.holds(0, kGranule, kHost));
  EXPECT_FALSE(home_.holds(512, kGranule, kHost));
  EXPECT_FALSE(home_.holds(kGranule, kGranule + 512, kHost));
  EXPECT_TRUE(home_.holds(3 * kGranule, kGranule, kHost));
  EXPECT_TRUE(home_.holds(3 * kGranule + 512, 1024, kHost));
  add(31 * kGranule, kGranule);
  EXPECT_TRUE(home_.holds(31 * kGranule, kGranule, kHost));
  EXPECT_FALSE(home_.holds(31 * kGranule, kGranule + 512, kHost)) << "the end of the range";
  take(kGranule + 512, 512);
  EXPECT_FALSE(home_.holds(kGranule, kGranule, kHost));
}

TEST_F(HomeTest, AClockMakesReusableWhatItCovers) {
  const std::vector<std::uint64_t> clock{0, 0, 4};
  const Order order{1, 1, &kPassed, &clock};
  EXPECT_TRUE(order.reusable({2, 4}));
  EXPECT_FALSE(order.reusable({2, 5}));
  EXPECT_FALSE(order.reusable({3, 1})) << "beyond its end it knows nothing";
  EXPECT_FALSE(kOn1.reusable({2, 4})) << "another's clock";
}

TEST_F(HomeTest, AClaimTellsTheFencesOfAllItTakes) {
  add(0, kGranule, {1, 0});
  add(kGranule, kGranule, {2, 4});
  add(2 * kGranule, kGranule, {1, 9});
  std::vector<Stretch> parts;
  Region* block = home_.claim(kGranule / 2, 2 * kGranule, State::live,
                              [&](const auto& part) { parts.push_back(part); });
  EXPECT_EQ(block->start, kGranule / 2);
  EXPECT_EQ(block->size, 2 * kGranule);
  EXPECT_TRUE(block->is(State::live));
  ASSERT_EQ(parts.size(), 3U);
  EXPECT_EQ(parts[0].start, kGranule / 2);
  EXPECT_EQ(parts[0].size, kGranule / 2);
  EXPECT_EQ(provenance(parts[0].fence, kOn1), Provenance::fresh);
  EXPECT_EQ(parts[1].size, kGranule);
  EXPECT_EQ(parts[1].fence.timeline, 2U);
  const std::vector<std::uint64_t> passed{0, 5, 4, 0}, clock{0, 0, 4};
  EXPECT_EQ(provenance(parts[1].fence, {1, 1, &passed}), Provenance::passed);
  EXPECT_EQ(provenance(parts[1].fence, {1, 1, &kPassed, &clock}), Provenance::proved);
  EXPECT_EQ(parts[2].fence.value, 9U);
  EXPECT_EQ(provenance(parts[2].fence, kOn1), Provenance::in_order);
  EXPECT_EQ(home_.index(false).bytes(), kGranule);
  EXPECT_EQ(home_.locate(0)->size, kGranule / 2);
  EXPECT_EQ(home_.locate(kGranule / 2 * 5)->free.value, 9U) << "the rest keeps its fence";
}

TEST_F(HomeTest, RestorePutsBytesBackWithTheirFences) {
  add(0, kGranule, {1, 3});
  add(kGranule, kGranule, {2, 4});
  std::vector<Stretch> parts;
  Region* held = home_.claim(512, 2 * kGranule - 1024, State::held,
                             [&](const auto& part) { parts.push_back(part); });
  EXPECT_EQ(count_free(home_), 2U);
  home_.restore(held, parts);
  EXPECT_EQ(count_free(home_), 2U) << "each part has joined what it came from";
  EXPECT_EQ(home_.locate(0)->size, kGranule);
  EXPECT_EQ(home_.locate(0)->free.value, 3U);
  EXPECT_EQ(home_.locate(kGranule)->fence().timeline, 2U);
}

TEST_F(HomeTest, JoinMakesOneOfHeldNeighbours) {
  add(0, 2 * kGranule);
  Region* first = home_.claim(0, kGranule, State::held, ignore);
  home_.claim(kGranule, 512, State::held, ignore);
  home_.join(first, kGranule + 512);
  EXPECT_EQ(first->size, kGranule + 512);
  EXPECT_EQ(home_.locate(kGranule), first);
}

TEST_F(HomeTest, BordersAreThoseOfHandles) {
  add(2 * kGranule, 3 * kGranule);
  add(5 * kGranule, kGranule);
  EXPECT_EQ(home_.physical(), 4 * kGranule);
  for (const Bytes at : {2 * kGranule, 2 * kGranule + 1, 5 * kGranule - 1})
    EXPECT_EQ(home_.handle_start(at), 2 * kGranule);
  EXPECT_EQ(home_.handle_end(3 * kGranule), 5 * kGranule);
  EXPECT_EQ(home_.border_up(2 * kGranule), 2 * kGranule);
  EXPECT_EQ(home_.border_up(2 * kGranule + 512), 5 * kGranule);
  EXPECT_EQ(home_.border_up(3 * kGranule), 5 * kGranule) << "a granule inside is no border";
  EXPECT_EQ(home_.border_up(6 * kGranule), 6 * kGranule) << "where memory ends";
  EXPECT_EQ(home_.border_down(6 * kGranule), 6 * kGranule);
  EXPECT_EQ(home_.border_down(5 * kGranule - 512), 2 * kGranule);
  EXPECT_EQ(home_.border_down(5 * kGranule + 512), 5 * kGranule);
  EXPECT_EQ(home_.border_down(32 * kGranule), 32 * kGranule) << "the end of the range";
  EXPECT_EQ(home_.border_up(32 * kGranule), 32 * kGranule);
}

TEST_F(HomeTest, ARemovedHandleLeavesAHoleThatJoinsItsNeighbours) {
  add(0, kGranule);
  add(kGranule, 2 * kGranule);
  add(3 * kGranule, kGranule);
  home_.remove_handle(home_.claim(kGranule, 2 * kGranule, State::held, ignore));
  balanced();
  EXPECT_EQ(home_.physical(), 2 * kGranule);
  EXPECT_FALSE(home_.backed(kGranule));
  EXPECT_TRUE(home_.locate(kGranule)->is(State::absent));
  EXPECT_EQ(home_.locate(kGranule)->size, 2 * kGranule);
  EXPECT_EQ(home_.absent().largest(), 28 * kGranule);
  home_.remove_handle(home_.claim(3 * kGranule, kGranule, State::held, ignore));
  EXPECT_EQ(home_.absent().largest(), 31 * kGranule);
  home_.remove_handle(home_.claim(0, kGranule, State::held, ignore));
  EXPECT_EQ(home_.absent().largest(), 32 * kGranule) << "as it was opened";
  EXPECT_EQ(home_.first()->size, 32 * kGranule);
}

TEST_F(HomeTest, AGranuleIsGivenToSmallRequestsAndTakenBack) {
  add(0, 3 * kGranule, {1, 3});
  home_.give_to_small(kGranule);
  balanced();
  EXPECT_TRUE(home_.is_small(kGranule));
  EXPECT_FALSE(home_.is_small(0));
  EXPECT_EQ(home_.index(true).bytes(), kGranule);
  EXPECT_FALSE(home_.holds(0, 2 * kGranule, kOn1)) << "not for large requests";
  EXPECT_FALSE(home_.holds(kGranule, 512, kOn1));
  home_.take_from_small(kGranule);
  balanced();
  EXPECT_EQ(count_free(home_), 1U) << "it has joined what lies beside it";
  EXPECT_EQ(home_.locate(kGranule)->free.value, 3U);
}

TEST_F(HomeTest, SmallBlocksAreCountedInEveryGranuleTheyTouch) {
  add(0, 2 * kGranule);
  home_.give_to_small(0);
  home_.give_to_small(kGranule);
  std::vector<Bytes> granules;
  const auto note = [&](Bytes granule) { granules.push_back(granule); };
  Region* across = take(kGranule - 512, 1024);
  home_.small_taken(*across, note);
  EXPECT_EQ(granules, (std::vector<Bytes>{0, kGranule})) << "both were empty";
  granules.clear();
  Region* second = take(0, 512);
  home_.small_taken(*second, note);
  EXPECT_TRUE(granules.empty());
  EXPECT_EQ(home_.small_live(0), 2U);
  EXPECT_EQ(home_.small_live(kGranule), 1U);
  balanced();
  home_.set_free(across, {});
  home_.small_freed(kGranule - 512, 1024, note);
  EXPECT_EQ(granules, std::vector<Bytes>{kGranule});
}

// A granule may be as large as a chunk may be configured: it holds more small blocks than 16 bits
// count.
TEST_F(HomeTest, AWalkInStepsGoesOnWhereItWas) {
  std::vector<Bytes> starts;
  Bytes at = 0;
  const auto step = [&](std::size_t most) {
    starts.clear();
    return home_.visit_some(at, most,
                            [&](const Region& region) { starts.push_back(region.start); });
  };
  add(0, 4 * kGranule);
  for (Bytes start = 0; start < 8 * 512; start += 512) take(start, 512);
  EXPECT_TRUE(step(3));
  EXPECT_EQ(starts, (std::vector<Bytes>{0, 512, 1024}));
  EXPECT_EQ(at, 1536U);
  // What it came to has become part of what was there before, and that is shown again.
  for (Bytes start = 1024; start < 2560; start += 512) home_.set_free(home_.locate(start), {});
  EXPECT_TRUE(step(1));
  EXPECT_EQ(starts, std::vector<Bytes>{1024});
  EXPECT_EQ(at, 2560U);
  // And the other way round: another region begins there.
  home_.set_free(home_.locate(2560), {});
  take(2560, 256);
  EXPECT_TRUE(step(2));
  EXPECT_EQ(starts, (std::vector<Bytes>{2560, 2816}));
  EXPECT_FALSE(step(100));
  EXPECT_EQ(at, home_.size());
  EXPECT_EQ(starts.back(), 4 * kGranule) << "the absent rest is the last";
  EXPECT_FALSE(step(100));
  EXPECT_TRUE(starts.empty());
}

TEST(Home, AWalkOfNothing) {
  Bytes at = 0;
  EXPECT_FALSE(Home(kGranule).visit_some(at, 1, [](const Region&) { FAIL(); }));
}

TEST(Home, AHugeGranuleCountsItsSmallBlocks) {
  constexpr Bytes kHuge = 64 * MiB;
  Home home(kHuge);
  home.open(2 * kHuge);
  home.set_free(home.add_handle(0, kHuge), {});
  home.give_to_small(0);
  // Only the count matters: one block stands for all.
  const Region* block = home.claim(0, 512, State::live, ignore);
  int empty = 0;
  for (Bytes at = 0; at < kHuge; at += 512) home.small_taken(*block, [&](Bytes) { ++empty; });
  EXPECT_EQ(empty, 1);
  EXPECT_EQ(home.small_live(0), kHuge / 512);
  EXPECT_TRUE(home.is_small(0));
}

// Units of a quarter granule, each absent, free on one of three timelines, held or live.
TEST(Home, AgreesWithAnArray) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  constexpr Bytes kUnit = kGranule / 4, kUnits = 4 * 32;
  enum : int { kAbsent = -2, kTaken = -1 };  // else: the timeline it is free on
  std::vector<int> units(kUnits, kAbsent);
  std::map<Bytes, Bytes> handles;  // start to size
  std::map<Bytes, Region*> blocks;
  Home home(kGranule);
  home.open(kUnits * kUnit);
  const auto fill = [&](Bytes start, Bytes size, int with) {
    std::fill_n(units.begin() + static_cast<std::ptrdiff_t>(start / kUnit), size / kUnit, with);
  };
  const auto all = [&](Bytes start, Bytes size, auto holds) {
    return std::all_of(units.begin() + static_cast<std::ptrdiff_t>(start / kUnit),
                       units.begin() + static_cast<std::ptrdiff_t>((start + size) / kUnit), holds);
  };
  const auto is_free = [](int unit) { return unit >= 0; };
  const auto some_fence = [&] { return Fence{static_cast<Timeline>(random() % 3), 0}; };
  int removed = 0, restored = 0, moved = 0;
  for (int step = 0; step < 20000; ++step) {
    SCOPED_TRACE(testing::Message() << "step " << step);
    const Bytes start = random() % kUnits * kUnit;
    const Bytes size = std::min((1 + random() % 12) * kUnit, home.size() - start);
    ASSERT_EQ(home.holds(start, size, kHost) != nullptr, all(start, size, is_free));
    switch (random() % 6) {
      case 0: {  // a new handle
        const Bytes at = round_down(start, kGranule), n = round_up(size, kGranule);
        if (at + n > home.size() || !all(at, n, [](int unit) { return unit == kAbsent; })) break;
        const auto fence = some_fence();
        home.set_free(home.add_handle(at, n), fence);
        handles[at] = n;
        fill(at, n, static_cast<int>(fence.timeline));
        break;
      }
      case 1: {  // one goes
        const auto handle = handles.lower_bound(start);
        if (handle == handles.end() || random() % 4 != 0) break;
        const auto [at, n] = *handle;
        if (!all(at, n, is_free)) break;
        home.remove_handle(home.claim(at, n, State::held, ignore));
        fill(at, n, kAbsent);
        handles.erase(handle);
        ++removed;
        break;
      }
      case 2: {  // taken, and put back
        if (!all(start, size, is_free)) break;
        std::vector<Stretch> parts;
        Region* held =
            home.claim(start, size, State::held, [&](const auto& part) { parts.push_back(part); });
        ASSERT_FALSE(home.problem()) << *home.problem();
        home.restore(held, parts);
        ++restored;
        break;
      }
      case 3: {  // to the small requests and back
        const Bytes at = round_down(start, kGranule);
        if (!all(at, kGranule, is_free)) break;
        home.give_to_small(at);
        ASSERT_FALSE(home.problem()) << *home.problem();
        ASSERT_FALSE(home.holds(at, kUnit, kHost));
        home.take_from_small(at);
        ++moved;
        break;
      }
      case 4: {
        if (!all(start, size, is_free)) break;
        blocks[start] = home.claim(start, size, State::live, ignore);
        fill(start, size, kTaken);
        break;
      }
      default: {
        const auto block = blocks.lower_bound(start);
        if (block == blocks.end()) break;
        const auto fence = some_fence();
        ASSERT_EQ(block->second->start, block->first);
        fill(block->first, block->second->size, static_cast<int>(fence.timeline));
        home.set_free(block->second, fence);
        blocks.erase(block);
      }
    }
    ASSERT_FALSE(home.problem()) << *home.problem();
    for (Bytes unit = 0; unit < kUnits; ++unit) {
      const Region* region = home.locate(unit * kUnit);
      const int is = region->is(State::absent) ? kAbsent
                     : region->is(State::free) ? static_cast<int>(region->fence().timeline)
                                               : kTaken;
      ASSERT_EQ(is, units[unit]) << "unit " << unit;
    }
    const auto over = handles.upper_bound(start);
    if (over != handles.begin() && std::prev(over)->first + std::prev(over)->second > start) {
      const auto [at, n] = *std::prev(over);
      ASSERT_EQ(home.border_up(start), at == start ? at : at + n);
      ASSERT_EQ(home.border_down(start), at);
    }
  }
  EXPECT_GT(removed, 100);
  EXPECT_GT(restored, 100);
  EXPECT_GT(moved, 50);
}

}  // namespace
}  // namespace gmlake::memory::home_test
