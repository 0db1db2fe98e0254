// PyTorch's snapshots: the initial live set, the choice of the device, and everything that is
// refused.
#include <gmock/gmock.h>

#include "pickled.h"
#include "trace/reader.h"

namespace gmlake::trace::snapshot_reader_test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::string error_of(const std::string& pickle) {
  const auto read = read_snapshot(pickle, {});
  return read ? "no error" : read.error();
}

TEST(SnapshotReader, FindsWhatWasLiveBefore) {
  // 0x1 lives through, 0x2 is freed in the recording, 0x3 is allocated in it and stays, 0x4 is
  // pending.
  const auto blocks = Pickled()
                          .block(0x1, 10, "active_allocated")
                          .block(0x3, 30, "active_allocated")
                          .block(0x4, 40, "active_pending_free")
                          .block(0x5, 50, "inactive")
                          .inner();
  const auto events = Pickled()
                          .event("segment_alloc", 0x1, 100)
                          .event("alloc", 0x3, 30, 0, 70)
                          .event("free_requested", 0x2, 20, 0, 80)
                          .event("free_completed", 0x2, 20, 0, 80)
                          .event("oom", 0, 99)
                          .event("snapshot", 0, 0)
                          .inner();
  const auto read = read_snapshot(snapshot(blocks, {events}), {});
  ASSERT_TRUE(read) << read.error();
  EXPECT_EQ(read->initial_blocks, 3U);
  EXPECT_EQ(read->allocation_failures, 1U);
  ASSERT_EQ(read->events.size(), 5U);
  EXPECT_EQ(read->events[0].bytes, 10U);
  EXPECT_EQ(read->events[1].bytes, 20U);
  EXPECT_EQ(read->events[2].bytes, 40U);
  EXPECT_EQ(read->events[2].time, 0U);
  EXPECT_EQ(read->events[3].bytes, 30U);
  EXPECT_EQ(read->events[3].kind(), Kind::allocate);
  EXPECT_EQ(read->events[4].kind(), Kind::free);
  EXPECT_EQ(read->events[4].block, read->events[1].block);
}

TEST(SnapshotReader, AnAddressUsedTwiceWasLiveBeforeOnlyIfFreedFirst) {
  const auto events = Pickled()
                          .event("free_completed", 0x1, 10)
                          .event("alloc", 0x1, 20)
                          .event("free_completed", 0x1, 20)
                          .inner();
  const auto read = read_snapshot(snapshot("", {events}), {});
  ASSERT_TRUE(read) << read.error();
  EXPECT_EQ(read->initial_blocks, 1U);
  EXPECT_EQ(read->allocations, 2U);
  EXPECT_EQ(read->unknown_frees, 0U);
}

TEST(SnapshotReader, ReadsTheFirstDeviceWithEventsOrTheOneAskedFor) {
  const auto one = Pickled().event("alloc", 0x1, 10).inner();
  const auto two = Pickled().event("alloc", 0x2, 20).event("alloc", 0x3, 30).inner();
  const auto pickle = snapshot("", {"", one, two});
  const auto first = read_snapshot(pickle, {});
  ASSERT_TRUE(first) << first.error();
  EXPECT_EQ(first->device, 1);
  EXPECT_EQ(first->other_devices, 2U);
  const auto second = read_snapshot(pickle, {2});
  ASSERT_TRUE(second) << second.error();
  EXPECT_EQ(second->allocations, 2U);
  EXPECT_THAT(read_snapshot(pickle, {7}).error(), HasSubstr("no event of device 7"));
}

TEST(SnapshotReader, RefusesOtherShapesWithARemedy) {
  EXPECT_THAT(error_of(Pickled().op("](}").op("e").stop()),
              AllOf(HasSubstr("segments of torch.cuda.memory_snapshot() only"),
                    HasSubstr("_record_memory_history")));
  EXPECT_THAT(error_of(Pickled().op("}").stop()), HasSubstr("no memory snapshot"));
  EXPECT_THAT(error_of(snapshot("", {""})), HasSubstr("holds no event"));
  EXPECT_THAT(error_of(snapshot("", {Pickled().op("}").inner()})),
              HasSubstr("event 0: field 'action'"));
  const auto twice = Pickled().event("alloc", 0x1, 10).event("alloc", 0x1, 10).inner();
  EXPECT_THAT(error_of(snapshot("", {twice})), HasSubstr("event 1: allocates 0x1, which is live"));
}

TEST(Pickle, RefusesCodeByName) {
  EXPECT_THAT(error_of(Pickled().op("cos\nsystem\n").stop()),
              AllOf(HasSubstr("byte 2"), HasSubstr("GLOBAL"), HasSubstr("never executed")));
  EXPECT_THAT(error_of(Pickled().text("os").text("system").op("\x93").stop()),
              HasSubstr("STACK_GLOBAL"));
  EXPECT_THAT(error_of(Pickled().op("N)R").stop()), HasSubstr("REDUCE"));
  EXPECT_THAT(error_of(Pickled().op("\xff").stop()), HasSubstr("unknown opcode"));
}

TEST(Pickle, RefusesBrokenPrograms) {
  EXPECT_THAT(error_of(Pickled(1).op("}").stop()), HasSubstr("protocol 1"));
  EXPECT_THAT(error_of(Pickled().op("a").stop()), HasSubstr("too few values"));
  EXPECT_THAT(error_of(Pickled().op("u").stop()), HasSubstr("no MARK"));
  EXPECT_THAT(error_of(Pickled().op("](a").stop()), HasSubstr("too few values"));
  EXPECT_THAT(error_of(Pickled().op("]N(Na").stop()), HasSubstr("below a MARK"));
  EXPECT_THAT(error_of(Pickled().op("}(Nu").stop()), HasSubstr("a key without a value"));
  EXPECT_THAT(error_of(Pickled().op("h\x05").stop()), HasSubstr("never remembered"));
  EXPECT_THAT(error_of(Pickled().op("Nr\xff\xff\xff\x7f").stop()),
              HasSubstr("larger than the file"));
  EXPECT_THAT(error_of(Pickled().op("X\xff\xff\xff\xff").stop()), HasSubstr("the file ends here"));
  EXPECT_THAT(error_of(Pickled().op("NN").stop()), HasSubstr("incomplete"));
  EXPECT_THAT(error_of(Pickled().op(std::string(5000, '(')).stop()),
              HasSubstr("nested too deeply"));
  EXPECT_THAT(error_of(Pickled().op("}").inner().insert(0, "\x80\x04")),
              HasSubstr("without the opcode STOP"));
}

TEST(Pickle, AListThatHoldsItselfIsHarmless) {
  EXPECT_THAT(error_of(Pickled().op("]\x94h").op(std::string(1, '\0')).op("a").stop()),
              HasSubstr("segments"));
}

}  // namespace
}  // namespace gmlake::trace::snapshot_reader_test
