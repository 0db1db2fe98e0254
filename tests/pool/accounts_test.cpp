// The program's memory pools: what each has in use and holds, what it may have, and what it gives
// back.
#include <thread>

#include "pool/bench.h"

namespace gmlake::pool {
namespace {

Origin of_pool(PoolTag pool, std::uintptr_t stream) {
  auto origin = on_stream(stream);
  origin.pool = pool;
  return origin;
}

Bytes used(Bench& bench, PoolTag pool = kDefaultPool) {
  return bench.pool.figures(pool).used;
}
Bytes reserved(Bench& bench, PoolTag pool = kDefaultPool) {
  return bench.pool.figures(pool).reserved;
}

TEST(Accounts, WhatIsAskedForCountsToTheByte) {
  Bench bench;
  const auto a = bench.get(1000, on_stream(1));
  const auto b = bench.get(3 * MiB + 1, on_stream(1));
  EXPECT_EQ(used(bench), 1000 + 3 * MiB + 1);
  bench.use_and_free(a, on_stream(1));
  EXPECT_EQ(used(bench), 3 * MiB + 1);
  bench.use_and_free(b, on_stream(1));
  EXPECT_EQ(used(bench), 0U);
  EXPECT_EQ(bench.pool.figures(kDefaultPool).used_high, 1000 + 3 * MiB + 1);
}

TEST(Accounts, WhicheverWayItIsFreed) {
  Bench bench;
  for (const auto& by : {on_stream(1), on_stream(2), kHost}) {
    const auto a = bench.get(4 * MiB, on_stream(1));
    const auto plain = bench.get(6 * MiB, kHost);
    EXPECT_EQ(used(bench), 4 * MiB) << "cudaMalloc's is no pool's";
    bench.use_and_free(plain, by);
    EXPECT_EQ(used(bench), 4 * MiB);
    bench.use_and_free(a, by);
    EXPECT_EQ(used(bench), 0U);
  }
}

TEST(Accounts, TheSameMemoryServesAllPools) {
  Bench bench;
  const auto mine = *bench.pool.open_account(nullptr, 0);
  const auto a = bench.get(4 * MiB, of_pool(mine, 1));
  EXPECT_EQ(used(bench, mine), 4 * MiB);
  EXPECT_EQ(used(bench), 0U);
  EXPECT_EQ(bench.pool.pool_at(a), mine);
  bench.use_and_free(a, on_stream(1));
  EXPECT_EQ(bench.pool.pool_at(a), std::nullopt);
  const auto b = bench.get(4 * MiB, on_stream(1));
  EXPECT_EQ(b, a);
  EXPECT_EQ(bench.pool.pool_at(b), kDefaultPool);
  EXPECT_EQ(used(bench, mine), 0U);
  EXPECT_EQ(used(bench), 4 * MiB);
  bench.use_and_free(b, on_stream(2));
  const auto c = bench.get(4 * MiB, of_pool(mine, 2));
  EXPECT_EQ(bench.pool.pool_at(c), mine);
  bench.use_and_free(c, kHost);
  EXPECT_EQ(used(bench, mine), 0U);
  EXPECT_EQ(used(bench), 0U);
  EXPECT_EQ(bench.pool.figures(mine).used_high, 4 * MiB);
  EXPECT_EQ(bench.pool.figures(kDefaultPool).used_high, 4 * MiB);
}

TEST(Accounts, APeakMadeOfBlocksTakenBackIsSeen) {
  Bench bench;
  const auto a = bench.get(10 * MiB, on_stream(1));
  bench.use_and_free(a, on_stream(1));
  const auto b = bench.get(12 * MiB, on_stream(2));
  EXPECT_EQ(bench.get(10 * MiB, on_stream(1)), a);
  EXPECT_EQ(bench.pool.figures(kDefaultPool).used_high, 22 * MiB);
  EXPECT_EQ(bench.counters().peak_live_bytes, 22 * MiB);
  bench.use_and_free(a, on_stream(1));
  bench.use_and_free(b, on_stream(2));
}

TEST(Accounts, APeakIsReachedAgainAfterItWasReset) {
  Bench bench;
  const auto a = bench.get(10 * MiB, on_stream(1));
  const auto b = bench.get(12 * MiB, on_stream(1));
  bench.use_and_free(a, on_stream(1));
  bench.use_and_free(b, on_stream(1));
  bench.pool.reset_used_high(kDefaultPool);
  EXPECT_EQ(bench.pool.figures(kDefaultPool).used_high, 0U);
  for (int i = 0; i < 3; ++i) bench.use_and_free(bench.get(12 * MiB, on_stream(1)), on_stream(1));
  EXPECT_EQ(bench.pool.figures(kDefaultPool).used_high, 12 * MiB);
}

TEST(Accounts, ALimitIsOneOnWhatIsInUse) {
  Bench bench;
  const auto mine = *bench.pool.open_account(nullptr, 10 * MiB);
  const auto a = bench.get(6 * MiB, of_pool(mine, 1));
  const auto beyond = bench.pool.allocate(4 * MiB + 1, of_pool(mine, 1));
  ASSERT_FALSE(beyond);
  EXPECT_EQ(beyond.error().kind, ErrorKind::pool_limit);
  EXPECT_EQ(bench.pool.try_allocate(~Bytes{0}, of_pool(mine, 1)), 0U);
  const auto b = bench.get(4 * MiB, of_pool(mine, 2));
  bench.use_and_free(a, on_stream(1));
  bench.use_and_free(bench.get(6 * MiB, of_pool(mine, 1)), on_stream(1));
  bench.use_and_free(b, on_stream(2));
  EXPECT_EQ(used(bench, mine), 0U);
}

TEST(Accounts, AFailedRequestLeavesTheLimitAsItWas) {
  Bench bench(64 * MiB);
  const auto mine = *bench.pool.open_account(nullptr, 100 * MiB);
  EXPECT_FALSE(bench.pool.allocate(90 * MiB, of_pool(mine, 1)));
  EXPECT_EQ(bench.pool.account(mine).promised.load(), 0U);
  EXPECT_EQ(bench.pool.figures(mine).used_high, 0U);
}

TEST(Accounts, ReservedIsBetweenWhatIsUsedAndWhatIsThere) {
  auto config = plain();
  config.pool_largest_chunk = 2 * MiB;
  Bench bench(GiB, config);
  const auto plain = bench.get(20 * MiB, kHost);
  const auto a = bench.get(MiB + 1, on_stream(1));
  EXPECT_EQ(reserved(bench), MiB + 4 * KiB);
  const auto b = bench.get(30 * MiB, on_stream(1));
  EXPECT_EQ(reserved(bench), 31 * MiB + 4 * KiB);
  bench.use_and_free(b, on_stream(1));
  EXPECT_EQ(reserved(bench), 31 * MiB + 4 * KiB);
  // What others use of it now is theirs.
  bench.device.finish_all();
  bench.pool.account(kDefaultPool).has_threshold = true;
  bench.use_and_free(plain, kHost);
  bench.use_and_free(a, on_stream(1));
  bench.device.finish_all();
  EXPECT_EQ(bench.pool.trim(32 * MiB), bench.device.physical() == 0 ? 0 : 20 * MiB);
  const auto other = bench.get(bench.device.physical(), kHost);
  EXPECT_EQ(reserved(bench), 0U);
  bench.use_and_free(other, kHost);
}

TEST(Accounts, WithoutAThresholdNothingIsHeldNorGivenBack) {
  Bench bench;
  const auto mine = *bench.pool.open_account(nullptr, 0);
  for (const PoolTag pool : {kDefaultPool, mine}) {
    bench.use_and_free(bench.get(30 * MiB, of_pool(pool, 1)), on_stream(1));
    EXPECT_EQ(reserved(bench, pool), 30 * MiB);
    bench.device.finish_all();
    bench.pool.after_wait();
    EXPECT_EQ(reserved(bench, pool), 0U);
    EXPECT_EQ(bench.device.physical(), 30 * MiB);
    EXPECT_EQ(bench.pool.figures(pool).reserved_high, 30 * MiB);
    bench.pool.reset_reserved_high(pool);
    EXPECT_EQ(bench.pool.figures(pool).reserved_high, 0U);
  }
}

TEST(Accounts, AThresholdThatIsSetIsKeptTo) {
  Bench bench;
  auto& account = bench.pool.account(kDefaultPool);
  account.threshold = 16 * MiB;
  account.has_threshold = true;
  std::vector<driver::Address> blocks;
  for (int i = 0; i < 4; ++i) blocks.push_back(bench.get(16 * MiB, on_stream(1)));
  for (const auto at : blocks) bench.use_and_free(at, on_stream(1));
  bench.pool.after_wait();  // of another stream: this one's work is pending
  EXPECT_EQ(bench.device.physical(), 64 * MiB);
  bench.device.finish_all();
  bench.pool.after_wait();
  EXPECT_EQ(bench.device.physical(), 16 * MiB);
  EXPECT_EQ(reserved(bench), 16 * MiB);
}

TEST(Accounts, ATrimLeavesOthersMemoryAlone) {
  Bench bench;
  const auto mine = *bench.pool.open_account(nullptr, 0);
  bench.use_and_free(bench.get(32 * MiB, kHost), kHost);
  const auto kept = bench.get(32 * MiB, of_pool(mine, 1));
  bench.use_and_free(bench.get(32 * MiB, of_pool(mine, 1)), on_stream(1));
  bench.device.finish_all();
  const Bytes before = bench.device.physical();
  bench.pool.trim_account(mine, 0);
  EXPECT_EQ(bench.device.physical(), before - 32 * MiB);
  EXPECT_EQ(reserved(bench, mine), 32 * MiB) << "in use";
  bench.use_and_free(kept, on_stream(1));
  bench.device.finish_all();
  // The default pool's takes what cudaFree has left along: nobody else asks for that.
  bench.pool.trim_account(kDefaultPool, 0);
  EXPECT_EQ(bench.device.physical(), 0U);
}

TEST(Accounts, APlaceIsFreeOnceNothingOfItIsInUse) {
  Bench bench;
  std::vector<PoolTag> all;
  while (const auto next = bench.pool.open_account(nullptr, 0)) all.push_back(*next);
  EXPECT_EQ(all.size(), kMostPools);
  const auto at = bench.get(MiB, of_pool(all[7], 1));
  bench.pool.close_account(all[7]);
  EXPECT_EQ(bench.pool.open_account(nullptr, 0), std::nullopt) << "memory of it lives";
  bench.use_and_free(at, on_stream(1));
  EXPECT_EQ(bench.pool.open_account(nullptr, 0), all[7]);
  EXPECT_EQ(bench.pool.figures(all[7]).used_high, 0U);
}

TEST(Accounts, ThreadsAgreeInTheEnd) {
  Bench bench;
  const auto mine = *bench.pool.open_account(nullptr, 24 * MiB);
  std::vector<std::thread> threads;
  for (std::uintptr_t t = 1; t <= 4; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 2000; ++i) {
        const auto at = bench.pool.allocate(2 * MiB, of_pool(i % 2 ? mine : kDefaultPool, t));
        const auto more = bench.pool.allocate(8 * MiB, of_pool(mine, t));
        ASSERT_TRUE(at || at.error().kind == ErrorKind::pool_limit);
        if (at) {
          ASSERT_TRUE(bench.pool.free(*at, on_stream(t % 4 + 1)));
        }
        if (more) {
          ASSERT_TRUE(bench.pool.free(*more, i % 3 ? on_stream(t) : kHost));
        }
      }
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(used(bench), 0U);
  EXPECT_EQ(used(bench, mine), 0U);
  EXPECT_EQ(bench.pool.account(mine).promised.load(), 0U);
  EXPECT_LE(bench.pool.figures(mine).used_high, 24 * MiB);
  bench.device.finish_all();
  bench.pool.check();
}

}  // namespace
}  // namespace gmlake::pool
