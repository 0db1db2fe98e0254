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
                                     {"seconds", 12.34},
                                     {"recovered", false}}));
  EXPECT_EQ(report["config"], (json{{"pool_enabled", true},
                                    {"stitch_enabled", true},
                                    {"events_seen", true},
                                    {"follow_events", true},
                                    {"reuse_completed", true},
                                    {"single_stream", false}}));
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

TEST(ReportJson, PairsOfStreamsByTheirNames) {
  using Kind = StreamName::Kind;
  auto made_up = made_up_report();
  auto& unproved = made_up.devices[0].unproved;
  unproved.pairs = {made_up_pair(14, 9, 8 * MiB), made_up_pair(7, 0, 2 * MiB)};
  unproved.pairs[1].wanted_by.kind = Kind::per_thread;
  unproved.pairs[1].freed_by = {Kind::host, 0, reinterpret_cast<void*>(0xabc)};
  unproved.pairs[1].cost = {1, 2, 3, 4, 5, 6};
  unproved.others.bytes = 5;
  made_up.devices[1].unproved.pairs = {made_up_pair(20, 21, 4 * MiB)};
  made_up.devices[1].unproved.others.bytes = 6;
  const auto report = json::parse(to_json(made_up));

  const auto& own = report["devices"][0]["unproved"];
  EXPECT_EQ(own["pairs"][0], (json{{"wanted_by", {{"kind", "created"}, {"stream", 14}}},
                                   {"freed_by", {{"kind", "created"}, {"stream", 9}}},
                                   {"requests", 37},
                                   {"bytes", 8 * MiB},
                                   {"new_bytes", 4 * MiB},
                                   {"host_waits", 0},
                                   {"stream_waits", 0},
                                   {"failures", 0}}));
  EXPECT_EQ(own["pairs"][1], (json{{"wanted_by", {{"kind", "per_thread"}, {"stream", 7}}},
                                   {"freed_by", {{"kind", "host"}, {"context", "0xabc"}}},
                                   {"requests", 1},
                                   {"bytes", 2},
                                   {"new_bytes", 3},
                                   {"host_waits", 4},
                                   {"stream_waits", 5},
                                   {"failures", 6}}));
  EXPECT_EQ(own["others"]["bytes"], 5);
  // All devices' side by side, those with the most bytes first.
  const auto& all = report["total"]["unproved"];
  ASSERT_EQ(all["pairs"].size(), 3U);
  EXPECT_EQ(all["pairs"][1]["wanted_by"]["stream"], 20);
  EXPECT_EQ(all["others"]["bytes"], 11);
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
