// Into which handles new memory is cut, and how much is made at a time.
#include "memory/placement_fixture.h"

namespace gmlake::memory {
namespace {

class HandlesTest : public PlacementTest {
 protected:
  HandlesTest() : PlacementTest(PlacementRules{}) {}
  // Those that a request of that size would make.
  std::vector<Bytes> handles(Bytes size) {
    auto miss = placement_.begin(size, order_, miss_rules_);
    EXPECT_TRUE(miss);
    auto made = miss->handles;
    placement_.abandon(std::move(*miss), 0);
    balanced();
    return made;
  }
  using Sizes = std::vector<Bytes>;
};

TEST_F(HandlesTest, AreLargeAsLongAsHardlyAnythingWasFreed) {
  EXPECT_EQ(handles(20 * MiB), Sizes{20 * MiB});
  EXPECT_EQ(handles(80 * MiB), (Sizes{32 * MiB, 32 * MiB, 16 * MiB})) << "as there is little";
  allocate(4 * GiB);
  release(allocate(4 * MiB));
  EXPECT_EQ(handles(64 * MiB).front(), 32 * MiB) << "less than a thousandth";
}

TEST_F(HandlesTest, AreA128thOfWhatThereIsWhereThatIsMore) {
  allocate(15 * GiB);
  EXPECT_EQ(handles(GiB).front(), 128 * MiB);
  allocate(40 * GiB);
  EXPECT_EQ(handles(GiB).front(), 256 * MiB) << "the largest there may be";
}

TEST_F(HandlesTest, AreAThousandthOfWhatThereIsOnceMemoryComesAndGoes) {
  allocate(4000 * MiB);
  const auto more = allocate(3000 * MiB);
  release(more);
  allocate(3000 * MiB);
  EXPECT_EQ(handles(12 * MiB), (Sizes{6 * MiB, 6 * MiB}));
}

TEST_F(HandlesTest, OrA125thOfWhatLiesAbove3GiBAndAThirdOfTheBlock) {
  allocate(4000 * MiB);
  release(allocate(1000 * MiB));
  allocate(1000 * MiB);
  EXPECT_EQ(handles(256 * MiB).front(), 16 * MiB) << "2184 MiB lie above";
  EXPECT_EQ(handles(30 * MiB), (Sizes{10 * MiB, 10 * MiB, 10 * MiB}));
}

// What is nearly as large as all the rest is not made of a thousand pieces, each of which every
// stitch would have to map.
TEST_F(HandlesTest, OrA64thOfWhatIsMade) {
  allocate(1000 * MiB);
  release(allocate(100 * MiB));
  allocate(100 * MiB);
  EXPECT_EQ(handles(448 * MiB).front(), 6 * MiB);
  EXPECT_EQ(handles(128 * MiB).front(), 2 * MiB);
}

TEST_F(HandlesTest, OrHalfOfItsShareOfItselfWhereItIsLarge) {
  allocate(1000 * MiB);
  release(allocate(100 * MiB));
  allocate(100 * MiB);
  EXPECT_EQ(handles(600 * MiB).front(), 104 * MiB) << "600 of 1700";
  EXPECT_EQ(handles(3200 * MiB).front(), 256 * MiB) << "the largest there may be";
}

TEST_F(HandlesTest, AGranuleThatIsSharedIsAHandleOfItsOwn) {
  EXPECT_EQ(handles(9 * MiB), (Sizes{8 * MiB, 2 * MiB}));
  EXPECT_EQ(handles(3 * MiB), (Sizes{2 * MiB, 2 * MiB}));
  EXPECT_EQ(handles(1536 * KiB), Sizes{2 * MiB});
  EXPECT_EQ(handles(10 * MiB), Sizes{10 * MiB}) << "nobody will have a part of it";
}

TEST_F(HandlesTest, MoreIsMadeForASizeThatIsAskedForOverAndOver) {
  allocate(2048 * MiB);
  for (int i = 0; i < 17; ++i) {
    EXPECT_EQ(handles(2 * MiB), Sizes{2 * MiB}) << i;
    allocate(2 * MiB);
  }
  EXPECT_EQ(handles(2 * MiB), Sizes{6 * MiB}) << "a granule and a 512th";
  allocate(20 * MiB);
  EXPECT_EQ(handles(2 * MiB), Sizes{2 * MiB}) << "another came between";
}

TEST_F(HandlesTest, MoreIsMadeThanIsLackingUntilMemoryComesAndGoes) {
  const auto all = allocate(16000 * MiB);
  EXPECT_EQ(handles(2 * MiB), Sizes{16 * MiB}) << "a thousandth of what there is";
  EXPECT_EQ(handles(20 * MiB), Sizes{20 * MiB});
  EXPECT_EQ(handles(512), Sizes{16 * MiB}) << "of the small ones too";
  miss_rules_.grow_limit = 5 * MiB;
  EXPECT_EQ(handles(2 * MiB), Sizes{4 * MiB}) << "as far as there is room";
  miss_rules_.frugal = true;
  EXPECT_EQ(handles(2 * MiB), Sizes{2 * MiB});
  miss_rules_ = {};
  release(all);
  auto rest = allocate(15999 * MiB);
  EXPECT_EQ(handles(2 * MiB), Sizes{2 * MiB});
  release(rest);
}

}  // namespace
}  // namespace gmlake::memory
