// The part of the text report that says why free memory was not reused; nothing if all was.
#pragma once

#include <string>
#include <string_view>

#include "stats/page.h"
#include "stats/report.h"

namespace gmlake::stats {

// The stream as reports call it; `of_host`: what stands for calls without one.
std::string text(const StreamName& name, std::string_view of_host);

void add_unproved(Page& page, const Report& report, const DeviceReport& sum);

}  // namespace gmlake::stats
