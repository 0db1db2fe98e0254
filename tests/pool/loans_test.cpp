// Memory lent to a stream: served there without anybody, and taken back by whoever needs it or is
// to know where its frees lie.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <nlohmann/json.hpp>
#include <random>
#include <thread>

#include "pool/bench.h"

namespace gmlake::pool {
namespace {

constexpr Bytes kSize = 5 * MiB;

config::Config at_once() {
  auto config = plain();
  config.streams_lend_after = 0;
  config.pool_largest_chunk = 2 * MiB;
  return config;
}

// A pool of 256 MiB, free since stream 1 gave it back, and one block of a loan of that stream.
struct Lent : Bench {
  explicit Lent(const config::Config& rules = at_once()) : Bench(256 * MiB, rules) {
    use_and_free(get(240 * MiB, on_stream(1)), on_stream(1));
    device.finish_all();
    for (int i = 0; i < 10 && counters().loans == 0; ++i) first.push_back(get(kSize, on_stream(1)));
    EXPECT_EQ(counters().loans, 1U);
    block = get(kSize, on_stream(1));
    EXPECT_GT(counters().hits_split, 0U);
    pool.check();
  }
  std::vector<driver::Address> first;  // before there was one
  driver::Address block = 0;
};

TEST(Loans, ServeRandomSizesAndCountThem) {
  Lent s;
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const auto before = s.counters();
  const auto calls = s.device.calls;
  Bytes bytes = 0;
  for (int i = 0; i < 1000; ++i) {
    const Bytes size = MiB + 1 + random() % (4 * MiB);
    const auto at = s.pool.try_allocate(size, on_stream(1));
    ASSERT_NE(at, 0U);
    EXPECT_EQ(at % 512, 0U);
    EXPECT_FALSE(s.pool.is_nobodys(at));
    EXPECT_FALSE(s.pool.is_nobodys(at + size / 2));
    bytes += size;
    EXPECT_EQ(s.counters().live_bytes, before.live_bytes + size);
    EXPECT_TRUE(s.pool.free(at, on_stream(1)));
    EXPECT_FALSE(s.pool.free(at, on_stream(1))) << "twice";
  }
  const auto c = s.counters();
  EXPECT_EQ(c.allocations, before.allocations + 1000);
  EXPECT_EQ(c.frees, before.frees + 1000);
  EXPECT_EQ(c.allocated_bytes, before.allocated_bytes + bytes);
  EXPECT_EQ(c.live_bytes, before.live_bytes);
  EXPECT_EQ(s.device.calls, calls);
  s.pool.check();
}

// What is lent and free is not lost: for a figure, and for a request of any stream.
TEST(Loans, AreTakenBackByAMiss) {
  Lent s;
  const auto live = s.counters().live_bytes;
  for (int i = 0; i < 2; ++i) {
    EXPECT_NEAR(static_cast<double>(s.pool.reusable_bytes()),
                static_cast<double>(s.counters().physical_bytes - live), 64 * KiB);
    s.pool.retire_stream(on_stream(99));  // all that is parked is brought up to date
  }
  const auto physical = s.counters().physical_bytes;
  Bytes taken = 0;
  while (taken + kSize <= physical - live - 8 * MiB) {
    (void)s.get(kSize, on_stream(2));
    taken += kSize;
  }
  EXPECT_LE(s.counters().physical_bytes, physical + round_up(kSize, 2 * MiB)) << "the last one";
  EXPECT_TRUE(s.pool.free(s.block, on_stream(1))) << "it is a block like any other now";
  s.pool.check();
}

TEST(Loans, TheirBlocksCanBeLookedAt) {
  Lent s;
  const auto seen = s.pool.view(s.block + 1000);
  ASSERT_TRUE(seen);
  EXPECT_EQ(seen->start, s.block);
  EXPECT_EQ(seen->size, kSize);
  EXPECT_TRUE(seen->of_stream);
  EXPECT_TRUE(s.pool.note(s.block));
  EXPECT_EQ(s.pool.pool_at(s.block), kDefaultPool);
  s.pool.check();
  EXPECT_TRUE(s.pool.free(s.block, on_stream(1)));
  EXPECT_FALSE(s.pool.view(s.block));
}

TEST(Loans, TheirBlocksAreFreedByOthers) {
  for (const auto& by : {on_stream(2), kHost}) {
    Lent s;
    EXPECT_TRUE(s.pool.free(s.block, by));
    EXPECT_FALSE(s.pool.free(s.block, on_stream(1)));
    s.pool.check();
  }
}

// A use by another stream holds as for any block.
TEST(Loans, TheirBlocksAreUsedBeside) {
  Lent s;
  s.give_work(on_stream(2));
  EXPECT_TRUE(s.pool.use_beside(s.block, on_stream(2)));
  EXPECT_TRUE(s.pool.free(s.block, on_stream(1)));
  for (int i = 0; i < 3; ++i) EXPECT_NE(s.get(kSize, on_stream(1)), s.block);
  s.pool.check();
}

// What was freed in a loan before an event is in its order, and what came later is not.
TEST(Loans, KeepTheProgramsOrder) {
  void* const event = reinterpret_cast<void*>(0x10);
  auto rules = at_once();  // what is free is free in pieces that are too small alone
  rules.stitch_max_pieces = 1;
  for (const bool before : {true, false}) {
    Lent s(rules);
    (void)s.get(1000, on_stream(2));  // order matters from here on
    // Nothing else is there for anybody.
    std::vector<driver::Address> all;
    while (const auto at = s.pool.try_allocate(kSize, on_stream(1))) all.push_back(at);
    s.give_work(on_stream(1));
    const auto freed = all[all.size() / 2];
    const auto free_it = [&] { EXPECT_TRUE(s.pool.free(freed, on_stream(1))); };
    if (before) free_it();
    ASSERT_TRUE(s.pool.recording(event, on_stream(1), 1));
    s.pool.recorded(event, 1, true);
    const auto points = s.device.given(on_stream(1).stream);
    if (!before) free_it();
    s.device.stream_waits(on_stream(2).stream, points);
    s.pool.waits(on_stream(2), event, s.pool.recording_of(event));
    const auto physical = s.counters().physical_bytes;
    const auto at = s.get(kSize, on_stream(2));
    EXPECT_EQ(at == freed, before);
    EXPECT_EQ(s.counters().physical_bytes > physical, !before);
    s.pool.check();
  }
}

TEST(Loans, EndWithTheirStream) {
  Lent s;
  s.pool.retire_stream(on_stream(1));
  s.pool.check();
  EXPECT_TRUE(s.pool.free(s.block, on_stream(2)));
  for (const auto at : s.first) EXPECT_TRUE(s.pool.free(at, on_stream(2)));
  s.device.finish_all();
  (void)s.pool.trim(0);
  EXPECT_EQ(s.counters().physical_bytes, 0U);
}

TEST(Loans, AreForThoseWhoMeetOthers) {
  auto config = at_once();
  config.streams_lend_after = 64;
  Bench alone(256 * MiB, config);
  alone.use_and_free(alone.get(240 * MiB, on_stream(1)), on_stream(1));
  std::mt19937 random(1);
  for (int i = 0; i < 10'000; ++i) {
    const auto at = alone.get(MiB + random() % (4 * MiB), on_stream(1));
    EXPECT_TRUE(alone.pool.free(at, on_stream(1)));
  }
  EXPECT_EQ(alone.counters().loans, 0U);
}

// Whatever they were made for, no block of others begins in one MiB with one of theirs.
TEST(Loans, AreWholeGranules) {
  Bench s(4 * GiB, at_once());
  s.use_and_free(s.get(3500 * MiB, on_stream(1)), on_stream(1));
  s.device.finish_all();
  std::vector<driver::Address> all;
  for (Bytes size = 9 * MiB + 512; size < 60 * MiB; size += 7 * MiB + 512)
    for (int i = 0; i < 6; ++i) all.push_back(s.get(size, on_stream(size / MiB)));
  for (int i = 0; i < 200; ++i) all.push_back(s.get(MiB / 2 + 512, on_stream(100)));
  EXPECT_GT(s.counters().loans, 2U);
  for (const auto at : all) {
    const auto seen = s.pool.view(at);
    ASSERT_TRUE(seen);
    EXPECT_EQ(seen->start, at);
  }
  for (const auto at : all) EXPECT_TRUE(s.pool.free(at, on_stream(100)));
}

// Blocks would break up a handle, unseen, that is cut otherwise.
TEST(Loans, AreNotOfHandlesThatWouldBeCut) {
  for (const Bytes largest : {2 * MiB, 6 * MiB, 8 * MiB, GiB}) {
    auto rules = at_once();
    rules.pool_largest_chunk = largest;
    Bench s(GiB, rules);
    s.use_and_free(s.get(900 * MiB, on_stream(1)), on_stream(1));
    s.device.finish_all();
    (void)s.get(kSize, on_stream(1));
    EXPECT_EQ(s.counters().loans != 0, largest <= 6 * MiB) << largest;
    s.pool.check();
  }
}

// They are cut for it, and what stays in them is in the way of a large request no more than
// elsewhere.
TEST(Loans, LeaveRoomForLargeRequests) {
  for (const bool stitch : {true, false}) {
    auto rules = at_once();
    rules.pool_largest_chunk = config::Config{}.pool_largest_chunk;
    rules.stitch_enabled = stitch;
    Bench s(GiB, rules);
    s.use_and_free(s.get(960 * MiB, on_stream(1)), on_stream(1));
    s.device.finish_all();
    for (std::uintptr_t i = 0; i < 16; ++i) {
      std::vector<driver::Address> all;
      for (int k = 0; k < 8; ++k) all.push_back(s.get(3 * MiB / 2, on_stream(100 + i)));
      all.pop_back();
      for (const auto at : all) EXPECT_TRUE(s.pool.free(at, on_stream(100 + i)));
    }
    EXPECT_EQ(s.counters().loans > 4, stitch);
    s.pool.check();
    s.device.finish_all();
    if (!stitch) continue;
    EXPECT_TRUE(s.pool.allocate(912 * MiB, on_stream(2)));
    s.pool.check();
  }
}

// Nothing is cut beside a capture, and nobody waits for its end to be served.
TEST(Loans, AreNotCutForBesideACapture) {
  auto rules = at_once();
  rules.pool_largest_chunk = GiB;
  Bench s(GiB, rules);
  s.use_and_free(s.get(900 * MiB, on_stream(1)), on_stream(1));
  s.device.finish_all();
  (void)s.get(kSize, on_stream(2));  // which asks whether that is over
  s.device.captured = true;
  const auto before = s.counters();
  for (int i = 0; i < 4; ++i) (void)s.get(kSize, on_stream(1));
  EXPECT_EQ(s.counters().cuts, before.cuts);
  EXPECT_EQ(s.counters().loans, before.loans);
  s.device.captured = false;
  for (int i = 0; i < 40; ++i) (void)s.get(kSize, on_stream(1));
  EXPECT_GT(s.counters().loans, before.loans);
}

// As what is parked, what is freed in a loan is followed before its stream is given more work, and
// the loan stays.
TEST(Loans, FreesAreFollowedInTime) {
  for (const bool over : {true, false}) {
    Lent s;
    (void)s.get(1000, on_stream(2));
    (void)s.get(kSize, on_stream(1));  // so that what is freed joins nothing
    s.give_work(on_stream(1));
    EXPECT_TRUE(s.pool.free(s.block, on_stream(1)));
    const auto used = s.device.given(on_stream(1).stream);
    const auto loans = s.counters().loans;
    s.give_work(on_stream(1));  // nobody else is to wait for that
    EXPECT_TRUE(s.pool.free(s.get(2 * kSize, on_stream(1)), on_stream(1)));
    EXPECT_EQ(s.counters().loans, loans);
    EXPECT_GT(s.counters().fences, 0U);
    if (over) s.device.finish(used);
    driver::Address at = 1;
    while (at != 0 && at != s.block) at = s.pool.allocate(kSize, on_stream(2)).value_or(0);
    EXPECT_EQ(at, s.block) << over;
    auto* const stream = on_stream(1).stream;
    const auto awaited = std::max(s.device.completed[stream],  // by the host, or by the stream
                                  s.device.after[on_stream(2).stream][stream]);
    EXPECT_EQ(awaited, used.at(stream)) << "what came later was awaited, or not enough";
    s.pool.check();
  }
}

TEST(Loans, StayWhileTheirStreamWorks) {
  Lent s;
  const auto before = s.counters();
  for (int i = 0; i < 100; ++i) {
    const auto at = s.get(kSize + static_cast<Bytes>(i) * 512, on_stream(1));
    s.use_and_free(at, on_stream(1));
  }
  EXPECT_EQ(s.counters().loans, before.loans);
  EXPECT_EQ(s.counters().hits_split, before.hits_split + 100);
}

// What a request took back, or finds free, is its own until it is served.
TEST(Loans, NothingIsLentBesideARequest) {
  Lent s;
  (void)s.get(1000, on_stream(2));
  s.give_work(on_stream(1));
  EXPECT_TRUE(s.pool.free(s.block, on_stream(1)));
  for (const auto at : s.first) EXPECT_TRUE(s.pool.free(at, on_stream(1)));
  int beside = 0;
  s.device.recording = [&] {
    const auto at = s.pool.try_allocate(kSize, on_stream(1));
    if (at == 0) return;
    ++beside;
    EXPECT_TRUE(s.pool.free(at, on_stream(1)));
  };
  const auto before = s.counters();
  (void)s.get(200 * MiB, on_stream(2));  // all that is left but a little
  EXPECT_GT(beside, 1);
  EXPECT_EQ(s.counters().loans, before.loans);
  s.pool.check();
}

// They could not use it.
TEST(Loans, AreNotForTheProgramsOwnPools) {
  Bench s(256 * MiB, at_once());
  s.use_and_free(s.get(240 * MiB, on_stream(1)), on_stream(1));
  s.device.finish_all();
  auto origin = on_stream(1);
  origin.pool = s.pool.open_account(nullptr, 0).value();
  for (int i = 0; i < 8; ++i) (void)s.get(kSize, origin);
  EXPECT_EQ(s.counters().loans, 0U);
}

// Of a figure that the program can ask for, too, and beside what others have parked.
TEST(Loans, PeaksAreExact) {
  Lent s;
  const auto other = s.get(3 * MiB, on_stream(2));
  s.pool.reset_used_high(kDefaultPool);
  const Bytes before = s.counters().peak_live_bytes, live = s.counters().live_bytes;
  const auto expect_high = [&](Bytes high) {
    EXPECT_EQ(s.counters().peak_live_bytes, std::max(before, high));
    EXPECT_EQ(s.pool.figures(kDefaultPool).used_high, high);
  };
  expect_high(live);
  const auto raise = [&](Bytes bytes) {
    const auto at = s.pool.try_allocate(bytes, on_stream(1));
    EXPECT_NE(at, 0U);
    return at;
  };
  for (int i = 0; i < 7; ++i) (void)raise(2 * MiB);
  EXPECT_TRUE(s.pool.free(raise(2 * MiB), on_stream(1)));
  expect_high(live + 16 * MiB);
  EXPECT_TRUE(s.pool.free(other, on_stream(2)));
  (void)raise(4 * MiB);
  expect_high(live + 16 * MiB);  // there are 15 now
  (void)raise(2 * MiB);
  expect_high(live + 17 * MiB);
}

// What a pool holds is what was in use, in loans too, since it let memory go.
TEST(Loans, CountForWhatIsReserved) {
  Lent s;
  s.pool.after_wait();
  s.pool.reset_reserved_high(kDefaultPool);
  std::vector<driver::Address> all;
  for (Bytes i = 0; i < 7; ++i) all.push_back(s.get(kSize + i * 512, on_stream(1)));
  const auto used = s.counters().live_bytes;
  for (const auto at : all) EXPECT_TRUE(s.pool.free(at, on_stream(1)));
  EXPECT_GE(s.pool.figures(kDefaultPool).reserved_high, used);
  EXPECT_GE(s.pool.figures(kDefaultPool).reserved, used);
}

TEST(Loans, PeaksAreExactBesideManyParkedBlocks) {
  Bench s(2 * GiB, at_once());
  s.use_and_free(s.get(1200 * MiB, on_stream(1)), on_stream(1));
  s.device.finish_all();
  constexpr std::uintptr_t kMany = 80;
  std::vector<driver::Address> parked;
  for (std::uintptr_t i = 0; i < kMany; ++i) parked.push_back(s.get(MiB, on_stream(100 + i)));
  for (int i = 0; i < 8; ++i) (void)s.get(kSize, on_stream(1));
  const auto free_all = [&] {
    for (std::uintptr_t i = 0; i < kMany; ++i)
      EXPECT_TRUE(s.pool.free(parked[i], on_stream(100 + i)));
  };
  free_all();
  s.pool.reset_used_high(kDefaultPool);
  for (int i = 0; i < 2; ++i) (void)s.get(kSize + 512, on_stream(1));
  EXPECT_TRUE(s.pool.free(s.get(kSize + 512, on_stream(1)), on_stream(1)));
  for (std::uintptr_t i = 0; i < kMany; ++i) parked[i] = s.get(MiB, on_stream(100 + i));
  const auto last = s.get(kSize, on_stream(1));
  const auto live = s.counters().live_bytes;
  EXPECT_TRUE(s.pool.free(last, on_stream(1)));
  free_all();
  EXPECT_EQ(s.pool.figures(kDefaultPool).used_high, live);
}

// A miss that took them back asks whether what was freed in them is over before it stitches.
TEST(Loans, AreAskedAboutBeforeAStitch) {
  Bench s(256 * MiB, at_once());
  s.use_and_free(s.get(200 * MiB, on_stream(1)), on_stream(1));
  s.device.finish_all();
  auto two = on_stream(2);
  two.pool = s.pool.open_account(nullptr, 0).value();
  std::vector<driver::Address> one, others{s.get(2 * MiB, two)};
  for (int i = 0; i < 12; ++i) one.push_back(s.get(4 * MiB, on_stream(1)));
  while (const auto at = s.pool.try_allocate(2 * MiB, two)) others.push_back(at);
  while (const auto at = s.pool.try_allocate(4 * MiB, on_stream(1))) one.push_back(at);
  for (std::size_t i = 0; i + 1 < others.size() && i < 40; i += 2)
    EXPECT_TRUE(s.pool.free(others[i], two));
  s.give_work(on_stream(1));
  for (std::size_t i = one.size() - 4; i < one.size(); ++i)
    EXPECT_TRUE(s.pool.free(one[i], on_stream(1)));
  s.device.finish_all();
  const auto before = s.counters();
  (void)s.get(8 * MiB, two);
  EXPECT_EQ(s.counters().stitches, before.stitches);
}

// A block is looked at by others beside its end and that of its memory.
TEST(Loans, BlocksAreLookedAtWhileTheyGo) {
  Bench s(GiB, at_once());
  std::atomic<driver::Address> known{0};
  std::atomic<bool> over{false};
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i)
    threads.emplace_back([&] {
      while (!over)
        if (const auto at = known.load(); at != 0) (void)s.pool.view(at + 1000);
    });
  for (int round = 0; round < 1000; ++round) {
    EXPECT_TRUE(s.pool.free(s.get(64 * MiB, on_stream(1)), on_stream(1)));
    const auto first = s.get(kSize, on_stream(1)), second = s.get(kSize, on_stream(1));
    known = second;
    std::this_thread::yield();
    EXPECT_TRUE(s.pool.free(second, on_stream(1)));
    EXPECT_TRUE(s.pool.free(first, on_stream(1)));
    s.device.finish_all();
    (void)s.pool.trim(0);
  }
  over = true;
  for (auto& thread : threads) thread.join();
  EXPECT_GT(s.counters().loans, 500U);
}

// What is listed for others to bring up to date does not hold whoever only has loans.
TEST(Loans, AreNoMatterToTheEndOfAnotherStream) {
  constexpr std::uintptr_t kStreams = 2000;
  const auto ending = [&](std::uint64_t lend_after) {
    auto rules = at_once();
    rules.streams_lend_after = lend_after;
    Bench s(700 * GiB, rules);
    s.use_and_free(s.get(600 * GiB, on_stream(1)), on_stream(1));
    s.device.finish_all();
    for (std::uintptr_t i = 0; i < kStreams; ++i)
      EXPECT_TRUE(s.pool.free(s.get(2 * MiB, on_stream(100 + i)), on_stream(100 + i)));
    EXPECT_EQ(s.counters().loans > kStreams / 2, lend_after == 0);
    s.pool.retire_stream(on_stream(999'999));
    const auto start = std::chrono::steady_clock::now();
    for (std::uintptr_t i = 0; i < 1000; ++i) s.pool.retire_stream(on_stream(1'000'000 + i));
    return std::chrono::steady_clock::now() - start;
  };
  EXPECT_LT(ending(0), 10 * ending(1'000'000) + std::chrono::milliseconds(5));
}

TEST(Loans, WhatIsLiveInThemIsInTheReportOfAShortage) {
  Lent s;
  for (int i = 0; i < 6; ++i) (void)s.get(kSize, on_stream(1));
  EXPECT_EQ(s.pool.shortage(GiB).live, s.counters().live_bytes);
  EXPECT_EQ(s.counters().live_blocks,
            nlohmann::json::parse(s.pool.snapshot(s.pool.shortage(GiB), {})).at("blocks").size());
}

}  // namespace
}  // namespace gmlake::pool
