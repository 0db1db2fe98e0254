// The table of counters, with what docs/statistics.md says of each.
#pragma once

#include <vector>

#include <nlohmann/json.hpp>

namespace gmlake::tool::html {

// Rows of name, unit, help and a value for each of the objects. A counter that an object does not
// have (of another version) is 0.
nlohmann::json counter_rows(const std::vector<const nlohmann::json*>& counters);

}  // namespace gmlake::tool::html
