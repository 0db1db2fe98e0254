// The page table counts kernel mappings as the kernel does, and refuses before the kernel would.
#include "driver/page_table.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <fstream>
#include <random>
#include <set>
#include <sstream>
#include <string>

namespace gmlake::simcuda {
namespace {

constexpr Bytes kRange = 256 * GiB;

class PageTableTest : public testing::Test {
 protected:
  void SetUp() override {
    void* at = mmap(nullptr, kRange + 2 * MiB, PROT_NONE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    ASSERT_NE(at, MAP_FAILED);
    all = reinterpret_cast<Address>(at);
    base = round_up(all, 2 * MiB);
    ASSERT_TRUE(physical.open(kRange, true, true));
    table.open(true);
  }
  void TearDown() override { munmap(reinterpret_cast<void*>(all), kRange + 2 * MiB); }

  // Kernel mappings inside the range, from the kernel.
  std::size_t kernel_count() const {
    std::ifstream maps("/proc/self/maps");
    std::size_t count = 0;
    for (std::string line; std::getline(maps, line);) {
      std::istringstream text(line);
      Address begin = 0;
      char dash = 0;
      Address end = 0;
      text >> std::hex >> begin >> dash >> end;
      count += begin < base + kRange && end > base;
    }
    return count;
  }
  Address chunk(std::size_t i) const { return base + i * 2 * MiB; }
  bool map(std::size_t place, std::size_t offset) {
    return table.map(chunk(place), physical.fd(), {{offset * 2 * MiB, 2 * MiB}}, PROT_NONE);
  }

  Address all = 0;
  Address base = 0;
  Physical physical;
  PageTable table;
};

TEST_F(PageTableTest, NeighboursThatContinueEachOtherCostOneMapping) {
  for (std::size_t i = 0; i < 1000; ++i) ASSERT_TRUE(map(i + 1, i));
  EXPECT_EQ(table.kernel_mappings(), 2U);
  EXPECT_EQ(kernel_count(), 3U);
}

TEST_F(PageTableTest, RandomCallsCountAsTheKernelDoes) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  constexpr std::size_t kPlaces = 40;
  std::set<std::size_t> mapped;
  for (int step = 0; step < 1000; ++step) {
    const std::size_t place = 1 + random() % kPlaces;
    if (mapped.insert(place).second) {
      ASSERT_TRUE(map(place, random() % 3 == 0 ? random() % kPlaces : place));
    } else if (random() % 2 == 0) {
      ASSERT_TRUE(table.protect(chunk(place), 2 * MiB, PROT_READ | PROT_WRITE));
    } else {
      ASSERT_TRUE(table.unmap(chunk(place), 2 * MiB));
      mapped.erase(place);
    }
    if (step % 50 == 0) {
      ASSERT_EQ(table.kernel_mappings() + 1, kernel_count()) << "step " << step;
    }
  }
}

TEST_F(PageTableTest, MappingStopsInTimeAndUnmappingGoesOn) {
  std::size_t count = 0;
  const std::size_t places = kRange / (2 * MiB) - 2;
  while (count < places && map(1 + count, (count * 7919) % places)) ++count;
  ASSERT_LT(count, places);
  EXPECT_GT(count, std::size_t{50000});  // of 65530, the usual limit
  EXPECT_FALSE(map(1 + count, 0));
  // The process itself has mappings to spare, and every second chunk can go although that splits
  // what is left.
  void* own = mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  EXPECT_NE(own, MAP_FAILED);
  for (std::size_t i = 0; i < count; i += 2) ASSERT_TRUE(table.unmap(chunk(1 + i), 2 * MiB));
}

}  // namespace
}  // namespace gmlake::simcuda
