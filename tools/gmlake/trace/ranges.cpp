#include "trace/ranges.h"

#include <algorithm>

#include <spdlog/fmt/fmt.h>

namespace gmlake::trace {

BlockFacts facts_of(const Trace& trace) {
  BlockFacts facts;
  facts.bytes.resize(trace.allocations);
  facts.stream.resize(trace.allocations);
  for (const auto& event : trace.events)
    if (event.kind() == Kind::allocate) {
      facts.bytes[event.block] = event.bytes;
      facts.stream[event.block] = event.stream;
    }
  return facts;
}

std::vector<Range> ranges_of(const Trace& trace) {
  constexpr std::uint64_t kNear = 2 * MiB;
  std::vector<Range> extents;
  extents.reserve(trace.allocations);
  for (const auto& event : trace.events) {
    if (event.kind() != Kind::allocate) continue;
    const auto start = trace.addresses[event.block];
    extents.push_back({start, start + std::min(event.bytes, ~std::uint64_t{0} - start)});
  }
  std::sort(extents.begin(), extents.end(),
            [](const Range& a, const Range& b) { return a.start < b.start; });
  std::vector<Range> ranges;
  for (const auto& extent : extents) {
    if (!ranges.empty() &&
        (extent.start <= ranges.back().end || extent.start - ranges.back().end <= kNear))
      ranges.back().end = std::max(ranges.back().end, extent.end);
    else
      ranges.push_back(extent);
  }
  return ranges;
}

std::string stream_name(const Trace& trace, std::size_t stream) {
  const auto own = trace.stream_threads.find(static_cast<std::uint16_t>(stream));
  if (own != trace.stream_threads.end()) return fmt::format("thread {}'s default", own->second);
  return fmt::format("{:#x}", trace.streams[stream]);
}

}  // namespace gmlake::trace
