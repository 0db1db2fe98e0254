// Names of files: every sequence, and where ranks come from.
#include "config/pattern.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include <unistd.h>

namespace gmlake::config {
namespace {

const PatternValues kValues{.process = "42",
                            .host = "node7",
                            .rank = "3",
                            .local_rank = "1",
                            .executable = "train",
                            .start = "20300102T030405"};

TEST(Pattern, EverySequence) {
  EXPECT_EQ(expand_pattern("%h/%e.%p.%r.%l.%t.%%", kValues),
            "node7/train.42.3.1.20300102T030405.%");
  EXPECT_EQ(expand_pattern("", kValues), "");
  EXPECT_EQ(expand_pattern("plain", kValues), "plain");
  EXPECT_EQ(expand_pattern("%%p%p", kValues), "%p42");
}

TEST(Pattern, ValuesAreNotExpandedAgain) {
  auto values = kValues;
  values.executable = "%p";
  EXPECT_EQ(expand_pattern("%e", values), "%p");
}

TEST(Pattern, UnknownSequences) {
  EXPECT_EQ(unknown_sequence("%p%h%r%l%e%t%%"), std::nullopt);
  EXPECT_EQ(unknown_sequence("a%q%z"), "%q");
  EXPECT_EQ(unknown_sequence("a%"), "%");
  EXPECT_EQ(unknown_sequence("%%q"), std::nullopt);
  EXPECT_EQ(unknown_sequence("%P"), "%P");
}

class Ranks : public testing::Test {
 protected:
  Ranks() {
    for (const char* name : kNames) unsetenv(name);
  }
  ~Ranks() override {
    for (const char* name : kNames) unsetenv(name);
  }
  static constexpr const char* kNames[] = {
      "SLURM_PROCID",  "OMPI_COMM_WORLD_RANK",       "PMI_RANK",        "PMIX_RANK", "RANK",
      "SLURM_LOCALID", "OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID", "LOCAL_RANK"};
};

TEST_F(Ranks, WithoutALauncherTheyAreZero) {
  const auto values = process_pattern_values();
  EXPECT_EQ(values.rank, "0");
  EXPECT_EQ(values.local_rank, "0");
}

TEST_F(Ranks, TheFirstVariableThatHoldsANumberWins) {
  setenv("RANK", "9", 1);
  EXPECT_EQ(process_pattern_values().rank, "9");
  setenv("PMIX_RANK", "8", 1);
  EXPECT_EQ(process_pattern_values().rank, "8");
  setenv("PMI_RANK", "7", 1);
  EXPECT_EQ(process_pattern_values().rank, "7");
  setenv("OMPI_COMM_WORLD_RANK", "6", 1);
  EXPECT_EQ(process_pattern_values().rank, "6");
  setenv("SLURM_PROCID", "5", 1);
  EXPECT_EQ(process_pattern_values().rank, "5");
  setenv("LOCAL_RANK", "4", 1);
  EXPECT_EQ(process_pattern_values().local_rank, "4");
  setenv("MPI_LOCALRANKID", "3", 1);
  EXPECT_EQ(process_pattern_values().local_rank, "3");
  setenv("OMPI_COMM_WORLD_LOCAL_RANK", "2", 1);
  EXPECT_EQ(process_pattern_values().local_rank, "2");
  setenv("SLURM_LOCALID", "1", 1);
  EXPECT_EQ(process_pattern_values().local_rank, "1");
}

TEST_F(Ranks, PathsCanNotBeSmuggledIn) {
  setenv("SLURM_PROCID", "../../etc", 1);
  setenv("RANK", "", 1);
  EXPECT_EQ(process_pattern_values().rank, "0");
}

TEST(PatternValues, OfThisProcess) {
  const auto values = process_pattern_values();
  EXPECT_EQ(values.process, std::to_string(getpid()));
  EXPECT_EQ(values.executable, "config_test");
  EXPECT_EQ(values.executable, executable_name());
  EXPECT_FALSE(values.host.empty());
  EXPECT_THAT(values.start, testing::MatchesRegex("[0-9]{8}T[0-9]{6}"));
}

}  // namespace
}  // namespace gmlake::config
