// What the text report is made of: lines of a figure and what it counts, under headings.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <spdlog/fmt/fmt.h>

namespace gmlake::stats {

inline std::string grouped(std::uint64_t n) {
  auto digits = std::to_string(n);
  for (auto at = digits.size(); at > 3;) digits.insert(at -= 3, 1, ',');
  return digits;
}

class Page {
 public:
  void heading(std::string_view text) { text_ += fmt::format("{}\n", text); }
  void row(std::string_view figure, std::string_view what) {
    text_ += fmt::format("{:>16}  {}\n", figure, what);
  }
  void row_unless_zero(std::uint64_t figure, std::string_view what) {
    if (figure != 0) row(grouped(figure), what);
  }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

}  // namespace gmlake::stats
