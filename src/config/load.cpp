// The layers in their order, the variables, and the rules between options.
#include "config/load.h"

#include <algorithm>
#include <bit>
#include <exception>

#include <spdlog/fmt/fmt.h>

#include "config/file.h"
#include "config/nearest.h"
#include "config/value.h"

namespace gmlake::config {
namespace {

bool names_a_section(std::string_view variable) {
  const auto known = sections();
  return std::any_of(known.begin(), known.end(), [&](std::string_view section) {
    return variable.starts_with(variable_name(section, ""));
  });
}

void read_variables(const Environment& environment, LoadResult& result) {
  std::vector<std::string> names;
  names.reserve(kOptionCount);
  for (const auto& option : kOptions) names.push_back(option.variable());
  std::vector<std::string_view> known(names.begin(), names.end());
  known.insert(known.end(), kReservedVariables.begin(), kReservedVariables.end());

  for (const auto& [name, value] : environment) {
    const auto index =
        static_cast<std::size_t>(std::find(names.begin(), names.end(), name) - names.begin());
    if (index < kOptionCount) {
      const auto& option = kOptions[index];
      if (auto refusal = read_text(option, value, result.config))
        result.problems.push_back(
            {name, option.path(), 0, 0, std::move(refusal->reason), std::move(refusal->remedy)});
      else
        result.origins[index] = Origin::environment;
    } else if (!is_reserved_variable(name)) {
      // Other GMLAKE_ names may belong to somebody else, unless they are all but the name of an
      // option.
      std::string upper(name);
      std::transform(upper.begin(), upper.end(), upper.begin(), [](char c) {
        return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
      });
      const auto best = nearest(upper, known);
      const bool misspelt = !best.empty() && edit_distance(upper, best) <= 2;
      if (names_a_section(upper) || misspelt)
        result.problems.push_back({name, "", 0, 0, "is no option",
                                   best.empty() ? "unset it; `gmlake config show` lists the options"
                                                : fmt::format("did you mean {}?", best)});
    }
  }
}

// A rule between options is broken by the one that was set last.
Problem blame(const LoadResult& result, std::size_t index, std::string reason, std::string remedy) {
  const auto& option = kOptions[index];
  Problem problem{"built-in", option.path(), 0, 0, std::move(reason), std::move(remedy)};
  if (result.origins[index] == Origin::system) problem.source = result.system_file;
  if (result.origins[index] == Origin::file) problem.source = result.file;
  if (result.origins[index] == Origin::environment) problem.source = option.variable();
  return problem;
}

void check_rules(LoadResult& result) {
  const auto& config = result.config;
  const auto chunk = find_option("pool", "chunk_size");
  const auto small = find_option("pool", "small_limit");
  if (!std::has_single_bit(config.pool_chunk_size))
    result.problems.push_back(blame(
        result, chunk, fmt::format("{} is not a power of two", exact_bytes(config.pool_chunk_size)),
        fmt::format("give {}", exact_bytes(std::bit_ceil(config.pool_chunk_size)))));
  if (config.pool_small_limit > config.pool_chunk_size)
    result.problems.push_back(blame(
        result, result.origins[small] >= result.origins[chunk] ? small : chunk,
        fmt::format("pool.small_limit ({}) is larger than pool.chunk_size ({})",
                    exact_bytes(config.pool_small_limit), exact_bytes(config.pool_chunk_size)),
        "give a pool.small_limit of at most pool.chunk_size"));
}

}  // namespace

LoadResult load(const Environment& environment) {
  LoadResult result;
  try {
    const auto read_named = [&](const char* variable, Origin origin, std::string& file) {
      const auto named = environment.find(variable);
      if (named == environment.end() || named->second.empty()) return;
      file = named->second;
      read_file(file, origin, result);
    };
    read_named("GMLAKE_SYSTEM_CONFIG", Origin::system, result.system_file);
    read_named("GMLAKE_CONFIG", Origin::file, result.file);
    read_variables(environment, result);
    check_rules(result);
  } catch (const std::exception& failure) {
    result.problems.push_back({"configuration", "", 0, 0, failure.what(), "free some host memory"});
  }
  return result;
}

}  // namespace gmlake::config
