// cudaMalloc behind cudaFree: memory that the front has just freed itself is asked for first, once,
// and without a walk over the pool.
#include "pool/bench.h"

namespace gmlake::pool::host_frees_test {
namespace {

constexpr Bytes kSize = 8 * MiB;

struct HostFrees : Bench {
  // So much memory that no single free is followed by itself.
  explicit HostFrees(Bytes memory = 64 * GiB) : Bench(memory) {}
  std::uint64_t questions() { return device.calls["cuEventQuery"]; }
  std::uint64_t records() { return device.calls["cuCtxRecordEvent"]; }
};

TEST(HostFrees, WhatIsOverServesTheNextRequest) {
  HostFrees s;
  const auto at = s.get(kSize, kHost);
  for (std::uint64_t n = 1; n <= 20; ++n) {
    s.use_and_free(at, kHost);
    s.device.finish_all();
    ASSERT_EQ(s.pool.try_allocate(kSize, kHost), at);
    EXPECT_EQ(s.questions(), n);
    EXPECT_EQ(s.records(), n);
  }
  EXPECT_EQ(s.counters().fence_queries, 20U);
  EXPECT_EQ(s.counters().reuse_completed, 20U);
}

TEST(HostFrees, WhatIsNotOverIsAskedOnce) {
  HostFrees s;
  const auto at = s.get(kSize, kHost);
  s.use_and_free(at, kHost);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(s.pool.try_allocate(kSize, kHost), 0U);
  EXPECT_EQ(s.questions(), 1U);
  EXPECT_EQ(s.records(), 1U);
  s.device.finish_all();
  EXPECT_EQ(s.get(kSize, kHost), at);  // by the walk, for which more is at stake
}

// Neither an event nor a question where it could not help.
TEST(HostFrees, TooLittleIsLeftAlone) {
  HostFrees s;
  s.use_and_free(s.get(kSize / 2, kHost), kHost);
  s.device.finish_all();
  EXPECT_EQ(s.pool.try_allocate(kSize, kHost), 0U);
  EXPECT_EQ(s.questions() + s.records(), 0U);
}

// Of what a wait of the program has shown nothing is asked.
TEST(HostFrees, WhatIsKnownToBeOverIsNotAsked) {
  HostFrees s(GiB);                  // each free is followed at once
  (void)s.get(kSize, on_stream(1));  // with one timeline waits are not looked at
  const auto at = s.get(kSize, kHost);
  s.use_and_free(at, kHost);
  EXPECT_EQ(s.records(), 1U);
  const auto given = s.pool.given(kHost);
  s.device.finish_all();
  s.pool.happened(given);
  EXPECT_EQ(s.pool.try_allocate(4 * kSize, kHost), 0U);
  EXPECT_EQ(s.questions(), 0U);
  EXPECT_EQ(s.pool.try_allocate(kSize, kHost), at);
}

// A stream finds its own memory in its own order, and walks for others.
TEST(HostFrees, AStreamsMemoryIsNotAsked) {
  HostFrees s;
  const auto at = s.get(kSize, on_stream(1));
  s.use_and_free(at, on_stream(1));
  EXPECT_EQ(s.pool.try_allocate(kSize, on_stream(2)), 0U);
  EXPECT_EQ(s.pool.try_allocate(kSize, on_stream(1)), at);
  EXPECT_EQ(s.questions() + s.records(), 0U);
}

}  // namespace
}  // namespace gmlake::pool::host_frees_test
