// The wording of a problem's line.
#include "config/problem.h"

#include <spdlog/fmt/fmt.h>

namespace gmlake::config {

std::string describe(const Problem& problem) {
  std::string text = problem.source;
  if (problem.line != 0) text += fmt::format(":{}:{}", problem.line, problem.column);
  text += ": ";
  if (!problem.path.empty()) text += problem.path + ": ";
  text += problem.reason;
  if (!problem.remedy.empty()) text += "; " + problem.remedy;
  return text;
}

std::string describe(const std::vector<Problem>& problems) {
  if (problems.empty()) return {};
  std::string text = problems.size() == 1
                         ? std::string("the configuration has a problem:")
                         : fmt::format("the configuration has {} problems:", problems.size());
  for (const auto& problem : problems) text += "\n  " + describe(problem);
  return text;
}

}  // namespace gmlake::config
