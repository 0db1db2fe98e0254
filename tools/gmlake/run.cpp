// `gmlake run` and `gmlake record`: sets the environment that puts libgmlake.so in front of a
// program, and starts it. Arguments, signals and exit status are the program's own; gmlake stays to
// write the report of a process that ends without one (run_parent.h).
#include "run.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <unistd.h>

#include "command.h"
#include "config/load.h"
#include "config/pattern.h"
#include "live/pages.h"
#include "output.h"
#include "pytorch/pytorch.h"
#include "run_environment.h"
#include "run_library.h"
#include "run_parent.h"
#include "run_target.h"
#include "run_without_blanks.h"
#include "stats/process_stamp.h"

namespace gmlake::tool {
namespace {

int check_configuration(const Assignments& assignments, std::vector<config::Problem> problems,
                        config::Config& config) {
  auto environment = config::process_environment();
  for (const auto& [variable, value] : assignments.list()) environment[variable] = value;
  auto loaded = config::load(environment);
  config = std::move(loaded.config);
  for (auto& problem : loaded.problems) {
    assignments.rename_source(problem);
    problems.push_back(std::move(problem));
  }
  if (config::is_disabled(environment))
    complain("run", 0,
             "warning: GMLAKE_DISABLE is set, so the program runs without gmlake; unset it");
  if (problems.empty()) return kSuccess;
  return complain("run", kBadConfiguration, config::describe(problems));
}

void print(const Assignments& assignments, const std::vector<std::string>& command) {
  for (const auto& [variable, value] : assignments.list())
    std::cout << variable << "=" << shell_quoted(value) << " \\\n";
  for (std::size_t i = 0; i < command.size(); ++i)
    std::cout << (i == 0 ? "" : " ") << shell_quoted(command[i]);
  std::cout << std::endl;
}

bool set_environment(const Assignments& assignments) {
  for (const auto& [variable, value] : assignments.list())
    if (setenv(variable.c_str(), value.c_str(), 1) != 0) {
      complain("run", 0, variable + " can not be set: " + std::strerror(errno));
      return false;
    }
  return true;
}

// Which run this is, for the pages of all that runs under it (hooks/live.cpp): ours, unless we are
// under one ourselves.
std::string name_of_run() {
  return std::to_string(getpid()) + ":" + std::to_string(stats::nanoseconds_since_1970());
}

int start(const RunOptions& options, Assignments& assignments, const config::Config& config) {
  if (options.exec) return set_environment(assignments) ? become(options.program) : kUnavailable;
  const char* above = std::getenv("GMLAKE_RUN");
  const auto run = above && *above ? std::string(above) : name_of_run();
  assignments.set("GMLAKE_RUN", run, "");
  if (!set_environment(assignments)) return kUnavailable;
  auto folders = folders_of_pages("");
  if (!config.stats_live_folder.empty())
    folders.push_back(
        config::expand_pattern(config.stats_live_folder, config::process_pattern_values()));
  Watch watch;
  watch.interval = config.stats_interval;
  watch.look = [&] { write_reports_meanwhile(folders, run); };
  watch.ended = [&] { recover_reports(folders, run); };
  return be_parent(options.program, watch);
}

}  // namespace

int run(const RunOptions& options) {
  const auto& who = options.command;
  if (options.program.empty())
    return complain(who, kUsage,
                    "there is no program to run; write gmlake " + who + " [OPTIONS] [--] PROGRAM");
  for (const auto& [option, value] :
       {std::pair("--config", &options.config_file), std::pair("--report", &options.report),
        std::pair("--json", &options.json), std::pair("--library", &options.library),
        std::pair("--output", &options.trace)})
    if (value->starts_with("--"))
      return complain(who, kUsage,
                      std::string(option) + " has no value: " + *value +
                          " is an option; a file of that name is ./" + *value);
  Assignments assignments;
  std::vector<config::Problem> problems;
  if (!options.config_file.empty())
    assignments.set("GMLAKE_CONFIG", absolute_file(options.config_file), "--config");
  if (options.strict) assignments.set("GMLAKE_STRICT", "1", "--strict");
  if (options.no_stitch) assignments.set("GMLAKE_STITCH_ENABLED", "false", "--no-stitch");
  if (!options.report.empty()) {
    assignments.set("GMLAKE_STATS_REPORT", "full", "--report");
    assignments.set("GMLAKE_STATS_FILE", absolute_pattern(options.report), "--report");
  }
  if (!options.json.empty())
    assignments.set("GMLAKE_STATS_JSON_FILE", absolute_pattern(options.json), "--json");
  if (!options.trace.empty())
    assignments.set("GMLAKE_TRACE_FILE", absolute_pattern(options.trace), "--output");
  for (const auto& setting : options.settings)
    if (auto problem = add_setting(setting, assignments)) problems.push_back(std::move(*problem));
  config::Config config;
  if (const int code = check_configuration(assignments, std::move(problems), config)) return code;

  // Who runs a program like this wants to know why it stops.
  constexpr auto kPicture = "GMLAKE_STATS_OOM_FILE";
  if (config.stats_oom_file.empty() && !std::getenv(kPicture) && !assignments.has(kPicture))
    assignments.set(kPicture, absolute_pattern("gmlake-oom.%e.%p.json"), "");

  const auto named = library_path(options.library);
  if (const auto reason = why_not_ours(named))
    return complain(
        who, kUnavailable,
        named + ": " + *reason + "; name libgmlake.so with --library FILE or GMLAKE_LIBRARY");
  std::string unfit;
  const auto library = preloadable(named, unfit);
  if (library.empty()) return complain(who, kUnavailable, named + ": " + unfit);
  if (const auto other = other_copy_preloaded(library))
    complain(who, 0,
             "warning: LD_PRELOAD holds another copy of gmlake, " + *other +
                 "; take it out: one of the two serves the program");
  assignments.set("LD_PRELOAD", preload_with(library), "");
  // The program's NVTX ranges say what its memory is for, unless they are another tool's.
  constexpr auto kNvtx = "NVTX_INJECTION64_PATH";
  if (config.stats_sample_bytes != 0 && !std::getenv(kNvtx)) assignments.set(kNvtx, library, "");

  if (const auto file = find_program(options.program[0])) {
    if (const auto reason = ignores_preload(*file))
      complain(who, 0,
               "warning: " + *file + " runs without gmlake: " + *reason +
                   ", so the loader ignores LD_PRELOAD");
  }
  if (options.pytorch) {
    const auto way = choose_pytorch_way(options.program, assignments);
    if (!way.refusal.empty()) return complain(who, kUnavailable, way.refusal);
    complain(who, 0, way.said);
  }
  if (options.dry_run) {
    print(assignments, options.program);
    return kSuccess;
  }
  return start(options, assignments, config);
}

}  // namespace gmlake::tool
