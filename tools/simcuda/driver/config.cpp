#include "config.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include <spdlog/fmt/fmt.h>

#include "entry.h"

namespace gmlake::simcuda {
namespace {

constexpr std::array<std::string_view, 5> kNames{
    "SIMCUDA_DEVICES", "SIMCUDA_MEMORY", "SIMCUDA_BACKING", "SIMCUDA_FAULTS", "SIMCUDA_LOG"};

Config& storage() {
  static Config* config = new Config;  // leaked: read until the process is gone
  return *config;
}
constinit std::atomic<bool> faults_configured{false};

template <typename T>
bool parse_number(std::string_view text, T& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size();
}

std::string unknown_name() {
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    if (!text.starts_with("SIMCUDA_")) continue;
    const auto name = text.substr(0, text.find('='));
    if (std::find(kNames.begin(), kNames.end(), name) == kNames.end())
      return fmt::format("{} is not a setting; there are {}", name, fmt::join(kNames, ", "));
  }
  return {};
}

// "cuMemCreate:5=2" or "cuMemMap:every=100=2"
bool parse_fault(std::string_view text, Fault& fault) {
  const auto colon = text.find(':');
  const auto equals = text.rfind('=');
  if (colon == text.npos || equals == text.npos || equals < colon) return false;
  fault.function = function_index(text.substr(0, colon));
  auto which = text.substr(colon + 1, equals - colon - 1);
  constexpr std::string_view kEvery = "every=";
  fault.every = which.starts_with(kEvery);
  if (fault.every) which.remove_prefix(kEvery.size());
  unsigned code = 0;
  if (!parse_number(text.substr(equals + 1), code) || code == 0 || code > CUDA_ERROR_UNKNOWN)
    return false;
  fault.result = static_cast<CUresult>(code);
  return fault.function < kFunctions && parse_number(which, fault.nth) && fault.nth > 0;
}

std::string read_faults(std::string_view text, std::vector<Fault>& faults) {
  while (!text.empty()) {
    const auto item = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), item.size() + 1));
    Fault fault;
    if (!parse_fault(item, fault))
      return fmt::format(
          "SIMCUDA_FAULTS: '{}' is not FUNCTION:N=RESULT or FUNCTION:every=N=RESULT with an "
          "exported driver "
          "function and a CUresult other than 0, such as cuMemCreate:5=2",
          item);
    faults.push_back(fault);
  }
  return {};
}

std::string read_log(std::string_view text, Config& config) {
  constexpr std::string_view kStats = "stats";
  if (text.empty()) return {};
  if (text.starts_with(kStats)) {
    config.stats = true;
    if (text == kStats) return {};
    if (text[kStats.size()] == ':' && text.size() > kStats.size() + 1) {
      config.stats_file = text.substr(kStats.size() + 1);
      return {};
    }
  }
  return fmt::format("SIMCUDA_LOG: '{}' is not stats or stats:FILE", text);
}

}  // namespace

std::string load_config() {
  if (auto wrong = unknown_name(); !wrong.empty()) return wrong;
  const auto value = [](const char* name) { return std::getenv(name); };
  Config read;
  if (const char* text = value("SIMCUDA_DEVICES"))
    if (!parse_number(text, read.devices) || read.devices > kMaxDevices)
      return fmt::format("SIMCUDA_DEVICES: '{}' is not a number from 0 to {}", text, kMaxDevices);
  if (const char* text = value("SIMCUDA_MEMORY")) {
    const auto bytes = parse_bytes(text);
    if (!bytes || *bytes == 0 || *bytes % (2 * MiB) != 0 || *bytes > TiB)
      return fmt::format("SIMCUDA_MEMORY: '{}' is not a multiple of 2MiB up to 1TiB, such as 8GiB",
                         text);
    read.memory = *bytes;
  }
  if (const char* text = value("SIMCUDA_BACKING")) {
    read.backed = std::strcmp(text, "memfd") == 0;
    if (!read.backed && std::strcmp(text, "none") != 0)
      return fmt::format("SIMCUDA_BACKING: '{}' is neither memfd nor none", text);
  }
  if (const char* text = value("SIMCUDA_LOG"))
    if (auto wrong = read_log(text, read); !wrong.empty()) return wrong;
  if (const char* text = value("SIMCUDA_FAULTS"))
    if (auto wrong = read_faults(text, read.faults); !wrong.empty()) return wrong;
  storage() = std::move(read);
  faults_configured.store(!storage().faults.empty(), std::memory_order_release);
  return {};
}

const Config& config() {
  return storage();
}
bool have_faults() {
  return faults_configured.load(std::memory_order_relaxed);
}

}  // namespace gmlake::simcuda
