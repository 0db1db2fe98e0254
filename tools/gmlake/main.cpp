// Registers the commands and turns what CLI11 says about the command line into messages and exit
// codes.
#include <algorithm>
#include <exception>
#include <iostream>
#include <string>
#include <vector>

#include <version.h>

#include "command.h"
#include "config/nearest.h"
#include "live/pages.h"

namespace {

// CLI11 calls a misspelt command an unexpected argument; this calls it by its name.
bool explain_unknown_command(const CLI::App& app) {
  if (!app.get_subcommands().empty() || app.remaining_size() == 0) return false;
  std::vector<std::string> names;
  for (const auto* command : app.get_subcommands({})) names.push_back(command->get_name());
  const std::vector<std::string_view> known(names.begin(), names.end());
  const auto word = app.remaining().front();
  if (word.starts_with('-')) return false;
  std::cerr << "gmlake: there is no command \"" << word << "\"; "
            << gmlake::config::nearest_or_all(word, known) << "\n";
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"A GPU memory pool that stitches, put in front of unmodified CUDA programs.",
               "gmlake"};
  app.set_version_flag("--version", "gmlake " GMLAKE_VERSION " (" GMLAKE_REVISION ")");
  app.require_subcommand(1);
  app.footer(
      "Examples:\n"
      "  gmlake run -- ./train --epochs 3\n"
      "  gmlake run --set pool.max_bytes=64GiB --json report-%r.json -- python train.py\n"
      "  gmlake config check gmlake.json\n"
      "\n"
      "Exit codes: 0 success, 64 wrong command line; `gmlake COMMAND --help` has the others.");

  app.failure_message([](const CLI::App*, const CLI::Error& error) {
    return std::string("gmlake: ") + error.what() +
           "\nSee gmlake --help, or gmlake COMMAND --help.\n";
  });

  int exit_code = gmlake::tool::kSuccess;
  gmlake::tool::add_run(app, exit_code);
  gmlake::tool::add_config(app, exit_code);
  gmlake::tool::add_trace(app, exit_code);
  gmlake::tool::add_replay(app, exit_code);
  gmlake::tool::add_doctor(app, exit_code);
  gmlake::tool::add_stats(app, exit_code);
  gmlake::tool::add_top(app, exit_code);
  gmlake::tool::add_report(app, exit_code);
  gmlake::tool::add_control(app, exit_code);

  std::vector<std::string> words(argv + std::min(argc, 1), argv + argc);
  if (!words.empty() && words[0] == "help") {  // help COMMAND is COMMAND --help
    words.erase(words.begin());
    words.emplace_back("--help");
  }
  gmlake::tool::take_program(app, words);
  std::reverse(words.begin(), words.end());  // as CLI11 wants them
  try {
    gmlake::tool::recover_reports(gmlake::tool::folders_of_pages(""), "");
    app.parse(words);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() != 0 && explain_unknown_command(app)) return gmlake::tool::kUsage;
    return app.exit(error) == 0 ? gmlake::tool::kSuccess : gmlake::tool::kUsage;
  } catch (const std::exception& failure) {
    std::cerr << "gmlake: " << failure.what() << "\n";
    return gmlake::tool::kInternal;
  }
  return exit_code;
}
