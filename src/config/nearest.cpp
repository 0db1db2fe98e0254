// The edit distance, and when a word is near enough to be worth naming.
#include "config/nearest.h"

#include <algorithm>
#include <vector>

#include <spdlog/fmt/fmt.h>

namespace gmlake::config {

std::size_t edit_distance(std::string_view a, std::string_view b) {
  // The optimal string alignment distance, three rows of its table at a time.
  std::vector<std::size_t> before(b.size() + 1);
  std::vector<std::size_t> last(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    before.swap(last);
    last.swap(row);
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replace = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, replace});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = std::min(row[j], before[j - 2] + 1);
    }
  }
  return row[b.size()];
}

std::string_view nearest(std::string_view word, std::span<const std::string_view> candidates) {
  std::string_view best;
  std::size_t best_distance = std::max<std::size_t>(2, word.size() / 3) + 1;
  for (const auto candidate : candidates) {
    // They are at least as far apart as their lengths: a word of any length costs no more than one.
    const auto [shorter, longer] = std::minmax({word.size(), candidate.size()});
    if (longer - shorter >= best_distance) continue;
    const auto distance = edit_distance(word, candidate);
    if (distance < best_distance && distance < candidate.size()) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

std::string nearest_or_all(std::string_view word, std::span<const std::string_view> candidates) {
  if (const auto best = nearest(word, candidates); !best.empty())
    return fmt::format("did you mean \"{}\"?", best);
  return fmt::format("there is: {}", fmt::join(candidates, ", "));
}

}  // namespace gmlake::config
