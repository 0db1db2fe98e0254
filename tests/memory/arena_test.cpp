// A part of the pool's memory that one stream has for itself.
#include "memory/arena.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace gmlake::memory {
namespace {

constexpr Bytes kStart = 100 * MiB;

Arena lent(Bytes size) {
  Arena arena;
  arena.begin(nullptr, kStart, size, {});
  return arena;
}

TEST(Arena, GivesTheSmallestHoleAtItsLowerEnd) {
  Arena arena = lent(20 * MiB);
  for (const Bytes mib : {4, 2, 6, 8}) ASSERT_TRUE(arena.take(mib * MiB, mib * MiB));
  EXPECT_EQ(arena.free_bytes(), 0U);
  EXPECT_FALSE(arena.take(512, 512));
  ASSERT_TRUE(arena.free(kStart));            // a hole of 4
  ASSERT_TRUE(arena.free(kStart + 6 * MiB));  // one of 6
  EXPECT_EQ(arena.take(5 * MiB, 5 * MiB), kStart + 6 * MiB) << "the other is too small";
  EXPECT_EQ(arena.take(3 * MiB, 3 * MiB), kStart) << "both would do";
  EXPECT_EQ(arena.take(MiB, 1000), kStart + 3 * MiB) << "it fits exactly";
  EXPECT_EQ(arena.free_bytes(), MiB);
}

TEST(Arena, FreesWhatItGaveAndNothingElse) {
  Arena arena = lent(8 * MiB);
  ASSERT_EQ(arena.take(3 * MiB, 3 * MiB - 100), kStart);
  EXPECT_FALSE(arena.free(kStart + MiB)) << "inside a block";
  EXPECT_FALSE(arena.free(kStart + 3 * MiB)) << "free";
  const auto freed = arena.free(kStart);
  ASSERT_TRUE(freed);
  EXPECT_EQ(freed->size, 3 * MiB);
  EXPECT_EQ(freed->asked, 3 * MiB - 100);
  EXPECT_FALSE(arena.free(kStart)) << "twice";
  ASSERT_EQ(arena.parts().size(), 1U) << "joined";
  EXPECT_EQ(arena.parts().front().size, 8 * MiB);
}

// What nobody has used keeps what it was free behind; beside what was used it does not.
TEST(Arena, KnowsWhatWasUsed) {
  Arena arena = lent(8 * MiB);
  ASSERT_TRUE(arena.take(2 * MiB, 2 * MiB));
  EXPECT_FALSE(arena.parts().back().used);
  ASSERT_TRUE(arena.free(kStart));
  EXPECT_TRUE(arena.parts().back().used);
}

TEST(Arena, HasABoundedNumberOfParts) {
  Arena arena = lent(GiB);
  std::size_t taken = 0;
  while (arena.take(MiB, MiB)) ++taken;
  EXPECT_EQ(taken, Arena::kMostParts - 1);
  EXPECT_TRUE(arena.free(kStart));
  EXPECT_FALSE(arena.take(512, 512)) << "it would be one part more";
}

TEST(Arena, RandomBlocksKeepEveryInvariant) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  constexpr Bytes kSize = 64 * MiB;
  Arena arena = lent(kSize);
  std::map<Bytes, Bytes> live;
  for (int step = 0; step < 100000; ++step) {
    if (random() % 2 == 0) {
      const Bytes size = 512 * (1 + random() % (8 * MiB / 512));
      if (const auto at = arena.take(size, size)) live[*at] = size;
    } else if (!live.empty()) {
      auto one = live.begin();
      std::advance(one, random() % live.size());
      const auto freed = arena.free(one->first);
      ASSERT_TRUE(freed);
      ASSERT_EQ(freed->size, one->second);
      live.erase(one);
    }
    Bytes at = kStart, free = 0;
    std::size_t blocks = 0;
    bool was_free = false;
    for (const auto& part : arena.parts()) {
      ASSERT_EQ(part.start, at);
      at += part.size;
      const bool is_free = part.asked == 0;
      ASSERT_FALSE(is_free && was_free) << "free neighbours";
      was_free = is_free;
      if (is_free) {
        free += part.size;
        continue;
      }
      ++blocks;
      ASSERT_EQ(live.at(part.start), part.size);
      ASSERT_TRUE(part.used);
    }
    ASSERT_EQ(at, kStart + kSize);
    ASSERT_EQ(free, arena.free_bytes());
    ASSERT_EQ(blocks, live.size());
  }
}

}  // namespace
}  // namespace gmlake::memory
