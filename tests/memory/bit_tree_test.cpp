// The set of small integers against std::set, at sizes on both sides of each level's border.
#include "memory/bit_tree.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

namespace gmlake::memory {
namespace {

std::size_t next_of(const std::set<std::size_t>& set, std::size_t i) {
  const auto found = set.lower_bound(i);
  return found == set.end() ? BitTree::kNone : *found;
}
std::size_t previous_of(const std::set<std::size_t>& set, std::size_t i) {
  const auto after = set.upper_bound(i);
  return after == set.begin() ? BitTree::kNone : *std::prev(after);
}

TEST(BitTree, OfNothingHasNoMembers) {
  EXPECT_EQ(BitTree().next(0), BitTree::kNone);
}

TEST(BitTree, FindsNeighboursAcrossLevels) {
  BitTree tree(300000);
  EXPECT_EQ(tree.next(0), BitTree::kNone);
  EXPECT_EQ(tree.previous(299999), BitTree::kNone);
  tree.set(0);
  tree.set(299999);
  EXPECT_EQ(tree.next(1), 299999U);
  EXPECT_EQ(tree.previous(299998), 0U);
  EXPECT_EQ(tree.next(299999), 299999U) << "itself";
  EXPECT_EQ(tree.next(300000), BitTree::kNone) << "one past the end may be asked for";
  tree.clear(299999);
  EXPECT_EQ(tree.next(1), BitTree::kNone);
  EXPECT_TRUE(tree.test(0));
  EXPECT_FALSE(tree.test(299999));
}

TEST(BitTree, AgreesWithASet) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  for (const std::size_t size : {1, 63, 64, 65, 4095, 4096, 4097, 270000}) {
    BitTree tree(size);
    std::set<std::size_t> set;
    for (int step = 0; step < 20000; ++step) {
      // Mostly few members, so that searches cross empty words; sometimes many in one place.
      const std::size_t i = step % 3 == 0 ? std::min(size - 1, std::size_t{random() % 130})
                                          : std::size_t{random()} % size;
      if (set.size() > 60 || random() % 2 == 0) {
        const auto gone = set.empty() || random() % 4 == 0 ? i : next_of(set, i);
        if (gone == BitTree::kNone) continue;
        tree.clear(gone);
        set.erase(gone);
      } else {
        tree.set(i);
        set.insert(i);
      }
      const std::size_t at = std::size_t{random()} % size;
      ASSERT_EQ(tree.test(at), set.count(at) == 1) << "size " << size << " step " << step;
      ASSERT_EQ(tree.next(at), next_of(set, at)) << "size " << size << " step " << step;
      ASSERT_EQ(tree.previous(at), previous_of(set, at)) << "size " << size << " step " << step;
    }
  }
}

}  // namespace
}  // namespace gmlake::memory
