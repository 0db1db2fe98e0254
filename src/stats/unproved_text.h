// The part of the text report that says why free memory was not reused; nothing if all was.
#pragma once

#include "stats/page.h"
#include "stats/report.h"

namespace gmlake::stats {

void add_unproved(Page& page, const Report& report, const DeviceReport& sum);

}  // namespace gmlake::stats
