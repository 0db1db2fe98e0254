// Reads the configuration file: one JSON object of sections, each an object of options.
#pragma once

#include <string>

#include "config/load.h"

namespace gmlake::config {

// Applies the file's options to `result`, as of `origin`, and adds a problem for whatever can not
// be read. What stands beside a problem is still read, so that one run shows all of them.
void read_file(const std::string& path, Origin origin, LoadResult& result);

}  // namespace gmlake::config
