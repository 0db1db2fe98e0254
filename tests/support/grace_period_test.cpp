// A wait ends when the sections have that had begun before it, and no sooner; those that begin
// later do not prolong it.
#include "support/grace_period.h"

#include <gtest/gtest.h>

#include <optional>
#include <vector>

namespace gmlake {
namespace {

using namespace std::chrono_literals;

TEST(GracePeriod, EndsAtOnceWhereNobodyIs) {
  GracePeriod period;
  period.wait();
  { const GracePeriod::Section section(period); }
  period.wait();
}

TEST(GracePeriod, LastsAsLongAsASectionBefore) {
  GracePeriod period;
  std::atomic<bool> over{false};
  std::optional<GracePeriod::Section> before(period);
  std::thread waiter([&] {
    period.wait();
    over = true;
  });
  std::this_thread::sleep_for(20ms);
  EXPECT_FALSE(over);
  const GracePeriod::Section later(period);
  before.reset();
  waiter.join();
  EXPECT_TRUE(over);
}

// What was written in a section is seen after a wait that began while it lasted.
TEST(GracePeriod, ManyEnterWhileOthersWait) {
  constexpr int kThreads = 3, kWaits = 200;
  GracePeriod period;
  std::atomic<bool> enough{false};
  std::array<std::atomic<int>, kThreads> begun{}, ended{};
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < kThreads; ++i)
    threads.emplace_back([&, i] {
      while (!enough) {
        const GracePeriod::Section section(period);
        const int number = begun[i].load() + 1;
        begun[i] = number;
        ended[i] = number;
      }
    });
  for (int i = 0; i < kWaits; ++i) {
    std::array<int, kThreads> before{};
    for (std::size_t t = 0; t < kThreads; ++t) before[t] = begun[t];
    period.wait();
    for (std::size_t t = 0; t < kThreads; ++t) EXPECT_GE(ended[t], before[t]);
  }
  enough = true;
  for (auto& thread : threads) thread.join();
}

}  // namespace
}  // namespace gmlake
