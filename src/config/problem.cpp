// The wording of a problem's line.
#include "config/problem.h"

#include <algorithm>

#include <spdlog/fmt/fmt.h>

#include "support/printable.h"

namespace gmlake::config {

std::string describe(const Problem& problem) {
  std::string text = problem.source;
  if (problem.line != 0) text += fmt::format(":{}:{}", problem.line, problem.column);
  text += ": ";
  if (!problem.path.empty()) text += problem.path + ": ";
  text += problem.reason;
  if (!problem.remedy.empty()) text += "; " + problem.remedy;
  return printable(text);
}

std::string describe(const std::vector<Problem>& problems) {
  if (problems.empty()) return {};
  std::string text = problems.size() == 1
                         ? std::string("the configuration has a problem:")
                         : fmt::format("the configuration has {} problems:", problems.size());
  constexpr std::size_t kShown = 20;
  for (std::size_t i = 0; i < std::min(kShown, problems.size()); ++i)
    text += "\n  " + describe(problems[i]);
  if (problems.size() > kShown) text += fmt::format("\n  and {} more", problems.size() - kShown);
  return text;
}

}  // namespace gmlake::config
