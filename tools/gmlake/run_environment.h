// The environment that `gmlake run` gives to the program.
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "config/problem.h"

namespace gmlake::tool {

// The variables to set, in the order they were asked for, and the words by which the user asked for
// each.
class Assignments {
 public:
  void set(const std::string& variable, const std::string& value, const std::string& asked);
  const std::vector<std::pair<std::string, std::string>>& list() const { return list_; }

  bool has(const std::string& variable) const {
    return std::any_of(list_.begin(), list_.end(),
                       [&](const auto& one) { return one.first == variable; });
  }

  // Names the option of the command line where a problem names the variable that stands for it.
  void rename_source(config::Problem& problem) const;

 private:
  std::vector<std::pair<std::string, std::string>> list_;
  std::map<std::string, std::string> asked_;
};

// "section.key=value" as an assignment, or what is wrong with it.
std::optional<config::Problem> add_setting(const std::string& setting, Assignments& assignments);

// The program may change its folder before the library reads the name.
std::string absolute_file(const std::string& path);
// The same for a name with % sequences: those of the current folder's own name are no sequences.
std::string absolute_pattern(const std::string& pattern);

// libgmlake.so: the one named, that of GMLAKE_LIBRARY, or ../lib beside this program.
std::string library_path(const std::string& named);
// LD_PRELOAD with the library in front; as it was, if the library is in it already.
std::string preload_with(const std::string& library);

// A word as the shell must read it to see `text`.
std::string shell_quoted(const std::string& text);

}  // namespace gmlake::tool
