// Random programs against the pool, checked after each step: no physical byte is in two live
// blocks, none is given out before the work that used it is ordered before, and the books balance.
// The seed is printed on failure; GMLAKE_TEST_SEED repeats it, GMLAKE_TEST_STEPS lengthens the run.
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <random>

#include "pool/device_pool.h"
#include "pool/fake_device.h"

namespace gmlake::pool {
namespace {

void* const kContext = reinterpret_cast<void*>(0x100);
constexpr std::uintptr_t kStreams = 4;
constexpr Bytes kChunk = 2 * MiB;

struct Range {
  Bytes start;
  Bytes size;
};

class Model {
 public:
  Model(std::uint32_t seed, Bytes memory, const config::Config& config)
      : random_(seed), memory_(memory), device_(memory), pool_(0, device_, config) {}

  void step() {
    switch (random_() % 16) {
      case 0:
      case 1:
      case 2:
      case 3:
      case 4:
      case 5:
        allocate();
        break;
      case 6:
      case 7:
      case 8:
      case 9:
      case 10:
      case 11:
        release();
        break;
      case 12:
      case 13:
        submit();
        break;
      case 14:
        complete();
        break;
      default:
        if (random_() % 8 == 0) {
          synchronise();
        }
        break;
    }
    if (random_() % 64 == 0) pool_.check();
  }
  void finish() {
    while (!live_.empty()) release();
    pool_.check();
    const auto counters = pool_.report().counters;
    EXPECT_EQ(counters.live_bytes, 0U);
    EXPECT_EQ(counters.allocations, counters.frees);
    EXPECT_EQ(counters.hits_exact + counters.hits_window + counters.hits_split +
                  counters.hits_small + counters.stitches + counters.growths,
              counters.allocations);
    EXPECT_EQ(counters.physical_bytes, device_.physical());
    stitches += counters.stitches;
    windows += counters.hits_window;
    crossings += counters.reuse_completed;
  }
  static inline std::uint64_t stitches = 0, windows = 0, crossings = 0;

 private:
  struct Block {
    driver::Address at;
    std::vector<Range> physical;
    bool from_stream;
  };
  // Who freed a physical range, and what each stream had been given by then.
  struct Freed {
    Bytes end;
    std::uintptr_t stream;  // 0: the host
    std::map<void*, std::uint64_t> behind;
  };

  Origin origin(std::uintptr_t stream) const {
    return {kContext, stream, stream == 0 ? nullptr : reinterpret_cast<void*>(0x1000 + stream),
            false, false};
  }
  std::uintptr_t any() { return random_() % (kStreams + 1); }
  Bytes any_size() {
    switch (random_() % 5) {
      case 0:
        return 1 + random_() % 4096;
      case 1:
        return 1 + random_() % MiB;
      case 2:
        return (1 + random_() % 8) * 3 * MiB;
      case 3:
        return MiB + random_() % (memory_ / 8);
      default:
        return 5 * MiB + 512 * (random_() % 3);
    }
  }

  std::vector<Range> physical_of(driver::Address at, Bytes size) const {
    std::vector<Range> ranges;
    while (size != 0) {
      const Bytes in_chunk = kChunk - at % kChunk;
      const Bytes n = std::min(size, in_chunk);
      ranges.push_back({device_.physical_at(at), n});
      at += n;
      size -= n;
    }
    return ranges;
  }

  void allocate() {
    const auto stream = any();
    const Bytes size = any_size();
    const auto at = pool_.allocate(size, origin(stream));
    if (!at) return;
    ASSERT_EQ(*at % 512, 0U);
    // Rounded as the pool rounds: what lies between belongs to the block too.
    Block block{*at, physical_of(*at, round_up(size, memory::kAlignment)), stream != 0};
    for (const auto& range : block.physical) {
      auto next = taken_.lower_bound(range.start);
      ASSERT_TRUE(next == taken_.end() || next->first >= range.start + range.size)
          << "bytes in two live blocks";
      ASSERT_TRUE(next == taken_.begin() || std::prev(next)->second <= range.start)
          << "bytes in two live blocks";
      taken_[range.start] = range.start + range.size;
      check_order(range, stream);
    }
    live_.push_back(std::move(block));
  }

