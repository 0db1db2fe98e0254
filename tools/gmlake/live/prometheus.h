// Reports in Prometheus' text format (version 0.0.4), for a scraper or the textfile collector.
#pragma once

#include <string>
#include <vector>

#include "stats/report.h"

namespace gmlake::tool {

std::string to_prometheus(const std::vector<const stats::Report*>& reports);

}  // namespace gmlake::tool
