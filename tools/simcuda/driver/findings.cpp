#include "findings.h"

#include <cstdio>
#include <map>
#include <mutex>
#include <vector>

#include <spdlog/fmt/fmt.h>

#include "../simcuda.h"
#include "config.h"
#include "entry.h"

namespace gmlake::simcuda {
namespace {

constexpr unsigned kOfAKind = 4;    // reported; further ones are counted
constexpr unsigned kReported = 64;  // of all kinds

// Leaked: written until the process is gone.
struct Findings {
  std::mutex mutex;
  std::uint64_t count = 0;
  std::map<std::string, unsigned, std::less<>> kinds;
  std::vector<std::string> texts;
};
Findings& findings() {
  static auto* findings = new Findings;
  return *findings;
}

constexpr const char* kCheckNames[kChecks] = {"order", "memory", "handles", "leaks"};

}  // namespace

bool checking(Check check) {
  return (config().checks & (1U << static_cast<unsigned>(check))) != 0;
}
bool checking_calls() {
  return config().checks != 0;
}

std::string describe(const Caller& caller) {
  std::string text{caller.function < kFunctions ? kFunctionNames[caller.function] : "the host"};
  if (caller.number != 0) text += fmt::format(" (call {})", caller.number);
  if (caller.stream != 0) text += fmt::format(" in stream {}", caller.stream);
  return text;
}

void found(Check check, const std::string& kind, const std::string& text) {
  if (!checking(check)) return;
  Findings& all = findings();
  const std::lock_guard lock(all.mutex);
  ++all.count;
  if (++all.kinds[kind] > kOfAKind || all.texts.size() >= kReported) return;
  all.texts.push_back(fmt::format("[{}] {}", kCheckNames[static_cast<unsigned>(check)], text));
  std::fprintf(stderr, "simcuda: finding: %s\n", all.texts.back().c_str());
}

CUresult misuse(CUresult code, const char* what, std::uint64_t value) {
  if (checking(Check::handles)) {
    const Caller caller = current_caller();
    found(Check::handles, fmt::format("{} {}", caller.function, what),
          fmt::format("{}: {} {:#x}", describe(caller), what, value));
  }
  return code;
}

}  // namespace gmlake::simcuda

using namespace gmlake::simcuda;

unsigned long long simcuda_findings(void) {
  const std::lock_guard lock(findings().mutex);
  return findings().count;
}
size_t simcuda_finding(unsigned long long index, char* text, size_t size) {
  const std::lock_guard lock(findings().mutex);
  const auto& texts = findings().texts;
  if (index >= texts.size()) return 0;
  if (size != 0) std::snprintf(text, size, "%s", texts[index].c_str());
  return texts[index].size();
}
void simcuda_forget_findings(void) {
  const std::lock_guard lock(findings().mutex);
  findings().count = 0;
  findings().kinds.clear();
  findings().texts.clear();
}
