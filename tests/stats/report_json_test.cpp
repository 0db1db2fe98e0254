// The report for programs: every figure under its name.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "made_up_report.h"

namespace gmlake::stats {
namespace {

using nlohmann::json;

TEST(ReportJson, WhoWroteItAndOfWhat) {
  const auto report = json::parse(to_json(made_up_report()));
  EXPECT_EQ(report["format"], "gmlake-report");
  EXPECT_EQ(report["version"], kVersion);
  EXPECT_EQ(report["gmlake"], (json{{"version", "1.2.3"}, {"revision", "abc"}}));
  EXPECT_EQ(report["process"], (json{{"pid", 42},
                                     {"executable", "train"},
                                     {"host", "node7"},
                                     {"rank", "3"},
                                     {"seconds", 12.34}}));
  EXPECT_EQ(report["config"], (json{{"pool_enabled", true}, {"stitch_enabled", true}}));
}

TEST(ReportJson, EveryCounterByName) {
  const auto report = json::parse(to_json(made_up_report()));
  ASSERT_EQ(report["devices"].size(), 2U);
  EXPECT_EQ(report["devices"][1]["device"], 1);
  const auto& counters = report["devices"][0]["counters"];
  std::size_t count = 0;
#define X(name, kind, unit, help)                                        \
  EXPECT_TRUE(counters.contains(#name));                                 \
  EXPECT_EQ(counters[#name], made_up_report().devices[0].counters.name); \
  ++count;
  GMLAKE_COUNTERS(X)
#undef X
  EXPECT_EQ(counters.size(), count);
  EXPECT_DOUBLE_EQ(report["devices"][0]["utilization"], 0.9);
}

TEST(ReportJson, EveryDriverCallByName) {
  const auto report = json::parse(to_json(made_up_report()));
  const auto& calls = report["devices"][0]["driver_calls"];
  EXPECT_EQ(calls.size(), kDriverCalls);
  EXPECT_EQ(calls["cuMemMap"], (json{{"calls", 12}, {"nanoseconds", 3'000'000}, {"failures", 1}}));
  EXPECT_EQ(calls["cuMemUnmap"], (json{{"calls", 0}, {"nanoseconds", 0}, {"failures", 0}}));
}

TEST(ReportJson, TheTotalIsTheSum) {
  const auto report = json::parse(to_json(made_up_report()));
  const auto& sum = report["total"];
  EXPECT_EQ(sum["counters"]["allocations"], 2000);
  EXPECT_EQ(sum["counters"]["peak_live_bytes"], 18 * GiB);
  EXPECT_EQ(sum["driver_calls"]["cuMemMap"],
            (json{{"calls", 24}, {"nanoseconds", 6'000'000}, {"failures", 2}}));
  EXPECT_DOUBLE_EQ(sum["utilization"], 0.9);
}

TEST(ReportJson, OfNoDevice) {
  const auto report = json::parse(to_json(Report{}));
  EXPECT_EQ(report["devices"], json::array());
  EXPECT_EQ(report["total"]["utilization"], 0);
}

TEST(ReportJson, StaysJsonWhateverTheProgramIsCalled) {
  auto report = made_up_report();
  report.executable = "a\"b\\c\n\xff";
  EXPECT_EQ(json::parse(to_json(report))["process"]["executable"], "a\"b\\c\n\xEF\xBF\xBD");
}

}  // namespace
}  // namespace gmlake::stats
