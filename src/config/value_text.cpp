// Values from the environment: text is turned into the JSON value it stands for and read as that.
#include <algorithm>

#include "config/json_value.h"
#include "config/value.h"

namespace gmlake::config {
namespace {

using nlohmann::json;

std::string_view trim(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

Value split(std::string_view text) {
  Value list = json::array();
  while (!text.empty()) {
    const auto comma = std::min(text.find(','), text.size());
    if (const auto item = trim(text.substr(0, comma)); !item.empty())
      list.push_back(std::string(item));
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return list;
}

// Text as the JSON value it stands for; text that stands for none stays text, and is refused as
// such.
Value interpret(const Option& option, std::string_view text) {
  if (option.kind == Kind::flag) {
    // Python says True, YAML Yes.
    std::string word(text);
    std::transform(word.begin(), word.end(), word.begin(), [](char c) {
      return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    for (const std::string_view yes : {"true", "1", "on", "yes"})
      if (word == yes) return json(true);
    for (const std::string_view no : {"false", "0", "off", "no"})
      if (word == no) return json(false);
  }
  if (option.kind == Kind::list) return split(text);
  if (option.kind == Kind::count || option.kind == Kind::ratio || option.kind == Kind::size) {
    // As a file would have it. (std::from_chars for doubles would make the preloaded library need
    // libm.)
    Value number = json::parse(text, nullptr, false);
    if (number.is_number()) return number;
  }
  return json(std::string(text));
}

}  // namespace

std::optional<Refusal> read_text(const Option& option, std::string_view text, Config& config) {
  if (text.empty() && option.kind != Kind::text && option.kind != Kind::list)
    return Refusal{"is empty", "give " + expected(option)};
  return read_json(option, interpret(option, text), config, trim(text));
}

}  // namespace gmlake::config
