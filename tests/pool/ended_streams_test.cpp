// Streams that come and go: what is kept of them, and when a new one may go on in an ended one's
// place.
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "pool/bench.h"

namespace gmlake::pool {
namespace {

constexpr Bytes kBytes = 10 * MiB;

std::size_t timelines(Bench& bench) {
  return bench.pool.shortage(kBytes).pending.size();
}

// A stream that frees a block, and ends; gives the block.
driver::Address passing_by(Bench& bench, std::uintptr_t stream) {
  const auto at = bench.get(kBytes, on_stream(stream));
  bench.use_and_free(at, on_stream(stream));
  bench.pool.retire_stream(on_stream(stream));
  return at;
}

TEST(EndedStreams, LeaveNothingBehind) {
  Bench bench;
  for (std::uintptr_t stream = 1; stream <= 1000; ++stream) {
    passing_by(bench, stream);
    bench.device.finish_all();
  }
  EXPECT_LE(timelines(bench), 3U);
  EXPECT_EQ(bench.counters().peak_physical_bytes, kBytes);
}

TEST(EndedStreams, KeepTheirMemoryUntilTheirWorkIsDone) {
  Bench bench;
  const auto pending = passing_by(bench, 1);
  const auto other = bench.get(kBytes, on_stream(2));
  EXPECT_NE(other, pending);
  bench.use_and_free(other, on_stream(2));
  EXPECT_EQ(bench.get(kBytes, on_stream(2)), other);
  EXPECT_EQ(timelines(bench), 2U);
  bench.device.finish_all();
  EXPECT_EQ(bench.get(kBytes, on_stream(3)), pending);
}

// Freed by the host, it is its own stream's; nothing follows that any more, and its work is over.
TEST(EndedStreams, OfAGoneContextKeepNoMemory) {
  Bench bench;
  const auto origin = on_stream(1);
  const auto at = bench.get(kBytes, origin);
  bench.pool.forget_context(origin.context);
  EXPECT_TRUE(bench.pool.free(at, Origin{}));
  EXPECT_EQ(bench.get(kBytes, on_stream(2)), at);
}

// The new stream's frees would be taken for the ended one's, and its block for its own.
TEST(EndedStreams, WithALiveBlockAreNotReplaced) {
  Bench bench;
  const auto at = bench.get(kBytes, on_stream(1));
  bench.pool.retire_stream(on_stream(1));
  bench.get(kBytes, on_stream(2));
  EXPECT_EQ(timelines(bench), 2U);
  EXPECT_TRUE(bench.pool.free(at, on_stream(2)));
  EXPECT_EQ(bench.get(kBytes, on_stream(2)), at);
  bench.get(kBytes, on_stream(3));
  EXPECT_EQ(timelines(bench), 2U) << "nothing is left of the first";
}

// The block was freed and taken back elsewhere: it is that stream's now.
TEST(EndedStreams, WhoseBlockIsTakenOverInPassingAreReplaced) {
  Bench bench;
  const auto at = bench.get(kBytes, on_stream(1));
  EXPECT_TRUE(bench.pool.free(at, on_stream(2)));
  bench.pool.retire_stream(on_stream(1));
  EXPECT_EQ(bench.get(kBytes, on_stream(2)), at);
  bench.pool.retire_stream(on_stream(2));
  bench.get(kBytes, on_stream(3));
  EXPECT_EQ(timelines(bench), 2U) << "in the first one's place, not in the second's";
  bench.get(kBytes, on_stream(4));
  EXPECT_EQ(timelines(bench), 3U);
}

// Who frees it on the new stream would seem to be the one that used it.
TEST(EndedStreams, ThatABlockIsUsedOnAreNotReplaced) {
  Bench bench;
  bench.get(kBytes, on_stream(2));
  passing_by(bench, 1);
  bench.device.finish_all();
  bench.get(kBytes, on_stream(2));
  const auto at = bench.get(kBytes, on_stream(2));
  EXPECT_TRUE(bench.pool.use_beside(at, on_stream(3)));
  bench.pool.retire_stream(on_stream(3));
  const auto before = timelines(bench);
  bench.get(kBytes, on_stream(4));
  EXPECT_EQ(timelines(bench), before + 1);
}

TEST(EndedStreams, ThatBlocksWereUsedOnAreReplacedOnceThoseAreFree) {
  Bench bench;
  for (std::uintptr_t stream = 10; stream < 200; ++stream) {
    const auto at = bench.get(kBytes, on_stream(1));
    EXPECT_TRUE(bench.pool.use_beside(at, on_stream(stream)));
    if (stream % 3 == 0) {
      EXPECT_TRUE(bench.pool.use_beside(at, on_stream(2)));
    }
    bench.use_and_free(at, on_stream(1));
    bench.pool.retire_stream(on_stream(stream));
    bench.device.finish_all();
  }
  EXPECT_LE(timelines(bench), 12U);
}

TEST(EndedStreams, AreThoseOfADeadContextToo) {
  Bench bench;
  for (std::uintptr_t i = 1; i <= 50; ++i) {
    const auto at = bench.get(kBytes, on_stream(i));
    bench.use_and_free(at, on_stream(i));
    bench.pool.forget_context(kContext);
  }
  EXPECT_LE(timelines(bench), 3U);
  EXPECT_EQ(bench.counters().peak_physical_bytes, kBytes);
}

// What an event of the ended stream proved stays true, and proves nothing of the new one.
TEST(EndedStreams, EventsOfTheirsProveNothingOfTheNextOne) {
  Bench bench;
  bench.get(kBytes, on_stream(3));
  passing_by(bench, 1);
  auto* const event = reinterpret_cast<driver::Event>(0x77);
  bench.device.finish_all();
  bench.get(kBytes, on_stream(3));  // finds out
  ASSERT_TRUE(bench.pool.recording(event, on_stream(1), 1));
  bench.pool.recorded(event, 1, true);
  const auto at = bench.get(kBytes, on_stream(2));
  ASSERT_EQ(timelines(bench), 2U);
  bench.use_and_free(at, on_stream(2));
  bench.pool.waits(on_stream(3), event, bench.pool.recording_of(event));
  EXPECT_NE(bench.get(kBytes, on_stream(3)), at);
}

// One thread follows two streams' frees, as for a trim. While it is at the first, another thread
// ends the second, or its context.
void ends_beside(bool whole_context) {
  auto* const other_context = reinterpret_cast<void*>(0x200);
  const auto first = on_stream(1);
  auto second = on_stream(2);
  second.context = other_context;
  Bench bench;
  for (int round = 0; round < 2; ++round) {  // the handles come back as others'
    second.stream_id += static_cast<std::uint64_t>(round);
    const auto followed_first = bench.get(kBytes, first);
    const auto then = bench.get(kBytes, second);
    bench.use_and_free(followed_first, first);
    bench.use_and_free(then, second);
    bool ended = false;
    bench.device.recording = [&] {
      bench.device.recording = [] {};
      ended = true;
      std::thread([&] {
        if (whole_context) {
          bench.pool.leave_context(other_context);
          bench.device.forget_context(other_context);
        } else {
          bench.pool.stream_ends(second);
        }
        bench.device.gone = {whole_context ? second.context : second.stream};
        if (whole_context)
          bench.pool.forget_context(other_context);
        else
          bench.pool.stream_ended(second, true);
      }).join();
    };
    bench.pool.trim(~Bytes{0});
    EXPECT_TRUE(ended);
    bench.device.gone.clear();
  }
  bench.device.finish_all();
  bench.pool.trim(0);
  EXPECT_EQ(bench.device.physical(), 0U) << "all of it was reusable";
}

TEST(EndedStreams, AreNotFollowedByAThreadThatLookedThemUpBefore) {
  ends_beside(false);
}

TEST(EndedStreams, NorIsTheirContext) {
  ends_beside(true);
}

// Its context was about to end, so nothing was recorded; it did not end, and got more work. What is
// recorded then stands behind that, which natively nobody waits for.
TEST(EndedStreams, WhatCouldNotBeFollowedInTimeIsAskedAndNotWaitedFor) {
  Bench bench;
  bench.use_and_free(bench.get(800 * MiB, on_stream(1)), on_stream(1));
  bench.pool.leave_context(kContext);
  bench.give_work(on_stream(1));
  bench.pool.stay_in_context(kContext);
  EXPECT_FALSE(bench.pool.allocate(600 * MiB, on_stream(2)));
  EXPECT_EQ(bench.device.calls["cuEventSynchronize"], 0U);
  EXPECT_EQ(bench.device.calls["cuStreamWaitEvent"], 0U);
  bench.device.finish_all();
  EXPECT_TRUE(bench.pool.allocate(600 * MiB, on_stream(2)));
}

// As a green context is: who frees its memory says then whose work it waits for. The handle may
// come back as another context.
TEST(EndedStreams, AContextThatTakesNoMemoryAlongIsNotFollowedAnyMore) {
  Bench bench;
  auto* const green = reinterpret_cast<void*>(0x200);
  Origin host;
  host.context = green;
  for (int round = 0; round < 2; ++round) {
    const auto kept = bench.get(kBytes, host);
    bench.pool.leave_context(green);
    bench.device.forget_context(green);
    bench.device.gone = {green};
    bench.pool.forget_context(green, false);
    EXPECT_EQ(bench.counters().live_bytes, kBytes);
    EXPECT_TRUE(bench.pool.free(kept, kHost));
    bench.give_work(on_stream(1));
    EXPECT_EQ(bench.counters().live_bytes, 0U);
    bench.device.finish_all();
    EXPECT_EQ(bench.get(kBytes, on_stream(1)), kept);
    EXPECT_TRUE(bench.pool.free(kept, kHost));
    bench.pool.trim(0);
    bench.device.gone.clear();
  }
  EXPECT_EQ(bench.device.physical(), 0U);
}

// One that leaves no block leaves nothing else.
TEST(EndedStreams, AContextThatComesAgainHasItsPlaceAgain) {
  Bench bench;
  Origin host;
  host.context = reinterpret_cast<void*>(0x200);
  std::size_t first = 0;
  for (int round = 0; round < 100; ++round) {
    EXPECT_TRUE(bench.pool.free(bench.get(kBytes, host), host));
    bench.pool.leave_context(host.context);
    bench.device.forget_context(host.context);
    bench.pool.forget_context(host.context, false);
    if (round == 0) first = timelines(bench);
  }
  EXPECT_EQ(timelines(bench), first);
  EXPECT_EQ(bench.counters().peak_physical_bytes, kBytes);
}

// Another thread wants memory whose work is the ending context's: that ends with it.
TEST(EndedStreams, WhoeverNeedsTheMemoryOfAnEndingContextWaitsForIt) {
  Bench bench;
  bench.use_and_free(bench.get(800 * MiB, on_stream(1)), on_stream(1));
  bench.give_work(on_stream(1));  // follows the free
  auto elsewhere = on_stream(2);
  elsewhere.context = reinterpret_cast<void*>(0x200);
  bench.pool.leave_context(kContext);
  std::thread thread([&] { EXPECT_TRUE(bench.pool.allocate(600 * MiB, elsewhere)); });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  bench.device.forget_context(kContext);
  bench.pool.forget_context(kContext);
  thread.join();
}

}  // namespace
}  // namespace gmlake::pool
