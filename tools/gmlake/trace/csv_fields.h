// The fields of a row of a log, and what is written in them.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace gmlake::trace::csv {

inline constexpr std::size_t kMostFields = 64;
using Fields = std::array<std::string_view, kMostFields>;

// Without the blanks around it.
std::string_view trim(std::string_view text);
// Splits a line into at most kMostFields trimmed fields, and says how many there are; a quoted
// field may not hold a comma or a quote.
std::size_t split(std::string_view line, Fields& fields);

// Each is nothing where the text is something else.
std::optional<std::uint64_t> parse_integer(std::string_view text, int base);
std::optional<std::uint64_t> parse_number(std::string_view text);   // decimal or 0x
std::optional<std::uint64_t> parse_pointer(std::string_view text);  // hexadecimal or (nil)
// "HH:MM:SS.ffffff" or seconds with an optional fraction, in microseconds.
std::optional<std::uint64_t> parse_time(std::string_view text);

}  // namespace gmlake::trace::csv
