// What can be asked about a block by any address in it, and what is noted of it.
#include <gtest/gtest.h>

#include <set>

#include "pool/bench.h"

namespace gmlake::pool {
namespace {

TEST(Blocks, AnswerForAnyAddressInside) {
  Bench bench;
  for (const Bytes bytes : {Bytes{1}, Bytes{1000}, 3 * MiB, 10 * MiB - 7}) {
    const auto plain = bench.get(bytes, kHost);
    const auto streams = bench.get(bytes, on_stream(1));
    for (const Bytes inside : {Bytes{0}, bytes / 2, bytes - 1}) {
      const auto seen = bench.pool.view(plain + inside);
      ASSERT_TRUE(seen);
      EXPECT_EQ(seen->start, plain);
      EXPECT_EQ(seen->size, bytes);
      EXPECT_EQ(seen->context, kContext);
      EXPECT_FALSE(seen->of_stream);
      const auto other = bench.pool.view(streams + inside);
      ASSERT_TRUE(other);
      EXPECT_EQ(other->start, streams);
      EXPECT_EQ(other->size, bytes);
      EXPECT_EQ(other->context, nullptr) << "it belongs to none";
      EXPECT_TRUE(other->of_stream);
    }
    const auto behind = bench.pool.view(plain + bytes);
    EXPECT_TRUE(!behind || behind->start != plain);
    EXPECT_TRUE(bench.pool.free(plain, kHost));
    EXPECT_FALSE(bench.pool.view(plain)) << "freed";
    EXPECT_FALSE(bench.pool.note(plain));
    EXPECT_TRUE(bench.pool.view(streams));
  }
  EXPECT_FALSE(bench.pool.view(bench.get(MiB, kHost) + 512 * MiB));
}

TEST(Blocks, AnswerThroughAStitchedRangeOnly) {
  Bench bench(64 * MiB);
  std::array<driver::Address, 8> blocks;
  for (auto& block : blocks) block = bench.get(8 * MiB, on_stream(1));
  for (const std::size_t i : {0U, 2U, 4U}) bench.use_and_free(blocks[i], on_stream(1));
  const auto at = bench.get(20 * MiB, on_stream(1));
  ASSERT_EQ(bench.counters().stitches, 1U);
  for (const Bytes inside : {Bytes{0}, 9 * MiB, 20 * MiB - 1}) {
    const auto seen = bench.pool.view(at + inside);
    ASSERT_TRUE(seen);
    EXPECT_EQ(seen->start, at);
    EXPECT_EQ(seen->size, 20 * MiB);
    EXPECT_LE(seen->mapped_start, at);
    EXPECT_GE(seen->mapped_start + seen->mapped_size, at + 20 * MiB);
  }
  for (const std::size_t i : {0U, 2U, 4U}) EXPECT_FALSE(bench.pool.view(blocks[i] + MiB));
  bench.use_and_free(at, on_stream(1));
  EXPECT_FALSE(bench.pool.view(at));
}

// Freed by cudaFree at once; on a stream once that has come to it, which others may be ahead of.
TEST(Blocks, FreedAreNobodys) {
  Bench bench(64 * MiB);
  for (const Bytes bytes : {Bytes{1000}, 8 * MiB}) {
    const auto plain = bench.get(bytes, kHost), beside = bench.get(bytes, kHost);
    const auto streams = bench.get(bytes, on_stream(1));
    for (const auto at : {plain, plain + bytes / 2, streams, streams + bytes / 2})
      EXPECT_FALSE(bench.pool.is_nobodys(at)) << "in use";
    EXPECT_TRUE(bench.pool.free(plain, kHost));
    EXPECT_TRUE(bench.pool.free(streams, on_stream(1)));
    for (const Bytes inside : {Bytes{0}, bytes / 2}) {
      EXPECT_TRUE(bench.pool.is_nobodys(plain + inside));
      EXPECT_FALSE(bench.pool.is_nobodys(streams + inside)) << "not freed there yet";
    }
    const auto later = bench.get(5000, kHost);  // what is parked is free then
    EXPECT_TRUE(bench.pool.is_nobodys(plain + bytes / 2));
    EXPECT_FALSE(bench.pool.is_nobodys(beside));
    EXPECT_TRUE(bench.pool.free(later, kHost));
    EXPECT_TRUE(bench.pool.free(beside, kHost));
  }
}

TEST(Blocks, FreedAreNobodysThroughAStitchedRange) {
  Bench bench(64 * MiB);
  std::array<driver::Address, 8> blocks;
  for (auto& block : blocks) block = bench.get(8 * MiB, kHost);
  for (const std::size_t i : {0U, 2U, 4U}) bench.use_and_free(blocks[i], kHost);
  const auto at = bench.get(20 * MiB, kHost);
  ASSERT_EQ(bench.counters().stitches, 1U);
  EXPECT_FALSE(bench.pool.is_nobodys(at + 9 * MiB));
  bench.use_and_free(at, kHost);
  EXPECT_TRUE(bench.pool.is_nobodys(at + 9 * MiB));
  const auto other = bench.get(4 * MiB, kHost);
  EXPECT_TRUE(bench.pool.is_nobodys(at + 9 * MiB)) << "its window is kept";
  bench.use_and_free(other, kHost);
}

// As the driver: an id is of one allocation, and never comes back.
TEST(Blocks, HaveAnIdOfTheirOwn) {
  Bench bench;
  std::set<std::uint64_t> ids;
  for (int i = 0; i < 3000; ++i) {  // more than are kept
    const auto at = bench.get(i % 2 == 0 ? 4096 : 3 * MiB, on_stream(1));
    const auto noted = bench.pool.note(at + 100);
    ASSERT_TRUE(noted);
    EXPECT_EQ(bench.pool.note(at)->id, noted->id);
    EXPECT_GT(noted->id, std::uint64_t{1} << 62) << "the driver may have given it too";
    EXPECT_TRUE(ids.insert(noted->id).second) << i;
    bench.use_and_free(at, on_stream(1));
  }
}

// The block that a stream takes back as it is, is another one for all who ask.
TEST(Blocks, TakenBackAreNewOnes) {
  Bench bench;
  const auto at = bench.get(4 * MiB, on_stream(1));
  const auto first = bench.pool.note(at, true);
  ASSERT_TRUE(first && first->synchronous);
  EXPECT_TRUE(bench.pool.is_synchronous(at + MiB));
  bench.use_and_free(at, on_stream(1));
  EXPECT_FALSE(bench.pool.is_synchronous(at + MiB));
  ASSERT_EQ(bench.get(4 * MiB - 100, on_stream(1)), at);
  EXPECT_FALSE(bench.pool.is_synchronous(at + MiB));
  const auto second = bench.pool.note(at);
  ASSERT_TRUE(second);
  EXPECT_NE(second->id, first->id);
  EXPECT_FALSE(second->synchronous);
  EXPECT_EQ(bench.pool.view(at)->size, 4 * MiB - 100);
  EXPECT_EQ(bench.counters().live_bytes, 4 * MiB - 100);
}

TEST(Blocks, AreToldApartFromTheirNeighbours) {
  Bench bench;
  const auto first = bench.get(1000, kHost);
  const auto second = bench.get(1000, kHost);
  bench.pool.note(first, true);
  EXPECT_TRUE(bench.pool.is_synchronous(first + 999));
  EXPECT_FALSE(bench.pool.is_synchronous(second));
  bench.pool.note(first, false);
  EXPECT_FALSE(bench.pool.is_synchronous(first));
}

// GPUDirect and dma-buf hand out whole pages.
TEST(Blocks, OfAMebibyteAndMoreLieOnPages) {
  constexpr Bytes kPage = 64 * KiB;
  Bench bench;
  for (const Bytes bytes : {MiB, MiB + 1, 3 * MiB + 512, 8 * MiB}) {
    bench.get(4096, on_stream(1));
    bench.get(3 * MiB + 512, on_stream(1));
    const auto at = bench.get(bytes, kHost);
    EXPECT_EQ(at % kPage, 0U);
    const auto behind = bench.get(512, kHost);
    EXPECT_TRUE(behind < at || behind >= at + round_up(bytes, kPage)) << "its last page is its own";
    EXPECT_TRUE(bench.pool.free(at, kHost));
    bench.device.finish_all();
    EXPECT_EQ(bench.get(bytes, kHost) % kPage, 0U);
  }
}

}  // namespace
}  // namespace gmlake::pool
