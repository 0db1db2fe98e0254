// The picture of a pool that has run out of memory: whole, and taken while other threads go on.
#include <atomic>
#include <chrono>
#include <random>
#include <thread>

#include <nlohmann/json.hpp>

#include "pool/bench.h"

namespace gmlake::pool {
namespace {

using nlohmann::json;

// Side by side from 0 to the end of home; physical bytes.
Bytes check_regions(const json& picture) {
  Bytes at = 0, physical = 0;
  for (const auto& region : picture["regions"]) {
    EXPECT_EQ(region["start"], at);
    at += region["size"].get<Bytes>();
    if (region["state"] != "absent") physical += region["size"].get<Bytes>();
  }
  return physical;
}

TEST(Shortage, ThePictureIsWhole) {
  Bench bench;
  std::vector<driver::Address> large, small;
  for (int i = 0; i < 8; ++i) large.push_back(bench.get(2 * MiB, on_stream(1)));
  for (int i = 0; i < 100; ++i) small.push_back(bench.get(1024, on_stream(1)));
  for (std::size_t i = 0; i < 8; i += 2) bench.use_and_free(large[i], on_stream(1));
  const auto stitched = bench.get(8 * MiB, on_stream(1));
  for (std::size_t i = 0; i < 100; i += 2) bench.use_and_free(small[i], on_stream(1));
  bench.use_and_free(large[1], on_stream(1));
  EXPECT_EQ(bench.pool.try_allocate(GiB / 2, on_stream(1)), 0U);  // nothing is parked any more

  const auto shortage = bench.pool.shortage(2 * GiB);
  const auto picture = json::parse(bench.pool.snapshot(shortage, {}));
  EXPECT_EQ(picture["explanation"], bench.pool.explain(shortage));
  EXPECT_EQ(check_regions(picture), bench.counters().physical_bytes);
  EXPECT_EQ(picture["blocks"].size(), 50 + 3 + 1U);
  ASSERT_EQ(picture["windows"].size(), 1U);
  EXPECT_EQ(picture["windows"][0]["address"], stitched);
  Bytes pieces = 0;
  for (const auto& piece : picture["windows"][0]["pieces"]) pieces += piece["size"].get<Bytes>();
  EXPECT_EQ(pieces, 8 * MiB);
  for (const auto& block : picture["blocks"])
    EXPECT_EQ(block.contains("window"), block["address"] == stitched);
  Bytes pending = 0;
  for (const auto& timeline : picture["timelines"])
    pending += timeline["pending_bytes"].get<Bytes>();
  EXPECT_EQ(pending, 50 * 1024 + 2 * MiB);
  EXPECT_EQ(picture["counters"]["live_blocks"], 54);
}

// Of two blocks one at most is live at any moment, and it takes the pool's lock to change which. A
// walk that comes to one after the other shows both only if it let the lock go in between.
TEST(Shortage, HitsGoOnDuringTheWalk) {
  constexpr Bytes kLow = 1000, kHigh = 2 * MiB;
  Bench bench;
  const auto low = bench.get(kLow, on_stream(2));
  std::vector<driver::Address> between;
  for (int i = 0; i < 2'000; ++i) between.push_back(*bench.pool.allocate(1024, on_stream(1)));
  for (std::size_t i = 0; i < between.size(); i += 2)
    (void)bench.pool.free(between[i], on_stream(1));
  EXPECT_TRUE(bench.pool.free(low, on_stream(2)));
  const auto high = bench.get(kHigh, on_stream(2));
  ASSERT_LT(low, high);

  std::atomic<bool> over{false}, moved{false};
  std::thread other([&] {
    std::minstd_rand random;
    // Now and then, so that the walk, whose lock is not a fair one, gets on, and finds now the one
    // and now the other.
    const auto pause = [&] {
      if (random() % 4 == 0) std::this_thread::yield();
    };
    while (!over) {
      (void)bench.pool.free(high, on_stream(2));
      if (bench.pool.try_allocate(kLow, on_stream(2)) != low) moved = true;
      pause();
      (void)bench.pool.free(low, on_stream(2));
      if (bench.pool.try_allocate(kHigh, on_stream(2)) != high) moved = true;
      pause();
    }
  });
  const auto shortage = bench.pool.shortage(GiB);
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  bool went_on = false;
  while (!went_on && std::chrono::steady_clock::now() < end) {
    const auto picture = bench.pool.snapshot(shortage, {});
    const auto shows = [&](Bytes requested) {
      return picture.find("\"requested\": " + std::to_string(requested) + ",") != std::string::npos;
    };
    went_on = shows(kLow) && shows(kHigh);
  }
  over = true;
  other.join();
  EXPECT_TRUE(went_on);
  EXPECT_FALSE(moved);
}

}  // namespace
}  // namespace gmlake::pool
