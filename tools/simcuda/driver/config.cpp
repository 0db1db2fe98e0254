#include "config.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <utility>

#include <spdlog/fmt/fmt.h>

#include "costs.h"
#include "faults.h"
#include "findings.h"
#include "leniency.h"

namespace gmlake::simcuda {
namespace {

constexpr std::array<std::string_view, 11> kSettings{
    "SIMCUDA_DEVICES", "SIMCUDA_MEMORY",       "SIMCUDA_BACKING", "SIMCUDA_SEED",
    "SIMCUDA_CHECKS",  "SIMCUDA_EXIT_STATUS",  "SIMCUDA_FAULTS",  "SIMCUDA_COSTS",
    "SIMCUDA_LOG",     "SIMCUDA_EARLY_RETURN", "SIMCUDA_PEERS"};

struct Leniency {
  unsigned early_return = 0;
  unsigned peers = 1;
};
Leniency leniency;  // set once, with the rest

// Calls that come before cuInit, or beside it, find the defaults. Leaked: read until the process is
// gone.
constinit std::atomic<const Config*> loaded{nullptr};

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
    if (std::find(kSettings.begin(), kSettings.end(), name) == kSettings.end())
      return fmt::format("{} is not a setting; there are {}", name, fmt::join(kSettings, ", "));
  }
  return {};
}

constexpr unsigned bit(Check check) {
  return 1U << static_cast<unsigned>(check);
}

// "order,memory", "all", "none"
std::string read_checks(std::string_view text, unsigned& checks) {
  struct Name {
    std::string_view name;
    unsigned bits;
  };
  constexpr Name kKnown[] = {{"none", 0},
                             {"order", bit(Check::order)},
                             {"memory", bit(Check::memory)},
                             {"handles", bit(Check::handles)},
                             {"leaks", bit(Check::leaks)},
                             {"all", (1U << kChecks) - 1}};
  checks = 0;
  while (!text.empty()) {
    const auto item = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), item.size() + 1));
    const auto* known = std::find_if(std::begin(kKnown), std::end(kKnown),
                                     [&](const Name& one) { return one.name == item; });
    if (known == std::end(kKnown))
      return fmt::format(
          "SIMCUDA_CHECKS: '{}' is not order, memory, handles, leaks, all or none, or several of "
          "them with commas between",
          item);
    checks |= known->bits;
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
  if (const char* text = value("SIMCUDA_SEED")) {
    std::uint64_t seed = 0;
    if (!parse_number(text, seed))
      return fmt::format("SIMCUDA_SEED: '{}' is not a number from 0 to 2^64-1", text);
    read.seed = seed;
  }
  // Without backing there is nothing to be wrong in, and speed is what is wanted.
  if (read.backed) read.checks = bit(Check::order) | bit(Check::memory);
  if (const char* text = value("SIMCUDA_CHECKS"))
    if (auto wrong = read_checks(text, read.checks); !wrong.empty()) return wrong;
  if (const char* text = value("SIMCUDA_EXIT_STATUS"))
    if (!parse_number(text, read.exit_status) || read.exit_status < 0 || read.exit_status > 255)
      return fmt::format("SIMCUDA_EXIT_STATUS: '{}' is not a number from 0 to 255", text);
  for (const auto& [name, flag] : {std::pair("SIMCUDA_EARLY_RETURN", &leniency.early_return),
                                   std::pair("SIMCUDA_PEERS", &leniency.peers)})
    if (const char* text = value(name); text && (!parse_number(text, *flag) || *flag > 1))
      return fmt::format("{}: '{}' is neither 0 nor 1", name, text);
  loaded.store(new Config(std::move(read)), std::memory_order_release);
  if (const char* text = value("SIMCUDA_COSTS"))
    if (auto wrong = load_costs(text); !wrong.empty()) return "SIMCUDA_COSTS: " + wrong;
  if (const char* text = value("SIMCUDA_FAULTS"))
    if (auto wrong = arm_faults(text); !wrong.empty()) return "SIMCUDA_FAULTS: " + wrong;
  return {};
}

bool returns_early() {
  return leniency.early_return != 0;
}
bool devices_are_peers() {
  return leniency.peers != 0;
}

const Config& config() {
  if (const auto* const config = loaded.load(std::memory_order_acquire)) [[likely]]
    return *config;
  static const Config* defaults = new Config;
  return *defaults;
}

}  // namespace gmlake::simcuda
