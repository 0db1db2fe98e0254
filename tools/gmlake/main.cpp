// Registers the commands and turns what CLI11 says about the command line into messages and exit
// codes.
#include <algorithm>
#include <exception>
#include <string>
#include <vector>

#include <version.h>

#include "command.h"
#include "live/pages.h"
#include "output.h"
#include "wrong_words.h"

namespace {

int run(int argc, char** argv) {
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
      "Exit codes: 0 success, 64 wrong command line, 73 standard output can not be written; "
      "`gmlake COMMAND --help` has the others.");

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
  gmlake::tool::add_words(app, exit_code);

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
    if (error.get_exit_code() == 0) return app.exit(error);  // help, and the version
    return gmlake::tool::complain("", gmlake::tool::kUsage, gmlake::tool::explain(app, error));
  } catch (const std::exception& failure) {
    return gmlake::tool::complain("", gmlake::tool::kInternal, failure.what());
  }
  return exit_code;
}

}  // namespace

int main(int argc, char** argv) {
  gmlake::tool::keep_standard_descriptors();
  return gmlake::tool::after_output(run(argc, argv));
}
