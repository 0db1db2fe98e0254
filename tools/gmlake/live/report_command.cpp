// `gmlake report`: many reports as one table, or those that nobody has seen yet.
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iostream>
#include <memory>
#include <optional>
#include <stdexcept>
#include <tuple>

#include <spdlog/fmt/fmt.h>
#include <nlohmann/json.hpp>

#include <sys/stat.h>

#include "command.h"
#include "html/documents.h"
#include "output.h"
#include "pages.h"
#include "stats/page.h"
#include "support/printable.h"
#include "support/units.h"
#include "trace/exit_codes.h"

namespace gmlake::tool {
namespace {

using nlohmann::json;

constexpr off_t kMostBytes = off_t{64} << 20;

// Of one process, its devices added up.
struct Entry {
  std::string rank, host, program;
  std::int64_t process = 0;
  double seconds = 0;
  bool recovered = false;
  std::uint64_t peak_live = 0, peak_physical = 0, allocations = 0, stitches = 0, growths = 0,
                out_of_memory = 0;
};

struct Column {
  const char* name;
  std::uint64_t Entry::*figure;
  bool is_bytes;
};
constexpr Column kColumns[] = {
    {"peak live", &Entry::peak_live, true},      {"peak physical", &Entry::peak_physical, true},
    {"allocations", &Entry::allocations, false}, {"stitches", &Entry::stitches, false},
    {"growths", &Entry::growths, false},         {"failed", &Entry::out_of_memory, false}};

Entry entry_of(const json& report) {
  if (report.at("format") != "gmlake-report") throw std::runtime_error("no report of gmlake's");
  const auto& process = report.at("process");
  const auto& counters = report.at("total").at("counters");
  Entry entry;
  entry.rank = printable(process.at("rank").get<std::string>());
  entry.host = printable(process.at("host").get<std::string>());
  entry.program = printable(process.at("executable").get<std::string>());
  entry.process = process.at("pid").get<std::int64_t>();
  entry.seconds = process.at("seconds").get<double>();
  entry.recovered = process.value("recovered", false);
  entry.peak_live = counters.at("peak_live_bytes").get<std::uint64_t>();
  entry.peak_physical = counters.at("peak_physical_bytes").get<std::uint64_t>();
  entry.allocations = counters.at("allocations").get<std::uint64_t>();
  entry.stitches = counters.at("stitches").get<std::uint64_t>();
  entry.growths = counters.at("growths").get<std::uint64_t>();
  entry.out_of_memory = counters.at("out_of_memory").get<std::uint64_t>();
  return entry;
}

// What is wrong with the file, or nothing.
std::optional<std::string> read_reports(const std::string& path, std::vector<Entry>& entries) {
  struct stat there {};
  if (stat(path.c_str(), &there) != 0) return std::strerror(errno);
  if (!S_ISREG(there.st_mode)) return "is no regular file";
  if (there.st_size > kMostBytes) return "is larger than any report";
  std::ifstream file(path, std::ios::binary);
  try {
    const auto document = json::parse(file);
    if (document.is_object() && document.value("format", "") == "gmlake-processes")
      for (const auto& report : document.at("processes")) entries.push_back(entry_of(report));
    else
      entries.push_back(entry_of(document));
  } catch (const std::exception& problem) {
    return "can not be read as a report: " + printable(problem.what());
  }
  return {};
}

// By rank as a number, then by host and process.
bool before(const Entry& a, const Entry& b) {
  return std::tuple(a.rank.size(), a.rank, a.host, a.process) <
         std::tuple(b.rank.size(), b.rank, b.host, b.process);
}

std::string shown(const Column& column, std::uint64_t figure) {
  return column.is_bytes ? human_bytes(figure) : stats::grouped(figure);
}

std::uint64_t median(const std::vector<Entry>& entries, std::uint64_t Entry::*figure) {
  std::vector<std::uint64_t> all;
  for (const auto& entry : entries) all.push_back(entry.*figure);
  const auto middle = all.begin() + static_cast<std::ptrdiff_t>(all.size() / 2);
  std::nth_element(all.begin(), middle, all.end());
  return *middle;
}

void print(std::vector<Entry> entries) {
  std::sort(entries.begin(), entries.end(), before);
  std::string text = fmt::format("{:>6} {:>8} {:>9}", "rank", "pid", "seconds");
  for (const auto& column : kColumns) text += fmt::format(" {:>13}", column.name);
  text += "  program\n";
  Entry sum;
  for (const auto& entry : entries) {
    text += fmt::format("{:>6} {:>8} {:>9.1f}", entry.rank, entry.process, entry.seconds);
    for (const auto& column : kColumns) {
      text += fmt::format(" {:>13}", shown(column, entry.*column.figure));
      sum.*column.figure += entry.*column.figure;
    }
    text += fmt::format("  {} on {}{}\n", entry.program, entry.host,
                        entry.recovered ? " (recovered)" : "");
  }
  text += fmt::format("{:>25}", fmt::format("sum of {}", entries.size()));
  for (const auto& column : kColumns)
    text += fmt::format(" {:>13}", shown(column, sum.*column.figure));
  text += "\n";
  // Ranks of one job do alike: who is far from the middle is worth a look.
  if (entries.size() > 2)
    for (const auto& column : kColumns) {
      const auto middle = median(entries, column.figure);
      for (const auto& entry : entries) {
        const auto figure = entry.*column.figure;
        const auto far = middle / 4 + (column.is_bytes ? MiB : 16);
        if (figure > middle + far || figure + far < middle)
          text += fmt::format("rank {} (pid {}) stands out: {} {}, where the median is {}\n",
                              entry.rank, entry.process, column.name, shown(column, figure),
                              shown(column, middle));
      }
    }
  std::cout << text << std::flush;
}

int report(const std::vector<std::string>& files, const std::string& folder) {
  if (files.empty()) {
    const auto left = take_left_reports(folders_of_pages(folder));
    for (const auto& one : left) std::cout << stats::to_text(one);
    if (left.empty())
      std::cerr
          << "gmlake: report: no process has ended without a report that was not recovered yet\n";
    return std::cout.flush() ? kSuccess : kUnavailable;
  }
  int code = kSuccess;
  std::vector<Entry> entries;
  for (const auto& file : files)
    if (const auto problem = read_reports(file, entries)) {
      std::cerr << "gmlake: report: " << printable(file) << ": " << *problem << "\n";
      code = kBadData;
    }
  if (!entries.empty()) print(std::move(entries));
  return std::cout ? code : kUnavailable;
}

}  // namespace

void add_report(CLI::App& app, int& exit_code) {
  struct Options {
    std::vector<std::string> files;
    std::string folder, html;
    int device = -1;
  };
  auto options = std::make_shared<Options>();
  auto* command =
      app.add_subcommand("report", "Many reports as one table or as pictures; or those unseen");
  command->add_option("FILE", options->files,
                      "reports as JSON (stats.json_file), one for each process; with --html also "
                      "traces, out-of-memory files and numbers of processes");
  command
      ->add_option("--html", options->html,
                   "write a page with pictures of the files, for any browser; - is stdout")
      ->type_name("FILE");
  command
      ->add_option("--device", options->device,
                   "with --html, of traces: the device; otherwise the first with events")
      ->check(CLI::NonNegativeNumber);
  command->add_option("--folder", options->folder, "look for pages there")->type_name("DIR");
  command->footer(
      "Examples:\n"
      "  gmlake report report-*.json          ranks beside one another, their sum, who stands out\n"
      "  gmlake report                        reports of processes that were killed and had named "
      "no file\n"
      "  gmlake report --html step.html step.csv.gz oom.json\n"
      "                                       memory over time, the address map, out of memory\n"
      "  gmlake report --html now.html 4242   a process as it is now\n"
      "\n"
      "Exit codes: 0 success, 64 wrong command line, 65 a file is none that can be read, 69 nobody "
      "reads, 73 the page can not be written.");
  command->callback([options, &exit_code] {
    if (options->html.empty()) {
      exit_code = report(options->files, options->folder);
    } else if (options->files.empty()) {
      exit_code = complain("report", kUsage,
                           "--html: name what to show: a trace, an out-of-memory file, a report or "
                           "the number of a process\nSee gmlake report --help.");
    } else {
      html::InputOptions input;
      input.folder = options->folder;
      if (options->device >= 0) input.device = options->device;
      exit_code = html::write_page(options->html, options->files, input);
    }
  });
}

}  // namespace gmlake::tool
