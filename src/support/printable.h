// Text that others chose (names of programs, keys of files) as it may be shown: what would move a
// terminal's cursor or worse is shown by its number.
#pragma once

#include <string>
#include <string_view>

namespace gmlake {

// Control characters become \xNN: those of ASCII, less the ones in `but`, and the C1 ones of UTF-8.
inline std::string printable(std::string_view text, std::string_view but = "") {
  constexpr const char* kDigits = "0123456789abcdef";
  std::string shown;
  shown.reserve(text.size());
  const auto number = [&](unsigned char c) {
    shown += "\\x";
    shown += kDigits[c >> 4];
    shown += kDigits[c & 15];
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    const auto next = i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : 0U;
    if ((c < 0x20 || c == 0x7f) && but.find(text[i]) == std::string_view::npos) {
      number(c);
    } else if (c == 0xc2 && next >= 0x80 && next < 0xa0) {
      number(c);
      number(static_cast<unsigned char>(next));
      ++i;
    } else {
      shown += text[i];
    }
  }
  return shown;
}

}  // namespace gmlake
