#include "costs.h"

#include <array>
#include <atomic>
#include <fstream>

#include <spdlog/fmt/fmt.h>
#include <nlohmann/json.hpp>

#include "../simcuda.h"
#include "call_counts.h"
#include "entry.h"

namespace gmlake::simcuda {
namespace {

constexpr std::uint64_t kUsualCall = 200;

struct Cost {
  std::uint64_t call_ns = kUsualCall;
  std::uint64_t unit_ns = 0;
};

std::array<Cost, kFunctions>& table() {
  static auto* table = [] {
    auto* fresh = new std::array<Cost, kFunctions>;
#define C(function, call, unit) (*fresh)[function_index(#function)] = {call, unit};
#include "costs.def"
    return fresh;
  }();
  return *table;
}

constinit std::array<std::atomic<std::uint64_t>, kFunctions> units{};

}  // namespace

void charge(unsigned function, std::uint64_t count) {
  units[function].fetch_add(count, std::memory_order_relaxed);
}

std::uint64_t modelled_ns(unsigned function) {
  const Cost& cost = table()[function];
  return call_count(function) * cost.call_ns +
         units[function].load(std::memory_order_relaxed) * cost.unit_ns;
}

std::uint64_t modelled_ns() {
  std::uint64_t sum = 0;
  for (unsigned i = 0; i < kFunctions; ++i) sum += modelled_ns(i);
  return sum;
}

std::string load_costs(const std::string& path) {
  std::ifstream file(path);
  if (!file) return fmt::format("{} can not be read", path);
  const auto document = nlohmann::json::parse(file, nullptr, false);
  if (!document.is_object()) return fmt::format("{} is not a JSON object", path);
  for (const auto& [name, cost] : document.items()) {
    const unsigned function = function_index(name);
    if (function >= kFunctions)
      return fmt::format("{}: {} is not an exported driver function", path, name);
    if (!cost.is_object()) return fmt::format("{}: {} is not an object", path, name);
    for (const auto& [key, value] : cost.items()) {
      Cost& entry = table()[function];
      if ((key != "call_ns" && key != "unit_ns") || !value.is_number_unsigned())
        return fmt::format("{}: {}: {} is not call_ns or unit_ns with a number of nanoseconds",
                           path, name, key);
      (key == "call_ns" ? entry.call_ns : entry.unit_ns) = value.get<std::uint64_t>();
    }
  }
  return {};
}

}  // namespace gmlake::simcuda

unsigned long long simcuda_modelled_ns(void) {
  return gmlake::simcuda::modelled_ns();
}
