// Cutting large handles at the device: one early block must not keep small ones from being stitched
// for good, and the books are right whatever becomes of the memory on the way.
#include "pool/bench.h"

namespace gmlake::pool {
namespace {

struct CutBench : Bench {
  explicit CutBench(Bytes memory = GiB, config::Config with = plain())
      : Bench(memory, std::move(with)) {}
  // A block that came and went, with all of its work: free handles of 32 MiB.
  void come_and_go(Bytes bytes) {
    use_and_free(get(bytes, kHost), kHost);
    device.finish_all();
  }
  void expect_right() {
    pool.check();
    EXPECT_EQ(counters().physical_bytes, device.physical());
  }
};

TEST(Cut, OneEarlyBlockDoesNotSpoilStitching) {
  CutBench bench(GiB);
  bench.come_and_go(960 * MiB);
  std::vector<driver::Address> blocks;
  for (int i = 0; i < 80; ++i) blocks.push_back(bench.get(12 * MiB, kHost));
  EXPECT_EQ(bench.counters().physical_bytes, 960 * MiB);
  EXPECT_GT(bench.counters().cuts, 0U);
  for (std::size_t i = 0; i < blocks.size(); i += 2) bench.use_and_free(blocks[i], kHost);
  bench.device.finish_all();
  const auto at = bench.get(480 * MiB + 56 * MiB, kHost);
  EXPECT_EQ(bench.device.physical_of(at, 8 * MiB).size(), 1U);
  EXPECT_EQ(bench.counters().stitches, 1U);
  EXPECT_LE(bench.counters().physical_bytes, GiB);
  bench.expect_right();
}

// Nothing is let go before there is as much again, if there is room for that.
TEST(Cut, CreatesFirstWhereThereIsRoom) {
  CutBench bench(128 * MiB);
  bench.come_and_go(64 * MiB);
  Bytes most = 0;
  bench.device.releasing = [&](Bytes, Bytes) { most = bench.device.physical(); };
  bench.get(12 * MiB, kHost);
  EXPECT_EQ(bench.counters().cuts, 1U);
  EXPECT_EQ(most, 96 * MiB);
  EXPECT_EQ(bench.counters().peak_physical_bytes, 96 * MiB) << "there was, for a moment";
  EXPECT_EQ(bench.device.physical(), 64 * MiB);
  bench.expect_right();
}

TEST(Cut, ReleasesFirstWhereThereIsNot) {
  auto limited = plain();
  limited.pool_max_bytes = 66 * MiB;
  for (const bool by_limit : {false, true}) {
    SCOPED_TRACE(by_limit);
    CutBench bench(by_limit ? GiB : 66 * MiB, by_limit ? limited : plain());
    bench.come_and_go(64 * MiB);
    Bytes most = 0;
    bench.device.releasing = [&](Bytes, Bytes) { most = bench.device.physical(); };
    bench.get(12 * MiB, kHost);
    EXPECT_EQ(bench.counters().cuts, 1U);
    EXPECT_EQ(most, 64 * MiB);
    EXPECT_EQ(bench.counters().peak_physical_bytes, 64 * MiB);
    EXPECT_EQ(bench.device.physical(), 64 * MiB);
    bench.expect_right();
  }
}

// Another process takes the memory between its release and its creation.
TEST(Cut, AThiefLeavesTheBooksRight) {
  CutBench bench(64 * MiB);
  bench.come_and_go(64 * MiB);
  bench.device.releasing = [&](Bytes, Bytes size) { bench.device.others = size; };
  const auto first = bench.get(12 * MiB, kHost);
  EXPECT_EQ(bench.device.physical(), 32 * MiB) << "what the thief has is gone";
  bench.expect_right();
  bench.device.releasing = [](Bytes, Bytes) {};
  bench.get(16 * MiB, kHost);
  EXPECT_FALSE(bench.pool.allocate(8 * MiB, kHost));
  bench.expect_right();
  bench.device.others = 0;
  bench.get(32 * MiB, kHost);
  bench.use_and_free(first, kHost);
  bench.expect_right();
}

TEST(Cut, WhereAThiefTookAllTheDriversErrorReachesTheProgram) {
  CutBench bench(32 * MiB);
  bench.come_and_go(32 * MiB);
  bench.device.releasing = [&](Bytes, Bytes size) { bench.device.others = size; };
  const auto none = bench.pool.allocate(12 * MiB, kHost);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().kind, ErrorKind::memory);
  EXPECT_EQ(bench.device.physical(), 0U);
  bench.expect_right();
  bench.device.others = 0;
  bench.get(32 * MiB, kHost);
  bench.expect_right();
}

TEST(Cut, WhatAnotherProcessWasShownIsLeftWhole) {
  CutBench bench;
  const auto at = bench.get(32 * MiB, kHost);
  ASSERT_TRUE(bench.pool.show(at));
  bench.use_and_free(at, kHost);
  bench.device.finish_all();
  EXPECT_EQ(bench.get(12 * MiB, kHost), at);
  EXPECT_EQ(bench.counters().cuts, 0U);
}

TEST(Cut, OtherDevicesReachWhatTheyDid) {
  CutBench bench;
  EXPECT_TRUE(bench.pool.open_all_to(1, [] { return true; }));
  const auto at = bench.get(64 * MiB, kHost);
  EXPECT_TRUE(bench.pool.open_to(2, *bench.pool.view(at)));
  bench.use_and_free(at, kHost);
  bench.device.finish_all();
  EXPECT_EQ(bench.get(12 * MiB, kHost), at);
  EXPECT_EQ(bench.counters().cuts, 1U);
  EXPECT_TRUE(bench.device.reaches(1, at, 12 * MiB));
  EXPECT_FALSE(bench.device.reaches(2, at, 1)) << "it was another block that was opened";
  EXPECT_TRUE(bench.pool.open_to(2, *bench.pool.view(at)));
  EXPECT_TRUE(bench.device.reaches(2, at, 12 * MiB)) << "what is known of it has ended as well";
}

TEST(Cut, AHitOfAStreamWhoseWorkGoesOnIsAHit) {
  CutBench bench;
  bench.use_and_free(bench.get(64 * MiB, on_stream(1)), on_stream(1));
  bench.give_work(on_stream(1));
  const auto calls = bench.device.calls;
  bench.get(12 * MiB, on_stream(1));
  EXPECT_EQ(bench.device.calls, calls);
  EXPECT_EQ(bench.counters().cuts, 0U);
}

// As far as is known, by a wait of the program's: they are followed where there are several
// streams.
TEST(Cut, AStreamsIdleMemoryIsCut) {
  CutBench bench;
  bench.get(2 * MiB, on_stream(2));
  bench.use_and_free(bench.get(64 * MiB, on_stream(1)), on_stream(1));
  const auto given = bench.pool.given(on_stream(1));
  bench.device.finish_all();
  bench.pool.happened(given);
  bench.get(12 * MiB, on_stream(1));
  EXPECT_EQ(bench.counters().cuts, 1U);
  bench.expect_right();
}

TEST(Cut, NotWhileAStreamIsCaptured) {
  CutBench bench;
  bench.come_and_go(64 * MiB);
  bench.device.captured = true;
  bench.get(12 * MiB, kHost);
  EXPECT_EQ(bench.counters().cuts, 0U);
}

}  // namespace
}  // namespace gmlake::pool