  void check_order(const Range& range, std::uintptr_t stream) {
    auto at = freed_.lower_bound(range.start);
    if (at != freed_.begin() && std::prev(at)->second.end > range.start) --at;
    for (; at != freed_.end() && at->first < range.start + range.size; ++at) {
      if (stream != 0 && at->second.stream == stream) continue;
      for (const auto& [on, point] : at->second.behind)
        ASSERT_GE(device_.completed[on], point)
            << "given to " << stream << " before the work that used it has completed: freed by "
            << at->second.stream;
    }
  }

  void forget_freed(const Range& range) {
    const Bytes end = range.start + range.size;
    auto at = freed_.lower_bound(range.start);
    if (at != freed_.begin() && std::prev(at)->second.end > range.start) {
      auto before = std::prev(at);
      auto tail = before->second;
      before->second.end = range.start;
      if (tail.end > end) freed_.emplace(end, tail);
    }
    while (at != freed_.end() && at->first < end) {
      if (at->second.end > end) freed_.emplace(end, at->second);
      at = freed_.erase(at);
    }
  }

  void release() {
    if (live_.empty()) return;
    const auto index = random_() % live_.size();
    std::swap(live_[index], live_.back());
    const Block block = std::move(live_.back());
    live_.pop_back();
    const auto stream = any();
    std::map<void*, std::uint64_t> behind;
    if (stream != 0) {
      // The program's duty: it has ordered its uses before the free on this stream.
      auto* on = origin(stream).stream;
      behind[on] = device_.submitted[on];
    } else if (!block.from_stream) {
      behind = device_.submitted;
    }
    for (const auto& range : block.physical) {
      taken_.erase(range.start);
      forget_freed(range);
      freed_[range.start] = {range.start + range.size, stream, behind};
    }
    ASSERT_TRUE(pool_.free(block.at, origin(stream)));
  }

  void submit() { ++device_.submitted[origin(1 + random_() % kStreams).stream]; }
  void complete() {
    auto* on = origin(1 + random_() % kStreams).stream;
    if (device_.completed[on] < device_.submitted[on])
      device_.completed[on] += 1 + random_() % (device_.submitted[on] - device_.completed[on]);
  }
  void synchronise() { device_.finish_all(); }

  std::mt19937 random_;
  const Bytes memory_;
  testing::FakeDevice device_;
  DevicePool pool_;
  std::vector<Block> live_;
  std::map<Bytes, Bytes> taken_;  // physical ranges of live blocks
  std::map<Bytes, Freed> freed_;  // of freed ones
};

TEST(PoolModel, RandomProgramsKeepEveryInvariant) {
  const char* given = std::getenv("GMLAKE_TEST_SEED");
  const char* steps = std::getenv("GMLAKE_TEST_STEPS");
  const std::uint64_t total = steps ? std::strtoull(steps, nullptr, 10) : 1'000'000;
  std::uint32_t seed =
      given ? static_cast<std::uint32_t>(std::strtoul(given, nullptr, 10)) : std::random_device{}();
  constexpr std::uint64_t kStepsPerProgram = 4000;
  for (std::uint64_t done = 0; done < total; done += kStepsPerProgram, ++seed) {
    SCOPED_TRACE(::testing::Message() << "GMLAKE_TEST_SEED=" << seed);
    config::Config config;
    config.stitch_max_windows = seed % 3 == 0 ? 8 : 16384;
    config.stitch_enabled = seed % 7 != 0;
    config.streams_reuse_completed = seed % 5 != 0;
    config.streams_free =
        seed % 11 == 0 ? config::FreePolicy::synchronous : config::FreePolicy::deferred;
    Model model(seed, seed % 2 == 0 ? 256 * MiB : 64 * MiB, config);
    for (std::uint64_t i = 0; i < kStepsPerProgram && !HasFatalFailure(); ++i) model.step();
    if (HasFatalFailure()) return;
    model.finish();
  }
  // The interesting paths were taken.
  EXPECT_GT(Model::stitches, 100U);
  EXPECT_GT(Model::windows, 100U);
  EXPECT_GT(Model::crossings, 100U);
}

}  // namespace
}  // namespace gmlake::pool
