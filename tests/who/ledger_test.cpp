// Who asked for the memory that is live: exact for large blocks, true in the mean for small ones.
#include "who/ledger.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

namespace gmlake::who {
namespace {

struct Scene {
  Ledger ledger;
  Names names;
  Ledger::Countdown until;
  explicit Scene(Bytes step) { ledger.begin(step); }
  void ask(std::uint64_t address, Bytes bytes, Name name = 0) {
    ledger.allocated(address, bytes, {}, name, until);
  }
  stats::Holders holders(std::size_t most = 100) const { return ledger.holders(most, names); }
};

TEST(Ledger, LargeBlocksAreExact) {
  Scene s(MiB);
  for (std::uint64_t i = 1; i <= 10; ++i) s.ask(i * 4 * MiB, 3 * MiB);
  for (std::uint64_t i = 1; i <= 4; ++i) s.ledger.freed(i * 4 * MiB);
  s.ledger.freed(999 * MiB);  // not of a block
  const auto all = s.holders();
  EXPECT_EQ(all.live, 18 * MiB);
  EXPECT_EQ(all.peak, 30 * MiB);
  ASSERT_EQ(all.holders.size(), 1U);
  EXPECT_EQ(all.holders[0].at_peak, 30 * MiB);
  EXPECT_EQ(all.holders[0].live, 18 * MiB);
  EXPECT_EQ(all.holders[0].blocks, 6U);
}

TEST(Ledger, SmallOnesStandForEachOther) {
  Scene s(MiB);
  constexpr std::uint64_t kBlocks = 100'000;
  for (std::uint64_t i = 1; i <= kBlocks; ++i) s.ask(i * 65536, 48 * KiB);
  const auto asked = static_cast<double>(kBlocks * 48 * KiB);
  EXPECT_NEAR(static_cast<double>(s.holders().live) / asked, 1, 0.05);
  for (std::uint64_t i = 1; i <= kBlocks; ++i) s.ledger.freed(i * 65536);
  EXPECT_EQ(s.holders().live, 0U);
}

// A program's own period does not choose which of its blocks are noted.
TEST(Ledger, APeriodOfTheStepIsNoTrap) {
  Scene s(MiB);
  const Name rare = s.names.number_of("rare");
  const Name common = s.names.number_of("common");
  for (std::uint64_t i = 1; i <= 512'000; ++i)
    s.ask(i * 65536, 64 * KiB, i % 16 == 0 ? rare : common);
  for (const auto& one : s.holders().holders) {
    const double asked = (one.name == "rare" ? 1.0 : 15.0) / 16 * 512'000 * 64 * KiB;
    EXPECT_NEAR(static_cast<double>(one.allocated) / asked, 1, 0.15) << one.name;
  }
}

// What calls there were is the preload test's to show: here all are this executable's own.
TEST(Ledger, APlaceHasItsName) {
  Scene s(MiB);
  const Name forward = s.names.number_of("forward");
  EXPECT_EQ(s.names.number_of("forward"), forward);
  EXPECT_EQ(s.names.number_of(""), 0U);
  EXPECT_EQ(s.names.number_of(nullptr), 0U);
  EXPECT_STREQ(s.names.text_of(forward), "forward");
  EXPECT_EQ(s.names.text_of(0), nullptr);
  for (std::uint64_t i = 1; i <= 5; ++i) s.ask(i * 4 * MiB, MiB, i % 2 == 0 ? forward : 0);
  const auto all = s.holders();
  ASSERT_EQ(all.holders.size(), 2U);
  EXPECT_EQ(all.holders[0].name, "");
  EXPECT_EQ(all.holders[0].at_peak, 3 * MiB);
  EXPECT_EQ(all.holders[1].name, "forward");
  EXPECT_EQ(all.holders[1].at_peak, 2 * MiB);
  EXPECT_EQ(s.holders(1).holders.size(), 1U);
}

TEST(Ledger, ThePeakIsOfOneMoment) {
  Scene s(MiB);
  const Name first = s.names.number_of("first");
  const Name second = s.names.number_of("second");
  s.ask(MiB, 100 * MiB, first);
  s.ledger.freed(MiB);
  s.ask(2 * MiB, 60 * MiB, second);
  for (const auto& one : s.holders().holders)
    EXPECT_EQ(one.at_peak, one.name == "first" ? 100 * MiB : 0) << one.name;
}

TEST(Ledger, AContextTakesItsHostsBlocksAlong) {
  Scene s(MiB);
  int context = 0;
  using Kind = stats::StreamName::Kind;
  s.ledger.allocated(1 * GiB, 8 * MiB, {Kind::host, 0, &context}, 0, s.until);
  s.ledger.allocated(2 * GiB, 4 * MiB, {Kind::created, 7, &context}, 0, s.until);
  s.ledger.allocated(3 * GiB, 2 * MiB, {Kind::host, 0, &s}, 0, s.until);
  s.ledger.forget_context(&context);
  EXPECT_EQ(s.holders().live, 6 * MiB);
  s.ledger.freed(1 * GiB);
  EXPECT_EQ(s.holders().live, 6 * MiB);
}

// More places than are kept: the others are one.
TEST(Ledger, PlacesAreBounded) {
  Scene s(MiB);
  constexpr std::uint64_t kNames = 3000;
  for (std::uint64_t i = 1; i <= kNames; ++i)
    s.ask(i * MiB, MiB, s.names.number_of(std::to_string(i).c_str()));
  const auto all = s.holders(10'000);
  EXPECT_LE(all.holders.size(), 2049U);
  Bytes sum = 0;
  for (const auto& one : all.holders) sum += one.live;
  EXPECT_EQ(sum, kNames * MiB);
}

TEST(Ledger, AnAddressThatComesBackUnseenIsCountedOnce) {
  Scene s(MiB);
  s.ask(MiB, 2 * MiB);
  s.ask(MiB, 3 * MiB);
  EXPECT_EQ(s.holders().live, 3 * MiB);
}

TEST(Ledger, ThreadsNoteBesideEachOther) {
  Scene s(MiB);
  std::vector<std::thread> threads;
  for (std::uint64_t t = 1; t <= 4; ++t)
    threads.emplace_back([&, t] {
      Ledger::Countdown until;
      for (std::uint64_t i = 0; i < 20'000; ++i) {
        const auto at = t << 40 | (i % 50 + 1) << 21;
        s.ledger.allocated(at, i % 2 == 0 ? MiB : 100 * KiB, {}, 0, until);
        if (i % 100 == 0) (void)s.holders(1);
        s.ledger.freed(at);
      }
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(s.holders().live, 0U);
}

}  // namespace
}  // namespace gmlake::who
