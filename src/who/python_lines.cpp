#include "who/python_lines.h"

#include <algorithm>
#include <cstdint>

namespace gmlake::who {
namespace {

using Table = std::span<const unsigned char>;

long signed_byte(unsigned char byte) {
  return static_cast<std::int8_t>(byte);
}

long by_steps(Table table, long line, long at) {
  long reached = 0;
  for (std::size_t i = 0; i + 1 < table.size(); i += 2) {
    reached += table[i];
    if (reached > at) break;
    line += signed_byte(table[i + 1]);
  }
  return line;
}

long by_ranges(Table table, long first, long at) {
  constexpr long kNoLine = -128;
  long line = first;
  long end = 0;
  for (std::size_t i = 0; i + 1 < table.size(); i += 2) {
    end += table[i];
    const long step = signed_byte(table[i + 1]);
    if (step != kNoLine) line += step;
    if (at < end) return step == kNoLine ? first : line;
  }
  return first;
}

// Six bits a byte, the lowest first; the lowest of all is the sign.
long signed_number(Table table, std::size_t at) {
  std::uint32_t folded = 0;
  for (unsigned shift = 0; at < table.size() && shift < 32; shift += 6) {
    folded |= static_cast<std::uint32_t>(table[at] & 63U) << shift;
    if ((table[at++] & 64U) == 0) break;
  }
  const long size = folded >> 1;
  return (folded & 1U) != 0 ? -size : size;
}

long by_locations(Table table, long first, long at) {
  constexpr unsigned kOneLine0 = 10, kOneLine2 = 12, kNoColumns = 13, kLong = 14, kNothing = 15;
  constexpr unsigned char kBegins = 128;
  long line = first;
  long end = 0;
  for (std::size_t i = 0; i < table.size();) {
    const unsigned kind = table[i] >> 3 & 15U;
    if (kind == kNoColumns || kind == kLong)
      line += signed_number(table, i + 1);
    else if (kind >= kOneLine0 && kind <= kOneLine2)
      line += static_cast<long>(kind - kOneLine0);
    end += 2 * ((table[i] & 7L) + 1);
    if (at < end) return kind == kNothing ? first : line;
    do ++i;
    while (i < table.size() && table[i] < kBegins);
  }
  return first;
}

}  // namespace

long PythonLines::line_of(Kind kind, Table table, long first, long at) {
  at = std::max(at, 0L);
  const long line = kind == Kind::steps    ? by_steps(table, first, at)
                    : kind == Kind::ranges ? by_ranges(table, first, at)
                                           : by_locations(table, first, at);
  return line >= 0 ? line : first;
}

}  // namespace gmlake::who
