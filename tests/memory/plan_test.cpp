// Where a request goes when no single span holds it. Chunks of 16 bytes keep the cases readable.
#include "memory/plan.h"

#include <gtest/gtest.h>

#include <random>

namespace gmlake::memory {
namespace {

PlanRules rules(bool stitch = true, Bytes limit = 1000, Bytes cheap = 0) {
  return {16, stitch, limit, cheap};
}

void expect_pieces(const std::optional<Plan>& plan, const std::vector<Piece>& pieces, Bytes grow) {
  ASSERT_TRUE(plan);
  ASSERT_EQ(plan->pieces.size(), pieces.size());
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    EXPECT_EQ(plan->pieces[i].start, pieces[i].start);
    EXPECT_EQ(plan->pieces[i].size, pieces[i].size);
  }
  EXPECT_EQ(plan->grow_chunks, grow);
}

TEST(Plan, GrowsWhenThereIsNothing) {
  expect_pieces(plan({}, 0, 40, rules()), {{0, 40}}, 3);
}

TEST(Plan, ExtendsTheFreeTail) {
  expect_pieces(plan({{40, 24}}, 4, 40, rules()), {{40, 40}}, 1);
}

TEST(Plan, StitchesWholeChunksRatherThanGrow) {
  expect_pieces(plan({{0, 32}, {64, 16}, {96, 16}}, 8, 48, rules()), {{0, 32}, {64, 16}}, 0);
}

TEST(Plan, UsesPartialChunksAtBothEnds) {
  // 24..32 reaches back into a chunk, 64..84 ends inside one: 8 + 20 bytes.
  expect_pieces(plan({{24, 8}, {64, 20}}, 6, 28, rules()), {{24, 8}, {64, 16}, {80, 4}}, 0);
}

TEST(Plan, GrowsOnlyTheShortfall) {
  expect_pieces(plan({{0, 32}, {64, 16}}, 6, 64, rules()), {{0, 32}, {96, 16}, {64, 16}}, 1);
}

TEST(Plan, GrowsContiguouslyWhileThatIsCheap) {
  expect_pieces(plan({{0, 32}, {64, 16}}, 6, 48, rules(true, 1000, 9)), {{96, 48}}, 3);
}

TEST(Plan, WithoutStitchingOnlyGrows) {
  expect_pieces(plan({{0, 32}, {64, 16}}, 6, 48, rules(false)), {{96, 48}}, 3);
  EXPECT_FALSE(plan({{0, 32}, {64, 16}}, 6, 48, rules(false, 2)));
}

TEST(Plan, RespectsTheLimit) {
  EXPECT_FALSE(plan({{0, 16}}, 2, 48, rules(true, 1)));
  EXPECT_TRUE(plan({{0, 16}}, 2, 48, rules(true, 2)));
}

// Any plan: pieces add up, are free or new, do not overlap, and only whole chunks meet inside.
TEST(Plan, IsAlwaysMappable) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  int stitched = 0;
  for (int round = 0; round < 20000; ++round) {
    std::vector<memory::Run> runs;
    Bytes at = random() % 20;
    while (runs.size() < random() % 12) {
      runs.push_back({at, 1 + random() % 60});
      at = runs.back().end() + 1 + random() % 30;
    }
    const Bytes chunks =
        runs.empty() ? random() % 3 : round_up(runs.back().end(), 16) / 16 + random() % 2;
    const Bytes size = 1 + random() % 300;
    const auto found = plan(runs, chunks, size,
                            rules(random() % 4 != 0, random() % 2 == 0 ? 1000 : random() % 8,
                                  random() % 2 == 0 ? 0 : chunks + random() % 10));
    if (!found) continue;
    const auto& pieces = found->pieces;
    stitched += pieces.size() > 1 ? 1 : 0;
    Bytes total = 0;
    for (std::size_t i = 0; i < pieces.size(); ++i) {
      const auto& piece = pieces[i];
      total += piece.size;
      ASSERT_GT(piece.size, 0U);
      ASSERT_TRUE(i == 0 || piece.start % 16 == 0) << "round " << round;
      ASSERT_TRUE(i + 1 == pieces.size() || piece.end() % 16 == 0) << "round " << round;
      for (std::size_t j = 0; j < i; ++j)
        ASSERT_TRUE(pieces[j].end() <= piece.start || piece.end() <= pieces[j].start)
            << "round " << round;
      for (Bytes byte = piece.start; byte < piece.end(); ++byte) {
        bool have = byte >= chunks * 16 && byte < (chunks + found->grow_chunks) * 16;
        for (const auto& run : runs) have = have || (byte >= run.start && byte < run.end());
        ASSERT_TRUE(have) << "round " << round << " byte " << byte;
      }
    }
    ASSERT_EQ(total, size);
  }
  EXPECT_GT(stitched, 1000);
}

}  // namespace
}  // namespace gmlake::memory
