// Matches names of executables against the patterns of the processes section.
#include "config/processes.h"

#include <algorithm>
#include <string>

#include <fnmatch.h>

namespace gmlake::config {

bool serves(const Config& config, std::string_view executable_name) {
  const std::string name(executable_name);
  const auto matches = [&](const std::string& pattern) {
    return fnmatch(pattern.c_str(), name.c_str(), 0) == 0;
  };
  const auto& include = config.processes_include;
  const auto& exclude = config.processes_exclude;
  return std::any_of(include.begin(), include.end(), matches) &&
         std::none_of(exclude.begin(), exclude.end(), matches);
}

}  // namespace gmlake::config
