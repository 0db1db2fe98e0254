// The table of noted blocks against a map.
#include "who/noted_blocks.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace gmlake::who {
namespace {

TEST(NotedBlocks, HoldWhatAMapHolds) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  NotedBlocks<std::uint64_t> blocks;
  std::map<std::uint64_t, std::uint64_t> model;
  for (int step = 0; step < 200'000; ++step) {
    const std::uint64_t address = 512 * (1 + random() % 4000);  // many meet in the table
    const auto known = model.find(address);
    auto* found = blocks.find(address);
    ASSERT_EQ(found != nullptr, known != model.end());
    if (found) {
      ASSERT_EQ(*found, known->second);
      blocks.erase(address);
      model.erase(known);
    } else {
      blocks.insert(address) = model[address] = random();
    }
    if (step % 10'000 != 0) continue;
    std::uint64_t at_address = 0;
    for (std::size_t at = 0; const auto* block = blocks.seek(at, at_address);) {
      ASSERT_EQ(*block, model.at(at_address));
      if (*block % 3 == 0)
        blocks.erase(at_address);
      else
        ++at;
    }
    std::erase_if(model, [](const auto& one) { return one.second % 3 == 0; });
    std::uint64_t sum = 0, expected = 0;
    blocks.each([&](std::uint64_t block) { sum += block; });
    for (const auto& one : model) expected += one.second;
    ASSERT_EQ(sum, expected);
  }
}

}  // namespace
}  // namespace gmlake::who
