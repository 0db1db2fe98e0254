// The environment as the configuration sees it: names and values, copied once, so that tests and
// tools can hand in their own.
#pragma once

#include <array>
#include <map>
#include <string>
#include <string_view>

namespace gmlake::config {

// Variables beginning with GMLAKE_.
using Environment = std::map<std::string, std::string, std::less<>>;

// The process's own; nothing of it in a process that runs with more rights than its caller (as
// secure_getenv). GMLAKE_SYSTEM_CONFIG is in it also if it is not set, as long as there is the file
// that it names then.
Environment process_environment();

// GMLAKE_STRICT: a bad configuration ends the process instead of leaving it on native memory.
bool is_strict(const Environment& environment);
// GMLAKE_DISABLE: gmlake does nothing at all in this process.
bool is_disabled(const Environment& environment);

// The variables that are no options: GMLAKE_CONFIG, GMLAKE_STRICT and so on.
inline constexpr std::array<std::string_view, 6> kReservedVariables{
    "GMLAKE_CONFIG",  "GMLAKE_SYSTEM_CONFIG", "GMLAKE_STRICT",
    "GMLAKE_DISABLE", "GMLAKE_LIBRARY",       "GMLAKE_RUN"};
bool is_reserved_variable(std::string_view name);

}  // namespace gmlake::config
