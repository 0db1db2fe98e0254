// The option table at run time: what config/options.h says of each option, in order, and the way to
// its field.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "config/config.h"

namespace gmlake::config {

enum class Kind {
  flag,
  size,
  count,
  ratio,
  text,
  list,
  free_policy,
  report_kind,
  ipc_mode,
  tool_policy,
  log_level
};

using Field =
    std::variant<bool Config::*, std::uint64_t Config::*, double Config::*, std::string Config::*,
                 std::vector<std::string> Config::*, FreePolicy Config::*, ReportKind Config::*,
                 IpcMode Config::*, ToolPolicy Config::*, log::Level Config::*>;

struct Option {
  std::string_view section;
  std::string_view key;
  Kind kind;
  double minimum;  // of size, count and ratio; a double holds sizes up to 2^53 exactly
  double maximum;
  std::string_view help;
  Field member;

  std::string path() const;      // "pool.chunk_size"
  std::string variable() const;  // "GMLAKE_POOL_CHUNK_SIZE"
};

// clang-format off
#define OPTION(section, key, kind, initial, minimum, maximum, help) \
  Option{#section, #key, Kind::kind, double(minimum), double(maximum), help, &Config::section##_##key},
// clang-format on
inline constexpr std::array kOptions{GMLAKE_OPTIONS(OPTION)};
#undef OPTION
inline constexpr std::size_t kOptionCount = kOptions.size();

// The words for an enumeration, in the order of its values; empty for the other kinds.
std::span<const std::string_view> choices(Kind kind);

// Another word for a choice, as read but never written: stats.report is "off" where it is "none".
struct Synonym {
  Kind kind;
  std::string_view word, choice;
};
inline constexpr std::array kSynonyms{Synonym{Kind::report_kind, "off", "none"}};
// The choice that a word stands for; the word itself if it is no synonym.
std::string_view meant(Kind kind, std::string_view word);

// Sections in the table's order, each once.
std::span<const std::string_view> sections();

// "GMLAKE_POOL_CHUNK_SIZE"; with an empty key, how the section's variables begin.
std::string variable_name(std::string_view section, std::string_view key);

// Index into kOptions, or kOptionCount.
std::size_t find_option(std::string_view section, std::string_view key);

}  // namespace gmlake::config
