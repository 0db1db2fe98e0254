// What `gmlake trace info` counts.
#include <gtest/gtest.h>

#include "trace/info.h"
#include "trace/reader.h"

namespace gmlake::trace {
namespace {

TEST(Info, CountsSizesStreamsAndLifetimes) {
  const auto trace = read_csv(
      "Thread,Time,Action,Pointer,Size,Stream\n"
      "0,1,allocate,0x1,1048576,0\n"
      "0,2,allocate,0x2,1048577,5\n"
      "0,3,free,0x2,1048577,5\n"
      "0,4,allocate,0x3,512,5\n"
      "0,5,free,0x1,1048576,0\n",
      {});
  ASSERT_TRUE(trace) << trace.error();
  const auto info = summarize(*trace);
  EXPECT_EQ(info.allocations, 3U);
  EXPECT_EQ(info.frees, 2U);
  EXPECT_EQ(info.small_allocations, 2U);
  EXPECT_EQ(info.peak_live, 2'097'153U);
  EXPECT_EQ(info.peak_blocks, 2U);
  EXPECT_EQ(info.live_at_end, 512U);
  EXPECT_EQ(info.never_freed, 1U);
  EXPECT_EQ(info.duration, 4'000'000U);
  EXPECT_EQ(info.lifetimes.median, 1U);
  EXPECT_EQ(info.lifetimes.longest, 4U);
  ASSERT_EQ(info.sizes.size(), 3U);
  EXPECT_EQ(info.sizes[0].up_to, 512U);
  EXPECT_EQ(info.sizes[1].up_to, MiB);
  EXPECT_EQ(info.sizes[2].up_to, 2 * MiB);
  ASSERT_EQ(info.streams.size(), 2U);
  EXPECT_EQ(info.streams[1].stream, 5U);
  EXPECT_EQ(info.streams[1].bytes, 1'049'089U);
}

TEST(Info, CountsOrder) {
  const auto trace = read_csv(
      "Thread,Time,Action,Pointer,Size,Stream\n"
      "0,1,allocate,0x1,512,5\n"
      "0,1,record,0xe,0,5\n"
      "0,2,wait,0xe,0,6\n"
      "0,2,wait,0xe,0,7\n"
      "0,3,synchronize,0xe,0,5\n"
      "0,3,synchronize,0xe,0,5\n"
      "0,3,synchronize,0xe,0,5\n",
      {});
  ASSERT_TRUE(trace) << trace.error();
  const auto info = summarize(*trace);
  EXPECT_EQ(info.allocations, 1U);
  EXPECT_EQ(info.peak_live, 512U);
  EXPECT_EQ(info.records, 1U);
  EXPECT_EQ(info.waits, 2U);
  EXPECT_EQ(info.synchronizations, 3U);
  ASSERT_EQ(info.streams.size(), 3U);
  EXPECT_EQ(info.streams[0].records, 1U);
  EXPECT_EQ(info.streams[1].waits, 1U);
  EXPECT_NE(info_text("t", *trace, info).find("1 events recorded 1 times"), std::string::npos);
}

TEST(Info, OfNothing) {
  const auto trace = read_csv("Thread,Time,Action,Pointer,Size,Stream\n", {});
  ASSERT_TRUE(trace) << trace.error();
  const auto info = summarize(*trace);
  EXPECT_EQ(info.peak_live, 0U);
  EXPECT_FALSE(info_text("t", *trace, info).empty());
}

}  // namespace
}  // namespace gmlake::trace
