// Memory that nothing has wanted for so many looks goes back to the device, and loops keep theirs.
#include "pool/bench.h"

namespace gmlake::pool {
namespace {

constexpr unsigned kLooks = 4;

void look(DevicePool& pool, int times = 1) {
  for (; times != 0; --times) {
    for (bool more = pool.look_for_unwanted(kLooks); more;) more = pool.release_unwanted();
    pool.check();
  }
}

TEST(Unwanted, GoesAfterSoManyLooks) {
  Bench bench(4 * GiB);
  const auto kept = bench.get(10 * MiB, on_stream(1));
  bench.use_and_free(bench.get(GiB, on_stream(1)), on_stream(1));
  bench.device.finish_all();
  const Bytes before = bench.device.physical();
  look(bench.pool, kLooks);
  EXPECT_EQ(bench.device.physical(), before);
  look(bench.pool);
  EXPECT_LT(bench.device.physical(), 64 * MiB)
      << "what the live block needs, and its handle's rest";
  EXPECT_EQ(bench.counters().unwanted_bytes, before - bench.device.physical());
  EXPECT_EQ(bench.counters().physical_bytes, bench.device.physical());
  bench.use_and_free(kept, on_stream(1));
  bench.use_and_free(bench.get(GiB, on_stream(1)), on_stream(1));
}

TEST(Unwanted, WhatALoopUsesStaysBesideWhatGoes) {
  Bench bench(4 * GiB);
  const auto one = on_stream(1);
  bench.use_and_free(bench.get(GiB, one), one);
  for (int i = 0; i < 30; ++i) {
    // In the same free span as what nobody wants, and joined with it after each round.
    const auto block = bench.get(100 * MiB, one);
    const auto second = bench.get(20 * MiB, one);
    bench.use_and_free(block, one);
    bench.use_and_free(second, one);
    bench.device.finish_all();
    look(bench.pool);
  }
  EXPECT_GE(bench.device.physical(), 120 * MiB);
  EXPECT_LT(bench.device.physical(), 120 * MiB + 2 * 32 * MiB);
  EXPECT_EQ(bench.counters().growths, 1U) << "the loop never lacked anything";
}

TEST(Unwanted, WorkOfTheGpuIsNotWaitedForAndNotTakenAway) {
  Bench bench(4 * GiB);
  bench.use_and_free(bench.get(100 * MiB, on_stream(1)), on_stream(1));
  look(bench.pool, 3 * kLooks);
  EXPECT_EQ(bench.device.physical(), 100 * MiB);
  EXPECT_EQ(bench.counters().fence_waits, 0U);
  bench.device.finish_all();
  look(bench.pool);
  EXPECT_EQ(bench.device.physical(), 0U);
}

TEST(Unwanted, StitchedMemoryGoesWithItsWindows) {
  Bench bench(4 * GiB);
  const auto one = on_stream(1);
  std::vector<driver::Address> blocks;
  for (int i = 0; i < 8; ++i) blocks.push_back(bench.get(20 * MiB, one));
  for (std::size_t i = 0; i < 8; i += 2) bench.use_and_free(blocks[i], one);
  bench.device.finish_all();
  bench.use_and_free(bench.get(70 * MiB, one), one);
  EXPECT_EQ(bench.counters().stitches, 1U);
  for (std::size_t i = 1; i < 8; i += 2) bench.use_and_free(blocks[i], one);
  bench.device.finish_all();
  look(bench.pool, kLooks + 1);
  EXPECT_EQ(bench.device.physical(), 0U);
  EXPECT_EQ(bench.counters().windows, 0U);
}

// How often a loop that comes by every so many looks has to make its memory anew, of 64 times.
std::uint64_t made_anew(int period) {
  Bench bench(4 * GiB);
  for (int i = 0; i < 64; ++i) {
    bench.use_and_free(bench.get(GiB, on_stream(1)), on_stream(1));
    bench.device.finish_all();
    look(bench.pool, period);
  }
  return bench.counters().growths - 1;
}

TEST(Unwanted, LoopsPayAFewTimesAndNoMore) {
  EXPECT_EQ(made_anew(2), 0U);
  EXPECT_EQ(made_anew(4), 0U);
  EXPECT_EQ(made_anew(7), 1U);
  EXPECT_EQ(made_anew(14), 2U);
  EXPECT_EQ(made_anew(30), 3U);
  EXPECT_EQ(made_anew(60), 4U);
  // Of nearly three minutes and more with 10 s: each time, which is far less than a thousandth.
  EXPECT_EQ(made_anew(100), 63U);
}

TEST(Unwanted, WithoutMemoryNothingIsLookedAt) {
  Bench bench;
  look(bench.pool, 3 * kLooks);
  EXPECT_TRUE(bench.device.calls.empty());
}

}  // namespace
}  // namespace gmlake::pool
