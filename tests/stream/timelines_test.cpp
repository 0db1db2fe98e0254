// Batches of frees and what is known of them.
#include "stream/timelines.h"

#include <gtest/gtest.h>

namespace gmlake::stream::timelines_test {
namespace {

void* const kContext = reinterpret_cast<void*>(0x100);
void* const kStream = reinterpret_cast<void*>(0x200);
void* const kOther = reinterpret_cast<void*>(0x300);

TEST(Timelines, OnePerStreamIdAndOnePerContext) {
  Timelines lines;
  const auto a = lines.of_stream(1, kStream, kContext, false);
  EXPECT_EQ(lines.of_stream(1, kStream, kContext, false), a);
  EXPECT_NE(lines.of_stream(2, kStream, kContext, false), a)
      << "the handle was recycled, the id was not";
  EXPECT_EQ(lines.of_context(kContext), lines.of_context(kContext));
  EXPECT_EQ(lines.size(), 3U);
}

TEST(Timelines, ABatchEndsWhenItIsClosed) {
  Timelines lines;
  const auto a = lines.of_stream(1, kStream, kContext, false);
  EXPECT_FALSE(lines.open_has_frees(a));
  const auto first = lines.free_on(a);
  EXPECT_EQ(lines.free_on(a), first) << "one batch";
  EXPECT_TRUE(lines.open_has_frees(a));
  const auto batch = lines.close(a);
  EXPECT_EQ(batch.value, first);
  EXPECT_FALSE(lines.open_has_frees(a));
  EXPECT_GT(lines.free_on(a), first);
  EXPECT_LT(lines.all_passed()[a], first);
  lines.advance(a, first);
  EXPECT_EQ(lines.all_passed()[a], first);
  lines.advance(a, first - 1);
  EXPECT_EQ(lines.all_passed()[a], first) << "knowledge does not shrink";
}

TEST(Timelines, ACutPartsFreesButDoesNotFollowThem) {
  Timelines lines;
  const auto a = lines.of_stream(1, kStream, kContext, false);
  EXPECT_LE(lines.cut(a), lines.all_passed()[a]) << "nothing was freed";
  const auto first = lines.free_on(a);
  EXPECT_EQ(lines.cut(a), first);
  EXPECT_EQ(lines.cut(a), first) << "nothing since";
  EXPECT_TRUE(lines.open_has_frees(a)) << "no event of ours follows them";
  const auto second = lines.free_on(a);
  EXPECT_GT(second, first);
  lines.advance(a, first);
  EXPECT_TRUE(lines.open_has_frees(a)) << "the second";
  lines.cut(a);
  lines.advance(a, second);
  EXPECT_FALSE(lines.open_has_frees(a)) << "no event is needed any more";
  EXPECT_GT(lines.free_on(a), second);
}

TEST(Timelines, AnEventIsOfNoMoreThanTheFreesBeforeIt) {
  Timelines lines;
  const auto a = lines.of_stream(1, kStream, kContext, false);
  (void)lines.free_on(a);
  const auto programs = lines.cut(a);
  EXPECT_EQ(lines.close(a).value, programs);
  EXPECT_GT(lines.free_on(a), programs);
}

TEST(Timelines, AFailedRecordLeavesTheFreesToTheNextBatch) {
  Timelines lines;
  const auto a = lines.of_stream(1, kStream, kContext, false);
  (void)lines.free_on(a);
  const auto batch = lines.close(a);
  lines.not_recorded(batch);
  EXPECT_TRUE(lines.open_has_frees(a));
  const auto again = lines.close(a);
  EXPECT_EQ(again.value, batch.value) << "all that no event follows";
  EXPECT_FALSE(lines.open_has_frees(a));
  EXPECT_GT(lines.free_on(a), again.value);
}

TEST(Timelines, StreamsWithoutAUsableHandleAreFollowedByTheirContext) {
  Timelines lines;
  const auto per_thread = lines.of_stream(1, kStream, kContext, true);
  EXPECT_TRUE(lines.close(per_thread).follow.whole_context);
  EXPECT_TRUE(lines.close(lines.of_context(kContext)).follow.whole_context);
  const auto ordinary = lines.of_stream(2, kStream, kContext, false);
  EXPECT_FALSE(lines.close(ordinary).follow.whole_context);
  lines.retire_stream(2);
  EXPECT_TRUE(lines.close(ordinary).follow.whole_context);
  const auto capturing = lines.of_stream(3, kOther, kContext, false);
  lines.retire_handle(kStream);
  EXPECT_FALSE(lines.close(capturing).follow.whole_context);
  lines.retire_handle(kOther);
  EXPECT_TRUE(lines.close(capturing).follow.whole_context);
}

// The call that should have destroyed it failed.
TEST(Timelines, AStreamThatHasNotEndedIsFollowedByItsHandleAgain) {
  Timelines lines;
  const auto per_thread = lines.of_stream(1, kStream, kContext, true);
  const auto ordinary = lines.of_stream(2, kStream, kContext, false);
  const auto capturing = lines.of_stream(3, kOther, kContext, false);
  for (const std::uint64_t id : {1, 2}) {
    lines.ending(id);
    lines.not_ended(id);
  }
  lines.ending(2);
  EXPECT_TRUE(lines.close(ordinary).follow.whole_context) << "for as long as it may end";
  EXPECT_FALSE(lines.ended(ordinary));
  lines.not_ended(2);
  EXPECT_FALSE(lines.close(ordinary).follow.whole_context);
  EXPECT_TRUE(lines.close(per_thread).follow.whole_context);
  lines.ending_handle(kOther);
  EXPECT_TRUE(lines.close(capturing).follow.whole_context);
  lines.handle_not_ended(kOther);
  EXPECT_FALSE(lines.close(capturing).follow.whole_context);
  lines.retire_handle(kOther);
  lines.handle_not_ended(kOther);
  EXPECT_TRUE(lines.close(capturing).follow.whole_context) << "an earlier one of that handle";
}

// Nothing could follow what is freed there now, and nothing has to.
TEST(Timelines, WhatIsFreedOnAStreamOfAGoneContextHasPassed) {
  Timelines lines;
  const auto stream = lines.of_stream(1, kStream, kContext, false);
  lines.free_on(stream);
  lines.forget_context(kContext);
  EXPECT_LE(lines.free_on(stream), lines.all_passed()[stream]);
  EXPECT_FALSE(lines.open_has_frees(stream));
  EXPECT_FALSE(lines.pending(stream));
  EXPECT_EQ(lines.take_over(2, kOther, kContext, false, [](Timeline) { return true; }), stream);
  EXPECT_GT(lines.free_on(stream), lines.all_passed()[stream]);
}

TEST(Timelines, AnEndedStreamsPlaceIsTakenOverOnceNothingIsPending) {
  Timelines lines;
  const auto take_over = [&](std::uint64_t id, bool unused) {
    return lines.take_over(id, kOther, kContext, false, [&](Timeline) { return unused; });
  };
  const auto a = lines.of_stream(1, kStream, kContext, false);
  const auto first = lines.free_on(a);
  EXPECT_FALSE(take_over(2, true)) << "alive";
  lines.retire_stream(1);
  EXPECT_FALSE(take_over(2, true)) << "its free is not followed";
  const auto batch = lines.close(a);
  EXPECT_FALSE(take_over(2, true)) << "nor passed";
  lines.advance(a, batch.value);
  EXPECT_FALSE(take_over(2, false)) << "somebody knows it";
  EXPECT_EQ(take_over(2, true), a);
  EXPECT_FALSE(take_over(3, true)) << "alive again";
  EXPECT_FALSE(lines.known_stream(1));
  EXPECT_EQ(lines.of_stream(2, kOther, kContext, false), a);
  EXPECT_GT(lines.free_on(a), first);
  EXPECT_FALSE(lines.close(a).follow.whole_context);
}

TEST(Timelines, ADeadContextHasNoWorkLeft) {
  Timelines lines;
  const auto a = lines.of_stream(1, kStream, kContext, false);
  const auto value = lines.free_on(a);
  lines.forget_context(kContext);
  EXPECT_GE(lines.all_passed()[a], value);
  EXPECT_FALSE(lines.open_has_frees(a));
}

}  // namespace
}  // namespace gmlake::stream::timelines_test
