// streams.single_stream: cudaMalloc takes back what cudaFree freed for as long as its context has
// one stream, and what happens when that ends.
#include "pool/bench.h"

namespace gmlake::pool {
namespace {

const Origin kOther{reinterpret_cast<void*>(0x200), 0};

config::Config single() {
  auto config = plain();
  config.streams_single_stream = true;
  return config;
}

struct OneStream : Bench {
  explicit OneStream(const config::Config& with = single()) : Bench(GiB, with) {
    device.only_legacy = true;
  }
  // A block of the origin's context that has been given out twice, with work pending before.
  driver::Address taken_back(const Origin& origin) {
    const auto at = get(10 * MiB, origin);
    use_and_free(at, origin);
    EXPECT_EQ(get(10 * MiB, origin), at);
    return at;
  }
  std::uint64_t waits() { return device.calls["cuEventSynchronize"]; }
};

TEST(OneStream, CudaMallocTakesCudaFreesMemoryWithoutAnyCall) {
  OneStream bench;
  bench.use_and_free(bench.get(100 * MiB, kHost), kHost);
  const auto before = bench.device.calls;
  for (int i = 0; i < 100; ++i) bench.use_and_free(bench.get(100 * MiB, kHost), kHost);
  // From the middle of a larger one, and side by side again.
  bench.use_and_free(bench.get(40 * MiB, kHost), kHost);
  bench.use_and_free(bench.get(100 * MiB, kHost), kHost);
  EXPECT_EQ(bench.device.calls, before);
  const auto c = bench.counters();
  EXPECT_EQ(c.reuse_own_stream, 102U);
  EXPECT_EQ(c.deferred_frees, 103U);
  EXPECT_EQ(c.physical_bytes, 100 * MiB);
  EXPECT_EQ(c.fences, 0U);
}

TEST(OneStream, NotUnlessAskedForAndSeen) {
  OneStream not_asked(plain());
  not_asked.use_and_free(not_asked.get(10 * MiB, kHost), kHost);
  not_asked.get(10 * MiB, kHost);
  EXPECT_EQ(not_asked.counters().growths, 2U);
  Bench not_seen(GiB, single());
  not_seen.use_and_free(not_seen.get(10 * MiB, kHost), kHost);
  not_seen.get(10 * MiB, kHost);
  EXPECT_EQ(not_seen.counters().growths, 2U);
}

TEST(OneStream, EndsWithOneWaitForWhatWasTakenBack) {
  OneStream bench;
  const auto at = bench.taken_back(kHost);
  EXPECT_LT(bench.device.completed[nullptr], bench.device.submitted[nullptr]);
  EXPECT_TRUE(bench.pool.end_one_stream(kContext));
  EXPECT_EQ(bench.device.completed[nullptr], bench.device.submitted[nullptr]);
  EXPECT_EQ(bench.waits(), 1U);
  EXPECT_EQ(bench.counters().fence_waits, 1U);
  EXPECT_FALSE(bench.pool.end_one_stream(kContext));
  EXPECT_EQ(bench.waits(), 1U);
  bench.use_and_free(at, kHost);
  EXPECT_NE(bench.get(10 * MiB, kHost), at) << "its work has not completed";
  EXPECT_EQ(bench.counters().fences, 1U);
}

// Parked, and split from a larger span: both count.
TEST(OneStream, WhatWasTakenFromALargerSpanIsWaitedForToo) {
  OneStream bench;
  bench.use_and_free(bench.get(100 * MiB, kHost), kHost);
  bench.get(40 * MiB, kHost);
  EXPECT_EQ(bench.counters().hits_split, 1U);
  EXPECT_TRUE(bench.pool.end_one_stream(kContext));
}

TEST(OneStream, FreedAndNotTakenBackNeedsNoWait) {
  OneStream bench;
  const auto at = bench.get(10 * MiB, kHost);
  bench.use_and_free(at, kHost);
  EXPECT_FALSE(bench.pool.end_one_stream(kContext));
  EXPECT_EQ(bench.waits(), 0U);
  EXPECT_NE(bench.get(10 * MiB, kHost), at);
  bench.device.finish_all();
  EXPECT_EQ(bench.get(10 * MiB, kHost), at);
}

// What was freed before the wait is over with it.
TEST(OneStream, TheWaitIsForAllThatWasFreed) {
  OneStream bench;
  const auto first = bench.taken_back(kHost);
  bench.use_and_free(first, kHost);
  EXPECT_TRUE(bench.pool.end_one_stream(kContext));
  EXPECT_EQ(bench.get(10 * MiB, on_stream(2)), first);
  EXPECT_EQ(bench.counters().reuse_completed, 1U);
  EXPECT_EQ(bench.counters().fences, 0U);
}

TEST(OneStream, IsOfEachContextByItself) {
  OneStream bench;
  const auto mine = bench.taken_back(kHost);
  bench.use_and_free(mine, kHost);
  const auto other = bench.taken_back(kOther);
  EXPECT_NE(other, mine) << "work of another context";
  EXPECT_TRUE(bench.pool.end_one_stream(kOther.context));
  EXPECT_EQ(bench.waits(), 1U);
  ++bench.device.submitted[nullptr];
  EXPECT_EQ(bench.get(10 * MiB, kHost), mine);
  EXPECT_TRUE(bench.pool.end_one_stream(nullptr)) << "of all that are left";
  EXPECT_EQ(bench.waits(), 2U);
}

TEST(OneStream, OfAContextThatIsGoneNothingIsWaitedFor) {
  OneStream bench;
  bench.taken_back(kHost);
  bench.device.forget_context(kContext);
  bench.pool.forget_context(kContext);
  EXPECT_FALSE(bench.pool.end_one_stream(nullptr));
  EXPECT_EQ(bench.waits(), 0U);
}

// The driver's rule for such memory is about its own uses, not about those of the bytes before.
TEST(OneStream, StreamOrderedMemoryKeepsItsOwnOrder) {
  OneStream bench;
  const auto at = bench.get(10 * MiB, on_stream(1));
  ++bench.device.submitted[on_stream(1).stream];
  EXPECT_TRUE(bench.pool.free(at, kHost));
  EXPECT_NE(bench.get(10 * MiB, kHost), at);
  EXPECT_EQ(bench.get(10 * MiB, on_stream(1)), at);
}

// The free of another context's thread is no work of that context.
TEST(OneStream, FreedInAnotherContextItIsStillItsOwn) {
  OneStream bench;
  const auto at = bench.get(10 * MiB, kHost);
  bench.use_and_free(at, kOther);
  EXPECT_NE(bench.get(10 * MiB, kOther), at);
  EXPECT_EQ(bench.get(10 * MiB, kHost), at);
}

TEST(OneStream, AWaitThatFailsEndsItAsWell) {
  OneStream bench;
  const auto at = bench.taken_back(kHost);
  bench.device.fail_call = "cuEventSynchronize";
  EXPECT_FALSE(bench.pool.end_one_stream(kContext));
  bench.use_and_free(at, kHost);
  EXPECT_NE(bench.get(10 * MiB, kHost), at);
}

}  // namespace
}  // namespace gmlake::pool
