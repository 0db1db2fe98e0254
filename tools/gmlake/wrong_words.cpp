// CLI11 calls a misspelt command, and a misspelt option, an unexpected argument; and sends
// everybody to the same help.
#include "wrong_words.h"

#include <algorithm>
#include <optional>
#include <vector>

#include <spdlog/fmt/fmt.h>

#include "config/nearest.h"

namespace gmlake::tool {
namespace {

// The commands given, from gmlake itself down.
std::vector<const CLI::App*> chain_of(const CLI::App& app) {
  std::vector<const CLI::App*> chain{&app};
  while (!chain.back()->get_subcommands().empty())
    chain.push_back(chain.back()->get_subcommands().front());
  return chain;
}

std::string nearest_of(const std::string& word, const std::vector<std::string>& names) {
  const std::vector<std::string_view> known(names.begin(), names.end());
  return std::string(config::nearest(word, known));
}

std::vector<std::string> commands_of(const CLI::App& app) {
  std::vector<std::string> names;
  for (const auto* command : app.get_subcommands({})) names.push_back(command->get_name());
  return names;
}

std::vector<std::string> options_of(const CLI::App& app) {
  std::vector<std::string> names;
  for (const auto* option : app.get_options())
    for (const auto& name : option->get_lnames()) names.push_back("--" + name);
  return names;
}

struct Explained {
  std::string reason;
  std::string command;  // of it there is help, "" for the one the word was given to
};

// Nothing if the word is not one nobody knows, but one too many.
std::optional<Explained> explain_word(const CLI::App& app, const std::string& given) {
  if (given.starts_with("-")) {
    const auto word = given.substr(0, given.find('='));
    const auto best = nearest_of(word, options_of(app));
    return Explained{fmt::format("there is no option {}", word) +
                         (best.empty() ? "" : fmt::format("; did you mean {}?", best)),
                     ""};
  }
  if (commands_of(app).empty() || !app.get_subcommands().empty()) return {};
  const auto names = commands_of(app);
  const std::vector<std::string_view> known(names.begin(), names.end());
  return Explained{
      fmt::format("there is no command \"{}\"; {}", given, config::nearest_or_all(given, known)),
      nearest_of(given, names)};
}

}  // namespace

std::string explain(const CLI::App& app, const CLI::Error& error) {
  std::string who, help = "gmlake";
  std::string reason = error.what();
  std::optional<Explained> explained;
  for (const auto* at : chain_of(app)) {
    if (at != &app) {
      who += at->get_name() + ": ";
      help += " " + at->get_name();
    }
    const auto unknown = at->remaining(false);
    if (unknown.empty()) continue;
    explained = explain_word(*at, unknown.front());
    break;
  }
  if (explained) {
    reason = explained->reason;
    if (!explained->command.empty()) help += " " + explained->command;
  }
  return fmt::format("{}{}\nSee {} --help.", who, reason, help);
}

}  // namespace gmlake::tool
