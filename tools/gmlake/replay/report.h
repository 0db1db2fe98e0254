// The results of a replay as a table or as JSON.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "config/config.h"
#include "replay/replay.h"

namespace gmlake::replay {

using NamedResults = std::vector<std::pair<std::string, Result>>;  // by trace

// With `config`, the configuration they ran with. The table has what was not reused, and why,
// below.
std::string table(const NamedResults& results, const config::Config& config);
// An array with one object per trace.
std::string json(const NamedResults& results, const config::Config& config);

}  // namespace gmlake::replay
