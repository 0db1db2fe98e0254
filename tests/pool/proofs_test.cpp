// Memory freed on one stream and wanted on another: the program's own events and waits, and the
// pool's last resort.
#include <chrono>
#include <thread>

#include "pool/bench.h"

namespace gmlake::pool {
namespace {

void* const kEvent = reinterpret_cast<void*>(0x10);
constexpr Bytes kSize = 8 * MiB;
constexpr Bytes kRoomForTwo = 2 * kSize + 2 * MiB;  // with the head room

struct Streams : Bench {
  using Bench::Bench;
  stream::Recording last = 0;
  FakeDevice::Points recorded_points;

  void record(const Origin& on) {
    const bool seen = pool.recording(kEvent, on, ++last);
    recorded_points = device.given(on.stream);
    if (seen) pool.recorded(kEvent, last, true);
  }
  void wait(const Origin& on) {
    pool.before_work(on);
    const auto number = pool.recording_of(kEvent);
    device.stream_waits(on.stream, recorded_points);
    if (number != 0) pool.waits(on, kEvent, number);
  }
  std::uint64_t order_calls() {
    return device.calls["cuEventRecord"] + device.calls["cuEventQuery"];
  }
};

TEST(Proofs, AWaitForTheFreeingStreamIsEnough) {
  Streams s;
  s.use_and_free(s.get(kSize, on_stream(2)), on_stream(2));
  const auto at = s.get(kSize, on_stream(1));
  s.use_and_free(at, on_stream(1));
  s.record(on_stream(1));
  s.wait(on_stream(2));
  const auto calls = s.order_calls();
  (void)s.get(kSize, on_stream(2));  // its own
  EXPECT_EQ(s.get(kSize, on_stream(2)), at);
  EXPECT_EQ(s.counters().reuse_proved, 1U);
  EXPECT_EQ(s.order_calls(), calls);
}

TEST(Proofs, OnlyWhatWasFreedBeforeTheEvent) {
  Streams s;
  const auto first = s.get(kSize, on_stream(1)), second = s.get(kSize, on_stream(1));
  (void)s.get(kSize, on_stream(2));
  s.use_and_free(first, on_stream(1));
  s.record(on_stream(1));
  s.use_and_free(second, on_stream(1));
  s.wait(on_stream(2));
  EXPECT_NE(s.get(kSize, on_stream(2)), second);
  EXPECT_NE(s.get(kSize, on_stream(2)), second);
}

TEST(Proofs, WithoutTheWaitItIsNotReused) {
  Streams s;
  (void)s.get(kSize, on_stream(2));
  const auto at = s.get(kSize, on_stream(1));
  s.use_and_free(at, on_stream(1));
  s.record(on_stream(1));
  s.wait(on_stream(3));
  EXPECT_NE(s.get(kSize, on_stream(2)), at);
  EXPECT_EQ(s.counters().reuse_proved, 0U);
}

TEST(Proofs, ByWayOfAStreamWithoutMemory) {
  Streams s;
  (void)s.get(kSize, on_stream(2));
  const auto at = s.get(kSize, on_stream(1));
  s.use_and_free(at, on_stream(1));
  s.record(on_stream(1));
  s.wait(on_stream(3));
  s.record(on_stream(3));
  s.wait(on_stream(2));
  EXPECT_EQ(s.get(kSize, on_stream(2)), at);
  EXPECT_EQ(s.counters().reuse_proved, 1U);
}

// A miss asks for what is in its way, and records events for that alone.
TEST(Proofs, NothingIsAskedForThatIsProved) {
  auto config = plain();
  config.stitch_enabled = false;
  Streams s(GiB, config);
  const auto at = s.get(kSize, on_stream(1));
  (void)s.get(kSize, on_stream(2));
  (void)s.get(kSize, on_stream(3));
  s.use_and_free(at, on_stream(1));
  s.record(on_stream(1));
  s.wait(on_stream(2));
  const auto calls = s.order_calls();
  (void)s.get(2 * kSize, on_stream(2));
  EXPECT_EQ(s.order_calls(), calls);
  (void)s.get(2 * kSize, on_stream(3));
  EXPECT_EQ(s.order_calls(), calls + 2);
}

// Nor for memory that could not serve the request: a small one's is no help to a large one.
TEST(Proofs, NothingIsAskedForThatIsOfNoUse) {
  Streams s;
  const auto small = s.get(MiB, on_stream(1));
  (void)s.get(MiB, on_stream(1));
  (void)s.get(kSize, on_stream(2));
  s.use_and_free(small, on_stream(1));
  const auto calls = s.order_calls();
  (void)s.get(kSize, on_stream(2));
  EXPECT_EQ(s.order_calls(), calls);
  (void)s.get(MiB, on_stream(2));
  EXPECT_EQ(s.order_calls(), calls + 2);
}

// Not asked again at once for a better place, but before new memory is made.
TEST(Proofs, CompletedWorkIsFoundBeforeThePoolGrows) {
  using namespace std::chrono_literals;
  auto config = plain();
  config.streams_ask_again = 0.5;
  Streams s(GiB, config);
  const auto at = s.get(kSize, on_stream(1));
  (void)s.get(kSize, on_stream(2));
  s.use_and_free(at, on_stream(1));
  (void)s.get(kSize, on_stream(2));
  std::this_thread::sleep_for(20ms);
  (void)s.get(kSize, on_stream(2));
  s.device.finish_all();
  std::this_thread::sleep_for(15ms);
  EXPECT_EQ(s.get(kSize, on_stream(2)), at);
  s.pool.check();
}

// Its end is seen by the handle alone; the stream in its place has waited for nothing.
TEST(Proofs, AnEndedStreamsWaitsAreNotItsSuccessors) {
  Streams s;
  const auto at = s.get(kSize, on_stream(2));
  (void)s.get(kSize, on_stream(4));
  s.use_and_free(at, on_stream(2));
  s.record(on_stream(2));
  s.wait(on_stream(1));
  auto ended = on_stream(1);
  ended.stream_id = 0;
  s.pool.retire_stream(ended);
  EXPECT_NE(s.get(kSize, on_stream(3)), at);
}

TEST(Proofs, SwitchedOff) {
  auto config = plain();
  config.streams_follow_events = false;
  Streams s(GiB, config);
  (void)s.get(kSize, on_stream(2));
  const auto at = s.get(kSize, on_stream(1));
  s.use_and_free(at, on_stream(1));
  s.record(on_stream(1));
  s.wait(on_stream(2));
  EXPECT_NE(s.get(kSize, on_stream(2)), at);
}

TEST(Proofs, WhatTheHostWaitedForIsEverybodys) {
  for (const bool whole_context : {false, true}) {
    Streams s;
    (void)s.get(kSize, on_stream(2));
    const auto at = s.get(kSize, on_stream(1));
    s.use_and_free(at, on_stream(1));
    const auto given = s.pool.given(whole_context ? kHost : on_stream(1));
    s.device.finish_all();
    s.pool.happened(given);
    EXPECT_EQ(s.get(kSize, on_stream(2)), at);
    EXPECT_EQ(s.counters().reuse_completed, 1U);
    EXPECT_EQ(s.order_calls(), 0U);
  }
}

TEST(Proofs, AWaitOfTheHostsDoesNotCoverLaterFrees) {
  Streams s;
  (void)s.get(kSize, on_stream(2));
  const auto at = s.get(kSize, on_stream(1));
  const auto given = s.pool.given(on_stream(1));
  s.use_and_free(at, on_stream(1));  // by another thread, while this one waits
  s.pool.happened(given);
  EXPECT_NE(s.get(kSize, on_stream(2)), at);
}

// A consumer frees neighbours one after the other; the producer waits for the older ones only.
TEST(Proofs, NeighboursFreedLaterDoNotHoldBackWhatIsProved) {
  Streams s;
  (void)s.get(kSize, on_stream(2));
  const auto first = s.get(kSize, on_stream(1)), second = s.get(kSize, on_stream(1));
  (void)s.get(kSize, on_stream(1));
  s.use_and_free(first, on_stream(2));
  s.record(on_stream(2));
  s.use_and_free(second, on_stream(2));
  (void)s.pool.given(on_stream(2));  // nothing is parked any more
  s.wait(on_stream(1));
  EXPECT_EQ(s.get(kSize, on_stream(1)), first);
}

// cuMemFree takes all accesses of such a block to be complete, but not those of the block before
// it.
TEST(Proofs, AHostFreeOfAnUnusedBlockDoesNotEndEarlierWork) {
  Streams s;
  const auto at = s.get(kSize, on_stream(1));
  s.use_and_free(at, on_stream(1));
  ASSERT_EQ(s.get(kSize, on_stream(1)), at);
  ASSERT_TRUE(s.pool.free(at, kHost));
  EXPECT_NE(s.get(kSize, kHost), at);
  EXPECT_NE(s.get(kSize, on_stream(2)), at);
  EXPECT_EQ(s.get(kSize, on_stream(1)), at) << "its stream's own";
}

TEST(Proofs, AStreamIsMadeToWaitOnlyWhenMemoryHasRunOut) {
  Streams s(kRoomForTwo);
  const auto at = s.get(kSize, on_stream(1));
  s.use_and_free(at, on_stream(1));
  (void)s.get(kSize, on_stream(2));
  EXPECT_EQ(s.counters().ladder_inserted_waits, 0U);
  EXPECT_EQ(s.get(kSize, on_stream(2)), at);
  const auto c = s.counters();
  EXPECT_EQ(c.ladder_inserted_waits, 1U);
  EXPECT_EQ(c.reuse_proved, 1U);
  EXPECT_EQ(c.fence_waits, 0U);
  EXPECT_EQ(s.device.after[on_stream(2).stream][on_stream(1).stream], 1U);
}

TEST(Proofs, NoWaitWithoutAnEventThatACaptureForbids) {
  Streams s(kRoomForTwo);
  s.use_and_free(s.get(kSize, on_stream(1)), on_stream(1));
  s.device.capturing = true;
  (void)s.get(kSize, on_stream(2));
  EXPECT_FALSE(s.pool.allocate(kSize, on_stream(2)));
  EXPECT_EQ(s.device.calls["cuStreamWaitEvent"], 0U);
}

TEST(Proofs, InsertedWaitsSwitchedOff) {
  auto config = plain();
  config.streams_insert_waits = false;
  Streams s(kRoomForTwo, config);
  s.use_and_free(s.get(kSize, on_stream(1)), on_stream(1));
  (void)s.get(kSize, on_stream(2));
  (void)s.get(kSize, on_stream(2));
  EXPECT_EQ(s.counters().ladder_inserted_waits, 0U);
  EXPECT_EQ(s.counters().fence_waits, 1U);
}

}  // namespace
}  // namespace gmlake::pool
