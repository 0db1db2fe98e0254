// `gmlake manual` and `gmlake completion`: what is written from the command line and the options,
// for those who have no package that installed it.
#include <iostream>
#include <memory>

#include "command.h"
#include "words.h"

namespace gmlake::tool {

void add_words(CLI::App& app, int& exit_code) {
  auto page = std::make_shared<std::string>("gmlake");
  auto* manual = app.add_subcommand("manual", "Print a manual page, as man reads it");
  manual->add_option("page", *page, "gmlake(1), the command, or gmlake.json(5), its configuration")
      ->check(CLI::IsMember({"gmlake", "gmlake.json"}))
      ->type_name("PAGE");
  manual->footer(
      "Examples:\n"
      "  gmlake manual | man -l -\n"
      "  gmlake manual gmlake.json > gmlake.json.5\n"
      "\n"
      "Exit codes: 0 success, 64 wrong command line.");
  manual->callback([page, &app, &exit_code] {
    std::cout << (*page == "gmlake" ? command_manual(words_of(app)) : file_manual());
    exit_code = kSuccess;
  });

  auto shell = std::make_shared<std::string>();
  auto* completion = app.add_subcommand("completion", "Print the completion of a shell");
  completion->add_option("shell", *shell, "bash, zsh or fish")
      ->check(CLI::IsMember({"bash", "zsh", "fish"}))
      ->type_name("SHELL")
      ->required();
  completion->footer(
      "Examples:\n"
      "  source <(gmlake completion bash)\n"
      "  gmlake completion zsh > ~/.zfunc/_gmlake\n"
      "  gmlake completion fish > ~/.config/fish/completions/gmlake.fish\n"
      "\n"
      "Exit codes: 0 success, 64 wrong command line.");
  completion->callback([shell, &app, &exit_code] {
    const auto words = words_of(app);
    if (*shell == "bash") std::cout << bash_completion(words);
    if (*shell == "zsh") std::cout << zsh_completion(words);
    if (*shell == "fish") std::cout << fish_completion(words);
    exit_code = kSuccess;
  });
}

}  // namespace gmlake::tool
