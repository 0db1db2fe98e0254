// Generated pipelines: their order is a program's that is right without the pool's help, and is no
// more than it says.
#include <gtest/gtest.h>

#include <map>

#include "temporary_file.h"
#include "trace/csv_writer.h"
#include "trace/generate/pipeline.h"
#include "trace/info.h"
#include "trace/reader.h"

namespace gmlake::trace::generate::pipeline_test {
namespace {

Workload workload_of(std::uint64_t streams, std::uint64_t depth) {
  Workload workload;
  workload.shape = *preset("tiny");
  workload.mode = Mode::pipeline;
  workload.iterations = 20;
  workload.lengths = Lengths::random;
  workload.streams = streams;
  workload.depth = depth;
  return workload;
}

Trace trace_of(const Workload& workload) {
  EXPECT_EQ(problem(workload), std::nullopt);
  const TemporaryFile file(".csv");
  CsvWriter writer;
  EXPECT_TRUE(writer.open(file.path()));
  pipeline(workload, writer);
  EXPECT_TRUE(writer.close());
  auto read = read_csv(file.bytes(), {});
  EXPECT_TRUE(read) << read.error();
  return std::move(*read);
}

// By stream, how many of its rows come before: what a stream's next work comes after.
using Clock = std::vector<std::uint64_t>;

// Says of each row of memory what it comes after.
template <typename Visit>
void each_with_clock(const Trace& trace, Visit visit) {
  std::vector<Clock> streams(trace.streams.size(), Clock(trace.streams.size()));
  std::map<std::uint32_t, Clock> events;
  for (const auto& event : trace.events) {
    auto& clock = streams[event.stream];
    if (event.kind() == Kind::wait) {
      const auto& recorded = events.at(event.block);  // never waited for before
      for (std::size_t s = 0; s < clock.size(); ++s) clock[s] = std::max(clock[s], recorded[s]);
      continue;
    }
    ++clock[event.stream];
    if (event.kind() == Kind::record) events[event.block] = clock;
    if (event.of_memory()) visit(event, clock);
  }
}

struct Use {
  std::uint16_t stream = 0;
  std::uint64_t number = 0;  // of the stream's rows
  bool before(const Clock& clock) const { return clock[stream] >= number; }
};

TEST(Pipeline, AConsumerComesAfterItsProducer) {
  for (const std::uint64_t streams : {2U, 5U})
    for (const std::uint64_t depth : {1U, 2U, 3U}) {
      const auto trace = trace_of(workload_of(streams, depth));
      EXPECT_EQ(trace.streams.size(), streams);
      std::vector<Use> made(trace.allocations);
      std::uint64_t elsewhere = 0;
      each_with_clock(trace, [&](const Event& event, const Clock& clock) {
        if (event.kind() == Kind::allocate) {
          made[event.block] = {event.stream, clock[event.stream]};
          return;
        }
        EXPECT_TRUE(made[event.block].before(clock));
        elsewhere += event.stream != made[event.block].stream;
      });
      EXPECT_EQ(elsewhere, 20 * 2 * (streams - 1)) << "two blocks of each item between two stages";
    }
}

// The last free of which the stage that fills a slot again knows nothing is younger than the slot.
TEST(Pipeline, AProducerComesAfterTheSlotWasDrained) {
  constexpr std::uint64_t kDepth = 3;
  const auto trace = trace_of(workload_of(4, kDepth));
  std::map<std::uint16_t, std::vector<std::uint32_t>> made;  // by stream, its blocks
  std::vector<Use> freed(trace.allocations);
  each_with_clock(trace, [&](const Event& event, const Clock& clock) {
    if (event.kind() == Kind::free) {
      freed[event.block] = {event.stream, clock[event.stream]};
      return;
    }
    auto& blocks = made[event.stream];
    blocks.push_back(event.block);
    if (event.stream == 3 || blocks.size() <= 2 * kDepth) return;
    const auto& before = freed[blocks[blocks.size() - 1 - 2 * kDepth]];
    ASSERT_NE(before.number, 0U);
    EXPECT_TRUE(before.before(clock));
  });
}

// With neighbours alone a stage knows nothing of what those further off have just freed.
TEST(Pipeline, InLockstepAllFreesComeBeforeTheNextRound) {
  for (const auto wait_for : {WaitFor::neighbours, WaitFor::round}) {
    auto workload = workload_of(5, 2);
    workload.wait_for = wait_for;
    std::vector<Use> freed;
    std::uint64_t unordered = 0;
    each_with_clock(trace_of(workload), [&](const Event& event, const Clock& clock) {
      if (event.kind() == Kind::free)
        freed.push_back({event.stream, clock[event.stream]});
      else
        for (const auto& use : freed) unordered += !use.before(clock);
    });
    EXPECT_EQ(unordered == 0, wait_for == WaitFor::round);
  }
}

TEST(Pipeline, HoldsAllItsSlotsAtOnce) {
  auto workload = workload_of(6, 3);
  workload.lengths = Lengths::fixed;
  const auto info = summarize(trace_of(workload));
  EXPECT_EQ(info.peak_blocks, 2 * (5 * 3 + 1)) << "and what the last stage hands to nobody";
}

TEST(Pipeline, TakesTwoStreamsOrMoreAndSomeSlots) {
  EXPECT_EQ(problem(workload_of(2, 1)), std::nullopt);
  EXPECT_NE(problem(workload_of(1, 2)), std::nullopt);
  EXPECT_NE(problem(workload_of(2, 0)), std::nullopt);
  EXPECT_NE(problem(workload_of(2, 1025)), std::nullopt);
}

}  // namespace
}  // namespace gmlake::trace::generate::pipeline_test
