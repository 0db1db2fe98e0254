// Reads the environment of the process, and its switches.
#include "config/environment.h"

#include <algorithm>

#include <sys/auxv.h>
#include <unistd.h>

namespace gmlake::config {
namespace {

constexpr std::string_view kPrefix = "GMLAKE_";
constexpr const char* kSystemConfig = "GMLAKE_SYSTEM_CONFIG";
constexpr const char* kSystemFile = "/etc/gmlake.json";

// Whatever does not clearly say no says yes: both switches are set by people who want caution.
bool is_on(const Environment& environment, std::string_view name) {
  const auto found = environment.find(name);
  if (found == environment.end()) return false;
  constexpr std::array<std::string_view, 5> kNo{"", "0", "false", "off", "no"};
  return std::find(kNo.begin(), kNo.end(), found->second) == kNo.end();
}

Environment caller_environment() {
  Environment environment;
  if (getauxval(AT_SECURE) != 0 || environ == nullptr) return environment;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    if (!text.starts_with(kPrefix)) continue;
    const auto equals = text.find('=');
    if (equals == std::string_view::npos) continue;
    // Of two entries of one name getenv sees the first; so do we.
    environment.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return environment;
}

}  // namespace

Environment process_environment() {
  Environment environment = caller_environment();
  if (environment.count(kSystemConfig) == 0 && access(kSystemFile, F_OK) == 0)
    environment.emplace(kSystemConfig, kSystemFile);
  return environment;
}

bool is_strict(const Environment& environment) {
  return is_on(environment, "GMLAKE_STRICT");
}
bool is_disabled(const Environment& environment) {
  return is_on(environment, "GMLAKE_DISABLE");
}

bool is_reserved_variable(std::string_view name) {
  return std::find(kReservedVariables.begin(), kReservedVariables.end(), name) !=
         kReservedVariables.end();
}

}  // namespace gmlake::config
