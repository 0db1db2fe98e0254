// The command line as data: what CLI11 knows of each command, from which the manual and the shells'
// completions are written. There is no second list of commands or options.
#pragma once

#include <string>
#include <vector>

#include <CLI/CLI.hpp>

namespace gmlake::tool {

struct OptionWords {
  std::vector<std::string> names;    // "-o", "--output"; none for an argument without a name
  std::string placeholder;           // "FILE"; the argument's own name; empty for a flag
  std::vector<std::string> choices;  // the words it takes, if it takes certain ones only
  std::string help;
};

struct CommandWords {
  std::vector<std::string> path;  // {"gmlake", "config", "show"}
  std::string help;
  std::string footer;  // examples and exit codes
  std::vector<OptionWords> options;
  std::vector<OptionWords> arguments;
  std::vector<CommandWords> commands;  // below it
  bool runs_programs = false;          // another program's command line follows
  std::string name() const { return path.back(); }
  std::string joined(const char* with) const;
};

CommandWords words_of(const CLI::App& app);

// One after the other, each before those below it.
std::vector<const CommandWords*> all_commands(const CommandWords& root);

// Manual pages, as man reads them: gmlake(1) and gmlake.json(5).
std::string command_manual(const CommandWords& root);
std::string file_manual();

std::string bash_completion(const CommandWords& root);
std::string zsh_completion(const CommandWords& root);
std::string fish_completion(const CommandWords& root);

}  // namespace gmlake::tool
