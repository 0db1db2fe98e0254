#include "support/units.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include <spdlog/fmt/fmt.h>

namespace gmlake {
namespace {

struct Unit {
  std::string_view name;
  Bytes bytes;
};
constexpr std::array<Unit, 10> kUnits{{{"TiB", TiB},
                                       {"GiB", GiB},
                                       {"MiB", MiB},
                                       {"KiB", KiB},
                                       {"TB", 1'000'000'000'000},
                                       {"GB", 1'000'000'000},
                                       {"MB", 1'000'000},
                                       {"kB", 1'000},
                                       {"KB", 1'000},
                                       {"B", 1}}};
constexpr std::size_t kBinaryUnits = 4;

}  // namespace

std::optional<Bytes> parse_bytes(std::string_view text) {
  const auto number_end = std::min(text.find_first_not_of("0123456789."), text.size());
  const auto number = text.substr(0, number_end);
  auto unit = text.substr(number_end);
  while (!unit.empty() && unit.front() == ' ') unit.remove_prefix(1);

  Bytes scale = 1;
  if (!unit.empty()) {
    const auto* found =
        std::find_if(kUnits.begin(), kUnits.end(), [&](const Unit& u) { return u.name == unit; });
    if (found == kUnits.end()) return {};
    scale = found->bytes;
  }
  const char* end = number.data() + number.size();
  constexpr Bytes kMost = Bytes{1} << 63;
  Bytes whole = 0;
  if (auto [stop, error] = std::from_chars(number.data(), end, whole);
      error == std::errc{} && stop == end) {
    if (whole > kMost / scale) return {};
    return whole * scale;
  }
  double fraction = 0;
  if (auto [stop, error] = std::from_chars(number.data(), end, fraction);
      error != std::errc{} || stop != end || scale == 1)
    return {};
  fraction *= static_cast<double>(scale);
  if (fraction > static_cast<double>(kMost)) return {};
  return static_cast<Bytes>(std::llround(fraction));
}

std::string exact_bytes(Bytes n) {
  for (std::size_t i = 0; i < kBinaryUnits; ++i)
    if (n != 0 && n % kUnits[i].bytes == 0)
      return fmt::format("{}{}", n / kUnits[i].bytes, kUnits[i].name);
  return fmt::format("{}B", n);
}

std::string human_bytes(Bytes n) {
  for (std::size_t i = 0; i < kBinaryUnits; ++i) {
    const double value = static_cast<double>(n) / static_cast<double>(kUnits[i].bytes);
    if (value >= 1)
      return fmt::format("{:.{}f} {}", value, value < 10 ? 3 : value < 100 ? 2 : 1, kUnits[i].name);
  }
  return fmt::format("{} B", n);
}

}  // namespace gmlake
