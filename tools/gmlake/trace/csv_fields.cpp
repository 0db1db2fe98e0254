#include "trace/csv_fields.h"

#include <algorithm>
#include <charconv>

namespace gmlake::trace::csv {

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r'))
    text.remove_suffix(1);
  return text;
}

std::size_t split(std::string_view line, Fields& fields) {
  std::size_t count = 0;
  for (bool more = true; more && count < kMostFields;) {
    const auto comma = line.find(',');
    more = comma != std::string_view::npos;
    auto field = trim(line.substr(0, comma));
    if (field.size() >= 2 && field.front() == '"' && field.back() == '"')
      field = field.substr(1, field.size() - 2);
    fields[count++] = field;
    if (more) line.remove_prefix(comma + 1);
  }
  return count;
}

std::optional<std::uint64_t> parse_integer(std::string_view text, int base) {
  std::uint64_t value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc{} || stop != text.data() + text.size()) return {};
  return value;
}

std::optional<std::uint64_t> parse_number(std::string_view text) {
  if (text.starts_with("0x") || text.starts_with("0X")) return parse_integer(text.substr(2), 16);
  return parse_integer(text, 10);
}

std::optional<std::uint64_t> parse_pointer(std::string_view text) {
  if (text == "(nil)") return 0;
  if (text.starts_with("0x") || text.starts_with("0X")) text.remove_prefix(2);
  return parse_integer(text, 16);
}

std::optional<std::uint64_t> parse_time(std::string_view text) {
  std::uint64_t seconds = 0;
  auto whole = text.substr(0, text.find('.'));
  auto fraction =
      whole.size() < text.size() ? text.substr(whole.size() + 1) : std::string_view("0");
  for (unsigned parts = 0;; ++parts) {
    const auto colon = whole.find(':');
    const auto part = parse_integer(whole.substr(0, colon), 10);
    // What an Event's time holds, in microseconds.
    constexpr std::uint64_t kMostSeconds = (std::uint64_t{1} << 60) / 1'000'000 - 1;
    if (!part || *part > kMostSeconds - seconds * 60 || parts > 2) return {};
    seconds = seconds * 60 + *part;
    if (seconds > kMostSeconds / 60 && colon != std::string_view::npos) return {};
    if (colon == std::string_view::npos) break;
    whole.remove_prefix(colon + 1);
  }
  std::uint64_t micros = 0;
  for (std::size_t i = 0; i < std::max<std::size_t>(6, fraction.size()); ++i) {
    const char digit = i < fraction.size() ? fraction[i] : '0';
    if (digit < '0' || digit > '9') return {};
    if (i < 6) micros = micros * 10 + static_cast<std::uint64_t>(digit - '0');
  }
  return seconds * 1'000'000 + micros;
}

}  // namespace gmlake::trace::csv
