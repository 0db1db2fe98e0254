// `gmlake stats`: what processes have counted so far, read from their pages.
#include <algorithm>
#include <ctime>
#include <iostream>
#include <memory>

#include <spdlog/fmt/fmt.h>

#include "command.h"
#include "pages.h"
#include "prometheus.h"
#include "rates.h"
#include "support/printable.h"
#include "support/units.h"

namespace gmlake::tool {
namespace {

struct StatsOptions {
  std::vector<std::int64_t> processes;
  bool json = false, prometheus = false;
  double watch = 0;
  std::string folder;
};

bool is_wanted(const StatsOptions& options, const SeenPage& seen) {
  if (seen.life == stats::Life::ended) return false;
  if (options.processes.empty()) return true;
  return std::find(options.processes.begin(), options.processes.end(), seen.page.report.process) !=
         options.processes.end();
}

std::vector<SeenPage> wanted_pages(const StatsOptions& options,
                                   std::vector<std::string>& problems) {
  auto seen = look_at_pages(folders_of_pages(options.folder), problems);
  std::erase_if(seen, [&](const auto& one) { return !is_wanted(options, one); });
  return seen;
}

std::string head() {
  return fmt::format("{:>8} {:>5} {:>3} {:>11} {:>11} {:>6} {:>10} {:>12} {:>9} {:>7}  {}", "pid",
                     "rank", "gpu", "live", "physical", "used", "allocs/s", "bytes/s", "stitches",
                     "waits", "program");
}
std::string line(const Row& row) {
  const auto& c = row.counters;
  const auto used = c.physical_bytes == 0 ? 0
                                          : 100 * static_cast<double>(c.live_bytes) /
                                                static_cast<double>(c.physical_bytes);
  return fmt::format("{:>8} {:>5} {:>3} {:>11} {:>11} {:>5.1f}% {:>10.0f} {:>12} {:>9} {:>7}  {}{}",
                     row.process, row.rank, row.device, human_bytes(c.live_bytes),
                     human_bytes(c.physical_bytes), used, row.allocations_per_second,
                     human_bytes(static_cast<Bytes>(row.bytes_per_second)), row.stitches, row.waits,
                     row.program, row.life == stats::Life::elsewhere ? " (elsewhere)" : "");
}

// A line for each device of each process; again and again until none is left, or nobody reads.
int watch(const StatsOptions& options) {
  Rates rates;
  std::vector<std::string> problems;
  std::map<std::string, std::int64_t> running;
  for (bool first = true;; first = false) {
    const auto seen = wanted_pages(options, problems);
    if (first) std::cout << head() << "\n";
    if (first && seen.empty()) break;
    auto before = std::move(running);
    running.clear();
    for (const auto& [page, life] : seen) {
      running[page.path] = page.report.process;
      before.erase(page.path);
      for (const auto& row : rates.rows(page, life)) std::cout << line(row) << "\n";
    }
    for (const auto& [path, process] : before) std::cout << fmt::format("{:>8} ended\n", process);
    std::cout << std::flush;
    if (!std::cout) return kUnavailable;
    if (seen.empty()) return kSuccess;
    timespec step{
        static_cast<time_t>(options.watch),
        static_cast<long>(
            (options.watch - static_cast<double>(static_cast<time_t>(options.watch))) * 1e9)};
    while (nanosleep(&step, &step) != 0) {
    }
  }
  std::cerr << "gmlake: stats: no process that counts in a page is running\n";
  return kUnavailable;
}

void print(const StatsOptions& options, const std::vector<SeenPage>& seen) {
  std::vector<const stats::Report*> reports;
  for (const auto& one : seen) reports.push_back(&one.page.report);
  if (options.prometheus) {
    std::cout << to_prometheus(reports);
  } else if (options.json) {
    std::cout << "{\n\"format\": \"gmlake-processes\",\n\"version\": 1,\n\"processes\": [";
    for (std::size_t i = 0; i < reports.size(); ++i)
      std::cout << (i == 0 ? "\n" : ",\n") << stats::to_json(*reports[i]);
    std::cout << "]\n}\n";
  } else if (!options.processes.empty()) {
    for (const auto* report : reports) std::cout << stats::to_text(*report);
  } else if (!reports.empty()) {
    Rates rates;
    std::cout << head() << "\n";
    for (const auto& [page, life] : seen)
      for (const auto& row : rates.rows(page, life)) std::cout << line(row) << "\n";
  }
}

int stats_command(const StatsOptions& options) {
  if (options.watch > 0) return watch(options);
  std::vector<std::string> problems;
  const auto seen = wanted_pages(options, problems);
  for (const auto& problem : problems) std::cerr << "gmlake: stats: " << printable(problem) << "\n";
  int code = kSuccess;
  for (const auto process : options.processes) {
    if (std::any_of(seen.begin(), seen.end(),
                    [&](const auto& one) { return one.page.report.process == process; }))
      continue;
    std::cerr
        << "gmlake: stats: process " << process
        << " has no page: it is not running, has not used CUDA yet, runs without gmlake or has "
           "stats.live=false\n";
    code = kUnavailable;
  }
  if (options.processes.empty() && seen.empty() && !options.json && !options.prometheus)
    std::cerr << "gmlake: stats: no process that counts in a page is running\n";
  print(options, seen);
  std::cout << std::flush;
  return std::cout ? code : kUnavailable;
}

}  // namespace

void add_stats(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<StatsOptions>();
  auto* command = app.add_subcommand("stats", "Show what running processes have counted so far");
  command->add_option("PID", options->processes, "processes to show; without one all are");
  auto* json = command->add_flag("--json", options->json, "as JSON: the reports, in one list");
  command->add_flag("--prometheus", options->prometheus, "in Prometheus' text format")
      ->excludes(json);
  command
      ->add_option("--watch", options->watch,
                   "a line for each device every SECONDS, until they end")
      ->type_name("SECONDS")
      ->check(CLI::Range(0.01, 1e6));
  command
      ->add_option("--folder", options->folder,
                   "look for pages there, as in one that containers share")
      ->type_name("DIR");
  command->footer(
      "Examples:\n"
      "  gmlake stats                         a line for each device of each process\n"
      "  gmlake stats 4242                    its report, as it is now\n"
      "  gmlake stats --prometheus > gmlake.prom\n"
      "  gmlake stats --watch 1\n"
      "\n"
      "Exit codes: 0 success, 64 wrong command line, 69 a process has no page or nobody reads.");
  command->callback([options, &exit_code] { exit_code = stats_command(*options); });
}

}  // namespace gmlake::tool
