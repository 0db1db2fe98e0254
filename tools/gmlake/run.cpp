// `gmlake run`: sets the environment that puts libgmlake.so in front of a program, and becomes that
// program. Nothing of gmlake stays: arguments, signals and exit status are the program's own.
#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include <unistd.h>

#include "command.h"
#include "config/load.h"
#include "run_environment.h"
#include "run_target.h"

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
};

// CLI11 does not see the program, so its usage line has to be told.
class Help : public CLI::Formatter {
 public:
  std::string make_usage(const CLI::App*, std::string) const override {
    return "Usage: gmlake run [OPTIONS] [--] PROGRAM [ARGUMENTS...]\n";
  }
};

int complain(int code, const std::string& message) {
  std::cerr << "gmlake: run: " << message << "\n";
  return code;
}

int check_configuration(const Assignments& assignments, std::vector<config::Problem> problems) {
  auto environment = config::process_environment();
  for (const auto& [variable, value] : assignments.list()) environment[variable] = value;
  for (auto& problem : config::load(environment).problems) {
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

int become(const Assignments& assignments, const std::vector<std::string>& command) {
  for (const auto& [variable, value] : assignments.list())
    if (setenv(variable.c_str(), value.c_str(), 1) != 0)
      return complain(kUnavailable, variable + " can not be set: " + std::strerror(errno));
  std::vector<char*> arguments;
  arguments.reserve(command.size() + 1);
  for (const auto& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  execvp(arguments[0], arguments.data());
  const int error = errno;
  return complain(error == ENOENT ? kNotFound : kNotExecutable,
                  command[0] + " can not be started: " + std::strerror(error));
}

int run(const RunOptions& options) {
  if (program().empty())
    return complain(kUsage, "there is no program to run; write gmlake run [OPTIONS] [--] PROGRAM");
  Assignments assignments;
  std::vector<config::Problem> problems;
  if (!options.config_file.empty())
    assignments.set("GMLAKE_CONFIG", absolute_file(options.config_file), "--config");
  if (options.strict) assignments.set("GMLAKE_STRICT", "1", "--strict");
  if (options.no_stitch) assignments.set("GMLAKE_STITCH_ENABLED", "false", "--no-stitch");
  if (!options.report.empty()) {
    assignments.set("GMLAKE_STATS_REPORT", "text", "--report");
    assignments.set("GMLAKE_STATS_FILE", absolute_pattern(options.report), "--report");
  }
  if (!options.json.empty())
    assignments.set("GMLAKE_STATS_JSON_FILE", absolute_pattern(options.json), "--json");
  for (const auto& setting : options.settings)
    if (auto problem = add_setting(setting, assignments)) problems.push_back(std::move(*problem));
  if (const int code = check_configuration(assignments, std::move(problems))) return code;

  const auto library = library_path(options.library);
  if (access(library.c_str(), R_OK) != 0)
    return complain(kUnavailable, library + ": " + std::strerror(errno) +
                                      "; name libgmlake.so with --library FILE or GMLAKE_LIBRARY");
  if (library.find_first_of(" :") != std::string::npos)
    return complain(kUnavailable, library +
                                      ": LD_PRELOAD can not hold a path with a space or a colon; "
                                      "copy or link the library to another place");
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
  return become(assignments, program());
}

}  // namespace

void take_program(const CLI::App& app, std::vector<std::string>& words) {
  if (words.empty() || words[0] != "run") return;
  const auto* command = app.get_subcommand("run");
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

void add_run(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<RunOptions>();
  auto* command = app.add_subcommand("run", "Run a program with gmlake in front of it");
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
  command->add_flag("--dry-run", options->dry_run,
                    "print the environment and the command line instead of running them");
  command->formatter(std::make_shared<Help>());
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
}

}  // namespace gmlake::tool
