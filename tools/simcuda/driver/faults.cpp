#include "faults.h"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <limits>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include <spdlog/fmt/fmt.h>

#include "../simcuda.h"
#include "call_counts.h"
#include "config.h"
#include "entry.h"

namespace gmlake::simcuda {
namespace {

enum class When { nth, every, chance };
enum class What { fail, memory, mappings, delay };

struct Fault {
  unsigned function = 0;
  When when = When::nth;
  std::uint64_t n = 0;     // nth and every: counted from 1
  double chance = 0;       // of each call
  std::uint64_t base = 0;  // calls made before it was armed
  What what = What::fail;
  std::uint64_t value = 0;  // CUresult, bytes, mappings, or nanoseconds
};
using Faults = std::vector<Fault>;

// Replaced as a whole, and the last one kept: a call in flight may still be reading it.
constinit std::atomic<const Faults*> armed{nullptr};
void arm(std::unique_ptr<const Faults> faults) {
  static auto* mutex = new std::mutex;
  static auto* kept = new std::vector<std::unique_ptr<const Faults>>;
  const std::lock_guard lock(*mutex);
  armed.store(faults->empty() ? nullptr : faults.get(), std::memory_order_release);
  kept->push_back(std::move(faults));
}
constexpr auto kNoLimit = std::numeric_limits<std::uint64_t>::max();
constinit std::atomic<std::uint64_t> most_mappings{kNoLimit};
constinit std::atomic<std::uint64_t> most_bytes{kNoLimit};

template <typename T>
bool parse_number(std::string_view text, T& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size();
}

bool take_prefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

constexpr std::uint64_t kLongestDelay = 3'600'000'000'000;  // an hour

bool parse_delay(std::string_view text, std::uint64_t& nanoseconds) {
  struct Unit {
    std::string_view name;
    std::uint64_t factor;
  };
  for (const Unit& unit : {Unit{"ns", 1}, Unit{"us", 1000}, Unit{"ms", 1000000}})
    if (text.ends_with(unit.name) &&
        parse_number(text.substr(0, text.size() - unit.name.size()), nanoseconds) &&
        nanoseconds <= kLongestDelay / unit.factor) {
      nanoseconds *= unit.factor;
      return true;
    }
  return false;
}

bool parse_when(std::string_view text, Fault& fault) {
  if (take_prefix(text, "p=")) {
    fault.when = When::chance;
    return parse_number(text, fault.chance) && fault.chance > 0 && fault.chance <= 1;
  }
  if (take_prefix(text, "every=")) fault.when = When::every;
  return parse_number(text, fault.n) && fault.n > 0;
}

bool parse_what(std::string_view text, Fault& fault) {
  if (take_prefix(text, "memory=")) {
    fault.what = What::memory;
    const auto bytes = parse_bytes(text);
    if (bytes) fault.value = *bytes;
    return bytes.has_value();
  }
  if (take_prefix(text, "mappings=")) {
    fault.what = What::mappings;
    return parse_number(text, fault.value);
  }
  if (take_prefix(text, "delay=")) {
    fault.what = What::delay;
    return parse_delay(text, fault.value);
  }
  return parse_number(text, fault.value) && fault.value > 0 && fault.value <= CUDA_ERROR_UNKNOWN;
}

// FUNCTION:WHEN=WHAT
bool parse_fault(std::string_view text, Fault& fault) {
  const auto colon = text.find(':');
  if (colon == text.npos) return false;
  fault.function = function_index(text.substr(0, colon));
  text.remove_prefix(colon + 1);
  auto equals = text.find('=');
  if (text.starts_with("p=") || text.starts_with("every=")) equals = text.find('=', equals + 1);
  if (fault.function >= kSimulated || equals == text.npos) return false;
  return parse_when(text.substr(0, equals), fault) && parse_what(text.substr(equals + 1), fault);
}

// The same for the same seed, function and call, whatever else goes on.
double dice(unsigned function, std::uint64_t call) {
  std::uint64_t x = config().seed.value_or(0) * 0x9e3779b97f4a7c15u + call;
  for (const std::uint64_t round : {std::uint64_t{function} + 1, std::uint64_t{0x2545f491}}) {
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u + round;
    x ^= x >> 27;
  }
  return static_cast<double>(x >> 11) * 0x1p-53;
}

bool due(const Fault& fault, unsigned function, std::uint64_t call) {
  if (fault.function != function) return false;
  const std::uint64_t mine = call - fault.base;
  switch (fault.when) {
    case When::nth:
      return mine == fault.n;
    case When::every:
      return mine % fault.n == 0;
    case When::chance:
      break;
  }
  return dice(function, mine) < fault.chance;
}

}  // namespace

std::string arm_faults(std::string_view text) {
  auto faults = std::make_unique<Faults>();
  while (!text.empty()) {
    const auto item = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), item.size() + 1));
    Fault fault;
    if (!parse_fault(item, fault))
      return fmt::format(
          "'{}' is not FUNCTION:WHEN=WHAT, where FUNCTION is a simulated driver function by its "
          "exported name (cuMemAlloc_v2), WHEN is "
          "N, "
          "every=N or p=CHANCE, and WHAT is a CUresult other than 0, memory=SIZE, mappings=N or "
          "delay=TIME; such as cuMemCreate:5=2 or cuMemMap:every=1=delay=50us",
          item);
    fault.base = call_count(fault.function);
    faults->push_back(fault);
  }
  most_mappings = kNoLimit;
  most_bytes = kNoLimit;
  arm(std::move(faults));
  return {};
}

bool have_faults() {
  return armed.load(std::memory_order_acquire) != nullptr;
}

CUresult injected_fault(unsigned function, std::uint64_t call) {
  const Faults* faults = armed.load(std::memory_order_acquire);
  if (faults == nullptr) return CUDA_SUCCESS;
  CUresult result = CUDA_SUCCESS;
  for (const Fault& fault : *faults) {
    if (!due(fault, function, call)) continue;
    switch (fault.what) {
      case What::fail:
        if (result == CUDA_SUCCESS) result = static_cast<CUresult>(fault.value);
        break;
      case What::memory:
        most_bytes = fault.value;
        break;
      case What::mappings:
        most_mappings = fault.value;
        break;
      case What::delay:
        std::this_thread::sleep_for(std::chrono::nanoseconds(fault.value));
        break;
    }
  }
  return result;
}

std::uint64_t mapping_limit() {
  return most_mappings.load(std::memory_order_relaxed);
}
std::uint64_t capacity_limit() {
  return most_bytes.load(std::memory_order_relaxed);
}

}  // namespace gmlake::simcuda

const char* simcuda_arm_faults(const char* faults) {
  static thread_local std::string wrong;
  wrong = gmlake::simcuda::arm_faults(faults == nullptr ? "" : faults);
  return wrong.empty() ? nullptr : wrong.c_str();
}
