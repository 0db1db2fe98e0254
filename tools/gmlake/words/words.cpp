#include "words.h"

#include <algorithm>

namespace gmlake::tool {
namespace {

// "TEXT:{a,b}", as CLI11 describes CLI::IsMember, or "a|b".
std::vector<std::string> choices_in(const std::string& type) {
  const auto open = type.find('{');
  const auto close = type.find('}', open == std::string::npos ? 0 : open);
  if (open != std::string::npos && close != std::string::npos)
    return CLI::detail::split(type.substr(open + 1, close - open - 1), ',');
  if (type.find('|') != std::string::npos) return CLI::detail::split(type, '|');
  return {};
}

OptionWords option_words(const CLI::Option& option) {
  OptionWords words;
  for (const auto& name : option.get_snames()) words.names.push_back("-" + name);
  for (const auto& name : option.get_lnames()) words.names.push_back("--" + name);
  words.help = option.get_description();
  if (option.get_items_expected_max() == 0) return words;
  const auto type = option.get_type_name();
  words.choices = choices_in(type);
  words.placeholder = type.substr(0, type.find_first_of(":{ "));
  if (words.placeholder.empty()) words.placeholder = "VALUE";
  if (option.get_items_expected_max() > 1 && words.names.empty()) words.placeholder += "...";
  return words;
}

CommandWords command_words(const CLI::App& app, std::vector<std::string> path) {
  CommandWords words;
  words.path = std::move(path);
  words.help = app.get_description();
  words.footer = app.get_footer();
  words.runs_programs =
      words.path.size() == 2 && (words.path[1] == "run" || words.path[1] == "record");
  for (const auto* option : app.get_options())
    (option->nonpositional() ? words.options : words.arguments).push_back(option_words(*option));
  for (const auto* command : app.get_subcommands({})) {
    auto below = words.path;
    below.push_back(command->get_name());
    words.commands.push_back(command_words(*command, std::move(below)));
  }
  return words;
}

void collect(const CommandWords& from, std::vector<const CommandWords*>& into) {
  into.push_back(&from);
  for (const auto& command : from.commands) collect(command, into);
}

}  // namespace

std::string CommandWords::joined(const char* with) const {
  return CLI::detail::join(path, with);
}

CommandWords words_of(const CLI::App& app) {
  return command_words(app, {app.get_name()});
}

std::vector<const CommandWords*> all_commands(const CommandWords& root) {
  std::vector<const CommandWords*> all;
  collect(root, all);
  return all;
}

}  // namespace gmlake::tool
