// What reports and out-of-memory files have in common: the table of counters, with what
// docs/statistics.md says of each, and who held the memory.
#pragma once

#include <vector>

#include <nlohmann/json.hpp>

namespace gmlake::tool::html {

// Rows of name, unit, help and a value for each of the objects. A counter that an object does not
// have (of another version) is 0.
nlohmann::json counter_rows(const std::vector<const nlohmann::json*>& counters);

// `who` of a report or an out-of-memory file (stats.sample_bytes) as columns, and its frames by
// number; null if there is none.
nlohmann::json holders_of(const nlohmann::json& file);

}  // namespace gmlake::tool::html
