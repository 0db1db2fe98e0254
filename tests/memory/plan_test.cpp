// Where a request goes when no single free region holds it. Granules of 16 bytes keep the cases
// readable.
#include "memory/plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>

namespace gmlake::memory::plan_test {
namespace {

constexpr Bytes kGranule = 16;
using Runs = std::vector<Run>;  // in a test, Run alone is a function of GoogleTest

// Handles of one granule each.
Run small_handles(Bytes start, Bytes size) {
  return {start, size, round_up(start, kGranule), round_down(start + size, kGranule)};
}
Runs small_handles(std::initializer_list<Piece> runs) {
  Runs out;
  for (const auto& run : runs) out.push_back(small_handles(run.start, run.size));
  return out;
}
// Handles that meet at these borders.
Run between(const std::set<Bytes>& borders, Bytes start, Bytes size) {
  return {start, size, *borders.lower_bound(start), *std::prev(borders.upper_bound(start + size))};
}

PlanRules rules() {
  PlanRules rules;
  rules.granule = rules.mean_handle = rules.new_handle = kGranule;
  rules.border_down = [](Bytes at) { return round_down(at, kGranule); };
  return rules;
}
PlanRules without_stitching() {
  auto all = rules();
  all.may_stitch = false;
  return all;
}
PlanRules limited(Bytes grow_limit) {
  auto all = rules();
  all.grow_limit = grow_limit;
  return all;
}

// All memory lies below `end`, and nothing above it.
std::optional<Plan> plan_below(Bytes end, const Runs& runs, Bytes size, PlanRules rules) {
  rules.physical = end;
  return plan(runs, {end, 1 << 20}, size, rules);
}

void expect_pieces(const std::optional<Plan>& plan, const std::vector<Piece>& pieces, Bytes grow) {
  ASSERT_TRUE(plan);
  ASSERT_EQ(plan->pieces.size(), pieces.size());
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    EXPECT_EQ(plan->pieces[i].start, pieces[i].start);
    EXPECT_EQ(plan->pieces[i].size, pieces[i].size);
  }
  EXPECT_EQ(plan->grow, grow);
}

TEST(Plan, GrowsWhenThereIsNothing) {
  expect_pieces(plan_below(0, {}, 40, rules()), {{0, 40}}, 48);
}

TEST(Plan, TakesTheSmallestRunThatHoldsItWhole) {
  const auto runs = small_handles({{0, 64}, {80, 40}, {128, 32}});
  expect_pieces(plan_below(160, runs, 40, rules()), {{80, 40}}, 0);
  expect_pieces(plan_below(160, runs, 40, without_stitching()), {{80, 40}}, 0);
}

TEST(Plan, ExtendsTheFreeTail) {
  expect_pieces(plan_below(64, small_handles({{40, 24}}), 40, rules()), {{40, 40}}, 16);
}

TEST(Plan, StitchesWholeHandlesRatherThanGrow) {
  expect_pieces(plan_below(128, small_handles({{0, 32}, {64, 16}, {96, 16}}), 48, rules()),
                {{0, 32}, {64, 16}}, 0);
}

TEST(Plan, UsesPartialHandlesAtBothEnds) {
  // 24..32 reaches back into a handle, 64..84 ends inside one: 8 + 20 bytes.
  expect_pieces(plan_below(96, small_handles({{24, 8}, {64, 20}}), 28, rules()),
                {{24, 8}, {64, 20}}, 0);
}

TEST(Plan, UsesPartialHandlesBeforeItBreaksAWholeOne) {
  // The whole handles alone would do; without one of them the rest is worth more.
  const auto runs = small_handles({{24, 8}, {48, 32}, {96, 6}});
  expect_pieces(plan_below(128, runs, 46, rules()), {{24, 8}, {48, 32}, {96, 6}}, 0);
}

TEST(Plan, OfThePartialHandlesThePairThatFitsBestIsTaken) {
  const auto runs = small_handles({{4, 12}, {24, 8}, {48, 32}, {96, 4}, {112, 10}});
  // 12 bytes beside a whole handle: 8 and 4 rather than any more.
  expect_pieces(plan_below(128, runs, 44, rules()), {{24, 8}, {48, 32}, {96, 4}}, 0);
  // 18 of them: one whole handle less, and 8 and 10.
  expect_pieces(plan_below(128, runs, 34, rules()), {{24, 8}, {48, 16}, {112, 10}}, 0);
}

TEST(Plan, EndsTheWholePartAtAHandlesBorder) {
  // A handle of two granules can not be cut before the tail: it is broken instead.
  auto large = rules();
  large.border_down = [](Bytes at) { return at < 80 ? round_down(at, 32) : round_down(at, 16); };
  const Runs runs{{32, 32, 32, 64}, {96, 6, 96, 96}};
  expect_pieces(plan_below(128, runs, 22, large), {{32, 22}}, 0);
  expect_pieces(plan_below(128, runs, 38, large), {{32, 32}, {96, 6}}, 0);
}

TEST(Plan, GrowsOnlyTheShortfall) {
  expect_pieces(plan_below(96, small_handles({{0, 32}, {64, 16}}), 64, rules()),
                {{0, 32}, {96, 16}, {64, 16}}, 16);
}

TEST(Plan, GrowsContiguouslyWhileThatIsCheap) {
  auto cheap = rules();
  cheap.cheap_physical = 144;
  const auto runs = small_handles({{0, 32}, {64, 16}});
  expect_pieces(plan_below(96, runs, 48, cheap), {{96, 48}}, 48);
  cheap.cheap_physical = 143;
  expect_pieces(plan_below(96, runs, 48, cheap), {{0, 32}, {64, 16}}, 0);
}

TEST(Plan, WithoutStitchingOnlyGrows) {
  const auto runs = small_handles({{0, 32}, {64, 16}});
  auto only = without_stitching();
  expect_pieces(plan_below(96, runs, 48, only), {{96, 48}}, 48);
  only.grow_limit = 47;
  EXPECT_FALSE(plan_below(96, runs, 48, only));
}

TEST(Plan, RespectsTheLimit) {
  const auto runs = small_handles({{0, 16}});
  EXPECT_FALSE(plan_below(32, runs, 48, limited(31)));
  expect_pieces(plan_below(32, runs, 48, limited(32)), {{32, 32}, {0, 16}}, 32);
}

TEST(Plan, RespectsTheRoom) {
  // A hole of two granules between free bytes: it is filled, and not more than filled.
  const auto runs = small_handles({{0, 32}, {80, 16}});
  auto cheap = rules();
  cheap.cheap_physical = 1000;
  expect_pieces(plan(runs, {32, 32}, 64, cheap), {{0, 64}}, 32);
  expect_pieces(plan(runs, {32, 16}, 64, cheap), {{0, 48}, {80, 16}}, 16);
  EXPECT_FALSE(plan(runs, {32, 16}, 80, cheap));
  EXPECT_FALSE(plan({}, {}, 16, rules())) << "no room at all";
}

TEST(Plan, GrowsRatherThanUseTooManyPieces) {
  const auto runs = small_handles({{0, 16}, {32, 16}, {64, 16}});
  auto few = rules();
  few.max_pieces = 3;
  EXPECT_EQ(plan_below(96, runs, 48, few)->pieces.size(), 3U);
  few.max_pieces = 2;
  expect_pieces(plan_below(96, runs, 48, few), {{96, 48}}, 48);
  few.grow_limit = 32;
  EXPECT_FALSE(plan_below(96, runs, 48, few)) << "the bound holds even when memory is short";
}

TEST(Plan, GrowsWhereAStitchCostsMoreThanItSaves) {
  const auto runs = small_handles({{0, 32}, {64, 16}});
  auto dear = rules();
  dear.map_cost = 100;  // four handles at most: 400
  dear.worth_per_byte = 8;
  expect_pieces(plan_below(96, runs, 48, dear), {{96, 48}}, 48);
  dear.worth_per_byte = 9;
  expect_pieces(plan_below(96, runs, 48, dear), {{0, 32}, {64, 16}}, 0);
  dear.worth_per_byte = 8;
  dear.grow_cost = 20;
  expect_pieces(plan_below(96, runs, 48, dear), {{0, 32}, {64, 16}}, 0);
  dear.grow_cost = 0;
  dear.grow_limit = 32;
  expect_pieces(plan_below(96, runs, 48, dear), {{0, 32}, {64, 16}}, 0);
}

TEST(Plan, FewLargeHandlesAreCheaperToStitchThanManySmall) {
  const auto runs = small_handles({{0, 32}, {64, 16}});
  auto dear = rules();
  dear.map_cost = 100;
  dear.worth_per_byte = 8;
  dear.mean_handle = 48;
  expect_pieces(plan_below(96, runs, 48, dear), {{0, 32}, {64, 16}}, 0);
}

TEST(Plan, PiecesMeetAtTheBordersOfLargeHandlesOnly) {
  const std::set<Bytes> borders{0, 64, 80, 144, 160, 224};
  // 16..64 is the end of a large handle, 96..144 of another: only one of them can be the head.
  const Runs runs{between(borders, 16, 48), between(borders, 96, 48)};
  EXPECT_FALSE(plan_below(224, runs, 64, limited(0)));
  expect_pieces(plan_below(224, runs, 64, limited(16)), {{16, 48}, {224, 16}}, 16);
  // The beginning of a third can end it.
  const Runs more{between(borders, 16, 48), between(borders, 96, 48), between(borders, 160, 32)};
  expect_pieces(plan_below(224, more, 80, limited(0)), {{16, 48}, {160, 32}}, 0);
  // Free bytes without any border are no use to a stitch.
  const Runs inside{{100, 30, 144, 80}, between(borders, 160, 32)};
  EXPECT_FALSE(plan_below(224, inside, 40, limited(0)));
}

// Less than a granule, where a new one is needed.
TEST(Plan, BeginsInTheSmallestFreeEndOfAHandleAndEndsInANewOne) {
  auto packs = rules();
  packs.may_pack = true;
  const auto runs = small_handles({{12, 4}, {25, 7}, {34, 2}});
  expect_pieces(plan_below(64, runs, 10, packs), {{12, 4}, {64, 6}}, 16);
  packs.map_cost = 5;  // each of two
  packs.worth_per_byte = 2;
  expect_pieces(plan_below(64, runs, 10, packs), {{25, 7}, {64, 3}}, 16);
  packs.may_stitch = false;
  expect_pieces(plan_below(64, runs, 10, packs), {{25, 7}, {64, 3}}, 16);
  // Where they take no fewer granules for it.
  expect_pieces(plan_below(64, runs, 26, packs), {{64, 26}}, 32);
  expect_pieces(plan_below(64, runs, 10, rules()), {{64, 10}}, 16);
}

TEST(Plan, PacksNothingWhereThatIsNotNeededOrNotWorthIt) {
  auto packs = rules();
  packs.may_pack = true;
  // It is held, or by two ends, or the end of all memory is beside the new granule.
  expect_pieces(plan_below(64, small_handles({{6, 10}, {25, 7}}), 10, packs), {{6, 10}}, 0);
  expect_pieces(plan_below(64, small_handles({{25, 7}, {48, 3}}), 10, packs), {{25, 7}, {48, 3}},
                0);
  expect_pieces(plan_below(64, small_handles({{25, 7}, {60, 4}}), 10, packs), {{60, 10}}, 16);
  const auto runs = small_handles({{25, 7}});
  packs.map_cost = 7;
  packs.worth_per_byte = 2;
  expect_pieces(plan_below(64, runs, 10, packs), {{25, 7}, {64, 3}}, 16);
  packs.map_cost = 8;
  expect_pieces(plan_below(64, runs, 10, packs), {{64, 10}}, 16);
  packs.map_cost = 0;
  packs.max_pieces = 1;
  expect_pieces(plan_below(64, runs, 10, packs), {{64, 10}}, 16);
  packs.max_pieces = 2;
  packs.grow_limit = 15;
  EXPECT_FALSE(plan_below(64, runs, 10, packs));
}

struct Scene {
  std::set<Bytes> borders;
  Runs runs;
  Room room;
};

// Handles of one to four granules, a hole in them or not, and free runs among them.
Scene scene(std::mt19937& random) {
  Scene scene;
  auto& [borders, runs, room] = scene;
  Bytes at = 0;
  const auto handles = [&, &borders = scene.borders](std::size_t n) {
    borders.insert(at);
    for (; n != 0; --n) borders.insert(at += kGranule * (1 + random() % 4));
  };
  handles(random() % 12);
  const Bytes below = at;
  room = {at, kGranule * (1 + random() % 30)};
  at += room.size;
  if (random() % 2 == 0)
    handles(1 + random() % 8);
  else
    room.size = 1 << 20;
  for (Bytes start = random() % 20; start < at; start = runs.back().end() + 1 + random() % 30) {
    if (start >= below && start < below + room.size) start = below + room.size;
    const Bytes most = start < below ? below - start : at - std::min(at, start);
    if (most == 0) break;
    runs.push_back(between(borders, start, std::min<Bytes>(most, 1 + random() % 80)));
  }
  return scene;
}

// Any plan: pieces add up, are free or new, do not overlap, and only whole handles meet inside; no
// more is created than whole handles fall short of; and there is one if whole handles are enough.
TEST(Plan, IsAlwaysMappable) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  int stitched = 0, refused = 0;
  for (int round = 0; round < 20000; ++round) {
    SCOPED_TRACE(testing::Message() << "round " << round);
    const auto [borders, runs, room] = scene(random);
    auto with = rules();
    with.border_down = [&, &borders = borders](Bytes at) {
      return *std::prev(borders.upper_bound(at));
    };
    with.may_stitch = random() % 4 != 0;
    with.may_pack = random() % 2 == 0;
    if (random() % 2 == 0) with.grow_limit = random() % 200;
    if (random() % 2 == 0) with.cheap_physical = random() % 300;
    if (random() % 4 == 0) with.max_pieces = 1 + random() % 4;
    if (random() % 4 == 0) with.map_cost = 1 + random() % 40;
    const Bytes size = 1 + random() % 300;
    const auto found = plan(runs, room, size, with);

    Bytes whole = 0;
    for (const auto& run : runs) whole += run.whole();
    const Bytes limit = round_down(std::min(with.grow_limit, room.size), kGranule);
    const bool unbounded = with.may_stitch && with.max_pieces == rules().max_pieces;
    if (!found) {
      ++refused;
      ASSERT_TRUE(!unbounded || whole + limit < size);
      continue;
    }
    const auto& pieces = found->pieces;
    ASSERT_EQ(found->grow % kGranule, 0U);
    ASSERT_LE(found->grow, limit);
    ASSERT_TRUE(with.may_stitch || with.may_pack || pieces.size() == 1);
    ASSERT_LE(pieces.size(), std::max<std::size_t>(1, with.max_pieces));
    if (unbounded && with.map_cost == 0 && with.cheap_physical == 0) {
      ASSERT_LE(found->grow, round_up(size - std::min(size, whole), kGranule));
    }
    stitched += pieces.size() > 1 ? 1 : 0;

    auto meeting = borders;
    meeting.insert(room.start);
    meeting.insert(room.start + found->grow);
    Bytes total = 0;
    for (std::size_t i = 0; i < pieces.size(); ++i) {
      const auto& piece = pieces[i];
      total += piece.size;
      ASSERT_GT(piece.size, 0U);
      ASSERT_TRUE(i == 0 || meeting.count(piece.start) == 1);
      ASSERT_TRUE(i + 1 == pieces.size() || meeting.count(piece.end()) == 1);
      for (std::size_t j = 0; j < i; ++j)
        ASSERT_TRUE(pieces[j].end() <= piece.start || piece.end() <= pieces[j].start);
      for (Bytes byte = piece.start; byte < piece.end(); ++byte) {
        bool have = byte >= room.start && byte < room.start + found->grow;
        for (const auto& run : runs) have = have || (byte >= run.start && byte < run.end());
        ASSERT_TRUE(have) << "byte " << byte;
      }
    }
    ASSERT_EQ(total, size);
  }
  EXPECT_GT(stitched, 1000);
  EXPECT_GT(refused, 100);
}

}  // namespace
}  // namespace gmlake::memory::plan_test
