// A trace in the formats that other tools show.
#pragma once

#include <string>

#include "trace/trace.h"

namespace gmlake::trace {

// For PyTorch's memory_viz: a memory snapshot (pickle). `gmlake trace info` and replay read it too.
Expected<void> write_memory_viz(const std::string& path, const Trace& trace);

// For Chrome and Perfetto: live bytes as counters, and each block as an asynchronous event.
Expected<void> write_chrome(const std::string& path, const std::string& name, const Trace& trace);

}  // namespace gmlake::trace
