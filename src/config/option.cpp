// Words of the enumerations, sections and names of variables, from the table.
#include "config/option.h"

#include <algorithm>

namespace gmlake::config {
namespace {

constexpr std::array<std::string_view, 2> kFreePolicies{"deferred", "synchronous"};
constexpr std::array<std::string_view, 3> kReportKinds{"none", "text", "full"};
constexpr std::array<std::string_view, 3> kIpcModes{"emulate", "native", "off"};
constexpr std::array<std::string_view, 5> kLogLevels{"debug", "info", "warning", "error", "off"};
static_assert(kFreePolicies.size() == static_cast<std::size_t>(FreePolicy::synchronous) + 1);
static_assert(kReportKinds.size() == static_cast<std::size_t>(ReportKind::full) + 1);
static_assert(kIpcModes.size() == static_cast<std::size_t>(IpcMode::off) + 1);
constexpr std::array<std::string_view, 2> kToolPolicies{"aside", "serve"};
static_assert(kToolPolicies.size() == static_cast<std::size_t>(ToolPolicy::serve) + 1);
static_assert(kLogLevels.size() == static_cast<std::size_t>(log::Level::off) + 1);

struct SectionNames {
  std::array<std::string_view, kOptionCount> names{};
  std::size_t count = 0;
};
constexpr SectionNames collect_sections() {
  SectionNames found;
  for (const auto& option : kOptions)
    if (found.count == 0 || found.names[found.count - 1] != option.section)
      found.names[found.count++] = option.section;
  return found;
}
constexpr SectionNames kSections = collect_sections();

}  // namespace

std::string Option::path() const {
  return std::string(section) + "." + std::string(key);
}

std::string Option::variable() const {
  return variable_name(section, key);
}

std::string variable_name(std::string_view section, std::string_view key) {
  auto name = "GMLAKE_" + std::string(section) + "_" + std::string(key);
  std::transform(name.begin(), name.end(), name.begin(), [](char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  });
  return name;
}

std::span<const std::string_view> choices(Kind kind) {
  switch (kind) {
    case Kind::free_policy:
      return kFreePolicies;
    case Kind::report_kind:
      return kReportKinds;
    case Kind::ipc_mode:
      return kIpcModes;
    case Kind::tool_policy:
      return kToolPolicies;
    case Kind::log_level:
      return kLogLevels;
    default:
      return {};
  }
}

std::string_view meant(Kind kind, std::string_view word) {
  for (const auto& synonym : kSynonyms)
    if (synonym.kind == kind && synonym.word == word) return synonym.choice;
  return word;
}

std::span<const std::string_view> sections() {
  return {kSections.names.data(), kSections.count};
}

std::size_t find_option(std::string_view section, std::string_view key) {
  const auto* found = std::find_if(kOptions.begin(), kOptions.end(), [&](const Option& option) {
    return option.section == section && option.key == key;
  });
  return static_cast<std::size_t>(found - kOptions.begin());
}

}  // namespace gmlake::config
