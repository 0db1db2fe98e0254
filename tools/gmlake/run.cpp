// `gmlake run` and `gmlake record`: sets the environment that puts libgmlake.so in front of a
// program, and starts it. Arguments, signals and exit status are the program's own; gmlake stays to
// write the report of a process that ends without one (run_parent.h).
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
#include "run_environment.h"
#include "run_library.h"
#include "run_parent.h"
#include "run_target.h"
#include "stats/process_stamp.h"

namespace gmlake::tool {
namespace {

// The program and its arguments, as take_program found them.
std::vector<std::string>& program() {
  static std::vector<std::string> words;
  return words;
}

struct RunOptions {
  std::string config_file;
  std::vector<std::string> settings;
  bool no_stitch = false;
  std::string report;
  std::string json;
  std::string library;
  bool strict = false;
  bool dry_run = false;
  bool exec = false;
  std::string trace;  // of `record`
};

// CLI11 does not see the program, so its usage line has to be told.
class Help : public CLI::Formatter {
 public:
  std::string make_usage(const CLI::App* command, std::string) const override {
    return "Usage: gmlake " + command->get_name() + " [OPTIONS] [--] PROGRAM [ARGUMENTS...]\n";
  }
};

int complain(int code, const std::string& message) {
  return tool::complain("run", code, message);
}

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
    complain(0, "warning: GMLAKE_DISABLE is set, so the program runs without gmlake; unset it");
  if (problems.empty()) return kSuccess;
  return complain(kBadConfiguration, config::describe(problems));
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
      complain(0, variable + " can not be set: " + std::strerror(errno));
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
  if (options.exec) return set_environment(assignments) ? become(program()) : kUnavailable;
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
  return be_parent(program(), watch);
}

int run(const RunOptions& options) {
  if (program().empty())
    return complain(kUsage, "there is no program to run; write gmlake run [OPTIONS] [--] PROGRAM");
  for (const auto& [option, value] :
       {std::pair("--config", &options.config_file), std::pair("--report", &options.report),
        std::pair("--json", &options.json), std::pair("--library", &options.library),
        std::pair("--output", &options.trace)})
    if (value->starts_with("--"))
      return complain(kUsage, std::string(option) + " has no value: " + *value +
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

  const auto library = library_path(options.library);
  if (const auto reason = why_not_ours(library))
    return complain(kUnavailable, library + ": " + *reason +
                                      "; name libgmlake.so with --library FILE or GMLAKE_LIBRARY");
  if (library.find_first_of(" :") != std::string::npos)
    return complain(kUnavailable, library +
                                      ": LD_PRELOAD can not hold a path with a space or a colon; "
                                      "copy or link the library to another place");
  if (const auto other = other_copy_preloaded(library))
    complain(0, "warning: LD_PRELOAD holds another copy of gmlake, " + *other +
                    "; take it out: one of the two serves the program");
  assignments.set("LD_PRELOAD", preload_with(library), "");

  if (const auto file = find_program(program()[0])) {
    if (const auto reason = ignores_preload(*file))
      complain(0, "warning: " + *file + " runs without gmlake: " + *reason +
                      ", so the loader ignores LD_PRELOAD");
  }
  if (options.dry_run) {
    print(assignments, program());
    return kSuccess;
  }
  return start(options, assignments, config);
}

}  // namespace

void take_program(const CLI::App& app, std::vector<std::string>& words) {
  if (words.empty() || (words[0] != "run" && words[0] != "record")) return;
  const auto* command = app.get_subcommand(words[0]);
  std::size_t end = 1;  // of the options of run itself
  while (end < words.size() && words[end].starts_with('-') && words[end] != "--") {
    const auto* option = command->get_option_no_throw(words[end]);
    end += option != nullptr && option->get_items_expected_max() > 0 ? 2 : 1;
  }
  end = std::min(end, words.size());
  const std::size_t start = end < words.size() && words[end] == "--" ? end + 1 : end;
  program().assign(words.begin() + static_cast<std::ptrdiff_t>(start), words.end());
  words.resize(end);
}

namespace {

void add_run_options(CLI::App* command, const std::shared_ptr<RunOptions>& options) {
  command->add_option("--config", options->config_file, "configuration file (GMLAKE_CONFIG)")
      ->type_name("FILE");
  command
      ->add_option("--set", options->settings, "one option of the configuration; may be repeated")
      ->type_name("SECTION.KEY=VALUE")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command->add_flag("--no-stitch", options->no_stitch, "the same as --set stitch.enabled=false");
  command
      ->add_option("--report", options->report, "write the report at exit to FILE, not to stderr")
      ->type_name("FILE");
  command->add_option("--json", options->json, "write the report at exit to FILE as JSON")
      ->type_name("FILE");
  command
      ->add_option("--library", options->library,
                   "libgmlake.so to use (GMLAKE_LIBRARY; otherwise ../lib beside this program)")
      ->type_name("FILE");
  command->add_flag(
      "--strict", options->strict,
      "if the library can not be configured, end the program with 78 (GMLAKE_STRICT)");
  command->add_flag("--exec", options->exec,
                    "become the program rather than wait for it: no report is recovered then");
  command->add_flag("--dry-run", options->dry_run,
                    "print the environment and the command line instead of running them");
  command->formatter(std::make_shared<Help>());
}

void add_record(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<RunOptions>();
  options->trace = "gmlake-%e-%p.csv.gz";
  auto* command = app.add_subcommand(
      "record", "Run a program as run does, and record its allocations for replay");
  command->add_option("--output,-o", options->trace, "the recording (trace.file)")
      ->type_name("FILE")
      ->capture_default_str();
  add_run_options(command, options);
  command->footer(
      "Examples:\n"
      "  gmlake record -- ./train --epochs 1\n"
      "  gmlake record -o rank-%r.csv.gz --set trace.max_bytes=256MiB -- python train.py\n"
      "  gmlake trace info rank-0.csv.gz && gmlake replay rank-0.csv.gz\n"
      "\n"
      "FILE knows %p %h %r %l %e %t and %%; see docs/traces.md for what is in it.\n"
      "\n"
      "Exit codes: as gmlake run.");
  command->callback([options, &exit_code] { exit_code = run(*options); });
}

}  // namespace

void add_run(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<RunOptions>();
  auto* command = app.add_subcommand("run", "Run a program with gmlake in front of it");
  add_run_options(command, options);
  command->footer(
      "Examples:\n"
      "  gmlake run -- ./train --epochs 3\n"
      "  gmlake run --config gmlake.json --json report-%h-%p.json -- mpirun -n 4 ./solver\n"
      "  gmlake run --dry-run --no-stitch -- ./train\n"
      "\n"
      "Names of FILE for reports know %p %h %r %l %e %t and %%; see docs/configuration.md.\n"
      "\n"
      "Exit codes: the program's own; 64 wrong command line, 69 libgmlake.so not found,\n"
      "78 wrong configuration, 126 program not executable, 127 program not found.");
  command->callback([options, &exit_code] { exit_code = run(*options); });
  add_record(app, exit_code);
}

}  // namespace gmlake::tool
