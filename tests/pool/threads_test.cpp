// Several threads on their own streams, which come and go, on one they share and on none allocate
// and free at once. They meet now and then, so that the books and the memory behind every live
// block can be looked at.
#include <atomic>
#include <barrier>
#include <chrono>
#include <mutex>
#include <random>
#include <thread>

#include "pool/bench.h"

namespace gmlake::pool {
namespace {

constexpr std::size_t kThreads = 4;
constexpr std::uintptr_t kShared = 1;

struct Block {
  driver::Address at = 0;
  Bytes size = 0;
};

// What one thread has done, for the sums.
struct Sums {
  std::uint64_t allocations = 0;
  std::uint64_t frees = 0;
  std::uint64_t bytes = 0;
};

class Crowd {
 public:
  explicit Crowd(const config::Config& config) : bench_(2 * GiB, config) {
    bench_.device.only_legacy = config.streams_single_stream;
  }

  void run(int rounds, int steps, std::uint32_t seed) {
    std::barrier meet(kThreads + 1, [&]() noexcept { look(); });
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < kThreads; ++i)
      threads.emplace_back([&, i] {
        std::mt19937 random(seed + static_cast<std::uint32_t>(i));
        for (int round = 0; round < rounds; ++round) {
          for (int step = 0; step < steps; ++step) this->step(i, random);
          meet.arrive_and_wait();
        }
      });
    // Meanwhile somebody reads the figures and gives memory back.
    for (int round = 0; round < rounds; ++round) {
      for (int i = 0; i < 5; ++i) {
        const auto counters = bench_.counters();
        EXPECT_LE(counters.physical_bytes, 2 * GiB);
        EXPECT_FALSE(bench_.pool.picture().empty());
        EXPECT_FALSE(bench_.pool.snapshot(bench_.pool.shortage(GiB), {}).empty());
        (void)bench_.pool.reusable_bytes();
        (void)bench_.pool.trim(256 * MiB);
      }
      if (round == rounds / 2) one_stream_was_used_ = bench_.pool.end_one_stream(kContext);
      meet.arrive_and_wait();
    }
    for (auto& thread : threads) thread.join();
    free_the_rest();
  }
  const Bench& bench() const { return bench_; }
  bool one_stream_was_used() const { return one_stream_was_used_; }

 private:
  Origin some_origin(std::size_t thread, std::mt19937& random) const {
    const auto kind = random() % 8;
    if (kind == 0) return kHost;
    return on_stream(kind < 3 ? kShared : stream_[thread]);
  }

  void step(std::size_t thread, std::mt19937& random) {
    auto& mine = live_[thread];
    auto& sums = sums_[thread];
    if (random() % 32 == 0) {
      bench_.pool.retire_stream(on_stream(stream_[thread]));
      stream_[thread] += kThreads;
    }
    if (mine.size() < 12 && random() % 2 == 0) {
      const Bytes size = random() % 3 == 0   ? 1 + random() % MiB
                         : random() % 2 == 0 ? (2 + random() % 4) * MiB
                                             : 2 * MiB + random() % (8 * MiB);
      const auto at = bench_.pool.allocate(size, some_origin(thread, random));
      ASSERT_TRUE(at) << at.error().what;
      mine.push_back({*at, size});
      ++sums.allocations;
      sums.bytes += size;
    } else if (!mine.empty()) {
      std::swap(mine[random() % mine.size()], mine.back());
      auto block = mine.back();
      mine.pop_back();
      if (random() % 4 == 0) {  // another thread's block instead, which frees this one
        const std::lock_guard lock(exchange_);
        std::swap(block, passed_on_);
      }
      if (block.at == 0) return;
      EXPECT_TRUE(bench_.pool.free(block.at, some_origin(thread, random)));
      ++sums.frees;
    }
  }

  std::vector<Block> live() const {
    std::vector<Block> all;
    if (passed_on_.at != 0) all.push_back(passed_on_);
    for (const auto& blocks : live_) all.insert(all.end(), blocks.begin(), blocks.end());
    return all;
  }

