// Text in arrays of fixed size, as live pages have it: what is left over is zero, a zero ends it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string>

namespace gmlake::stats {

// As much of it as fits.
template <std::size_t N>
void put_start(char (&where)[N], const std::string& text) {
  const auto length = std::min(text.size(), N - 1);
  std::memcpy(where, text.data(), length);
  std::memset(where + length, 0, N - length);
}
// All or nothing.
template <std::size_t N>
bool put_whole(char (&where)[N], const std::string& text) {
  if (text.size() >= N) return false;
  put_start(where, text);
  return true;
}
// Of whoever wrote it: perhaps without an end.
template <std::size_t N>
std::string text_in(const char (&from)[N]) {
  return {from, strnlen(from, N)};
}

}  // namespace gmlake::stats
