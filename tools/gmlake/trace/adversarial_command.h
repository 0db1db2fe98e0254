// `gmlake trace adversarial`, beside the commands in trace_command.cpp.
#pragma once

#include <CLI/CLI.hpp>

namespace gmlake::tool {

void add_adversarial(CLI::App& trace, int& exit_code);

}  // namespace gmlake::tool