  // Nobody else is in the pool.
  void look() {
    bench_.pool.check();
    Sums sum;
    for (const auto& sums : sums_) {
      sum.allocations += sums.allocations;
      sum.frees += sums.frees;
      sum.bytes += sums.bytes;
    }
    const auto c = bench_.counters();
    EXPECT_EQ(c.allocations, sum.allocations);
    EXPECT_EQ(c.frees, sum.frees);
    EXPECT_EQ(c.allocated_bytes, sum.bytes);
    EXPECT_EQ(c.hits_exact + c.hits_window + c.hits_split + c.hits_small + c.growths + c.stitches,
              sum.allocations);
    EXPECT_EQ(c.reuse_new + c.reuse_own_stream + c.reuse_completed + c.reuse_proved,
              sum.allocations);
    EXPECT_EQ(c.reuse_new_bytes + c.reuse_own_stream_bytes + c.reuse_completed_bytes +
                  c.reuse_proved_bytes,
              sum.bytes);
    EXPECT_EQ(c.physical_bytes, bench_.device.physical());

    const auto blocks = live();
    Bytes bytes = 0;
    std::map<Bytes, Bytes> behind;  // start to end
    for (const auto& block : blocks) {
      bytes += block.size;
      for (const auto& range : bench_.device.physical_of(block.at, block.size)) {
        const auto after = behind.lower_bound(range.start + range.size);
        EXPECT_TRUE(after == behind.begin() || std::prev(after)->second <= range.start)
            << "two live blocks share memory";
        behind[range.start] = range.start + range.size;
      }
    }
    EXPECT_EQ(c.live_blocks, blocks.size());
    EXPECT_EQ(c.live_bytes, bytes);
    EXPECT_GE(c.peak_live_bytes, bytes);
  }

  void free_the_rest() {
    for (const auto& block : live()) EXPECT_TRUE(bench_.pool.free(block.at, on_stream(kShared)));
    bench_.pool.check();
    EXPECT_LE(bench_.pool.shortage(1).pending.size(), 100U) << "of hundreds of streams";
    EXPECT_EQ(bench_.counters().live_blocks, 0U);
    EXPECT_EQ(bench_.counters().live_bytes, 0U);
    (void)bench_.pool.trim(0);
    EXPECT_EQ(bench_.device.physical(), 0U) << bench_.pool.picture();
  }

  Bench bench_;
  std::array<std::vector<Block>, kThreads> live_;
  std::array<Sums, kThreads> sums_;
  std::array<std::uintptr_t, kThreads> stream_{2, 3, 4, 5};  // its own, now
  std::mutex exchange_;
  Block passed_on_;
  bool one_stream_was_used_ = false;
};

TEST(Threads, AllocateAndFreeAtOnce) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  auto config = plain();
  config.stitch_worth = 0;
  config.stitch_time_budget = 1;
  Crowd crowd(config);
  crowd.run(20, 500, seed);
  const auto c = crowd.bench().counters();
  EXPECT_GT(c.stitches, 0U);
  EXPECT_GT(c.hits_exact, 100U);
  EXPECT_GT(c.hits_small, 100U);
  EXPECT_GT(c.reuse_completed, 0U);
}

// The same with loans, which all that looks at a stream takes back.
TEST(Threads, AllocateAndFreeInLoans) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  auto config = plain();
  config.streams_lend_after = 0;
  Crowd crowd(config);
  crowd.run(20, 500, seed);
  EXPECT_GT(crowd.bench().counters().loans, 20U);
}

// Nearly all that there is in use, in blocks that fit wherever there is room: what is lent to one
// is there for the others, and what a request took back is lent to nobody before it is served.
TEST(Threads, NothingRunsOutBesideLoans) {
  auto config = plain();
  config.streams_lend_after = 0;
  config.pool_largest_chunk = 2 * MiB;
  Bench bench(512 * MiB, config);
  constexpr std::size_t kEach = 60;  // of 4 MiB: 480 in use with two threads
  std::vector<std::thread> threads;
  for (std::uintptr_t i = 0; i < 2; ++i)
    threads.emplace_back([&, i] {
      std::mt19937 random(static_cast<std::uint32_t>(i));
      std::vector<driver::Address> mine;
      for (int step = 0; step < 20'000; ++step) {
        bench.pool.before_work(on_stream(1 + i));
        bench.device.give(on_stream(1 + i).stream);
        if (mine.size() < kEach && random() % 4 != 0) {
          const auto at = bench.pool.allocate(4 * MiB, on_stream(1 + i));
          ASSERT_TRUE(at) << at.error().what << " after " << step << " steps";
          mine.push_back(*at);
        } else if (!mine.empty()) {
          std::swap(mine[random() % mine.size()], mine.back());
          EXPECT_TRUE(bench.pool.free(mine.back(), on_stream(1 + i)));
          mine.pop_back();
        }
      }
    });
  for (auto& thread : threads) thread.join();
  bench.pool.check();
  EXPECT_GT(bench.counters().loans, 0U);
}

