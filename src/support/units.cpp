#include "support/units.h"

#include <algorithm>
#include <array>
#include <charconv>

#include <spdlog/fmt/fmt.h>

namespace gmlake {
namespace {

struct Unit {
  std::string_view name;
  Bytes bytes;
};
constexpr std::array<Unit, 18> kUnits{{{"TiB", TiB},
                                       {"GiB", GiB},
                                       {"MiB", MiB},
                                       {"KiB", KiB},
                                       {"TB", 1'000'000'000'000},
                                       {"GB", 1'000'000'000},
                                       {"MB", 1'000'000},
                                       {"kB", 1'000},
                                       {"KB", 1'000},
                                       {"B", 1},
                                       // As the shell's tools have them: powers of 1024.
                                       {"T", TiB},
                                       {"G", GiB},
                                       {"M", MiB},
                                       {"K", KiB},
                                       {"t", TiB},
                                       {"g", GiB},
                                       {"m", MiB},
                                       {"k", KiB}}};
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
  // By hand: std::from_chars for doubles would make the preloaded library need libm for this alone.
  constexpr Bytes kMost = Bytes{1} << 63;
  const auto point = std::min(number.find('.'), number.size());
  const auto digits = [](std::string_view run, Bytes& value) {
    const auto [stop, error] = std::from_chars(run.data(), run.data() + run.size(), value);
    return error == std::errc{} && stop == run.data() + run.size();
  };
  Bytes whole = 0;
  if (!digits(number.substr(0, point), whole) || whole > kMost / scale) return {};
  if (point == number.size()) return whole * scale;
  constexpr std::size_t kMostDigits = 18;
  const auto decimals = number.substr(point + 1);
  Bytes part = 0;
  if (scale == 1 || decimals.size() > kMostDigits || !digits(decimals, part)) return {};
  double fraction = static_cast<double>(part);
  for (std::size_t i = 0; i < decimals.size(); ++i) fraction /= 10;
  const double rest_exact = fraction * static_cast<double>(scale);
  const auto rest = static_cast<Bytes>(
      rest_exact + 0.5);  // NOLINT(bugprone-incorrect-roundings): no libm, never negative
  if (rest > kMost - whole * scale) return {};
  return whole * scale + rest;
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
