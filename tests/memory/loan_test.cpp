// A part of the pool's memory that one stream has for itself.
#include "memory/loan.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace gmlake::memory {
namespace {

constexpr Bytes kStart = 100 * MiB;

Loan lent(Bytes size) {
  Loan loan;
  loan.begin(nullptr, kStart, size, {});
  return loan;
}

TEST(Loan, GivesTheSmallestHoleAtItsLowerEnd) {
  Loan loan = lent(20 * MiB);
  for (const Bytes mib : {4, 2, 6, 8}) ASSERT_TRUE(loan.take(mib * MiB, mib * MiB));
  EXPECT_EQ(loan.free_bytes(), 0U);
  EXPECT_FALSE(loan.take(512, 512));
  ASSERT_TRUE(loan.free(kStart));            // a hole of 4
  ASSERT_TRUE(loan.free(kStart + 6 * MiB));  // one of 6
  EXPECT_EQ(loan.take(5 * MiB, 5 * MiB), kStart + 6 * MiB) << "the other is too small";
  EXPECT_EQ(loan.take(3 * MiB, 3 * MiB), kStart) << "both would do";
  EXPECT_EQ(loan.take(MiB, 1000), kStart + 3 * MiB) << "it fits exactly";
  EXPECT_EQ(loan.free_bytes(), MiB);
}

TEST(Loan, FreesWhatItGaveAndNothingElse) {
  Loan loan = lent(8 * MiB);
  ASSERT_EQ(loan.take(3 * MiB, 3 * MiB - 100), kStart);
  EXPECT_FALSE(loan.free(kStart + MiB)) << "inside a block";
  EXPECT_FALSE(loan.free(kStart + 3 * MiB)) << "free";
  const auto freed = loan.free(kStart);
  ASSERT_TRUE(freed);
  EXPECT_EQ(freed->size, 3 * MiB);
  EXPECT_EQ(freed->asked, 3 * MiB - 100);
  EXPECT_FALSE(loan.free(kStart)) << "twice";
  ASSERT_EQ(loan.parts().size(), 1U) << "joined";
  EXPECT_EQ(loan.parts().front().size, 8 * MiB);
}

// What nobody has used keeps what it was free behind; what was freed since the last stamp, and what
// it has joined, is behind the next.
TEST(Loan, KnowsWhatIsFreeBehindWhat) {
  Loan loan;
  loan.begin(nullptr, kStart, 8 * MiB, {3, 7});
  const auto behind = [&](Bytes at) { return loan.fence_of(loan.part_at(at), 1); };
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(loan.take(2 * MiB, 2 * MiB));
  EXPECT_FALSE(loan.has_fresh());
  EXPECT_EQ(behind(kStart + 6 * MiB).timeline, 3U);
  EXPECT_EQ(behind(kStart + 6 * MiB).value, 7U);
  ASSERT_TRUE(loan.free(kStart));
  EXPECT_TRUE(loan.has_fresh());
  loan.stamp(5);
  EXPECT_FALSE(loan.has_fresh());
  EXPECT_EQ(behind(kStart).timeline, 1U);
  EXPECT_EQ(behind(kStart).value, 5U);
  ASSERT_TRUE(loan.free(kStart + 4 * MiB));
  loan.stamp(6);
  EXPECT_EQ(behind(kStart).value, 5U);
  EXPECT_EQ(behind(kStart + 7 * MiB).value, 6U) << "joined";
  ASSERT_EQ(loan.take(MiB, MiB), kStart) << "of the smaller";
  EXPECT_EQ(behind(kStart + MiB).value, 5U) << "the rest of it is as it was";
}

TEST(Loan, HasABoundedNumberOfParts) {
  Loan loan = lent(GiB);
  std::size_t taken = 0;
  while (loan.take(MiB, MiB)) ++taken;
  EXPECT_EQ(taken, Loan::kMostParts - 1);
  EXPECT_TRUE(loan.free(kStart));
  EXPECT_FALSE(loan.take(512, 512)) << "it would be one part more";
}

TEST(Loan, RandomBlocksKeepEveryInvariant) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  constexpr Bytes kSize = 64 * MiB;
  Loan loan = lent(kSize);
  std::map<Bytes, Bytes> live;
  for (int step = 0; step < 100000; ++step) {
    if (random() % 2 == 0) {
      const Bytes size = 512 * (1 + random() % (8 * MiB / 512));
      if (const auto at = loan.take(size, size)) live[*at] = size;
    } else if (!live.empty()) {
      auto one = live.begin();
      std::advance(one, random() % live.size());
      const auto freed = loan.free(one->first);
      ASSERT_TRUE(freed);
      ASSERT_EQ(freed->size, one->second);
      live.erase(one);
    }
    Bytes at = kStart, free = 0;
    std::size_t blocks = 0;
    bool was_free = false;
    for (const auto& part : loan.parts()) {
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
    }
    ASSERT_EQ(at, kStart + kSize);
    ASSERT_EQ(free, loan.free_bytes());
    ASSERT_EQ(blocks, live.size());
  }
}

}  // namespace
}  // namespace gmlake::memory
