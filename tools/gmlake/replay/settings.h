// The configuration of a replay: file, environment and --set, as a preloaded program would get it.
#pragma once

#include <string>
#include <vector>

#include "config/config.h"
#include "trace/trace.h"

namespace gmlake::replay {

// `settings` are "section.key=value" and win over all else. The error lists every problem.
trace::Expected<config::Config> load_settings(const std::string& file,
                                              const std::vector<std::string>& settings);

}  // namespace gmlake::replay
