// The report for people: what it says, and that its parts add up.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "made_up_report.h"

namespace gmlake::stats {
namespace {

using testing::AllOf;
using testing::ContainsRegex;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

Report of_one_device() {
  auto report = made_up_report();
  report.devices.pop_back();
  return report;
}

TEST(ReportText, BeginsWithWhoAndEndsWithWhereToReadMore) {
  const auto text = to_text(made_up_report());
  EXPECT_THAT(text, StartsWith("gmlake 1.2.3 (abc): report of train (pid 42)\n"
                               "12.3 s on node7, rank 3; pool on, stitching on\n"));
  EXPECT_THAT(text, EndsWith("\ndocs/statistics.md explains each line\n"));
}

TEST(ReportText, ThreeLinesForWhoeverDidNotAskForMore) {
  EXPECT_EQ(
      to_text(of_one_device(), false),
      "gmlake: report of train (pid 42): peak live 9.000 GiB, peak physical 10.00 GiB, 90.0% used\n"
      "1,000 allocations, 6 with new GPU memory, 4 by a new stitch; 800 frees did not wait for the "
      "GPU\n"
      "0 allocations failed; stats.report=full has the rest\n");
}

TEST(ReportText, ControlCharactersOfNamesAreShownByTheirNumbers) {
  auto report = made_up_report();
  report.executable = "a\x1b[2Jb\n";
  for (const bool full : {false, true})
    EXPECT_THAT(to_text(report, full), HasSubstr("report of a\\x1b[2Jb\\x0a (pid 42)"));
}

TEST(ReportText, SaysWhetherItHelped) {
  const auto text = to_text(of_one_device());
  EXPECT_THAT(text, ContainsRegex(" 9.000 GiB +peak live"));
  EXPECT_THAT(text, ContainsRegex(" 10.00 GiB +peak physical.* 90.0% used"));
  EXPECT_THAT(text, ContainsRegex(" 800 +frees did not wait"));
  EXPECT_THAT(text, ContainsRegex(" 10.00 MiB +in 10 blocks not freed"));
  EXPECT_THAT(text, HasSubstr("20 driver calls by the pool, 4.50 ms"));
  EXPECT_THAT(text, ContainsRegex(" 12 +3.00 ms +cuMemMap \\(1 failed\\)"));
}

TEST(ReportText, SaysWhetherCapturesPutEventsOff) {
  auto report = of_one_device();
  EXPECT_THAT(to_text(report), Not(HasSubstr("captured")));
  report.devices[0].counters.fences_captured = 1234;
  EXPECT_THAT(to_text(report), ContainsRegex(" 1,234 +events had to be put off, since a stream"));
}

TEST(ReportText, DevicesAreAddedUp) {
  const auto text = to_text(made_up_report());
  EXPECT_THAT(text, HasSubstr("2,000 allocations of 100.0 GiB in all, served"));
  EXPECT_THAT(text, ContainsRegex(" 1,400 +70.0% "));
  EXPECT_THAT(text, ContainsRegex("device 1 +peak live 9.000 GiB.* 1,000 allocations"));
  EXPECT_THAT(to_text(of_one_device()), Not(HasSubstr("device 0")));
}

// The figures of the lines under "served", each without its commas.
std::uint64_t sum_of_served(const std::string& text) {
  std::istringstream lines(text);
  std::string line;
  std::uint64_t sum = 0;
  bool inside = false;
  while (std::getline(lines, line)) {
    if (!line.starts_with(' ')) {
      inside = line.ends_with("served");
    } else if (inside) {
      std::erase(line, ',');
      sum += std::stoull(line);
    }
  }
  return sum;
}

TEST(ReportText, PartsAddUpToTheTotal) {
  EXPECT_EQ(sum_of_served(to_text(made_up_report())), 2000U);
}

TEST(ReportText, AnAllocationUnderWayIsAPartToo) {
  auto report = of_one_device();
  --report.devices[0].counters.growths;
  const auto text = to_text(report);
  EXPECT_EQ(sum_of_served(text), 1000U);
  EXPECT_THAT(text, ContainsRegex(" 1 +0.1%  under way"));
}

TEST(ReportText, WhatDidNotHappenIsLeftOut) {
  EXPECT_THAT(to_text(made_up_report()),
              AllOf(Not(HasSubstr("past the pool")), Not(HasSubstr("when memory ran out"))));
  auto report = of_one_device();
  auto& c = report.devices[0].counters;
  c.native_allocations = 3;
  c.native_bytes = 3 * MiB;
  c.bypass_capture = 2;
  c.out_of_memory = 1;
  c.ladder_waits = 5;
  EXPECT_THAT(to_text(report),
              AllOf(ContainsRegex("past the pool\n +3 +allocations by the driver, 3.000 MiB"),
                    ContainsRegex(" 2 +calls because a stream was being captured"),
                    Not(HasSubstr("switched off")),
                    ContainsRegex("when memory ran out\n +5 +waits.*\n +1 +allocations failed")));
}

TEST(ReportText, WithoutADeviceItSaysSo) {
  auto report = made_up_report();
  report.devices.clear();
  report.stitch_enabled = false;
  EXPECT_THAT(to_text(report), AllOf(HasSubstr("no CUDA allocation came this way"),
                                     HasSubstr("pool on, stitching off")));
}

TEST(ReportText, AnUnusedDeviceDividesNothingByZero) {
  Report report;
  report.devices.emplace_back();
  EXPECT_THAT(to_text(report), AllOf(HasSubstr("0.0% used"), HasSubstr("0 allocations of 0 B"),
                                     Not(HasSubstr("nan"))));
}

TEST(ReportText, OnWhatGroundsMemoryWasReused) {
  EXPECT_THAT(to_text(of_one_device()),
              AllOf(ContainsRegex(" 900 +40.00 GiB  on the same stream\n"),
                    ContainsRegex(" 94 +7.000 GiB  on another stream, completed since\n"),
                    ContainsRegex(" 6 +3.000 GiB  none: new memory\n")));
}

Report of_pairs(std::vector<UnprovedPair> pairs) {
  auto report = of_one_device();
  auto& device = report.devices[0];
  for (const auto& pair : pairs) device.counters.unproved += pair.cost.requests;
  device.unproved.pairs = std::move(pairs);
  return report;
}

TEST(ReportText, WhyMemoryWasNotReused) {
  EXPECT_THAT(to_text(of_pairs({})), AllOf(Not(HasSubstr("not reused")), Not(HasSubstr("advice"))));
  auto report = of_pairs({made_up_pair(14, 9, 2 * GiB)});
  EXPECT_THAT(
      to_text(report),
      HasSubstr("free memory not reused: nothing proved the work over that had used it\n"
                "       2.000 GiB  wanted by stream 14, freed by stream 9\n"
                "              37  requests, 1.000 GiB of new memory instead\n"
                "          advice  after the free record an event on stream 9, and let stream 14 "
                "wait for it\n"));
  report.devices[0].unproved.pairs[0].cost = {37, 2 * GiB, 0, 3, 4, 5};
  EXPECT_THAT(to_text(report),
              HasSubstr("              37  requests\n"
                        "               3  made the host wait for the GPU\n"
                        "               4  made the asking stream wait for others\n"
                        "               5  failed\n"));
}

TEST(ReportText, TheTenPairsWithTheMostBytes) {
  std::vector<UnprovedPair> pairs;
  for (std::uint64_t i = 0; i < 12; ++i) pairs.push_back(made_up_pair(100 + i, 9, (12 - i) * MiB));
  auto report = of_pairs(pairs);
  report.devices[0].unproved.others = {3, MiB, 0, 0, 0, 0};
  EXPECT_THAT(to_text(report),
              AllOf(HasSubstr("wanted by stream 109"), Not(HasSubstr("wanted by stream 110")),
                    HasSubstr("       4.000 MiB  between other pairs\n"
                              "              77  requests, 1.500 MiB of new memory instead\n")));
}

TEST(ReportText, AdviceFitsWhatStoodInTheWay) {
  const auto advice = [](const Report& report) {
    std::istringstream lines(to_text(report));
    std::string all;
    for (std::string line; std::getline(lines, line);)
      if (line.starts_with("          advice  ")) all += line.substr(18) + "\n";
    return all;
  };
  auto pair = made_up_pair(14, 9, GiB);
  auto report = of_pairs({pair});
  report.devices[0].counters.reuse_proved = 1000;
  EXPECT_EQ(advice(report), "") << "the program does order its streams";
  EXPECT_THAT(to_text(report), HasSubstr("note  1,000 other requests found the program's waits"));
  report.events_seen = false;
  EXPECT_THAT(advice(report), StartsWith("preload gmlake with hooks.driver=true"));
  report.events_seen = true;
  report.follow_events = false;
  EXPECT_THAT(advice(report), StartsWith("set streams.follow_events=true"));
  report.reuse_completed = false;
  EXPECT_THAT(advice(report), StartsWith("set streams.reuse_completed=true"));

  pair.freed_by.kind = StreamName::Kind::host;
  EXPECT_THAT(advice(of_pairs({pair})), StartsWith("use cudaFreeAsync on stream 14"));
  pair.wanted_by.kind = StreamName::Kind::host;
  constexpr auto kWaitSooner = "with lower streams.pending_bytes or streams.pending_share";
  EXPECT_THAT(advice(of_pairs({pair})), StartsWith(kWaitSooner));
  report = of_pairs({pair});
  report.one_stream = true;
  EXPECT_THAT(advice(report),
              AllOf(StartsWith("set streams.single_stream=true"), HasSubstr(kWaitSooner)));
  report.single_stream = true;
  EXPECT_THAT(advice(report), StartsWith(kWaitSooner));
  EXPECT_THAT(to_text(of_pairs({pair})), HasSubstr("wanted by cudaMalloc, freed by cudaFree\n"));
  pair.freed_by.kind = StreamName::Kind::created;
  EXPECT_THAT(advice(of_pairs({pair})), StartsWith("use cudaMallocAsync on stream 9"));
}

TEST(ReportText, LinesAreShort) {
  auto report = made_up_report();
  auto pair = made_up_pair(123456, 234567, 1000 * GiB);
  pair.wanted_by.kind = pair.freed_by.kind = StreamName::Kind::per_thread;
  pair.cost = {1234567, 1000 * GiB, 1000 * GiB, 123456, 123456, 123456};
  auto by_host = pair;
  by_host.freed_by.kind = StreamName::Kind::host;
  auto for_host = pair;
  for_host.wanted_by.kind = StreamName::Kind::host;
  auto both = by_host;
  both.wanted_by.kind = StreamName::Kind::host;
  report.devices[0].unproved.pairs = {pair, by_host, for_host, both};
  report.devices[0].counters.unproved = 1234567;
  report.one_stream = true;
  report.reuse_completed = false;
  std::istringstream lines(to_text(report));
  std::string line;
  while (std::getline(lines, line)) EXPECT_LE(line.size(), 100U) << line;
}

}  // namespace
}  // namespace gmlake::stats
