// Names of files, of the library and of variables, as the program will need them.
#include "run_environment.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "config/nearest.h"
#include "config/option.h"
#include "installed.h"

namespace gmlake::tool {

namespace fs = std::filesystem;

void Assignments::set(const std::string& variable, const std::string& value,
                      const std::string& asked) {
  const auto same = [&](const auto& one) { return one.first == variable; };
  list_.erase(std::remove_if(list_.begin(), list_.end(), same), list_.end());
  list_.emplace_back(variable, value);
  asked_[variable] = asked;
}

void Assignments::rename_source(config::Problem& problem) const {
  if (const auto found = asked_.find(problem.source); found != asked_.end())
    problem.source = found->second;
}

std::optional<config::Problem> add_setting(const std::string& setting, Assignments& assignments) {
  const auto asked = "--set " + setting;
  const auto equals = setting.find('=');
  if (equals == std::string::npos)
    return config::Problem{asked, "", 0, 0, "has no value", "write --set section.key=value"};
  const auto path = setting.substr(0, equals);
  std::vector<std::string> paths;
  for (const auto& option : config::kOptions) {
    paths.push_back(option.path());
    if (path != paths.back()) continue;
    assignments.set(option.variable(), setting.substr(equals + 1), asked);
    return {};
  }
  const std::vector<std::string_view> known(paths.begin(), paths.end());
  const auto best = config::nearest(path, known);
  return config::Problem{asked,
                         path,
                         0,
                         0,
                         "is no option",
                         best.empty() ? "`gmlake config show` lists the options"
                                      : "did you mean " + std::string(best) + "?"};
}

std::string absolute_file(const std::string& path) {
  return fs::absolute(path).string();
}

std::string absolute_pattern(const std::string& pattern) {
  if (pattern.starts_with('/')) return pattern;
  std::string folder;
  for (const char c : fs::current_path().string()) {
    folder += c;
    if (c == '%') folder += c;
  }
  return folder + "/" + pattern;
}

std::string library_path(const std::string& named) {
  if (!named.empty()) return absolute_file(named);
  if (const char* variable = std::getenv("GMLAKE_LIBRARY");
      variable != nullptr && *variable != '\0')
    return absolute_file(variable);
  return installed_library("libgmlake.so");
}

std::string preload_with(const std::string& library) {
  const char* value = std::getenv("LD_PRELOAD");
  std::string others = value != nullptr ? value : "";
  for (std::size_t start = 0; start < others.size();) {
    const auto end = std::min(others.find_first_of(" :", start), others.size());
    const auto entry = others.substr(start, end - start);
    std::error_code unlike;  // equivalent() fails for names the loader would search for
    if (entry == library || (!entry.empty() && fs::equivalent(entry, library, unlike)))
      return others;
    start = end + 1;
  }
  return others.empty() ? library : library + ":" + others;
}

std::string shell_quoted(const std::string& text) {
  constexpr const char* kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./-";
  if (!text.empty() && text.find_first_not_of(kPlain) == std::string::npos) return text;
  std::string quoted = "'";
  for (const char c : text) {
    if (c == '\'')
      quoted += "'\\''";
    else
      quoted += c;
  }
  return quoted + "'";
}

}  // namespace gmlake::tool