// The host's requests are in its own frees' order for the first half.
TEST(Threads, OneStreamEndsBesideThem) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  auto config = plain();
  config.streams_single_stream = true;
  Crowd crowd(config);
  crowd.run(20, 500, seed);
  EXPECT_TRUE(crowd.one_stream_was_used());
}

// Each on its own stream, one block at a time: no thread needs another's memory or the device's.
TEST(Threads, OwnStreamsDoNotDisturbEachOther) {
  Bench bench;
  std::array<driver::Address, kThreads> first;
  for (std::size_t i = 0; i < kThreads; ++i) first[i] = bench.get(10 * MiB, on_stream(1 + i));
  for (std::size_t i = 0; i < kThreads; ++i)
    EXPECT_TRUE(bench.pool.free(first[i], on_stream(1 + i)));
  const auto before = bench.device.calls;
  std::vector<std::thread> threads;
  std::atomic<int> elsewhere{0};
  for (std::size_t i = 0; i < kThreads; ++i)
    threads.emplace_back([&, i] {
      for (int n = 0; n < 5000; ++n) {
        const auto at = bench.pool.try_allocate(10 * MiB, on_stream(1 + i));
        elsewhere += at == first[i] && bench.pool.free(at, on_stream(1 + i)) ? 0 : 1;
      }
    });
  for (auto& thread : threads) thread.join();
  bench.pool.check();
  EXPECT_EQ(elsewhere, 0);
  EXPECT_EQ(bench.device.calls, before);
  EXPECT_EQ(bench.counters().allocations, kThreads * 5001);
  EXPECT_EQ(bench.counters().frees, kThreads * 5001);
  EXPECT_EQ(bench.counters().reuse_own_stream, kThreads * 5000);
}

// A free without a stream that another thread is in the middle of: its memory is waited for, not
// missed.
TEST(Threads, AFreeInHandIsWaitedFor) {
  Bench bench(64 * MiB);
  const auto at = bench.get(40 * MiB, kHost);
  ++bench.device.submitted[nullptr];
  std::thread other;
  bool served = false;
  bench.device.recording = [&] {
    bench.device.recording = [] {};
    other = std::thread([&] { served = bench.pool.allocate(40 * MiB, kHost).has_value(); });
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  };
  EXPECT_TRUE(bench.pool.free(at, kHost));
  other.join();
  EXPECT_TRUE(served);
}

// Each thread alone frees before it allocates again, and all of it fits: nobody runs out, whoever
// follows whose frees.
TEST(Threads, NobodyRunsOutForWhatOthersFollow) {
  constexpr int kRounds = 2000;
  Bench bench(64 * MiB);
  std::atomic<bool> over{false};
  std::atomic<int> failed{0};
  std::vector<std::thread> others;
  for (std::uintptr_t i = 1; i <= 2; ++i)
    others.emplace_back([&, i] {
      while (!over) {
        const auto at = bench.pool.allocate(4096, on_stream(i));
        failed += at ? 0 : 1;
        if (at) failed += bench.pool.free(*at, on_stream(i)) ? 0 : 1;
      }
    });
  for (int i = 0; i < kRounds; ++i) {
    const auto at = bench.pool.allocate(40 * MiB, kHost);
    failed += at ? 0 : 1;
    bench.device.give(nullptr);
    if (at) failed += bench.pool.free(*at, kHost) ? 0 : 1;
  }
  over = true;
  for (auto& other : others) other.join();
  EXPECT_EQ(failed, 0);
}

