// A command line that is refused, explained: the word that nobody knows, the one it was probably
// meant to be, and whose help has the rest.
#pragma once

#include <string>

#include <CLI/CLI.hpp>

namespace gmlake::tool {

std::string explain(const CLI::App& app, const CLI::Error& error);

}  // namespace gmlake::tool
