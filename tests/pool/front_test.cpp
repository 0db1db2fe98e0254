// Whose a block is: the front that it was allocated on.
#include "pool/front.h"

#include <gtest/gtest.h>

namespace gmlake::pool {
namespace {

TEST(Front, OwnsItsLiveBlockAtItsAddressOnly) {
  stats::FrontRecord record;
  Front front(3, false, record);
  memory::Region block;
  block.live = {nullptr, 512, 0, memory::kNoTimeline};
  block.timeline = 3;
  block.become(memory::State::live);
  const Lock own(front.lock);
  EXPECT_TRUE(front.owns(&block, 512));
  EXPECT_FALSE(front.owns(&block, 1024)) << "the record has become another block's";
  block.timeline = 4;
  EXPECT_FALSE(front.owns(&block, 512)) << "another stream's";
  block.timeline = 3;
  block.become(memory::State::parked);
  EXPECT_FALSE(front.owns(&block, 512)) << "freed before";
}

TEST(Fronts, AreFoundByTheirKeyAndByTheirTimeline) {
  Fronts fronts;
  stats::FrontRecord record;
  int contexts[2000];
  for (std::uint64_t i = 0; i < 2000; ++i) {  // more than there are buckets
    const auto key =
        i % 2 == 0 ? Fronts::key_of_stream(i) : Fronts::key_of_context(contexts + i / 2 * 2);
    ASSERT_EQ(fronts.find(key), nullptr);
    Front* front = fronts.add(key, static_cast<stream::Timeline>(i), i % 2 != 0, record);
    fronts.publish(front);
    ASSERT_EQ(fronts.find(key), front);
    ASSERT_EQ(&fronts.of(static_cast<stream::Timeline>(i)), front);
  }
}

}  // namespace
}  // namespace gmlake::pool
