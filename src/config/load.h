// From file and environment to a Config. Later layers win:
//
//   built-in < /etc/gmlake.json < JSON file named by GMLAKE_CONFIG < GMLAKE_<SECTION>_<KEY>
//
// (`gmlake run --set` sets those variables.) Every problem is collected, not the first only; what a
// bad configuration means is the caller's decision.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "config/config.h"
#include "config/environment.h"
#include "config/option.h"
#include "config/problem.h"

namespace gmlake::config {

enum class Origin { built_in, system, file, environment };

struct LoadResult {
  Config config;  // with problems: what the readable parts say, for display only
  std::vector<Problem> problems;
  std::array<Origin, kOptionCount> origins{};  // of each option's value, in the table's order
  std::string system_file;                     // the system's configuration, if read
  std::string file;                            // that of GMLAKE_CONFIG, if read

  bool ok() const { return problems.empty(); }
};

// Reads the files; otherwise touches nothing outside `environment`. Throws std::bad_alloc at most.
// Thread-safe.
LoadResult load(const Environment& environment);

}  // namespace gmlake::config
