// The addresses that a trace's blocks ever had, as ranges that nearby blocks share. What lies
// between two ranges is nobody's.
#pragma once

#include <string>
#include <vector>

#include "trace/trace.h"

namespace gmlake::trace {

struct Range {
  std::uint64_t start, end;
};

// In order. Blocks that are no further apart than a driver's granule share one.
std::vector<Range> ranges_of(const Trace& trace);

// Size and stream of each allocation, by its ordinal.
struct BlockFacts {
  std::vector<Bytes> bytes;
  std::vector<std::uint16_t> stream;
};
BlockFacts facts_of(const Trace& trace);

// The stream as a person knows it.
std::string stream_name(const Trace& trace, std::size_t stream);

}  // namespace gmlake::trace
