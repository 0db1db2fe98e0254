// What the pool's books cost: the memory this process holds more, per chunk and per live block. A
// process of its own, so that what it holds is the pool's.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <random>
#include <vector>

#include "bench/null_device.h"
#include "pool/device_pool.h"

namespace gmlake {
namespace {

constexpr std::size_t kBlocks = 1000000;
constexpr Bytes kMost = 256 * MiB;

// Pages, not malloc's own count: whatever way the pool gets its memory, it is in here.
Bytes resident() {
  std::ifstream statm("/proc/self/statm");
  Bytes size = 0;
  Bytes pages = 0;
  statm >> size >> pages;
  return pages * static_cast<Bytes>(sysconf(_SC_PAGESIZE));
}

// Many small blocks, a third of 64 KiB, one in a thousand large.
Bytes some_size(std::mt19937_64& random) {
  const auto between = [&](Bytes low, Bytes high) {
    return std::uniform_int_distribution<Bytes>(low, high)(random);
  };
  const auto kind = between(0, 999);
  if (kind == 0) return between(2 * MiB, 40 * MiB);
  return kind <= 333 ? 64 * KiB : between(1, 16 * KiB);
}

TEST(Metadata, OfAMillionBlocksIsSmall) {
  config::Config config;
  bench::NullDevice device(80 * GiB);
  std::vector<driver::Address> blocks;
  blocks.reserve(kBlocks);
  blocks.resize(kBlocks);  // touched now: not the pool's
  pool::Origin origin;
  origin.context = &device;
  origin.stream_id = 1;
  origin.stream = &config;

  const Bytes before = resident();
  pool::DevicePool pool(0, device, config);
  const auto whole = pool.allocate(72 * GiB, origin);
  ASSERT_TRUE(whole);
  ASSERT_TRUE(pool.free(*whole, origin));
  const Bytes with_chunks = resident();
  std::mt19937_64 random(1);
  for (auto& block : blocks) {
    const auto at = pool.allocate(some_size(random), origin);
    ASSERT_TRUE(at) << at.error().what;
    block = *at;
  }
  const Bytes with_blocks = resident();
  const auto chunks = static_cast<double>(72 * GiB / config.pool_chunk_size);
  std::printf("metadata: %.0f bytes a chunk, %.0f bytes a live block, %s in all\n",
              static_cast<double>(with_chunks - before) / chunks,
              static_cast<double>(with_blocks - with_chunks) / kBlocks,
              human_bytes(with_blocks - before).c_str());
  EXPECT_LT(with_blocks - before, kMost);

  // Every other block free: as many holes as there can be.
  for (std::size_t i = 0; i < kBlocks; i += 2) ASSERT_TRUE(pool.free(blocks[i], origin));
  const Bytes with_holes = resident();
  std::printf("metadata: %s with half of the blocks freed one by one\n",
              human_bytes(with_holes - before).c_str());
  EXPECT_LT(with_holes - before, kMost);
}

}  // namespace
}  // namespace gmlake
