// The lock of the shortest sections: one holder at a time, and who waits for a holder that lost its
// core does not keep the core from it.
#include "support/spin_lock.h"

#include <gtest/gtest.h>
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <ctime>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

namespace gmlake {
namespace {

using namespace std::chrono_literals;
using Spin = RankedSpinLock<Rank::pool>;

// As the kernel says: R is running or ready to, S asleep.
char state_of(pid_t thread) {
  std::ifstream file("/proc/self/task/" + std::to_string(thread) + "/stat");
  std::string line;
  std::getline(file, line);
  const auto name_ends = line.rfind(')');
  return name_ends == std::string::npos ? '?' : line.at(name_ends + 2);
}

TEST(SpinLock, HasOneHolder) {
  constexpr int kThreads = 4, kRounds = 20000;
  Spin lock;
  int count = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i)
    threads.emplace_back([&] {
      for (int round = 0; round < kRounds; ++round) {
        const Lock held(lock);
        ++count;
        if (round % 1000 == 0) std::this_thread::sleep_for(50us);  // the others fall asleep
      }
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(count, kThreads * kRounds);
}

TEST(SpinLock, IsTriedWithoutWaiting) {
  Spin lock;
  bool had = false;
  const auto try_it = [&] {
    had = false;
    if (!lock.try_lock()) return;
    had = true;
    lock.unlock();
  };
  {
    const Lock held(lock);
    std::thread(try_it).join();
    EXPECT_FALSE(had);
  }
  std::thread(try_it).join();
  EXPECT_TRUE(had);
}

TEST(SpinLock, AWaiterSleepsAndKeepsErrno) {
  Spin lock;
  lock.lock();
  std::atomic<pid_t> waiter{0};
  std::thread thread([&] {
    errno = EDOM;
    waiter = ::gettid();
    const Lock held(lock);
    EXPECT_EQ(errno, EDOM);
  });
  while (waiter == 0) std::this_thread::yield();
  bool asleep = false;
  const auto end = std::chrono::steady_clock::now() + 20s;
  while (!asleep && std::chrono::steady_clock::now() < end) asleep = state_of(waiter) == 'S';
  std::this_thread::sleep_for(5ms);  // longer than one sleep
  EXPECT_TRUE(asleep);
  lock.unlock();
  thread.join();
}

// The holder runs only when the waiter, which nothing ordinary may interrupt, leaves it the core. A
// kernel that keeps a part of each second from real-time threads ends the wait, but not before
// that.
TEST(SpinLock, ARealTimeThreadGetsItFromAnOrdinaryOne) {
  cpu_set_t allowed, one;
  ASSERT_EQ(::sched_getaffinity(0, sizeof allowed, &allowed), 0);
  CPU_ZERO(&one);
  for (int i = 0; i < CPU_SETSIZE && CPU_COUNT(&one) == 0; ++i)
    if (CPU_ISSET(i, &allowed)) CPU_SET(i, &one);
  Spin lock;
  std::atomic<bool> held{false};
  std::atomic<int> refused{-1};
  std::thread ordinary([&] {
    ASSERT_EQ(pthread_setaffinity_np(pthread_self(), sizeof one, &one), 0);
    const Lock mine(lock);
    held = true;
    while (refused < 0) {  // and so loses its core while it holds the lock
    }
  });
  while (!held) std::this_thread::yield();
  std::thread real_time([&] {
    ASSERT_EQ(pthread_setaffinity_np(pthread_self(), sizeof one, &one), 0);
    const sched_param first{1};
    refused = pthread_setschedparam(pthread_self(), SCHED_FIFO, &first);
    if (refused == 0) const Lock mine(lock);
    timespec used{};
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    EXPECT_LT(static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) / 1e9, 0.3);
  });
  real_time.join();
  ordinary.join();
  if (refused != 0) GTEST_SKIP() << "no real-time threads here: error " << refused;
}

}  // namespace
}  // namespace gmlake
