// Adversarial sequences: the same bytes for the same seed, no loose ends, the level kept, and the
// shape each pattern promises.
#include <gmock/gmock.h>

#include <bit>
#include <map>
#include <set>

#include "temporary_file.h"
#include "trace/generate/adversary.h"
#include "trace/info.h"
#include "trace/reader.h"

namespace gmlake::trace::generate {
namespace {

std::string bytes_of(const Adversary& adversary) {
  EXPECT_EQ(problem(adversary), std::nullopt);
  const TemporaryFile file(".csv");
  CsvWriter writer;
  EXPECT_TRUE(writer.open(file.path()));
  generate(adversary, writer);
  EXPECT_TRUE(writer.close());
  return file.bytes();
}

Trace trace_of(const Adversary& adversary) {
  auto read = read_csv(bytes_of(adversary), {});
  EXPECT_TRUE(read) << read.error();
  return std::move(*read);
}

Adversary with(Pattern pattern) {
  Adversary adversary;
  adversary.pattern = pattern;
  adversary.live = GiB;
  adversary.rounds = 3;
  return adversary;
}

// Runs the check for every pattern, which a failure names.
template <typename Check>
void for_each_pattern(Check check) {
  for (const auto& [name, text, pattern] : kPatterns) {
    SCOPED_TRACE(name);
    check(with(pattern));
  }
}

TEST(Adversary, SameSeedSameBytes) {
  for_each_pattern([](Adversary adversary) {
    const auto bytes = bytes_of(adversary);
    EXPECT_EQ(bytes, bytes_of(adversary));
    adversary.seed = 2;
    EXPECT_NE(bytes, bytes_of(adversary));
  });
}

TEST(Adversary, EveryBlockIsFreedOnce) {
  for_each_pattern([](const Adversary& adversary) {
    const auto trace = trace_of(adversary);
    const auto info = summarize(trace);
    EXPECT_GT(info.allocations, 50U);
    EXPECT_EQ(info.allocations, info.frees);
    EXPECT_EQ(info.live_at_end, 0U);
    EXPECT_EQ(trace.unknown_frees, 0U);
    EXPECT_EQ(trace.streams.size(), 1U);
  });
}

TEST(Adversary, TheLevelIsReachedAndKept) {
  for_each_pattern([](Adversary adversary) {
    for (const Bytes live : {256 * MiB, 3 * GiB}) {
      adversary.live = live;
      const auto peak = summarize(trace_of(adversary)).peak_live;
      EXPECT_LE(peak, live);
      EXPECT_GT(peak, live / 8 * 7);
    }
  });
}

TEST(Adversary, EachRoundAddsToIt) {
  for_each_pattern([](Adversary adversary) {
    adversary.rounds = 1;
    const auto one = trace_of(adversary).events.size();
    adversary.rounds = 4;
    EXPECT_GT(trace_of(adversary).events.size(), 2 * one);
  });
}

// How often each size is asked for in one round.
std::map<Bytes, unsigned> sizes_of(Pattern pattern) {
  auto adversary = with(pattern);
  adversary.rounds = 1;
  std::map<Bytes, unsigned> sizes;
  for (const auto& event : trace_of(adversary).events)
    if (event.kind() == Kind::allocate) ++sizes[event.bytes];
  return sizes;
}

TEST(Adversary, ACheckerboardAsksForTwiceTheSize) {
  const auto sizes = sizes_of(Pattern::checkerboard);
  ASSERT_EQ(sizes.size(), 2U);
  const auto [single, singles] = *sizes.begin();
  const auto [twice, doubles] = *sizes.rbegin();
  EXPECT_EQ(twice, 2 * single);
  EXPECT_NEAR(singles, 4 * doubles, 4);
}

TEST(Adversary, ASawtoothIsJustAboveChunks) {
  for (const auto& [bytes, count] : sizes_of(Pattern::sawtooth)) EXPECT_EQ(bytes % (2 * MiB), 512U);
}

TEST(Adversary, AStaircaseClimbsAndDescends) {
  const auto sizes = sizes_of(Pattern::staircase);
  EXPECT_LE(sizes.begin()->first, 2 * MiB);
  EXPECT_GT(sizes.rbegin()->first, 100 * MiB);
  EXPECT_LE(sizes.rbegin()->first, GiB / 8);
}

TEST(Adversary, RandomSizesHaveAllMagnitudes) {
  std::set<int> magnitudes;
  for (const auto& [bytes, count] : sizes_of(Pattern::random))
    magnitudes.insert(std::bit_width(bytes));
  EXPECT_GE(magnitudes.size(), 16U);
}

TEST(Adversary, OneInAHundredSurvives) {
  // A survivor of the first round is live when the second has filled up, and so longer than most.
  const auto info = summarize(trace_of(with(Pattern::survivors)));
  EXPECT_GT(info.lifetimes.longest, 2 * info.lifetimes.p90);
  EXPECT_GT(info.small_allocations, info.allocations / 10 * 9);
}

TEST(Adversary, NamesWhatCanNotBe) {
  auto adversary = with(Pattern::comb);
  adversary.live = MiB;
  EXPECT_THAT(problem(adversary).value_or(""), testing::HasSubstr("--live"));
  adversary = with(Pattern::comb);
  adversary.rounds = 0;
  EXPECT_THAT(problem(adversary).value_or(""), testing::HasSubstr("--rounds is 0"));
}

}  // namespace
}  // namespace gmlake::trace::generate
