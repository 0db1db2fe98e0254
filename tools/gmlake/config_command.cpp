// `gmlake config`: shows the effective configuration, checks a file, prints what is generated from
// the table.
#include <algorithm>
#include <iostream>
#include <memory>
#include <string>

#include <spdlog/fmt/fmt.h>

#include "command.h"
#include "config/load.h"
#include "config/schema.h"
#include "config/value.h"
#include "output.h"
#include "support/printable.h"

namespace gmlake::tool {
namespace {

struct ShowOptions {
  bool defaults = false;
  bool json = false;
  bool markdown = false;
  std::string file;
};

int report(const config::LoadResult& result) {
  if (result.ok()) return kSuccess;
  return complain("config", kBadConfiguration, config::describe(result.problems));
}

std::string origin_of(const config::LoadResult& result, std::size_t index) {
  switch (result.origins[index]) {
    case config::Origin::built_in:
      return "built-in";
    case config::Origin::system:
      return result.system_file;
    case config::Origin::file:
      return result.file;
    case config::Origin::environment:
      return config::kOptions[index].variable();
  }
  return {};
}

void print_table(const config::LoadResult& result) {
  std::size_t path_width = 0;
  std::size_t value_width = 0;
  for (const auto& option : config::kOptions) {
    path_width = std::max(path_width, option.path().size());
    value_width = std::max(value_width, config::write_text(option, result.config).size());
  }
  std::size_t index = 0;
  for (const auto& option : config::kOptions) {
    std::cout << printable(fmt::format("{:<{}}  {:<{}}  {}", option.path(), path_width,
                                       config::write_text(option, result.config), value_width,
                                       origin_of(result, index++)))
              << "\n";
  }
}

int show(const ShowOptions& options) {
  if (options.markdown) {
    std::cout << config::to_markdown();
    return kSuccess;
  }
  if (options.defaults) {
    std::cout << config::to_json(config::Config{});
    return kSuccess;
  }
  auto environment = config::process_environment();
  if (!options.file.empty()) environment["GMLAKE_CONFIG"] = options.file;
  const auto result = config::load(environment);
  if (options.json)
    std::cout << config::to_json(result.config);
  else
    print_table(result);
  std::cout.flush();
  return report(result);
}

// A file named is checked for itself; without one, what a program started now would get.
int check(const std::string& file) {
  const auto result = config::load(file.empty() ? config::process_environment()
                                                : config::Environment{{"GMLAKE_CONFIG", file}});
  const int code = report(result);
  if (code == kSuccess)
    std::cout << (result.file.empty() && result.system_file.empty()
                      ? "the environment"
                      : printable(result.file.empty() ? result.system_file : result.file))
              << ": the configuration is fine\n";
  return code;
}

}  // namespace

void add_config(CLI::App& app, int& exit_code) {
  auto* config = app.add_subcommand("config", "Show and check the configuration");
  config->require_subcommand(1);
  config->footer(
      "Examples:\n"
      "  gmlake config show --defaults > gmlake.json\n"
      "  gmlake config check gmlake.json\n"
      "\n"
      "Exit codes: 0 success, 64 wrong command line, 78 wrong configuration.");

  auto shown = std::make_shared<ShowOptions>();
  auto* show_command =
      config->add_subcommand("show", "Print every option, its value and where that came from");
  auto* defaults = show_command->add_flag("--defaults", shown->defaults,
                                          "the built-in values, as a file to start from");
  auto* json =
      show_command->add_flag("--json", shown->json, "the effective values as a configuration file");
  auto* markdown =
      show_command->add_flag("--markdown", shown->markdown, "the table of options in Markdown");
  auto* file =
      show_command->add_option("--config", shown->file, "read this file instead of GMLAKE_CONFIG")
          ->type_name("FILE");
  defaults->excludes(markdown)->excludes(file);
  markdown->excludes(json)->excludes(file);
  show_command->footer(
      "Examples:\n"
      "  gmlake config show\n"
      "  GMLAKE_STITCH_ENABLED=0 gmlake config show --config gmlake.json\n"
      "\n"
      "Exit codes: 0 success, 64 wrong command line, 78 wrong configuration.");
  show_command->callback([shown, &exit_code] { exit_code = show(*shown); });

  auto checked = std::make_shared<std::string>();
  auto* check_command =
      config->add_subcommand("check", "Check a configuration file, or file and environment");
  check_command
      ->add_option("file", *checked, "the file; without it, GMLAKE_CONFIG and the environment")
      ->type_name("FILE");
  check_command->footer(
      "Example:\n"
      "  gmlake config check gmlake.json\n"
      "\n"
      "Exit codes: 0 it is fine, 64 wrong command line, 78 it is not, and every problem is "
      "printed.");
  check_command->callback([checked, &exit_code] { exit_code = check(*checked); });

  auto* schema_command =
      config->add_subcommand("schema", "Print the JSON Schema of the configuration file");
  schema_command->footer(
      "Example:\n"
      "  gmlake config schema > gmlake.schema.json\n"
      "\n"
      "Exit codes: 0 success, 64 wrong command line.");
  schema_command->callback([] { std::cout << config::schema(); });
}

}  // namespace gmlake::tool
