// Which programs gmlake serves: processes.include and processes.exclude.
#pragma once

#include <string_view>

#include "config/config.h"

namespace gmlake::config {

// True if a pattern of processes.include matches the executable's name (without its folder) and
// none of processes.exclude does.
bool serves(const Config& config, std::string_view executable_name);

}  // namespace gmlake::config
