// Damaged input is refused or read, but never crashes the reader or makes a trace that could not be
// replayed.
#include <gtest/gtest.h>

#include <random>

#include "pickled.h"
#include "trace/reader.h"

namespace gmlake::trace {
namespace {

constexpr int kRounds = 4000;

// What replay and info rely on.
void expect_sound(const Trace& trace) {
  std::vector<char> live(trace.allocations);
  std::uint32_t next = 0;
  for (const auto& event : trace.events) {
    ASSERT_LT(event.stream, trace.streams.size());
    ASSERT_LT(event.thread, trace.threads.size());
    if (!event.of_memory()) {
      ASSERT_LT(event.block, trace.cuda_events);
      continue;
    }
    ASSERT_LT(event.block, trace.allocations);
    if (event.kind() == Kind::allocate) {
      ASSERT_EQ(event.block, next++);
    } else {
      ASSERT_EQ(live[event.block], 1);
    }
    live[event.block] = event.kind() == Kind::allocate;
  }
  ASSERT_EQ(next, trace.allocations);
}

template <typename Read>
void fuzz(const std::string& good, Read read) {
  const auto seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  ASSERT_TRUE(read(good));
  for (std::size_t size = 0; size < good.size(); ++size)
    if (const auto result = read(good.substr(0, size))) expect_sound(*result);
  for (int round = 0; round < kRounds; ++round) {
    auto bad = good;
    for (auto changes = 1 + random() % 4; changes > 0 && !bad.empty(); --changes) {
      const auto at = random() % bad.size();
      switch (random() % 3) {
        case 0:
          bad[at] = static_cast<char>(random());
          break;
        case 1:
          bad.erase(at, 1 + random() % 8);
          break;
        default:
          bad.insert(at, bad.substr(random() % bad.size(), random() % 16));
          break;
      }
    }
    const auto result = read(bad);
    if (result)
      expect_sound(*result);
    else
      EXPECT_FALSE(result.error().empty());
    if (testing::Test::HasFatalFailure()) return;
  }
}

TEST(Fuzz, Csv) {
  std::string text = "Thread,Time,Action,Pointer,Size,Stream,Device\n";
  for (int i = 0; i < 20; ++i)
    text += "0,00:00:00.1,allocate,0x" + std::to_string(i) + "00,4096,0x1,0\n" +
            (i % 3 == 0 ? "0,1.5,free,0x" + std::to_string(i) + "00,4096,0x1,0\n" : "") +
            (i % 4 == 0 ? "0,1.5,record,0xe,0,0x1,0\n0,1.6,wait,0xe,0,0x2,0\n" : "");
  fuzz(text, [](const std::string& input) { return read_csv(input, {}); });
}

TEST(Fuzz, Snapshot) {
  Pickled blocks, events;
  for (std::uint64_t i = 0; i < 6; ++i) {
    blocks.block(0x100 + i, 10, "active_allocated");
    events.event("alloc", 0x200 + i, 20, i).event("free_completed", 0x200 + i, 20, i);
  }
  const auto pickle = snapshot(blocks.inner(), {events.inner(), ""});
  fuzz(pickle, [](const std::string& input) { return read_snapshot(input, {}); });
}

}  // namespace
}  // namespace gmlake::trace