// Of all who free one block at once, one does.
TEST(Threads, ABlockIsFreedOnce) {
  Bench bench;
  driver::Address at = 0;
  std::atomic<int> freed{0};
  int wrong = 0;
  constexpr int kRounds = 500;
  std::barrier meet(kThreads, [&]() noexcept {
    wrong += freed == 1 ? 0 : 1;
    freed = 0;
    at = bench.get(10 * MiB, on_stream(1));
  });
  at = bench.get(10 * MiB, on_stream(1));
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < kThreads; ++i)
    threads.emplace_back([&, i] {
      for (int round = 0; round < kRounds; ++round) {
        freed += bench.pool.free(at, i == 0 ? kHost : on_stream(i)) ? 1 : 0;
        meet.arrive_and_wait();
      }
    });
  for (auto& thread : threads) thread.join();
  bench.pool.check();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(bench.counters().frees, static_cast<std::uint64_t>(kRounds));
  EXPECT_EQ(bench.counters().live_blocks, 1U);
}

// The second free of a block comes while its record becomes that of another one, which must stay
// untouched.
TEST(Threads, AStaleFreeDoesNotReachAnotherBlock) {
  Bench bench;
  const auto stream = on_stream(1);
  constexpr int kRounds = 4000;
  std::atomic<int> round{0}, done{0};
  std::atomic<driver::Address> stale{0};
  std::atomic<bool> freed{false};
  // At once where there are cores enough.
  const auto reach = [](const std::atomic<int>& count, int wanted) {
    for (int looks = 0; count < wanted; ++looks)
      if (looks > 1000) std::this_thread::yield();
  };
  std::thread other([&] {
    for (int i = 1; i <= kRounds; ++i) {
      reach(round, i);
      freed = bench.pool.free(stale, stream);
      done = i;
    }
  });
  bench.use_and_free(bench.get(20 * MiB, stream), stream);
  int twice = 0, lost = 0;
  for (int i = 0; i <= kRounds; ++i) {
    const auto before = bench.get(4 * MiB, stream);
    stale = bench.get(2 * MiB, stream);
    // Where it was last time, behind the other two: they become one free region with it, and the
    // record of the second becomes its own.
    if (i == 0) bench.use_and_free(bench.get(6 * MiB, stream), stream);
    bench.use_and_free(before, stream);
    round = i;
    const bool own = bench.pool.free(stale, stream);
    if (i == 0) continue;
    const auto behind = bench.get(6 * MiB, stream);
    EXPECT_NE(behind, stale);
    reach(done, i);
    twice += own == freed ? 1 : 0;
    lost += bench.pool.free(behind, stream) ? 0 : 1;
  }
  other.join();
  bench.pool.check();
  EXPECT_EQ(twice, 0);
  EXPECT_EQ(lost, 0);
  EXPECT_EQ(bench.counters().live_blocks, 0U);
}

// The record either comes before the free, which then waits for the use, or finds no block.
TEST(Threads, AUseRecordedDuringAFreeIsHeededOrRefused) {
  Bench bench;
  constexpr int kRounds = 4000;
  std::atomic<int> round{0}, done{0};
  std::atomic<driver::Address> block{0};
  std::atomic<bool> recorded{false};
  std::thread other([&] {
    for (int i = 1; i <= kRounds; ++i) {
      while (round < i) std::this_thread::yield();
      recorded = bench.pool.use_beside(block, on_stream(2));
      done = i;
    }
  });
  int heeded = 0, refused = 0, wrong = 0;
  for (int i = 1; i <= kRounds; ++i) {
    const auto at = bench.get(4 * MiB, on_stream(1));
    ++bench.device.submitted[on_stream(2).stream];
    block = at;
    const auto wait = [&] {
      while (done < i) std::this_thread::yield();
    };
    // Surely before the free, surely behind it, or at once.
    if (i % 3 != 0) round = i;
    if (i % 3 == 1) wait();
    EXPECT_TRUE(bench.pool.free(at, on_stream(1)));
    round = i;
    wait();
    const auto next = bench.get(4 * MiB, on_stream(1));
    ++(recorded ? heeded : refused);
    wrong += (next != at) == recorded ? 0 : 1;
    EXPECT_TRUE(bench.pool.free(next, on_stream(1)));
    bench.device.finish_all();
  }
  other.join();
  bench.pool.check();
  EXPECT_EQ(wrong, 0);
  EXPECT_GE(heeded, kRounds / 3);
  EXPECT_GE(refused, kRounds / 3);
}

}  // namespace
}  // namespace gmlake::pool
