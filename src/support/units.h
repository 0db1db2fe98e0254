// Byte sizes: constants, rounding, and the text form that configuration, reports and tools share.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace gmlake {

using Bytes = std::uint64_t;

inline constexpr Bytes KiB = Bytes{1} << 10;
inline constexpr Bytes MiB = Bytes{1} << 20;
inline constexpr Bytes GiB = Bytes{1} << 30;
inline constexpr Bytes TiB = Bytes{1} << 40;

// Rounds to a multiple of `step`, which need not be a power of two.
constexpr Bytes round_up(Bytes n, Bytes step) {
  return (n + step - 1) / step * step;
}
constexpr Bytes round_down(Bytes n, Bytes step) {
  return n / step * step;
}
// For differences: no size of memory comes near 2^63.
constexpr std::int64_t signed_of(Bytes n) {
  return static_cast<std::int64_t>(n);
}

// "512MiB", "1.5 GiB", "2MB" (10^6), "4096", "4096B". Nothing for anything else, negative or above
// 2^63.
std::optional<Bytes> parse_bytes(std::string_view text);

// The shortest exact form with a binary unit ("512MiB", "1536KiB", "7B"): parse_bytes gives it
// back.
std::string exact_bytes(Bytes n);

// For people: three or more significant digits, "11.57 GiB".
std::string human_bytes(Bytes n);

}  // namespace gmlake
