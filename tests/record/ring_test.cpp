// The ring that threads note in: one order for all, nothing torn, a full one loses and counts.
#include "record/ring.h"

#include <atomic>
#include <mutex>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace gmlake::record::ring_test {
namespace {

record::Entry numbered(std::uint64_t thread, std::uint64_t number) {
  record::Entry entry;
  entry.pointer = number;
  entry.amount = number * 3;
  entry.stream = number ^ thread;
  entry.thread = static_cast<std::uint32_t>(thread);
  return entry;
}

TEST(Ring, GivesWhatWasNotedInOrder) {
  record::Ring ring(64);
  for (std::uint64_t lap = 0; lap < 10; ++lap) {
    for (std::uint64_t i = 0; i < 50; ++i) ring.note(numbered(1, lap * 50 + i));
    std::uint64_t next = lap * 50;
    EXPECT_EQ(ring.take([&](const record::Entry& entry) { EXPECT_EQ(entry.pointer, next++); }),
              50U);
  }
  EXPECT_EQ(ring.take_lost(), 0U);
  EXPECT_FALSE(ring.is_unfinished());
}

TEST(Ring, LosesWhatHasNoRoomAndCountsIt) {
  record::Ring ring(64);
  for (std::uint64_t i = 0; i < 100; ++i) ring.note(numbered(1, i));
  std::uint64_t next = 0;
  EXPECT_EQ(ring.take([&](const record::Entry& entry) { EXPECT_EQ(entry.pointer, next++); }), 64U);
  EXPECT_EQ(ring.take_lost(), 36U);
  EXPECT_EQ(ring.take_lost(), 0U);
  ring.note(numbered(1, 7));
  EXPECT_EQ(ring.take([](const record::Entry& entry) { EXPECT_EQ(entry.pointer, 7U); }), 1U);
}

TEST(Ring, ForgetsWhatHasNotBeenTaken) {
  record::Ring ring(64);
  for (std::uint64_t i = 0; i < 100; ++i) ring.note(numbered(1, i));
  ring.forget_all();
  EXPECT_EQ(ring.take_lost(), 0U);
  EXPECT_FALSE(ring.is_unfinished());
  for (std::uint64_t lap = 0; lap < 3; ++lap) {
    for (std::uint64_t i = 0; i < 40; ++i) ring.note(numbered(2, lap * 40 + i));
    std::uint64_t next = lap * 40;
    EXPECT_EQ(ring.take([&](const record::Entry& entry) { EXPECT_EQ(entry.pointer, next++); }),
              40U);
  }
}

// What one thread notes after another has is behind it.
TEST(Ring, AgreesWithTheOrderBetweenThreads) {
  constexpr std::uint64_t kThreads = 4, kRounds = 20000;
  record::Ring ring(1 << 10);
  std::mutex mutex;
  std::uint64_t next = 0;
  std::atomic<unsigned> done{0};
  std::vector<std::thread> threads;
  for (std::uint64_t me = 0; me < kThreads; ++me)
    threads.emplace_back([&, me] {
      for (std::uint64_t i = 0; i < kRounds; ++i) {
        std::uint64_t now = 0;
        {
          const std::lock_guard lock(mutex);
          ring.note(numbered(me, now = next++));
        }
        if (now % 64 == 0) std::this_thread::yield();
      }
      ++done;
    });
  std::uint64_t before = 0, taken = 0, torn = 0, inverted = 0;
  const auto use = [&](const record::Entry& entry) {
    torn += entry.amount != entry.pointer * 3 || entry.stream != (entry.pointer ^ entry.thread);
    inverted += taken++ != 0 && entry.pointer <= before;
    before = entry.pointer;
  };
  while (done != kThreads) (void)ring.take(use);
  (void)ring.take(use);
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(torn, 0U);
  EXPECT_EQ(inverted, 0U);
  EXPECT_EQ(taken + ring.take_lost(), kThreads * kRounds);
  EXPECT_GT(taken, 0U);
}

}  // namespace
}  // namespace gmlake::record::ring_test
