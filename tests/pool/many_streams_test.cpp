// Beside thousands of streams: what a request looks at does not grow with them.
#include "pool/bench.h"

namespace gmlake::pool {
namespace {

constexpr Bytes kBytes = 2 * MiB;

std::uint64_t calls(const Bench& bench) {
  std::uint64_t sum = 0;
  for (const auto& [name, count] : bench.device.calls) sum += count;
  return sum;
}

// Each stream has freed a block that others may not have yet.
void streams_with_free_memory(Bench& bench, std::uintptr_t count) {
  std::vector<driver::Address> blocks;
  for (std::uintptr_t i = 1; i <= count; ++i) blocks.push_back(bench.get(kBytes, on_stream(i)));
  for (std::uintptr_t i = 1; i <= count; ++i) bench.use_and_free(blocks[i - 1], on_stream(i));
}

TEST(ManyStreams, AMissAsksSomeOfThem) {
  Bench bench(64 * GiB);
  streams_with_free_memory(bench, 1000);
  for (std::uintptr_t i = 0; i < 5; ++i) {
    const auto before = calls(bench);
    bench.get(kBytes, on_stream(5000 + i));
    // An event made, recorded and asked; and the new memory.
    EXPECT_LE(calls(bench) - before, 3 * memory::FreeIndex::kMostAwaited + 16);
  }
}

TEST(ManyStreams, WhatOneOfThemHasIsFoundBeforeMemoryRunsOut) {
  auto config = plain();
  config.pool_head_room = 0;
  Bench bench(1000 * kBytes, config);
  streams_with_free_memory(bench, 1000);
  bench.device.finish_all();
  const auto before = bench.counters().physical_bytes;
  for (std::uintptr_t i = 0; i < 1000; ++i) bench.get(kBytes, on_stream(5000 + i));
  EXPECT_EQ(bench.counters().physical_bytes, before);
  EXPECT_EQ(bench.counters().live_bytes, 1000 * kBytes);
}

TEST(ManyStreams, LevelsAreThoseOfAllOfThem) {
  Bench bench(64 * GiB);
  streams_with_free_memory(bench, 1000);
  EXPECT_EQ(bench.counters().live_bytes, 0U);
  EXPECT_EQ(bench.counters().peak_live_bytes, 1000 * kBytes);
  EXPECT_EQ(bench.pool.reusable_bytes(), 1000 * kBytes);
  bench.get(3000 * kBytes, on_stream(1));
  EXPECT_EQ(bench.counters().peak_live_bytes, 3000 * kBytes);
  EXPECT_EQ(bench.counters().frees, 1000U);
}

}  // namespace
}  // namespace gmlake::pool
