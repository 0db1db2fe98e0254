// Loading with overrides; see settings.h.
#include "replay/settings.h"

#include <algorithm>
#include <map>

#include "config/load.h"
#include "config/nearest.h"

namespace gmlake::replay {

trace::Expected<config::Config> load_settings(const std::string& file,
                                              const std::vector<std::string>& settings) {
  auto environment = config::process_environment();
  if (!file.empty()) environment["GMLAKE_CONFIG"] = file;
  std::vector<config::Problem> problems;
  std::map<std::string, std::string> asked;  // the words of the command line behind each variable
  for (const auto& setting : settings) {
    const auto equals = setting.find('=');
    const auto path = setting.substr(0, equals);
    const auto* option = std::find_if(config::kOptions.begin(), config::kOptions.end(),
                                      [&](const config::Option& o) { return o.path() == path; });
    if (equals == std::string::npos) {
      problems.push_back(
          {"--set " + setting, "", 0, 0, "has no value", "write --set section.key=value"});
    } else if (option == config::kOptions.end()) {
      std::vector<std::string> paths;
      for (const auto& known : config::kOptions) paths.push_back(known.path());
      const std::vector<std::string_view> names(paths.begin(), paths.end());
      problems.push_back(
          {"--set " + setting, path, 0, 0, "is no option", config::nearest_or_all(path, names)});
    } else {
      environment[option->variable()] = setting.substr(equals + 1);
      asked[option->variable()] = "--set " + setting;
    }
  }
  auto loaded = config::load(environment);
  for (auto& problem : loaded.problems) {
    if (const auto found = asked.find(problem.source); found != asked.end())
      problem.source = found->second;
    problems.push_back(std::move(problem));
  }
  if (!problems.empty()) return tl::unexpected(config::describe(problems));
  return loaded.config;
}

}  // namespace gmlake::replay
