// `gmlake trace export`: a trace in the formats that other tools show.
#pragma once

#include <CLI/CLI.hpp>

namespace gmlake::tool {

void add_export(CLI::App& trace, int& exit_code);

}  // namespace gmlake::tool
