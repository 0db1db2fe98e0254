// Variables: what they may say, what is said of wrong ones, and which names are nobody's business.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "config/load.h"
#include "config/nearest.h"

namespace gmlake::config {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::SizeIs;
using testing::StartsWith;

std::string problem_of(const Environment& environment) {
  const auto result = load(environment);
  EXPECT_THAT(result.problems, SizeIs(1)) << describe(result.problems);
  return result.problems.empty() ? "" : describe(result.problems[0]);
}

TEST(Variables, FlagsTakeTheUsualWords) {
  for (const char* yes : {"1", "true", "on", "yes", "True", "TRUE", "Yes"})
    EXPECT_TRUE(load({{"GMLAKE_STITCH_ENABLED", yes}}).config.stitch_enabled) << yes;
  for (const char* no : {"0", "false", "off", "no", "False", "OFF"})
    EXPECT_FALSE(load({{"GMLAKE_STITCH_ENABLED", no}}).config.stitch_enabled) << no;
}

TEST(Variables, SizesTakeTheUnitsOfTheShellsTools) {
  EXPECT_EQ(load({{"GMLAKE_POOL_MAX_BYTES", "64G"}}).config.pool_max_bytes, 64 * GiB);
  EXPECT_EQ(load({{"GMLAKE_POOL_MAX_BYTES", "1.5g"}}).config.pool_max_bytes, 3 * GiB / 2);
}

TEST(Variables, ReportIsOffOrNone) {
  EXPECT_EQ(load({{"GMLAKE_STATS_REPORT", "off"}}).config.stats_report, ReportKind::none);
  EXPECT_EQ(load({{"GMLAKE_STATS_REPORT", "none"}}).config.stats_report, ReportKind::none);
}

TEST(Variables, WrongNumbersAreShownAsTyped) {
  for (const char* typed : {"1.10", "1e3", "1.0000000000000001e1", "99999999999999999999999"})
    EXPECT_THAT(problem_of({{"GMLAKE_STITCH_GROWTH_SLACK", typed}}),
                HasSubstr(std::string(": ") + typed + " is out of range"));
  EXPECT_THAT(problem_of({{"GMLAKE_STITCH_MAX_WINDOWS", "1.50"}}),
              HasSubstr(": 1.50 is a fraction"));
  EXPECT_THAT(problem_of({{"GMLAKE_POOL_MAX_BYTES", "-1e2"}}), HasSubstr(": -1e2 is negative"));
}

TEST(Variables, NamesThatAreNobodysAreSaidWithTheNearest) {
  EXPECT_THAT(problem_of({{"GMLAKE_DISABLED", "1"}}), HasSubstr("did you mean GMLAKE_DISABLE?"));
  EXPECT_THAT(problem_of({{"GMLAKE_STRCT", "1"}}), HasSubstr("did you mean GMLAKE_STRICT?"));
  EXPECT_THAT(problem_of({{"GMLAKE_stitch_enabled", "0"}}),
              HasSubstr("did you mean GMLAKE_STITCH_ENABLED?"));
}

TEST(Variables, ListsAreSeparatedByCommas) {
  const auto result =
      load({{"GMLAKE_PROCESSES_INCLUDE", "python3, train*,"}, {"GMLAKE_PROCESSES_EXCLUDE", ""}});
  ASSERT_TRUE(result.ok()) << describe(result.problems);
  EXPECT_THAT(result.config.processes_include, testing::ElementsAre("python3", "train*"));
  EXPECT_THAT(result.config.processes_exclude, SizeIs(0));
}

TEST(Variables, WrongValuesNameTheVariableAndTheOption) {
  EXPECT_THAT(problem_of({{"GMLAKE_POOL_CHUNK_SIZE", "2Mib"}}),
              AllOf(StartsWith("GMLAKE_POOL_CHUNK_SIZE: pool.chunk_size: \"2Mib\""),
                    HasSubstr("from 2MiB to 1GiB")));
  EXPECT_THAT(problem_of({{"GMLAKE_STITCH_ENABLED", "maybe"}}), HasSubstr("give true or false"));
  EXPECT_THAT(problem_of({{"GMLAKE_STITCH_ENABLED", ""}}), HasSubstr("is empty"));
  EXPECT_EQ(problem_of({{"GMLAKE_POOL_MAX_BYTES", "90%"}}),
            "GMLAKE_POOL_MAX_BYTES: pool.max_bytes: \"90%\" is a share, not a size; set "
            "pool.max_share, 0.9 is 90 %");
  EXPECT_THAT(problem_of({{"GMLAKE_STITCH_MAX_WINDOWS", "-1"}}), HasSubstr("-1 is negative"));
  EXPECT_THAT(problem_of({{"GMLAKE_STITCH_MAX_WINDOWS", "1.5"}}), HasSubstr("1.5 is a fraction"));
  EXPECT_THAT(problem_of({{"GMLAKE_STITCH_MAX_WINDOWS", "12x"}}), HasSubstr("is text (\"12x\")"));
  EXPECT_THAT(problem_of({{"GMLAKE_STITCH_GROWTH_SLACK", "nan"}}), HasSubstr("is text (\"nan\")"));
  EXPECT_THAT(problem_of({{"GMLAKE_STREAMS_FREE", "later"}}), HasSubstr("deferred, synchronous"));
  EXPECT_THAT(problem_of({{"GMLAKE_STATS_FILE", "%x"}}), HasSubstr("unknown sequence \"%x\""));
  EXPECT_THAT(problem_of({{"GMLAKE_LOG_LEVEL", "\xff\xfe"}}), HasSubstr("is not one of the words"));
}

TEST(Variables, UnknownNames) {
  EXPECT_EQ(problem_of({{"GMLAKE_POOL_CHUNKSIZE", "1"}}),
            "GMLAKE_POOL_CHUNKSIZE: is no option; did you mean GMLAKE_POOL_CHUNK_SIZE?");
  EXPECT_EQ(problem_of({{"GMLAKE_STICH_ENABLED", "1"}}),
            "GMLAKE_STICH_ENABLED: is no option; did you mean GMLAKE_STITCH_ENABLED?");
  EXPECT_THAT(problem_of({{"GMLAKE_POOL_COLOUR_OF_THE_WATER", "1"}}), HasSubstr("unset it"));
}

TEST(Variables, NamesThatAreNoOptionsAreLeftAlone) {
  EXPECT_TRUE(load({{"GMLAKE_STRICT", "1"},
                    {"GMLAKE_DISABLE", "0"},
                    {"GMLAKE_LIBRARY", "x"},
                    {"GMLAKE_SITE_NAME", "x"},
                    {"POOL_CHUNK_SIZE", "x"}})
                  .ok());
}

TEST(Variables, Switches) {
  EXPECT_FALSE(is_strict({}));
  EXPECT_FALSE(is_strict({{"GMLAKE_STRICT", "0"}}));
  EXPECT_FALSE(is_strict({{"GMLAKE_STRICT", ""}}));
  EXPECT_TRUE(is_strict({{"GMLAKE_STRICT", "1"}}));
  EXPECT_FALSE(is_disabled({{"GMLAKE_DISABLE", "off"}}));
  EXPECT_TRUE(is_disabled({{"GMLAKE_DISABLE", "yes"}}));
}

TEST(Variables, TheProcessHasThem) {
  setenv("GMLAKE_LOG_LEVEL", "info", 1);
  const auto environment = process_environment();
  unsetenv("GMLAKE_LOG_LEVEL");
  EXPECT_EQ(environment.at("GMLAKE_LOG_LEVEL"), "info");
  for (const auto& [name, value] : environment) EXPECT_THAT(name, StartsWith("GMLAKE_"));
}

TEST(Nearest, Distance) {
  EXPECT_EQ(edit_distance("", ""), 0U);
  EXPECT_EQ(edit_distance("", "abc"), 3U);
  EXPECT_EQ(edit_distance("abc", "abc"), 0U);
  EXPECT_EQ(edit_distance("stich", "stitch"), 1U);  // insert
  EXPECT_EQ(edit_distance("stitch", "stich"), 1U);  // delete
  EXPECT_EQ(edit_distance("pool", "poll"), 1U);     // replace
  EXPECT_EQ(edit_distance("sitch", "istch"), 1U);   // swap
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
}

TEST(Nearest, FarWordsAreNoAdvice) {
  constexpr std::array<std::string_view, 3> kWords{"pool", "stitch", "log"};
  EXPECT_EQ(nearest("pools", kWords), "pool");
  EXPECT_EQ(nearest("pancake", kWords), "");
  EXPECT_EQ(nearest("x", kWords), "");
  EXPECT_EQ(nearest_or_all("pancake", kWords), "there is: pool, stitch, log");
}

}  // namespace
}  // namespace gmlake::config
