// Address to block, against a map; and readers without a lock beside a writer.
#include "pool/block_table.h"

#include <gtest/gtest.h>

#include <mutex>
#include <random>
#include <thread>
#include <unordered_map>

namespace gmlake::pool {
namespace {

using memory::Region;

std::uint64_t address_of(std::size_t i) {
  return TiB + i * 512;
}

class BlockTableTest : public ::testing::TestWithParam<Bytes> {
 protected:
  BlockTableTest() {
    if (GetParam() != 0) table_.open(TiB, GetParam());
  }
  BlockTable table_;
};
// The size of the home range: none, some of the addresses, all of them.
INSTANTIATE_TEST_SUITE_P(Home, BlockTableTest, ::testing::Values(0, 4 * MiB, 64 * GiB));

TEST_P(BlockTableTest, AgreesWithAMap) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  constexpr std::size_t kBlocks = 8000;  // several times what the first table holds
  std::vector<Region> regions(kBlocks);
  std::vector<Region*> unused;
  for (auto& region : regions) unused.push_back(&region);
  std::unordered_map<std::uint64_t, Region*> map;
  std::size_t most = kBlocks;
  for (int step = 0; step < 200000; ++step) {
    if (step % 20000 == 0) most = 1 + random() % kBlocks;  // full at times, nearly empty at others
    // Blocks side by side and far apart.
    const auto at = random() % 2 == 0 ? address_of(random() % 20000)
                                      : address_of(std::size_t{random()} << (random() % 12));
    const auto known = map.find(at);
    ASSERT_EQ(table_.find(at), known == map.end() ? nullptr : known->second) << "step " << step;
    if (known == map.end() && map.size() < most) {
      Region* region = unused.back();
      unused.pop_back();
      table_.insert(at, region);
      map[at] = region;
    } else if (!map.empty()) {
      const auto gone = known != map.end() ? known : map.begin();
      table_.erase(gone->first);
      unused.push_back(gone->second);
      ASSERT_FALSE(table_.find(gone->first)) << "step " << step;
      map.erase(gone);
    }
    if (step % 1000 != 0) continue;
    for (const auto& [address, region] : map) ASSERT_EQ(table_.find(address), region);
  }
}

// What a reader does not find without the lock, or finds another block for, it finds with it.
TEST_P(BlockTableTest, AReaderBesideAWriterFindsWhatIsThere) {
  constexpr std::size_t kStay = 500, kBlocks = 6000;
  std::vector<Region> regions(kBlocks);
  std::mutex lock;
  for (std::size_t i = 0; i < kStay; ++i) {
    table_.insert(address_of(i), &regions[i]);
  }
  std::atomic<bool> stop{false};
  std::atomic<int> wrong{0}, lost{0}, found{0};
  const auto read = [&](std::uint32_t seed) {
    std::mt19937 random(seed);
    while (!stop) {
      const std::size_t i = random() % 2 == 0 ? random() % kStay : random() % kBlocks;
      Region* block = table_.find(address_of(i));
      if (block != &regions[i]) {
        const std::lock_guard locked(lock);
        block = table_.find(address_of(i));
        lost += i < kStay && !block ? 1 : 0;
        wrong += block && block != &regions[i] ? 1 : 0;
      }
      found += block ? 1 : 0;
    }
  };
  std::thread first(read, 1), second(read, 2);
  std::mt19937 random(3);
  std::vector<bool> there(kBlocks, false);
  for (int step = 0; step < 100000 || found < 1000; ++step) {
    // More and more of them, so that the table is outgrown under the readers.
    const std::size_t most = std::min(kBlocks, kStay + 1 + static_cast<std::size_t>(step) / 10);
    const std::size_t i = kStay + random() % (most - kStay);
    const std::lock_guard locked(lock);
    if (there[i]) {
      table_.erase(address_of(i));
    } else {
      table_.insert(address_of(i), &regions[i]);
    }
    there[i] = !there[i];
  }
  stop = true;
  first.join();
  second.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(lost, 0);
}

}  // namespace
}  // namespace gmlake::pool
