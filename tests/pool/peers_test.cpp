// Memory of the pool that other devices may reach: single blocks, or all there is and is to come.
#include <gtest/gtest.h>

#include "pool/bench.h"
#include "pool/peers.h"

namespace gmlake::pool {
namespace {

constexpr auto kAlways = [] { return true; };
constexpr auto kNever = [] { return false; };

TEST(Peers, OpenRangesBecomeOneAndAreLostInParts) {
  Peers peers;
  peers.open(3, 100, 50);
  peers.open(3, 200, 50);
  EXPECT_FALSE(peers.reaches(3, 100, 100));
  peers.open(3, 150, 50);
  EXPECT_TRUE(peers.reaches(3, 100, 150));
  EXPECT_FALSE(peers.reaches(3, 99, 10));
  EXPECT_FALSE(peers.reaches(2, 100, 50));
  peers.open(2, 90, 300);
  peers.unmapped(140, 20);
  EXPECT_TRUE(peers.reaches(3, 100, 40));
  EXPECT_TRUE(peers.reaches(3, 160, 90));
  EXPECT_FALSE(peers.reaches(3, 130, 20));
  EXPECT_TRUE(peers.reaches(2, 90, 50));
  EXPECT_FALSE(peers.reaches(2, 90, 51));
  peers.set_all(3, true);
  EXPECT_TRUE(peers.reaches(3, 1, 1000));
  peers.set_all(3, false);
  EXPECT_FALSE(peers.reaches(3, 100, 10)) << "access has ended for all";
}

TEST(Peers, ABlockIsOpenedAlone) {
  Bench bench;
  const auto first = bench.get(9 * MiB, kHost);
  const auto second = bench.get(40 * MiB, kHost);
  const auto block = bench.pool.view(first);
  ASSERT_TRUE(block);
  EXPECT_TRUE(bench.pool.open_to(1, *block));
  EXPECT_TRUE(bench.device.reaches(1, first, 9 * MiB));
  EXPECT_FALSE(bench.device.reaches(1, second, 40 * MiB));
  EXPECT_FALSE(bench.device.reaches(2, first, 1));
  const auto calls = bench.device.calls["cuMemSetAccess"];
  EXPECT_TRUE(bench.pool.open_to(1, *block));
  EXPECT_EQ(bench.device.calls["cuMemSetAccess"], calls) << "it is known";
  EXPECT_TRUE(bench.pool.open_to(2, *block));
  EXPECT_TRUE(bench.device.reaches(2, first, 9 * MiB));
}

TEST(Peers, AStitchedBlockIsOpenedWhereItIsSeen) {
  Bench bench(64 * MiB);
  std::array<driver::Address, 8> blocks;
  for (auto& block : blocks) block = bench.get(8 * MiB, on_stream(1));
  for (const std::size_t i : {0U, 2U, 4U}) bench.use_and_free(blocks[i], on_stream(1));
  const auto at = bench.get(20 * MiB, on_stream(1));
  ASSERT_EQ(bench.counters().stitches, 1U);
  EXPECT_TRUE(bench.pool.open_to(1, *bench.pool.view(at)));
  EXPECT_TRUE(bench.device.reaches(1, at, 20 * MiB));
  EXPECT_FALSE(bench.device.reaches(1, blocks[0], 1));
}

TEST(Peers, AllIsOpenedAndWhatComesLater) {
  Bench bench(64 * MiB);
  std::array<driver::Address, 6> blocks;
  for (auto& block : blocks) block = bench.get(8 * MiB, on_stream(1));
  EXPECT_TRUE(bench.pool.open_to(2, *bench.pool.view(blocks[1])));
  EXPECT_TRUE(bench.pool.open_all_to(1, kAlways));
  EXPECT_EQ(bench.device.reached(1), bench.device.mappings());
  for (const std::size_t i : {0U, 2U, 4U}) bench.use_and_free(blocks[i], on_stream(1));
  const auto grown = bench.get(16 * MiB, on_stream(1));
  const auto stitched = bench.get(20 * MiB, on_stream(1));
  EXPECT_TRUE(bench.device.reaches(1, grown, 16 * MiB));
  EXPECT_TRUE(bench.device.reaches(1, stitched, 20 * MiB));
  ASSERT_GE(bench.counters().stitches, 1U);
  EXPECT_EQ(bench.device.reached(1), bench.device.mappings());
  EXPECT_TRUE(bench.pool.open_all_to(1, kNever));
  EXPECT_EQ(bench.device.reached(1), 0U);
  EXPECT_TRUE(bench.device.reaches(2, blocks[1], 8 * MiB)) << "another's access is its own";
  EXPECT_FALSE(bench.pool.reaches_all(1));
}

TEST(Peers, WhatWasGivenBackIsOpenedAnew) {
  Bench bench(64 * MiB);
  const auto at = bench.get(16 * MiB, kHost);
  EXPECT_TRUE(bench.pool.open_to(1, *bench.pool.view(at)));
  EXPECT_TRUE(bench.pool.free(at, kHost));
  bench.device.finish_all();
  EXPECT_NE(bench.pool.trim(0), 0U);
  const auto again = bench.get(16 * MiB, kHost);
  EXPECT_EQ(again, at);
  EXPECT_FALSE(bench.device.reaches(1, again, 16 * MiB));
  EXPECT_TRUE(bench.pool.open_to(1, *bench.pool.view(again)));
  EXPECT_TRUE(bench.device.reaches(1, again, 16 * MiB));
}

TEST(Peers, ThatAreNoneAreNotAskedAgain) {
  Bench bench;
  const auto at = bench.get(16 * MiB, kHost);
  bench.device.are_peers = false;
  EXPECT_FALSE(bench.pool.open_to(1, *bench.pool.view(at)));
  bench.device.are_peers = true;
  EXPECT_FALSE(bench.pool.open_to(1, *bench.pool.view(at)));
  EXPECT_TRUE(bench.pool.open_to(2, *bench.pool.view(at)));
}

TEST(Peers, AllOrNothingIsOpened) {
  Bench bench;
  const auto first = bench.get(16 * MiB, kHost);
  bench.device.fail_call = "cuMemSetAccess";
  EXPECT_FALSE(bench.pool.open_all_to(1, kAlways));
  bench.device.fail_call.clear();
  EXPECT_FALSE(bench.pool.reaches_all(1));
  const auto second = bench.get(64 * MiB, kHost);
  EXPECT_FALSE(bench.device.reaches(1, first, 1));
  EXPECT_FALSE(bench.device.reaches(1, second, 1));
  EXPECT_TRUE(bench.pool.open_all_to(1, kAlways));
  EXPECT_TRUE(bench.device.reaches(1, first, 16 * MiB));
  EXPECT_TRUE(bench.device.reaches(1, second, 64 * MiB));
}

}  // namespace
}  // namespace gmlake::pool
