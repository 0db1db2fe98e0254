// The rows of a recording, read back by the reader that replay has.
#include "record/rows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "trace/reader.h"

namespace gmlake::record::rows_test {
namespace {

using record::Action;
using record::Entry;
using record::Lane;
using ::testing::HasSubstr;
using trace::Kind;

Entry of_stream(Action action, std::uint64_t pointer, std::uint64_t amount = 0,
                std::uint64_t stream = 16) {
  Entry entry;
  entry.ticks = record::ticks_now();
  entry.action = action;
  entry.pointer = pointer;
  entry.amount = amount;
  entry.lane = Lane::created;
  entry.stream = stream;
  entry.handle = 0x1000 + stream;
  entry.thread = 7;
  return entry;
}
Entry of_host(Action action, std::uint64_t pointer, std::uint64_t amount = 0,
              std::uint64_t context = 0xc0) {
  auto entry = of_stream(action, pointer, amount);
  entry.lane = Lane::host;
  entry.stream = 0;
  entry.handle = context;
  return entry;
}

trace::Trace read(const std::string& text) {
  auto read = trace::read_csv(text, {});
  EXPECT_TRUE(read) << read.error() << "\n" << text;
  return read ? *read : trace::Trace{};
}

class RowsTest : public ::testing::Test {
 protected:
  RowsTest() : rows("1 2 test") { rows.begin(text); }
  void add(const Entry& entry) {
    rows.go_on();
    rows.add(entry, text);
  }

  record::Rows rows;
  std::string text;
};

TEST_F(RowsTest, AreReadAsWhatHappened) {
  add(of_stream(Action::allocate, 0x7000, 4096));
  add(of_stream(Action::record, 0xe0));
  add(of_stream(Action::wait, 0xe0, 0, 17));
  add(of_stream(Action::query, 0xe0, 0));
  add(of_stream(Action::query, 0xe0, 1));
  add(of_stream(Action::free, 0x7000, 0, 17));
  add(of_host(Action::allocate, 0x8000, 512));
  add(of_host(Action::synchronize_context, 0, 1));
  add(of_host(Action::failure, 0, 1 << 20));
  const auto trace = read(text);
  std::vector<Kind> kinds;
  for (const auto& event : trace.events) kinds.push_back(event.kind());
  EXPECT_EQ(kinds, (std::vector{Kind::allocate, Kind::record, Kind::wait, Kind::synchronize,
                                Kind::free, Kind::allocate, Kind::complete}));
  EXPECT_EQ(trace.events[4].bytes, 4096U);
  EXPECT_EQ(trace.allocation_failures, 1U);
  EXPECT_THAT(trace.streams, ::testing::ElementsAre(16, 17, trace::kHost));
}

TEST_F(RowsTest, AnEventThatIsGoneIsAnotherOneWhenItsNameComesBack) {
  add(of_stream(Action::record, 0xe0));
  add(of_stream(Action::forget, 0xe0));
  add(of_stream(Action::wait, 0xe0, 0, 17));
  const auto trace = read(text);
  ASSERT_EQ(trace.events.size(), 2U);
  EXPECT_NE(trace.events[0].block, trace.events[1].block);
}

TEST_F(RowsTest, FencesAreOfTheStreamThatTheirHandleStandsFor) {
  Entry fence = of_stream(Action::fence, 0xf0);
  fence.lane = Lane::handle;
  fence.stream = 0;
  add(fence);  // nothing is known of the handle
  add(of_stream(Action::allocate, 0x7000, 4096));
  add(fence);
  add(of_host(Action::fence_pending, 0xf0));
  add(of_host(Action::fence_passed, 0xf0));
  const auto trace = read(text);
  ASSERT_EQ(trace.events.size(), 4U);
  EXPECT_EQ(trace.fences, 1U);
  EXPECT_EQ(trace.events[1].kind(), Kind::fence);
  EXPECT_EQ(trace.events[2].kind(), Kind::asked);
  EXPECT_EQ(trace.events[2].bytes, 0U);
  EXPECT_EQ(trace.events[3].kind(), Kind::asked);
  EXPECT_EQ(trace.events[3].bytes, 1U);
  EXPECT_EQ(trace.streams[trace.events[3].stream], 16U);
}

TEST_F(RowsTest, WhatAMissWentByStandsBeforeIt) {
  add(of_host(Action::pace, 25'000, 12'000));
  add(of_stream(Action::allocate, 0x7000, 4096));
  add(of_host(Action::pace_spent, 26'000, 0));
  add(of_stream(Action::allocate, 0x9000, 4096));
  const auto trace = read(text);
  EXPECT_EQ(trace.events.size(), 2U);
  ASSERT_EQ(trace.paces.size(), 2U);
  const auto &first = trace.paces[0], &second = trace.paces[1];
  EXPECT_EQ(first.before, 0U);
  EXPECT_EQ(first.map_ns, 25'000U);
  EXPECT_EQ(first.create_ns, 12'000U);
  EXPECT_TRUE(first.may_stitch);
  EXPECT_EQ(second.before, 1U);
  EXPECT_EQ(second.map_ns, 26'000U);
  EXPECT_FALSE(second.may_stitch);
}

TEST_F(RowsTest, APartThatBeginsLaterSaysWhatIsLive) {
  add(of_stream(Action::allocate, 0x7000, 4096));
  add(of_stream(Action::allocate, 0x8000, 512));
  add(of_stream(Action::free, 0x7000));
  std::string later;
  rows.begin(later);
  const auto after = rows.live();
  rows.add(of_stream(Action::free, 0x8000), later);
  const auto trace = read(later);
  EXPECT_EQ(after, 1U);
  EXPECT_EQ(trace.initial_blocks, 1U);
  EXPECT_EQ(trace.unknown_frees, 0U);
  EXPECT_EQ(trace.events.size(), 2U);
  // And one behind the other they are one recording.
  const auto all = read(text + later);
  EXPECT_EQ(all.allocations, 2U);
  EXPECT_EQ(all.initial_blocks, 0U);
  EXPECT_EQ(all.unknown_frees, 0U);
}

TEST_F(RowsTest, AFreeThatWasLostIsMadeUpFor) {
  add(of_stream(Action::allocate, 0x7000, 4096));
  rows.lost(12, text);
  add(of_stream(Action::allocate, 0x7000, 512));
  const auto trace = read(text);
  EXPECT_EQ(trace.lost, 12U);
  EXPECT_EQ(trace.events.size(), 3U);
}

TEST_F(RowsTest, AContextTakesWhatCudaMallocGaveThere) {
  add(of_host(Action::allocate, 0x7000, 4096, 0xc1));
  add(of_host(Action::allocate, 0x8000, 512, 0xc2));
  add(of_stream(Action::allocate, 0x9000, 512));
  add(of_host(Action::context_ends, 0xc1));
  EXPECT_EQ(rows.live(), 2U);
  EXPECT_THAT(text, HasSubstr("free,0x7000,4096,host"));
}

TEST_F(RowsTest, ACallerIsAPlaceInAnObject) {
  auto entry = of_stream(Action::allocate, 0x7000, 4096);
  entry.caller = reinterpret_cast<std::uintptr_t>(&of_host);
  add(entry);
  EXPECT_THAT(text, ::testing::ContainsRegex("module,0x[0-9a-f]+,[0-9]+,0,0,.*record_test"));
  EXPECT_THAT(text, ::testing::ContainsRegex("allocate,0x7000,4096,0x10,0,0\\+0x[0-9a-f]+\n"));
}

}  // namespace
}  // namespace gmlake::record::rows_test
