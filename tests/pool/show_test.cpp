// Blocks shown to another process: where they are, and whether it is the same one still.
#include "pool/bench.h"

namespace gmlake::pool {
namespace {

// The handles side by side are the block's bytes.
void expect_whole(const Bench& bench, driver::Address at, Bytes bytes, const Supply::Shown& shown) {
  EXPECT_EQ(shown.bytes, bytes);
  Bytes start = 0;
  for (const auto& one : shown.handles) {
    for (Bytes i = 0; i < one.size; i += MiB / 2) {
      const Bytes seen = start + i;
      if (seen < shown.offset || seen >= shown.offset + bytes) continue;
      EXPECT_EQ(bench.device.physical_of(one.handle) + i,
                bench.device.physical_at(at + seen - shown.offset));
    }
    start += one.size;
  }
  EXPECT_LT(shown.offset, shown.handles.front().size);
  EXPECT_GE(start, shown.offset + bytes);
}

TEST(Show, SaysWhereABlockIs) {
  Bench bench;
  for (const Bytes bytes : {Bytes{1000}, 3 * MiB, 100 * MiB + 512}) {
    const auto at = bench.get(bytes, kHost);
    const auto shown = bench.pool.show(at);
    ASSERT_TRUE(shown) << bytes;
    EXPECT_FALSE(shown->again);
    expect_whole(bench, at, bytes, *shown);
  }
}

TEST(Show, SaysWhereAStitchedBlockIs) {
  Bench bench(40 * MiB);
  std::vector<driver::Address> blocks;
  for (int i = 0; i < 4; ++i) blocks.push_back(bench.get(10 * MiB, kHost));
  bench.use_and_free(blocks[0], kHost);
  bench.use_and_free(blocks[2], kHost);
  bench.device.finish_all();
  const auto at = bench.get(20 * MiB, kHost);
  ASSERT_EQ(bench.counters().stitches, 1U);
  const auto shown = bench.pool.show(at);
  ASSERT_TRUE(shown);
  EXPECT_GE(shown->handles.size(), 2U);
  expect_whole(bench, at, 20 * MiB, *shown);
}

// Each handle is exported and imported by itself: once a size is shared, its blocks have few.
TEST(Show, ASizeThatIsShownGetsFewHandles) {
  const auto handles_of_the_next = [](bool shows_one) {
    Bench bench(GiB);
    const auto one = bench.get(60 * MiB, kHost);
    EXPECT_EQ(shows_one && bench.pool.show(one), shows_one);
    std::vector<driver::Address> blocks;
    for (int i = 0; i < 60; ++i) blocks.push_back(bench.get(4 * MiB, kHost));
    for (std::size_t i = 0; i < blocks.size(); i += 2) bench.use_and_free(blocks[i], kHost);
    bench.device.finish_all();
    const auto at = bench.get(60 * MiB, kHost);
    const auto shown = bench.pool.show(at);
    expect_whole(bench, at, 60 * MiB, *shown);
    return shown->handles.size();
  };
  EXPECT_GE(handles_of_the_next(false), 15U);
  EXPECT_LE(handles_of_the_next(true), 2U);
}

// No memory is no answer to that.
TEST(Show, ASizeThatIsShownIsStitchedBeforeItFails) {
  Bench bench(200 * MiB);
  const auto one = bench.get(60 * MiB, kHost);
  EXPECT_TRUE(bench.pool.show(one));
  bench.use_and_free(one, kHost);
  bench.device.finish_all();
  std::vector<driver::Address> blocks;
  for (int i = 0; i < 10; ++i) blocks.push_back(bench.get(20 * MiB, kHost));
  for (std::size_t i = 0; i < blocks.size(); i += 2) bench.use_and_free(blocks[i], kHost);
  bench.device.finish_all();
  (void)bench.get(60 * MiB, kHost);
  EXPECT_EQ(bench.counters().stitches, 1U);
}

TEST(Show, ABlockIsTheSameForAsLongAsItLives) {
  Bench bench;
  const auto at = bench.get(10 * MiB, kHost);
  EXPECT_FALSE(bench.pool.is_shown(at));
  EXPECT_FALSE(bench.pool.show(at)->again);
  EXPECT_TRUE(bench.pool.show(at)->again);
  EXPECT_TRUE(bench.pool.is_shown(at));
  bench.use_and_free(at, kHost);
  EXPECT_FALSE(bench.pool.is_shown(at));
  EXPECT_FALSE(bench.pool.show(at));
  bench.device.finish_all();
  ASSERT_EQ(bench.get(10 * MiB, kHost), at);
  EXPECT_FALSE(bench.pool.is_shown(at));
  EXPECT_FALSE(bench.pool.show(at)->again);
}

// Where it is taken back as it was freed, without a look at the books.
TEST(Show, AParkedBlockComesBackAsAnother) {
  auto config = plain();
  config.streams_single_stream = true;
  Bench bench(GiB, config);
  bench.device.only_legacy = true;
  const auto at = bench.get(10 * MiB, kHost);
  EXPECT_FALSE(bench.pool.show(at)->again);
  bench.use_and_free(at, kHost);
  ASSERT_EQ(bench.get(10 * MiB, kHost), at);
  EXPECT_FALSE(bench.pool.is_shown(at));
}

// As natively: cuda.h, cuIpcGetMemHandle, "an existing device memory allocation created with
// cuMemAlloc".
TEST(Show, OnlyBlocksWithoutAStream) {
  Bench bench;
  const auto at = bench.get(10 * MiB, on_stream(1));
  EXPECT_FALSE(bench.pool.show(at));
  EXPECT_FALSE(bench.pool.show(bench.get(10 * MiB, kHost) + 512));
  EXPECT_FALSE(bench.pool.show(4096));
}

TEST(Show, AContextTakesItsBlocks) {
  Bench bench;
  const auto at = bench.get(10 * MiB, kHost);
  EXPECT_TRUE(bench.pool.show(at));
  bench.pool.forget_context(kContext);
  EXPECT_FALSE(bench.pool.is_shown(at));
}

}  // namespace
}  // namespace gmlake::pool
