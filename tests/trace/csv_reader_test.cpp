// RMM's allocation log, good and bad.
#include <gmock/gmock.h>

#include "trace/reader.h"

namespace gmlake::trace {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr const char* kHeader = "Thread,Time,Action,Pointer,Size,Stream\n";

Expected<Trace> parse(const std::string& rows, std::optional<int> device = {}) {
  return read_csv(rows, {device});
}

std::string error_of(const std::string& text) {
  const auto read = parse(text);
  return read ? "no error" : read.error();
}

TEST(CsvReader, NumbersBlocksAndStreamsDensely) {
  const auto read = parse(std::string(kHeader) +
                          "7,00:00:01.000250,allocate,0x1000,100,0x5\n"
                          "7,00:00:01.000300,allocate,0x2000,200,0\n"
                          "8,00:01:00.5,free,0x1000,100,0x5\n"
                          "7,01:00:00,allocate,0x1000,300,0x5\n");
  ASSERT_TRUE(read) << read.error();
  EXPECT_EQ(read->allocations, 3U);
  EXPECT_THAT(read->streams, ElementsAre(5, 0));
  EXPECT_THAT(read->threads, ElementsAre(7, 8));
  ASSERT_EQ(read->events.size(), 4U);
  EXPECT_EQ(read->events[0].time, 1'000'250U);
  EXPECT_EQ(read->events[2].time, 60'500'000U);
  EXPECT_EQ(read->events[3].time, 3'600'000'000U);
  EXPECT_EQ(read->events[2].kind(), Kind::free);
  EXPECT_EQ(read->events[2].block, 0U);
  EXPECT_EQ(read->events[2].bytes, 100U);
  EXPECT_EQ(read->events[3].block, 2U);
}

// CU_STREAM_PER_THREAD is one name and many streams: what one thread freed there another may not
// take as if it came after.
TEST(CsvReader, ThePerThreadStreamIsEachThreadsOwn) {
  const auto read = parse(std::string(kHeader) +
                          "7,0,allocate,0x1000,100,0x2\n"
                          "8,0,allocate,0x2000,100,2\n"
                          "7,0,record,0x1,0,2\n"
                          "8,0,free,0x1000,100,0x2\n");
  ASSERT_TRUE(read) << read.error();
  EXPECT_THAT(read->streams, ElementsAre(kPerThread, kPerThread));
  EXPECT_THAT(read->stream_threads, ElementsAre(testing::Pair(0U, 7U), testing::Pair(1U, 8U)));
  EXPECT_EQ(read->events[0].stream, 0U);
  EXPECT_EQ(read->events[1].stream, 1U);
  EXPECT_EQ(read->events[2].stream, 0U);
  EXPECT_EQ(read->events[3].stream, 1U);
}

TEST(CsvReader, TakesColumnsByName) {
  const auto read = parse(
      "Extra,Stream,Size,\"Pointer\",Action,Time,Thread\r\n"
      "x,5,64,0xab,allocate,12.5,1\r\n"
      "\r\n"
      "y,5,64,AB,free,13,1\r\n");
  ASSERT_TRUE(read) << read.error();
  EXPECT_EQ(read->events.size(), 2U);
  EXPECT_EQ(read->events[0].time, 12'500'000U);
  EXPECT_EQ(read->unknown_frees, 0U);
}

TEST(CsvReader, CountsWhatItIgnores) {
  const auto read = parse(std::string(kHeader) +
                          "0,1,free,0x9,8,0\n"
                          "0,1,allocate failure,(nil),8,0\n"
                          "0,1,allocate,(nil),0,(nil)\n"
                          "0,1,allocate,0x1,8,0\n");
  ASSERT_TRUE(read) << read.error();
  EXPECT_EQ(read->events.size(), 1U);
  EXPECT_EQ(read->unknown_frees, 1U);
  EXPECT_EQ(read->allocation_failures, 1U);
}

TEST(CsvReader, ReadsOneDevice) {
  const std::string rows =
      "Thread,Time,Action,Pointer,Size,Stream,Device\n"
      "0,1,allocate,0x1,8,0,3\n"
      "0,1,allocate,0x1,16,0,1\n"
      "0,1,allocate,0x2,8,0,3\n";
  const auto first = parse(rows);
  ASSERT_TRUE(first) << first.error();
  EXPECT_EQ(first->device, 3);
  EXPECT_EQ(first->allocations, 2U);
  EXPECT_EQ(first->other_devices, 1U);
  const auto second = parse(rows, 1);
  ASSERT_TRUE(second) << second.error();
  ASSERT_EQ(second->allocations, 1U);
  EXPECT_EQ(second->events[0].bytes, 16U);
}

TEST(CsvReader, KeepsTheOrderOfStreams) {
  const auto read = parse(std::string(kHeader) +
                          "0,1,wait,0xe1,0,0x2\n"
                          "0,1,allocate,0xe1,8,0x2\n"
                          "0,2,record,0xe0,0,0x2\n"
                          "0,3,free,0xe1,8,0x2\n"
                          "0,4,synchronize,0xe1,0,0x2\n"
                          "0,4,record,(nil),0,0x2\n");
  ASSERT_TRUE(read) << read.error();
  EXPECT_EQ(read->allocations, 1U);
  EXPECT_EQ(read->cuda_events, 2U);
  ASSERT_EQ(read->events.size(), 5U);
  const Kind kinds[] = {Kind::wait, Kind::allocate, Kind::record, Kind::free, Kind::synchronize};
  const std::uint32_t blocks[] = {0, 0, 1, 0, 0};
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(read->events[i].kind(), kinds[i]);
    EXPECT_EQ(read->events[i].block, blocks[i]);
  }
}

TEST(CsvReader, NamesLineAndReason) {
  const std::string good = "0,1,allocate,0x1,8,0\n";
  const auto second = [&](const std::string& row) { return error_of(kHeader + good + row); };
  EXPECT_THAT(second(good), HasSubstr("line 3: allocates 0x1, which is live"));
  EXPECT_THAT(second("0,1,allocate,0x2,8\n"), HasSubstr("line 3: has 5 fields, the header has 6"));
  EXPECT_THAT(second("0,1,grab,0x2,8,0\n"),
              HasSubstr("line 3: Action is 'grab', expected allocate"));
  EXPECT_THAT(second("0,1,free,here,8,0\n"), HasSubstr("Pointer is 'here'"));
  EXPECT_THAT(second("0,1,allocate,0x2,-8,0\n"), HasSubstr("Size is '-8'"));
  EXPECT_THAT(second("0,1,allocate,0x2,99999999999999999999,0\n"), HasSubstr("Size is"));
  EXPECT_THAT(second("0,1,allocate,0x2,8,0x\n"), HasSubstr("Stream is '0x'"));
  EXPECT_THAT(second("0,1:2:3:4,allocate,0x2,8,0\n"), HasSubstr("Time is '1:2:3:4'"));
  EXPECT_THAT(second("0,noon,allocate,0x2,8,0\n"), HasSubstr("Time is 'noon'"));
  EXPECT_THAT(second("one,1,allocate,0x2,8,0\n"), HasSubstr("Thread is 'one'"));
}

TEST(CsvReader, RequiresTheHeader) {
  EXPECT_THAT(error_of("0,1,allocate,0x1,8,0\n"), HasSubstr("line 1: no column 'Action'"));
  EXPECT_THAT(error_of("\n\n"), HasSubstr("expected the header"));
}

}  // namespace
}  // namespace gmlake::trace
