#include "support/json_writer.h"

#include <cmath>

#include <spdlog/fmt/fmt.h>

namespace gmlake {
namespace {

// How many bytes from `at` on are one character of UTF-8, which has one encoding only; 0: none.
std::size_t character(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) {
    return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0U;
  };
  const auto first = byte(0), second = byte(1);
  const auto follows = [&](std::size_t i) { return (byte(i) & 0xc0) == 0x80; };
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4 || !follows(1)) return 0;
  if (first < 0xe0) return 2;
  if (!follows(2)) return 0;
  if (first < 0xf0) {
    const bool overlong = first == 0xe0 && second < 0xa0;
    const bool surrogate = first == 0xed && second >= 0xa0;
    return overlong || surrogate ? 0 : 3;
  }
  const bool overlong = first == 0xf0 && second < 0x90;
  const bool beyond = first == 0xf4 && second >= 0x90;
  return !follows(3) || overlong || beyond ? 0 : 4;
}

}  // namespace

void JsonWriter::line() {
  if (indent_ == 0) return;
  text_ += '\n';
  text_.append(indent_ * depth_, ' ');
}

// Where a name, or a value without one, begins.
void JsonWriter::next() {
  if (depth_ == 0) return;
  if (!empty_) text_ += ',';
  empty_ = false;
  line();
}

void JsonWriter::name(std::string_view name) {
  next();
  put(name);
  text_ += indent_ == 0 ? ":" : ": ";
  named_ = true;
}

void JsonWriter::put(bool value) {
  text_ += value ? "true" : "false";
}
void JsonWriter::put(double value) {
  text_ += std::isfinite(value) ? fmt::format("{}", value) : "null";
}
void JsonWriter::put(std::string_view value) {
  text_ += '"';
  for (std::size_t at = 0; at < value.size();) {
    const auto length = character(value, at);
    const char c = value[at];
    if (length == 0)
      text_ += "\xef\xbf\xbd";  // U+FFFD, the replacement character
    else if (c == '"' || c == '\\')
      (text_ += '\\') += c;
    else if (c == '\n')
      text_ += "\\n";
    else if (static_cast<unsigned char>(c) < 0x20)
      text_ += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    else
      text_ += value.substr(at, length);
    at += length == 0 ? 1 : length;
  }
  text_ += '"';
}

}  // namespace gmlake
