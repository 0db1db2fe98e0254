// Giving memory back to the device: what goes, and what must stay.
#include "pool/bench.h"

namespace gmlake::pool {
namespace {

TEST(Trim, FreeMemoryGoesBackToTheDevice) {
  Bench bench;
  bench.use_and_free(bench.get(100 * MiB, on_stream(1)), on_stream(1));
  bench.use_and_free(bench.get(512, on_stream(1)), on_stream(1));
  bench.device.finish_all();
  const Bytes physical = bench.device.physical();
  EXPECT_EQ(bench.pool.trim(0), physical);
  bench.pool.check();
  EXPECT_EQ(bench.device.physical(), 0U);
  EXPECT_EQ(bench.device.mapping_count(), 0U);
  EXPECT_EQ(bench.counters().physical_bytes, 0U);
  EXPECT_EQ(bench.pool.reusable_bytes(), 0U);
  EXPECT_EQ(bench.pool.trim(0), 0U) << "nothing is left";
  // And the pool works as if new.
  bench.use_and_free(bench.get(100 * MiB, on_stream(1)), on_stream(1));
  bench.use_and_free(bench.get(512, on_stream(2)), on_stream(2));
}

TEST(Trim, OfAPoolThatWasNeverUsedDoesNothing) {
  Bench bench;
  EXPECT_EQ(bench.pool.trim(0), 0U);
  EXPECT_TRUE(bench.device.calls.empty());
}

TEST(Trim, KeepsWhatItIsToldToKeep) {
  Bench bench;
  bench.use_and_free(bench.get(100 * MiB, on_stream(1)), on_stream(1));
  bench.device.finish_all();
  EXPECT_EQ(bench.pool.trim(100 * MiB), 0U);
  const Bytes given = bench.pool.trim(50 * MiB);
  EXPECT_EQ(bench.device.physical(), 100 * MiB - given);
  // cuda.h, cuMemPoolTrimTo: at least that much stays; here one handle above it at most.
  EXPECT_GE(bench.device.physical(), 50 * MiB);
  EXPECT_LT(bench.device.physical(), 50 * MiB + 32 * MiB) << "whole handles, as many as may go";
}

TEST(Trim, LiveBlocksAreUntouched) {
  Bench bench;
  std::vector<driver::Address> blocks;
  for (int i = 0; i < 8; ++i) blocks.push_back(bench.get(10 * MiB, on_stream(1)));
  const auto small = bench.get(512, on_stream(1));
  std::vector<Bytes> behind;
  for (std::size_t i = 1; i < 8; i += 2) behind.push_back(bench.device.physical_at(blocks[i]));
  for (std::size_t i = 0; i < 8; i += 2) bench.use_and_free(blocks[i], on_stream(1));
  bench.device.finish_all();
  EXPECT_EQ(bench.pool.trim(0), 40 * MiB);
  bench.pool.check();
  EXPECT_EQ(bench.device.physical(), 42 * MiB);
  for (std::size_t i = 1; i < 8; i += 2) {
    EXPECT_EQ(bench.device.physical_at(blocks[i]), behind[i / 2]);
    EXPECT_EQ(bench.device.physical_at(blocks[i] + 10 * MiB - 1), behind[i / 2] + 10 * MiB - 1);
  }
  EXPECT_EQ(bench.counters().live_blocks, 5U);
  // The holes are used again.
  for (int i = 0; i < 4; ++i) bench.get(10 * MiB, on_stream(1));
  for (std::size_t i = 1; i < 8; i += 2) bench.use_and_free(blocks[i], on_stream(1));
  bench.use_and_free(small, on_stream(1));
}

TEST(Trim, PendingFreesAreUntouched) {
  Bench bench;
  const auto at = bench.get(10 * MiB, on_stream(1));
  const auto other = bench.get(10 * MiB, kHost);
  bench.use_and_free(at, on_stream(1));
  bench.use_and_free(other, kHost);
  EXPECT_EQ(bench.pool.trim(0), 0U) << "even its own stream's work may go on";
  EXPECT_EQ(bench.device.physical(), 20 * MiB);
  EXPECT_EQ(bench.get(10 * MiB, on_stream(1)), at);
  bench.use_and_free(at, on_stream(1));
  bench.device.finish_all();
  EXPECT_EQ(bench.pool.trim(0), 20 * MiB);
}

TEST(Trim, WindowsOverWhatGoesAreGone) {
  auto config = plain();
  config.pool_largest_chunk = 2 * MiB;
  Bench bench(40 * MiB, config);
  std::vector<driver::Address> blocks;
  for (int i = 0; i < 4; ++i) blocks.push_back(bench.get(10 * MiB, on_stream(1)));
  bench.use_and_free(blocks[0], on_stream(1));
  bench.use_and_free(blocks[2], on_stream(1));
  const auto window = bench.get(20 * MiB, on_stream(1));
  ASSERT_EQ(bench.counters().stitches, 1U);

  // While it is in use all of it stays.
  bench.device.finish_all();
  EXPECT_EQ(bench.pool.trim(0), 0U);
  EXPECT_EQ(bench.device.physical_of(window, 20 * MiB).size(), 10U);

  // So it does while its last work goes on.
  bench.use_and_free(window, on_stream(1));
  EXPECT_EQ(bench.pool.trim(0), 0U);
  EXPECT_EQ(bench.counters().windows, 1U);

  bench.device.finish_all();
  EXPECT_EQ(bench.pool.trim(0), 20 * MiB);
  bench.pool.check();
  EXPECT_EQ(bench.counters().windows, 0U);
  EXPECT_EQ(bench.counters().window_bytes, 0U);
  EXPECT_EQ(bench.device.mapping_count(), 10U) << "the two live blocks";
  bench.get(20 * MiB, on_stream(1));
  EXPECT_EQ(bench.counters().hits_window, 0U);
  EXPECT_FALSE(bench.pool.free(window, on_stream(1))) << "its address is nobody's now";
}

TEST(Trim, ACaptureKeepsWhatNoEventCanFollow) {
  Bench bench;
  bench.use_and_free(bench.get(10 * MiB, on_stream(1)), on_stream(1));
  bench.device.finish_all();
  bench.device.capturing = true;
  EXPECT_EQ(bench.pool.trim(0), 0U);
  bench.device.capturing = false;
  EXPECT_EQ(bench.pool.trim(0), 10 * MiB);
}

TEST(Trim, AFailingUnmapKeepsTheRest) {
  for (const std::uint64_t after : {0, 1, 3}) {
    SCOPED_TRACE(::testing::Message() << "after " << after);
    Bench bench;
    bench.use_and_free(bench.get(100 * MiB, on_stream(1)), on_stream(1));
    bench.device.finish_all();
    bench.device.fail_call = "cuMemUnmap";
    bench.device.fail_after = after;
    bench.device.fail_times = 1;
    const Bytes given = bench.pool.trim(0);
    bench.pool.check();
    EXPECT_EQ(given != 0, after != 0);
    EXPECT_EQ(bench.device.physical(), 100 * MiB - given);
    EXPECT_EQ(bench.counters().physical_bytes, 100 * MiB - given);
    EXPECT_EQ(bench.pool.trim(0), 100 * MiB - given) << "the next one does it";
    bench.get(100 * MiB, on_stream(1));
  }
}

TEST(Trim, ARepeatedLoopGrowsBackAndIsQuietAgain) {
  Bench bench;
  const auto loop = [&] {
    std::vector<driver::Address> blocks;
    for (Bytes i = 0; i < 20; ++i) blocks.push_back(bench.get((2 + i % 7) * MiB, on_stream(1)));
    for (const auto at : blocks) bench.use_and_free(at, on_stream(1));
  };
  for (int i = 0; i < 3; ++i) loop();
  bench.device.finish_all();
  EXPECT_GT(bench.pool.trim(0), 0U);
  EXPECT_EQ(bench.device.physical(), 0U);
  loop();
  loop();
  const auto memory_calls = [&] {
    auto calls = bench.device.calls;
    std::erase_if(calls, [](const auto& call) { return call.first.starts_with("cuEvent"); });
    return calls;
  };
  const auto before = memory_calls();
  loop();
  EXPECT_EQ(memory_calls(), before);
}

}  // namespace
}  // namespace gmlake::pool
