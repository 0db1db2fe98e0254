// The pool over a fake device: the walk of single requests, streams, the ladder, and failing driver
// calls.
#include <set>

#include "pool/bench.h"

namespace gmlake::pool {
namespace {

TEST(DevicePool, TheSameStreamReusesAtOnceWithoutAnyCall) {
  Bench bench;
  bench.use_and_free(bench.get(100 * MiB, on_stream(1)), on_stream(1));
  const auto before = bench.device.calls;
  for (int i = 0; i < 100; ++i)
    bench.use_and_free(bench.get(100 * MiB, on_stream(1)), on_stream(1));
  EXPECT_EQ(bench.device.calls, before);
  EXPECT_EQ(bench.counters().reuse_own_stream, 100U);
  EXPECT_EQ(bench.counters().fences, 0U);
}

TEST(DevicePool, AnotherStreamWaitsForCompletion) {
  Bench bench;
  const auto first = bench.get(100 * MiB, on_stream(1));
  bench.use_and_free(first, on_stream(1));
  const auto second = bench.get(100 * MiB, on_stream(2));
  EXPECT_NE(first, second) << "the work on stream 1 has not completed";
  EXPECT_EQ(bench.counters().fences, 1U);
  bench.device.finish_all();
  EXPECT_EQ(bench.get(100 * MiB, on_stream(2)), first);
  EXPECT_EQ(bench.counters().reuse_completed, 1U);
}

TEST(DevicePool, CompletedReuseCanBeSwitchedOff) {
  auto config = plain();
  config.streams_reuse_completed = false;
  Bench bench(GiB, config);
  bench.use_and_free(bench.get(100 * MiB, on_stream(1)), on_stream(1));
  bench.device.finish_all();
  bench.get(100 * MiB, on_stream(2));
  EXPECT_EQ(bench.counters().growths, 2U);
  EXPECT_EQ(bench.counters().fences, 0U);
}

// Before anything else can be given to the context.
TEST(DevicePool, AFreeWithoutAStreamIsFollowedAtOnce) {
  Bench bench;
  std::vector<driver::Address> blocks;
  for (int i = 0; i < 10; ++i) blocks.push_back(bench.get(10 * MiB, kHost));
  ++bench.device.submitted[nullptr];
  for (const auto at : blocks) EXPECT_TRUE(bench.pool.free(at, kHost));
  EXPECT_EQ(bench.counters().fences, 10U);
  bench.get(10 * MiB, kHost);
  EXPECT_EQ(bench.counters().fences, 10U);
  EXPECT_EQ(bench.counters().growths, 11U);
  bench.device.finish_all();
  for (int i = 0; i < 10; ++i) bench.get(10 * MiB, kHost);
  EXPECT_EQ(bench.counters().growths, 11U);
  EXPECT_EQ(bench.counters().deferred_frees, 10U);
}

// What stays without an event is a small share of the device's memory.
TEST(DevicePool, SmallFreesShareAnEvent) {
  Bench bench(2 * GiB);
  (void)bench.get(GiB, kHost);
  std::vector<driver::Address> blocks;
  for (int i = 0; i < 100; ++i) blocks.push_back(bench.get(64 * KiB, kHost));
  for (const auto at : blocks) EXPECT_TRUE(bench.pool.free(at, kHost));
  EXPECT_LE(bench.counters().fences, 7U) << "100 times 64 KiB, by 1 MiB of 1 GiB";
}

TEST(DevicePool, AStreamsFreesAreFollowedBeforeItsNextWork) {
  Bench bench;
  const auto at = bench.get(10 * MiB, on_stream(1)), second = bench.get(10 * MiB, on_stream(1));
  bench.use_and_free(at, on_stream(1));
  EXPECT_EQ(bench.get(10 * MiB, on_stream(1)), at);
  bench.give_work(on_stream(1));
  EXPECT_EQ(bench.counters().fences, 0U) << "it was taken back before";
  bench.use_and_free(second, on_stream(1));
  bench.give_work(on_stream(2));
  EXPECT_EQ(bench.counters().fences, 0U);
  bench.give_work(on_stream(1));
  EXPECT_EQ(bench.counters().fences, 1U);
}

// Whoever waits for the memory waits for the work before its free, and not for what was given
// since.
TEST(DevicePool, NobodyWaitsForWorkGivenAfterTheFree) {
  for (const auto& freed_by : {on_stream(1), kHost})
    for (const auto& wanted_by : {on_stream(2), kHost}) {
      Bench bench(40 * MiB);
      const auto at = bench.get(40 * MiB, freed_by);
      bench.use_and_free(at, freed_by);
      bench.give_work(freed_by);
      EXPECT_EQ(bench.get(40 * MiB, wanted_by), at);
      EXPECT_LE(bench.device.completed[freed_by.stream], 1U);
      EXPECT_LE(bench.device.after[wanted_by.stream][freed_by.stream], 1U);
    }
}

// The legacy stream's work comes before that of blocking streams, and the other way round.
TEST(DevicePool, NobodyWaitsForWorkOfTheLegacyStreamGivenAfterABlockingStreamsFree) {
  auto blocking = on_stream(1), legacy = on_stream(2);
  legacy.kind = stats::StreamName::Kind::legacy;
  blocking.blocking = legacy.blocking = true;
  for (const auto& [freed_by, works] : {std::pair(blocking, legacy), std::pair(legacy, blocking)}) {
    Bench bench(40 * MiB);
    bench.use_and_free(bench.get(2 * MiB, works), works);
    bench.use_and_free(bench.get(38 * MiB, freed_by), freed_by);
    const auto fences = bench.counters().fences;
    bench.give_work(works);
    EXPECT_GT(bench.counters().fences, fences);
  }
}

// A few bytes that no event follows in time are had again when their work is found to be over.
TEST(DevicePool, ALateEventIsAskedAndNotWaitedFor) {
  Bench bench(2 * GiB);
  (void)bench.get(GiB, on_stream(1));
  const auto at = bench.get(512 * KiB, on_stream(1));
  bench.use_and_free(at, on_stream(1));
  bench.give_work(on_stream(1));
  EXPECT_EQ(bench.counters().fences, 0U) << "too small";
  EXPECT_EQ(bench.pool.trim_for_others(), 0U);
  EXPECT_EQ(bench.device.calls["cuEventSynchronize"], 0U);
  bench.device.finish_all();
  EXPECT_GT(bench.pool.trim_for_others(), 0U);
}

TEST(DevicePool, ASynchronousFreeThatCanNotWaitIsDeferred) {
  auto config = plain();
  config.streams_free = config::FreePolicy::synchronous;
  Bench bench(GiB, config);
  const auto at = bench.get(10 * MiB, kHost);
  bench.device.fail_call = "cuEventSynchronize";
  bench.use_and_free(at, kHost);
  EXPECT_EQ(bench.counters().deferred_frees, 1U);
  EXPECT_NE(bench.get(10 * MiB, kHost), at) << "its work has not completed";
  bench.device.finish_all();
  EXPECT_EQ(bench.get(10 * MiB, kHost), at);
}

// To wait for a context breaks a capture in it.
TEST(DevicePool, ASynchronousFreeBesideACaptureIsDeferred) {
  auto config = plain();
  config.streams_free = config::FreePolicy::synchronous;
  Bench bench(GiB, config);
  const auto at = bench.get(10 * MiB, kHost);
  bench.device.capturing = true;
  bench.use_and_free(at, kHost);
  bench.device.capturing = false;
  EXPECT_EQ(bench.device.calls["cuCtxSynchronize"], 0U);
  EXPECT_EQ(bench.counters().deferred_frees, 1U);
  EXPECT_NE(bench.get(10 * MiB, kHost), at) << "its work has not completed";
}

TEST(DevicePool, PendingFreesLetThePoolGrowOnlySoFar) {
  auto config = plain();
  config.streams_pending_bytes = 25 * MiB;
  Bench bench(GiB, config);
  for (int i = 0; i < 20; ++i) bench.use_and_free(bench.get(10 * MiB, kHost), kHost);
  EXPECT_LE(bench.counters().physical_bytes, 35 * MiB) << "one block and the limit";
  EXPECT_GT(bench.counters().fence_waits, 0U);
  EXPECT_LE(bench.counters().fence_waits, 17U) << "the oldest batch is enough";
}

TEST(DevicePool, PendingFreesMayTakeAShareOfTheDeviceOnly) {
  auto config = plain();
  config.streams_pending_share = 0.05;
  Bench bench(500 * MiB, config);
  for (int i = 0; i < 20; ++i) bench.use_and_free(bench.get(10 * MiB, kHost), kHost);
  EXPECT_LE(bench.counters().physical_bytes, 35 * MiB) << "one block and the limit";
  EXPECT_GT(bench.counters().fence_waits, 0U);
}

TEST(DevicePool, ASynchronousFreeWaitsAndIsReusableAtOnce) {
  auto config = plain();
  config.streams_free = config::FreePolicy::synchronous;
  Bench bench(GiB, config);
  const auto at = bench.get(10 * MiB, kHost);
  bench.use_and_free(at, kHost);
  EXPECT_EQ(bench.device.calls["cuEventSynchronize"], 1U);
  EXPECT_EQ(bench.get(10 * MiB, on_stream(7)), at);
  EXPECT_EQ(bench.counters().reuse_completed, 1U) << "not new memory";
}

TEST(DevicePool, StreamOrderedMemoryFreedWithoutAStreamIsReusableAtOnce) {
  Bench bench;
  const auto at = bench.get(10 * MiB, on_stream(1));
  bench.use_and_free(at, kHost);
  EXPECT_EQ(bench.get(10 * MiB, on_stream(2)), at);
}

TEST(DevicePool, ARecordedUseKeepsABlockUntilThatStreamIsDone) {
  Bench bench;
  const auto at = bench.get(10 * MiB, on_stream(1));
  ++bench.device.submitted[on_stream(2).stream];
  EXPECT_TRUE(bench.pool.use_beside(at, on_stream(2)));
  bench.use_and_free(at, on_stream(1));
  EXPECT_NE(bench.get(10 * MiB, on_stream(1)), at) << "stream 2 is not done with it";
  bench.device.completed[on_stream(1).stream] = 1;
  EXPECT_NE(bench.get(10 * MiB, on_stream(1)), at) << "stream 2 is not done with it";
  EXPECT_NE(bench.get(10 * MiB, kHost), at);
  bench.device.finish_all();
  EXPECT_EQ(bench.get(10 * MiB, on_stream(3)), at);
  bench.use_and_free(at, on_stream(3));
  EXPECT_EQ(bench.get(10 * MiB, on_stream(3)), at) << "the use was of the block before";
}

TEST(DevicePool, ARecordedUseOutlastsAnyKindOfFree) {
  for (const auto& freed_by : {on_stream(1), on_stream(3), kHost, Origin{}}) {
    Bench bench;
    const auto at = bench.get(10 * MiB, on_stream(1));
    EXPECT_TRUE(bench.pool.use_beside(at, on_stream(1)));
    EXPECT_TRUE(bench.pool.use_beside(at, on_stream(2)));
    EXPECT_TRUE(bench.pool.use_beside(at, on_stream(1)));
    ++bench.device.submitted[on_stream(2).stream];
    EXPECT_TRUE(bench.pool.free(at, freed_by));
    bench.pool.check();
    for (const auto& wanted_by : {on_stream(1), on_stream(2), on_stream(3), kHost})
      EXPECT_NE(bench.get(10 * MiB, wanted_by), at);
    bench.device.finish_all();
    EXPECT_EQ(bench.get(10 * MiB, on_stream(1)), at);
  }
}

TEST(DevicePool, ASynchronousFreeWaitsForRecordedUses) {
  auto config = plain();
  config.streams_free = config::FreePolicy::synchronous;
  Bench bench(GiB, config);
  const auto at = bench.get(10 * MiB, on_stream(1));
  ++bench.device.submitted[on_stream(2).stream];
  EXPECT_TRUE(bench.pool.use_beside(at, on_stream(2)));
  bench.use_and_free(at, kHost);
  EXPECT_EQ(bench.device.calls["cuEventSynchronize"], 1U);
  EXPECT_EQ(bench.get(10 * MiB, on_stream(1)), at);
}

TEST(DevicePool, AUseOnTheStreamThatFreesNeedsNoProof) {
  Bench bench;
  const auto at = bench.get(10 * MiB, on_stream(1));
  EXPECT_TRUE(bench.pool.use_beside(at, on_stream(1)));
  bench.use_and_free(at, on_stream(1));
  EXPECT_EQ(bench.get(10 * MiB, on_stream(1)), at);
  bench.use_and_free(at, on_stream(2));
  EXPECT_EQ(bench.get(10 * MiB, on_stream(2)), at) << "the use was of the block before";
  EXPECT_TRUE(bench.pool.use_beside(at, on_stream(1)));
  bench.use_and_free(at, on_stream(2));
  EXPECT_NE(bench.get(10 * MiB, on_stream(2)), at) << "stream 1 may not be done with it";
}

TEST(DevicePool, AUseByWhoIsNotKnownIsAnybodys) {
  Bench bench;
  const auto at = bench.get(10 * MiB, on_stream(1));
  EXPECT_TRUE(bench.pool.use_beside(at, Origin{}));
  bench.use_and_free(at, on_stream(1));
  EXPECT_NE(bench.get(10 * MiB, on_stream(1)), at);
  EXPECT_FALSE(bench.pool.use_beside(at, on_stream(1))) << "freed";
  EXPECT_FALSE(bench.pool.use_beside(at + 512, on_stream(1)));
}

TEST(DevicePool, ADestroyedStreamsMemoryIsNotLost) {
  Bench bench;
  const auto at = bench.get(10 * MiB, on_stream(1));
  bench.use_and_free(at, on_stream(1));
  bench.pool.retire_stream(on_stream(1));
  bench.device.finish_all();
  EXPECT_EQ(bench.get(10 * MiB, on_stream(2)), at);
}

// Its id can not be asked for: the handle alone says which stream it is.
TEST(DevicePool, AStreamDestroyedWhileCapturingIsNotAskedAgain) {
  Bench bench;
  const auto at = bench.get(10 * MiB, on_stream(1));
  bench.use_and_free(at, on_stream(1));
  const Origin capturing{kContext, 0, on_stream(1).stream};
  bench.pool.retire_stream(capturing);
  EXPECT_EQ(bench.counters().fences, 0U) << "no event in a capture";
  bench.get(10 * MiB, on_stream(2));  // wants to know what of the first has completed
  EXPECT_EQ(bench.device.calls["cuEventRecord"], 0U) << "its handle is not valid any more";
  bench.device.finish_all();
  EXPECT_EQ(bench.get(10 * MiB, on_stream(3)), at);
}

TEST(DevicePool, RefusesWhatIsNotALiveBlock) {
  Bench bench;
  const auto at = bench.get(10 * MiB, on_stream(1));
  EXPECT_FALSE(bench.pool.free(at + 512, on_stream(1)));
  EXPECT_TRUE(bench.pool.free(at, on_stream(1)));
  EXPECT_FALSE(bench.pool.free(at, on_stream(1)));
  EXPECT_TRUE(bench.pool.owns(at));
  EXPECT_FALSE(bench.pool.owns(0x1234));
}

TEST(DevicePool, AHugeRequestIsOutOfMemoryAndNothingElse) {
  Bench bench;
  bench.get(MiB, on_stream(1));
  for (const Bytes bytes : {2 * GiB, ~Bytes{0}, ~Bytes{0} - 511}) {
    const auto at = bench.pool.allocate(bytes, on_stream(1));
    ASSERT_FALSE(at);
    EXPECT_EQ(at.error().kind, ErrorKind::limit);
  }
  bench.pool.check();
}

TEST(DevicePool, StitchesWhenMemoryIsScatteredAndFull) {
  Bench bench(40 * MiB);
  std::vector<driver::Address> blocks;
  for (int i = 0; i < 4; ++i) blocks.push_back(bench.get(10 * MiB, on_stream(1)));
  bench.use_and_free(blocks[0], on_stream(1));
  bench.use_and_free(blocks[2], on_stream(1));
  const auto at = bench.get(20 * MiB, on_stream(1));
  EXPECT_EQ(bench.counters().stitches, 1U);
  // The window shows the bytes of the two old blocks, in some order, without a gap.
  std::set<Bytes> chunks;
  for (Bytes offset = 0; offset < 20 * MiB; offset += 2 * MiB)
    chunks.insert(bench.device.physical_at(at + offset));
  EXPECT_EQ(chunks.size(), 10U);
  EXPECT_FALSE(bench.pool.allocate(2 * MiB, on_stream(1)));
  EXPECT_EQ(bench.counters().out_of_memory, 1U);
}

TEST(DevicePool, WithoutStitchingTheSameIsOutOfMemory) {
  auto config = plain();
  config.stitch_enabled = false;
  Bench bench(40 * MiB, config);
  std::vector<driver::Address> blocks;
  for (int i = 0; i < 4; ++i) blocks.push_back(bench.get(10 * MiB, on_stream(1)));
  bench.use_and_free(blocks[0], on_stream(1));
  bench.use_and_free(blocks[2], on_stream(1));
  EXPECT_FALSE(bench.pool.allocate(20 * MiB, on_stream(1)));
}

// Free memory on both sides of what was given back: of no use where nothing is mapped side by side.
TEST(DevicePool, WithoutStitchingAPoolWithNothingLiveBeginsAnew) {
  auto config = plain();
  config.stitch_enabled = false;
  Bench bench(44 * MiB, config);
  const auto first = bench.get(20 * MiB, on_stream(1));
  const auto middle = bench.get(2 * MiB, on_stream(1));
  const auto last = bench.get(20 * MiB, on_stream(1));
  bench.use_and_free(middle, on_stream(1));
  bench.device.finish_all();
  EXPECT_EQ(bench.pool.trim(0), 2 * MiB);
  bench.use_and_free(first, on_stream(1));
  EXPECT_FALSE(bench.pool.allocate(24 * MiB, on_stream(1))) << "something is live";
  bench.use_and_free(last, on_stream(1));
  bench.use_and_free(bench.get(40 * MiB, on_stream(1)), on_stream(1));
  EXPECT_EQ(bench.counters().ladder_trims, 1U);
}

TEST(DevicePool, WaitsForPendingFreesBeforeItFails) {
  Bench bench(40 * MiB);
  const auto at = bench.get(40 * MiB, on_stream(1));
  bench.use_and_free(at, on_stream(1));
  EXPECT_EQ(bench.get(40 * MiB, kHost), at);
  EXPECT_EQ(bench.counters().ladder_waits, 1U);
  EXPECT_EQ(bench.counters().fence_waits, 1U);
}

TEST(DevicePool, WaitsForTheContextWhereItHasNoEvents) {
  Bench bench(40 * MiB);
  bench.device.has_context_events = false;
  const auto at = bench.get(40 * MiB, kHost);
  bench.use_and_free(at, kHost);
  EXPECT_EQ(bench.get(40 * MiB, kHost), at);
  EXPECT_EQ(bench.device.calls["cuCtxSynchronize"], 1U);
}

TEST(DevicePool, ACaptureForbidsEvents) {
  Bench bench(40 * MiB);
  bench.use_and_free(bench.get(40 * MiB, on_stream(1)), on_stream(1));
  bench.device.capturing = true;
  EXPECT_FALSE(bench.pool.allocate(40 * MiB, on_stream(2)));
  EXPECT_EQ(bench.device.calls.count("cuEventRecord"), 0U);
  EXPECT_GT(bench.counters().fences_captured, 0U);
  bench.device.capturing = false;
  EXPECT_TRUE(bench.pool.allocate(40 * MiB, on_stream(2)));
}

TEST(DevicePool, ACaptureForbidsEventsEvenForTooManyWindows) {
  auto config = plain();
  config.stitch_max_windows = 0;
  Bench bench(GiB, config);
  const auto origin = on_stream(1);
  bench.device.capturing = true;
  std::vector<driver::Address> blocks;
  for (int i = 0; i < 4; ++i) blocks.push_back(bench.get(10 * MiB, origin));
  bench.use_and_free(blocks[0], origin);
  bench.use_and_free(blocks[2], origin);
  bench.use_and_free(bench.get(20 * MiB, origin), origin);
  EXPECT_EQ(bench.counters().windows, 1U);
  EXPECT_EQ(bench.device.calls.count("cuEventRecord"), 0U);
  bench.device.capturing = false;
  bench.device.finish_all();
  bench.get(60 * MiB, on_stream(1));
  EXPECT_EQ(bench.counters().windows_evicted, 1U) << "by the first miss after the capture";
}

TEST(DevicePool, LackOfMemoryDoesNotCostTheWindows) {
  Bench bench(40 * MiB);
  std::vector<driver::Address> blocks;
  for (int i = 0; i < 4; ++i) blocks.push_back(bench.get(10 * MiB, on_stream(1)));
  bench.use_and_free(blocks[0], on_stream(1));
  bench.use_and_free(blocks[2], on_stream(1));
  bench.use_and_free(bench.get(20 * MiB, on_stream(1)), on_stream(1));
  bench.device.finish_all();
  EXPECT_FALSE(bench.pool.allocate(30 * MiB, on_stream(1)));
  EXPECT_EQ(bench.counters().windows, 1U);
  EXPECT_EQ(bench.counters().ladder_evictions, 0U);
}

TEST(DevicePool, ADestroyedContextTakesItsBlocksAlong) {
  Bench bench;
  bench.get(10 * MiB, kHost);
  const auto kept = bench.get(20 * MiB, on_stream(1));
  bench.pool.forget_context(kContext);
  EXPECT_EQ(bench.counters().live_bytes, 20 * MiB) << "stream-ordered memory outlives the context";
  EXPECT_TRUE(bench.pool.free(kept, on_stream(1)));
}

TEST(DevicePool, KeepsWindowsInBounds) {
  auto config = plain();
  config.stitch_max_windows = 2;
  Bench bench(GiB, config);
  std::vector<driver::Address> blocks;
  for (int i = 0; i < 20; ++i) blocks.push_back(bench.get(10 * MiB, on_stream(1)));
  for (int i = 0; i < 20; i += 2)
    bench.use_and_free(blocks[static_cast<std::size_t>(i)], on_stream(1));
  for (const Bytes size : {12, 14, 16, 18, 22, 24}) {
    bench.use_and_free(bench.get(size * MiB, on_stream(1)), on_stream(1));
    bench.device.finish_all();
  }
  EXPECT_GT(bench.counters().stitches, 4U);
  EXPECT_LE(bench.counters().windows, 3U);
  EXPECT_GT(bench.counters().windows_evicted, 0U);
}

TEST(DevicePool, EvictsWindowsWhenMappingsRunOut) {
  auto config = plain();
  config.pool_largest_chunk = 2 * MiB;
  Bench bench(80 * MiB, config);
  bench.device.mapping_limit = 70;
  std::vector<driver::Address> blocks;
  for (int i = 0; i < 8; ++i) blocks.push_back(bench.get(10 * MiB, on_stream(1)));
  for (int i = 0; i < 8; i += 2)
    bench.use_and_free(blocks[static_cast<std::size_t>(i)], on_stream(1));
  for (const Bytes size : {20, 22, 24, 26, 28, 30, 32, 34, 36, 38})
    bench.use_and_free(bench.get(size * MiB, on_stream(1)), on_stream(1));
  EXPECT_GT(bench.counters().ladder_evictions, 0U);
  EXPECT_EQ(bench.counters().out_of_memory, 0U);
}

// Each driver call fails in turn, at its first, a later, and every use: the program gets the
// driver's error or its memory, the books balance, and nothing leaks (the fake device checks that
// at its end).
TEST(DevicePool, SurvivesAnyFailingCall) {
  for (const char* call :
       {"cuMemGetInfo", "cuMemAddressReserve", "cuMemCreate", "cuMemMap", "cuMemSetAccess",
        "cuEventCreate", "cuEventRecord", "cuCtxRecordEvent", "cuEventQuery", "cuEventSynchronize",
        "cuCtxSynchronize", "cuStreamWaitEvent"}) {
    for (const std::uint64_t after : {0, 1, 3, 7, 20}) {
      for (const std::uint64_t times : {std::uint64_t{1}, ~std::uint64_t{0}}) {
        SCOPED_TRACE(::testing::Message()
                     << call << " after " << after << ", " << times << " times");
        Bench bench(100 * MiB);
        bench.device.fail_call = call;
        bench.device.fail_after = after;
        bench.device.fail_times = times;
        bench.device.fail_code = 999;
        std::vector<std::pair<driver::Address, Origin>> live;
        for (int i = 0; i < 40; ++i) {
          const auto origin =
              i % 5 == 4 ? kHost : on_stream(1 + static_cast<std::uintptr_t>(i) % 3);
          if (const auto at =
                  bench.pool.allocate((1 + static_cast<Bytes>(i) % 7) * 5 * MiB, origin))
            live.emplace_back(*at, origin);
          else
            ASSERT_TRUE(at.error().code == 999 || at.error().code == 2 ||
                        at.error().kind == ErrorKind::limit);
          bench.pool.check();
          if (live.size() > 3 || (i % 3 == 0 && !live.empty())) {
            bench.use_and_free(live.front().first, live.front().second);
            live.erase(live.begin());
          }
        }
        bench.device.fail_times = 0;
        bench.device.finish_all();
        for (const auto& [at, origin] : live) bench.use_and_free(at, origin);
        EXPECT_TRUE(bench.pool.allocate(90 * MiB, on_stream(1))) << bench.pool.picture();
        EXPECT_EQ(bench.counters().physical_bytes, bench.device.physical());
      }
    }
  }
}

TEST(DevicePool, TrimGivesBackWhatIsFreeAndKeepsWhatItIsTold) {
  Bench bench;
  const auto kept = bench.get(64 * MiB, on_stream(1));
  bench.use_and_free(bench.get(256 * MiB, on_stream(1)), on_stream(1));
  EXPECT_EQ(bench.pool.trim(0), 0U) << "the work has not completed";
  bench.device.finish_all();
  EXPECT_GT(bench.pool.trim(128 * MiB), 128 * MiB);
  EXPECT_GE(bench.device.physical(), 128 * MiB);
  bench.pool.check();
  EXPECT_GT(bench.pool.trim(0), 0U);
  EXPECT_EQ(bench.device.physical(), 64 * MiB);
  EXPECT_EQ(bench.counters().trims, 2U);
  EXPECT_EQ(bench.counters().trimmed_bytes, 256 * MiB);
  EXPECT_EQ(bench.pool.trim(0), 0U);
  bench.use_and_free(kept, on_stream(1));
  bench.get(512 * MiB, on_stream(1));
  bench.pool.check();
}

TEST(DevicePool, MemoryForOthersIsWaitedFor) {
  Bench bench;
  bench.use_and_free(bench.get(256 * MiB, on_stream(1)), on_stream(1));
  bench.device.capturing = true;
  EXPECT_EQ(bench.pool.trim_for_others(), 0U);
  bench.device.capturing = false;
  EXPECT_EQ(bench.pool.trim_for_others(), 256 * MiB);
  EXPECT_EQ(bench.device.physical(), 0U);
  EXPECT_EQ(bench.counters().native_retries, 1U);
  EXPECT_EQ(bench.pool.trim_for_others(), 0U);
  EXPECT_EQ(bench.counters().native_retries, 1U);
}

TEST(DevicePool, FreeMemoryInTheWrongPlacesIsMadeAnew) {
  auto config = plain();
  config.stitch_max_pieces = 1;
  config.pool_native_fallback = false;
  Bench bench(256 * MiB, config);
  std::vector<driver::Address> blocks;
  for (int i = 0; i < 8; ++i) blocks.push_back(bench.get(30 * MiB, on_stream(1)));
  for (std::size_t i = 0; i < blocks.size(); i += 2) bench.use_and_free(blocks[i], on_stream(1));
  bench.device.finish_all();
  EXPECT_FALSE(bench.pool.allocate(200 * MiB, on_stream(1)));
  EXPECT_EQ(bench.counters().trims, 0U) << "it could not have helped";
  bench.get(90 * MiB, on_stream(1));
  bench.pool.check();
  EXPECT_EQ(bench.counters().ladder_trims, 1U);
}

TEST(DevicePool, TheHeadRoomIsUsedLast) {
  Bench bench;
  bench.get(GiB - 4 * MiB, on_stream(1));  // a 256th is left
  EXPECT_EQ(bench.counters().ladder_harvests, 0U);
  bench.get(4 * MiB, on_stream(1));
  EXPECT_EQ(bench.counters().ladder_head_rooms, 1U);
  EXPECT_EQ(bench.counters().out_of_memory, 0U);
  EXPECT_FALSE(bench.pool.allocate(2 * MiB, on_stream(1)));
}

TEST(DevicePool, AShareOfTheDeviceIsALimit) {
  auto config = plain();
  config.pool_max_share = 0.25;
  Bench bench(GiB, config);
  bench.get(256 * MiB, on_stream(1));
  EXPECT_FALSE(bench.pool.allocate(2 * MiB, on_stream(1)));
  EXPECT_NE(bench.pool.explain(bench.pool.shortage(2 * MiB)).find("pool.max_share"),
            std::string::npos);
}

}  // namespace
}  // namespace gmlake::pool
