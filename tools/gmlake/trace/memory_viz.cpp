// A trace as the memory snapshot that PyTorch's memory_viz reads (torch/cuda/_memory_viz.py).
//
// Its segments are the ranges of addresses that blocks ever had: for memory of gmlake's they are
// what PyTorch's own segments are for PyTorch, and blocks tile them without a gap, as the reader
// demands.
#include <algorithm>
#include <map>
#include <optional>

#include <spdlog/fmt/fmt.h>

#include "trace/exports.h"
#include "trace/pickle_writer.h"
#include "trace/ranges.h"

namespace gmlake::trace {
namespace {

class MemoryViz {
 public:
  MemoryViz(OutFile& out, const Trace& trace)
      : pickle_(out), trace_(trace), facts_(facts_of(trace)) {}

  void write() {
    pickle_.begin_dict();
    pickle_.text("segments");
    segments();
    pickle_.text("device_traces");
    pickle_.begin_list();
    // A trace for each device; only ours has something.
    for (int device = 0; device < trace_.device; ++device) {
      pickle_.begin_list();
      pickle_.end_list();
    }
    events();
    pickle_.end_list();
    pickle_.text("allocator_settings");
    pickle_.begin_dict();
    pickle_.end_dict();
    pickle_.text("external_annotations");
    pickle_.begin_list();
    pickle_.end_list();
    pickle_.end_dict();
    pickle_.finish();
  }

 private:
  // PyTorch's are signed. What is none of those names no stream: cudaMalloc.
  std::uint64_t stream_of(std::uint16_t stream) const {
    const auto name = trace_.streams[stream];
    return name >> 63 == 0 ? name : 0;
  }

  // The same list is shown each time.
  void frames(std::uint32_t stack) {
    pickle_.text("frames");
    if (const auto known = stacks_.find(stack); known != stacks_.end())
      return pickle_.recall(known->second);
    pickle_.begin_list();
    if (stack < trace_.stacks.stacks().size())
      for (const auto number : trace_.stacks.stacks()[stack]) {
        const auto& frame = trace_.stacks.frames()[number];
        pickle_.begin_dict();
        pickle_.pair("filename", frame.file);
        pickle_.pair("name", frame.name);
        pickle_.pair("line", frame.line);
        pickle_.end_dict();
      }
    pickle_.end_list();
    stacks_.emplace(stack, pickle_.remember());
  }

  void event(std::string_view action, const Event& event) {
    pickle_.begin_dict();
    pickle_.pair("action", action);
    pickle_.pair("addr", trace_.addresses[event.block]);
    pickle_.pair("size", event.bytes);
    pickle_.pair("stream", stream_of(event.stream));
    pickle_.pair("time_us", std::uint64_t{event.time});
    frames(trace_.stacks.of(event.block));
    pickle_.end_dict();
  }

  void events() {
    pickle_.begin_list();
    auto failure = trace_.failures.begin();
    for (std::size_t i = 0; i <= trace_.events.size(); ++i) {
      for (; failure != trace_.failures.end() && failure->before <= i; ++failure) {
        pickle_.begin_dict();
        pickle_.pair("action", "oom");
        pickle_.pair("size", failure->bytes);
        pickle_.pair("device_free", failure->device_free);
        pickle_.pair("stream", 0);
        pickle_.pair("time_us", failure->time);
        frames(0);
        pickle_.end_dict();
      }
      if (i == trace_.events.size()) break;
      const auto& one = trace_.events[i];
      if (one.kind() == Kind::allocate) event("alloc", one);
      if (one.kind() == Kind::free) {
        event("free_requested", one);
        event("free_completed", one);
      }
    }
    pickle_.end_list();
  }

  void block(std::uint64_t address, Bytes size, std::optional<std::uint32_t> live) {
    pickle_.begin_dict();
    pickle_.pair("address", address);
    pickle_.pair("size", size);
    pickle_.pair("requested_size", live ? size : 0);
    pickle_.pair("state", live ? "active_allocated" : "inactive");
    frames(live ? trace_.stacks.of(*live) : 0);
    pickle_.end_dict();
  }

  std::map<std::uint64_t, std::uint32_t> live_at_end() const {
    std::map<std::uint64_t, std::uint32_t> live;
    for (const auto& one : trace_.events) {
      if (one.kind() == Kind::allocate) live[trace_.addresses[one.block]] = one.block;
      if (one.kind() == Kind::free) live.erase(trace_.addresses[one.block]);
    }
    return live;
  }

  void segments() {
    const auto live = live_at_end();
    pickle_.begin_list();
    for (const auto& range : ranges_of(trace_)) {
      const auto first = live.lower_bound(range.start);
      const auto last = live.lower_bound(range.end);
      pickle_.begin_dict();
      pickle_.text("blocks");
      pickle_.begin_list();
      auto at = range.start;
      Bytes held = 0;
      for (auto one = first; one != last; ++one) {
        // A log may show two blocks that overlap: the later one is cut.
        const auto end = std::min(range.end, one->first + std::min(facts_.bytes[one->second],
                                                                   ~std::uint64_t{0} - one->first));
        const auto start = std::max(at, one->first);
        if (start >= end) continue;
        if (start > at) block(at, start - at, {});
        block(start, end - start, one->second);
        held += end - start;
        at = end;
      }
      if (at < range.end) block(at, range.end - at, {});
      pickle_.end_list();
      const bool any = first != last;
      pickle_.pair("device", static_cast<std::uint64_t>(trace_.device));
      pickle_.pair("address", range.start);
      pickle_.pair("total_size", range.end - range.start);
      // By what _memory_viz.py finds the segment of an address.
      pickle_.pair("allocated_size", range.end - range.start);
      pickle_.pair("active_size", held);
      pickle_.pair("requested_size", held);
      pickle_.pair("stream", any ? stream_of(facts_.stream[first->second]) : 0);
      pickle_.pair("segment_type", "large");
      pickle_.text("segment_pool_id");
      pickle_.begin_list();
      pickle_.number(0);
      pickle_.number(0);
      pickle_.end_list();
      pickle_.text("is_expandable");
      pickle_.boolean(false);
      frames(0);
      pickle_.end_dict();
    }
    pickle_.end_list();
  }

  PickleWriter pickle_;
  const Trace& trace_;
  const BlockFacts facts_;
  std::map<std::uint32_t, std::uint32_t> stacks_;  // remembered
};

}  // namespace

Expected<void> write_memory_viz(const std::string& path, const Trace& trace) {
  constexpr int kMostDevices = 1024;
  if (trace.device >= kMostDevices)
    return tl::unexpected(
        fmt::format("{}: no program has a device {}, whose trace this is: choose "
                    "another with --device",
                    path, trace.device));
  OutFile out;
  if (auto opened = out.open(path); !opened) return opened;
  MemoryViz(out, trace).write();
  return out.close();
}

}  // namespace gmlake::trace
