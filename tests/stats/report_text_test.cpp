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

TEST(ReportText, SaysWhetherItHelped) {
  const auto text = to_text(of_one_device());
  EXPECT_THAT(text, ContainsRegex(" 9.000 GiB +peak live"));
  EXPECT_THAT(text, ContainsRegex(" 10.00 GiB +peak physical.* 90.0% used"));
  EXPECT_THAT(text, ContainsRegex(" 800 +frees did not wait"));
  EXPECT_THAT(text, ContainsRegex(" 10.00 MiB +in 10 blocks not freed"));
  EXPECT_THAT(text, HasSubstr("20 driver calls by the pool, 4.50 ms"));
  EXPECT_THAT(text, ContainsRegex(" 12 +3.00 ms +cuMemMap \\(1 failed\\)"));
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

TEST(ReportText, LinesAreShort) {
  std::istringstream lines(to_text(made_up_report()));
  std::string line;
  while (std::getline(lines, line)) EXPECT_LE(line.size(), 100U) << line;
}

}  // namespace
}  // namespace gmlake::stats
