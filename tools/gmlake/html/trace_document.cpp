// A trace as the page has it: columns of what changes, each as small as it goes.
#include <algorithm>

#include <spdlog/fmt/fmt.h>

#include "html/documents.h"
#include "support/units.h"
#include "trace/info.h"
#include "trace/ranges.h"

namespace gmlake::tool::html {
namespace {

using nlohmann::json;
using trace::Kind;

constexpr std::size_t kMostFailures = 1000;

json figures_of(const trace::Trace& trace, const trace::Info& info) {
  auto rows = json::array();
  const auto add = [&](const char* name, std::uint64_t value, const char* unit, const char* help) {
    rows.push_back({name, unit, help, json::array({value})});
  };
  add("peak live", info.peak_live, "bytes", "the most requested bytes live at once");
  add("live blocks at most", info.peak_blocks, "", "blocks live at once");
  add("live at the end", info.live_at_end, "bytes", "requested bytes never freed");
  add("never freed", info.never_freed, "", "blocks live at the end");
  add("allocations", info.allocations, "", "blocks that were allocated");
  add("frees", info.frees, "", "blocks that were freed");
  add("allocated", info.allocated, "bytes", "requested bytes, summed over all allocations");
  add("small allocations", info.small_allocations, "", "of those, up to 1 MiB");
  add("streams", trace.streams.size(), "", "streams that the recording names");
  add("duration", info.duration, "microseconds", "from the first event to the last");
  add("median lifetime", info.lifetimes.median, "", "events between allocation and free");
  add("records", info.records, "", "CUDA events recorded by the program");
  add("waits", info.waits, "", "waits of streams for such events");
  add("blocks from before", trace.initial_blocks, "", "live before the recording began");
  add("unknown frees", trace.unknown_frees, "", "of blocks from before, skipped");
  add("failures", trace.allocation_failures, "", "allocations that failed");
  add("events of other devices", trace.other_devices, "", "not shown; --device chooses another");
  return rows;
}

// The events of memory; `shown` is filled with how many of them come before each event.
std::pair<Column, Column> events_of(const trace::Trace& trace, std::vector<std::uint32_t>& shown) {
  std::pair<Column, Column> columns;
  auto& [time, what] = columns;
  std::uint64_t last = 0;
  std::uint32_t allocated = 0, count = 0;
  for (const auto& event : trace.events) {
    shown.push_back(count);
    if (!event.of_memory()) continue;
    ++count;
    // Threads may have written their rows out of turn: time does not run backwards here.
    const auto now = std::max(last, std::uint64_t{event.time});
    time.add(now - last);
    last = now;
    if (event.kind() == Kind::allocate) ++allocated;
    // Which block goes is told from the latest one.
    what.add(event.kind() == Kind::allocate ? 0 : allocated - event.block);
  }
  shown.push_back(count);
  return columns;
}

json stacks_of(const trace::Stacks& stacks, json& frames) {
  for (const auto& frame : stacks.frames()) frames.push_back({frame.name, frame.file, frame.line});
  return stacks.stacks();
}

}  // namespace

Document trace_document(const std::string& name, const trace::Trace& trace) {
  const auto info = trace::summarize(trace);
  Document document;
  std::vector<std::uint32_t> shown;
  auto events = events_of(trace, shown);
  document.columns.emplace_back("time", std::move(events.first));
  document.columns.emplace_back("what", std::move(events.second));

  Column size, address, stream, stack, level_event, level_bytes;
  const auto facts = trace::facts_of(trace);
  std::uint64_t before = 0;
  for (std::size_t block = 0; block < trace.allocations; ++block) {
    size.add(facts.bytes[block]);
    address.add_signed(static_cast<std::int64_t>(trace.addresses[block] - before));
    before = trace.addresses[block];
    stream.add(facts.stream[block]);
    if (!trace.stacks.empty()) stack.add(trace.stacks.of(block));
  }
  std::uint64_t place = 0;
  for (const auto& level : trace.reserved) {
    level_event.add(shown[level.before] - place);
    place = shown[level.before];
    level_bytes.add(level.bytes);
  }
  document.columns.emplace_back("size", std::move(size));
  document.columns.emplace_back("address", std::move(address));
  document.columns.emplace_back("stream", std::move(stream));
  document.columns.emplace_back("stack", std::move(stack));
  document.columns.emplace_back("level_event", std::move(level_event));
  document.columns.emplace_back("level_bytes", std::move(level_bytes));

  auto streams = json::array(), ranges = json::array(), failures = json::array(),
       frames = json::array();
  for (std::size_t i = 0; i < trace.streams.size(); ++i)
    streams.push_back(trace::stream_name(trace, i));
  for (const auto& range : trace::ranges_of(trace)) ranges.push_back({range.start, range.end});
  for (const auto& failure : trace.failures)
    if (failures.size() < kMostFailures)
      failures.push_back({shown[failure.before], failure.bytes, failure.device_free});
  auto stacks = stacks_of(trace.stacks, frames);
  document.about = {
      {"kind", "trace"},
      {"name", name},
      {"subtitle",
       fmt::format("trace of device {}: {} allocations, {} frees; peak live {}", trace.device,
                   info.allocations, info.frees, human_bytes(info.peak_live))},
      {"events", shown.back()},
      {"blocks", trace.allocations},
      {"timed", shown.back() > 0 && trace.events.back().time > 0},
      {"streams", std::move(streams)},
      {"ranges", std::move(ranges)},
      {"failures", std::move(failures)},
      {"frames", std::move(frames)},
      {"stacks", std::move(stacks)},
      {"figures", figures_of(trace, info)},
      {"columns_of_figures", {""}}};
  return document;
}

}  // namespace gmlake::tool::html
