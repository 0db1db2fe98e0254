// The % sequences and where their values come from.
#include "config/pattern.h"

#include <array>
#include <cstdlib>
#include <ctime>

#include <unistd.h>
#include <climits>

namespace gmlake::config {
namespace {

// nullptr: no such sequence.
const std::string* value_of(char letter, const PatternValues& values) {
  static const auto* const percent = new std::string("%");  // outlives every exit handler
  switch (letter) {
    case 'p':
      return &values.process;
    case 'h':
      return &values.host;
    case 'r':
      return &values.rank;
    case 'l':
      return &values.local_rank;
    case 'e':
      return &values.executable;
    case 't':
      return &values.start;
    case '%':
      return percent;
    default:
      return nullptr;
  }
}

template <std::size_t N>
std::string first_number(const std::array<const char*, N>& names) {
  for (const char* name : names) {
    const char* value = secure_getenv(name);
    if (value == nullptr) continue;
    const std::string_view text = value;
    if (!text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos)
      return std::string(text);
  }
  return "0";
}

std::string host_name() {
  std::array<char, HOST_NAME_MAX + 1> name{};
  if (gethostname(name.data(), name.size() - 1) != 0) return "unknown";
  return name.data();
}

std::string time_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  std::array<char, 32> text{};
  if (localtime_r(&now, &parts) == nullptr) return "unknown";
  const auto length = std::strftime(text.data(), text.size(), "%Y%m%dT%H%M%S", &parts);
  return {text.data(), length};
}

}  // namespace

PatternValues process_pattern_values() {
  constexpr std::array kRank{"SLURM_PROCID", "OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK",
                             "RANK"};
  constexpr std::array kLocalRank{"SLURM_LOCALID", "OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID",
                                  "LOCAL_RANK"};
  return {.process = std::to_string(getpid()),
          .host = host_name(),
          .rank = first_number(kRank),
          .local_rank = first_number(kLocalRank),
          .executable = executable_name(),
          .start = time_now()};
}

std::string executable_name() {
  std::array<char, PATH_MAX> path{};
  const auto length = readlink("/proc/self/exe", path.data(), path.size());
  if (length <= 0) return "unknown";
  std::string_view name(path.data(), static_cast<std::size_t>(length));
  // An executable replaced while it runs (a package upgrade) keeps its name.
  constexpr std::string_view kDeleted = " (deleted)";
  if (name.ends_with(kDeleted)) name.remove_suffix(kDeleted.size());
  return std::string(name.substr(name.rfind('/') + 1));
}

std::string expand_pattern(std::string_view pattern, const PatternValues& values) {
  std::string text;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const auto* value =
        pattern[i] == '%' && i + 1 < pattern.size() ? value_of(pattern[i + 1], values) : nullptr;
    if (value == nullptr) {
      text += pattern[i];
    } else {
      text += *value;
      ++i;
    }
  }
  return text;
}

std::optional<std::string> unknown_sequence(std::string_view pattern) {
  const PatternValues none;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] != '%') continue;
    if (i + 1 == pattern.size() || value_of(pattern[i + 1], none) == nullptr)
      return std::string(pattern.substr(i, 2));
    ++i;
  }
  return {};
}

}  // namespace gmlake::config
