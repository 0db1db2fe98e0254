// A trace as Chrome's trace events (JSON), which Perfetto reads too: counters of live bytes, in all
// and by stream, and a span of time for each block.
#include <iterator>
#include <set>

#include <spdlog/fmt/fmt.h>
#include <nlohmann/json.hpp>

#include "trace/exports.h"
#include "trace/out_file.h"
#include "trace/ranges.h"

namespace gmlake::trace {
namespace {

using nlohmann::json;

std::string quoted(const std::string& text) {
  return json(text).dump(-1, ' ', true, json::error_handler_t::replace);
}

class Chrome {
 public:
  Chrome(OutFile& out, const Trace& trace) : out_(out), trace_(trace) {
    live_.resize(trace.streams.size());
    for (std::size_t i = 0; i < trace.streams.size(); ++i) {
      names_.push_back(quoted("stream " + stream_name(trace, i)));
      counters_.push_back(quoted("live bytes, stream " + stream_name(trace, i)));
    }
    for (const auto& frame : trace.stacks.frames())
      frames_.push_back(quoted(fmt::format("{} ({}:{})", frame.name, frame.file, frame.line)));
    // A log without times: one event after the other.
    timed_ = !trace.events.empty() && trace.events.back().time > 0;
  }

  void write(const std::string& name) {
    out_.put("{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n");
    line(R"("ph":"M","pid":1,"name":"process_name","args":{{"name":{}}})", quoted(name));
    for (std::size_t i = 0; i < names_.size(); ++i)
      line(R"("ph":"M","pid":1,"tid":{},"name":"thread_name","args":{{"name":{}}})", i + 1,
           names_[i]);
    const auto& events = trace_.events;
    for (std::size_t i = 0; i < events.size(); ++i) {
      const auto& event = events[i];
      if (!event.of_memory()) continue;
      // One value of a counter for each moment.
      if (!changed_.empty() && time(i) != moment_) counters();
      moment_ = time(i);
      span(event);
      const bool more = event.kind() == Kind::allocate;
      // The stream of the block: a free may come on another.
      if (more) owner_.push_back(event.stream);
      const auto stream = owner_[event.block];
      (more ? live_[stream] += event.bytes : live_[stream] -= event.bytes);
      (more ? total_ += event.bytes : total_ -= event.bytes);
      changed_.insert(stream);
    }
    if (!changed_.empty()) counters();
    for (const auto& failure : trace_.failures)
      line(
          R"("ph":"i","s":"g","pid":1,"tid":0,"ts":{},"name":"out of memory","args":{{"bytes":{},"device_free":{}}})",
          timed_ ? failure.time : failure.before, failure.bytes, failure.device_free);
    out_.put("\n]}\n");
  }

 private:
  std::uint64_t time(std::size_t i) const { return timed_ ? trace_.events[i].time : i; }

  template <typename... Args>
  void line(fmt::format_string<Args...> format, const Args&... args) {
    auto& buffer = out_.buffer();
    buffer += first_ ? "{" : ",\n{";
    first_ = false;
    fmt::vformat_to(std::back_inserter(buffer), fmt::string_view(format),
                    fmt::make_format_args(args...));
    buffer += '}';
    out_.maybe_flush();
  }

  void span(const Event& event) {
    if (event.kind() == Kind::free) {
      line(R"("ph":"e","cat":"block","id":{},"pid":1,"tid":{},"ts":{},"name":"{}")", event.block,
           owner_[event.block] + 1, moment_, human_bytes(event.bytes));
      return;
    }
    const auto stack = trace_.stacks.of(event.block);
    std::string site;
    if (stack != 0) {
      for (const auto frame : trace_.stacks.stacks()[stack])
        site += (site.empty() ? "" : ",") + frames_[frame];
      site = ",\"stack\":[" + site + "]";
    }
    line(
        R"("ph":"b","cat":"block","id":{},"pid":1,"tid":{},"ts":{},"name":"{}","args":{{"bytes":{},"address":"{:#x}"{}}})",
        event.block, event.stream + 1, moment_, human_bytes(event.bytes), event.bytes,
        trace_.addresses[event.block], site);
  }

  void counters() {
    line(R"("ph":"C","pid":1,"ts":{},"name":"live bytes","args":{{"bytes":{}}})", moment_, total_);
    for (const auto stream : changed_)
      line(R"("ph":"C","pid":1,"ts":{},"name":{},"args":{{"bytes":{}}})", moment_,
           counters_[stream], live_[stream]);
    changed_.clear();
  }

  OutFile& out_;
  const Trace& trace_;
  bool first_ = true, timed_ = false;
  Bytes total_ = 0;
  std::uint64_t moment_ = 0;                            // of the latest event
  std::vector<Bytes> live_;                             // by stream
  std::vector<std::string> names_, counters_, frames_;  // as JSON
  std::vector<std::uint16_t> owner_;                    // by block
  std::set<std::uint16_t> changed_;                     // streams, at this moment
};

}  // namespace

Expected<void> write_chrome(const std::string& path, const std::string& name, const Trace& trace) {
  OutFile out;
  if (auto opened = out.open(path); !opened) return opened;
  Chrome(out, trace).write(name);
  return out.close();
}

}  // namespace gmlake::trace
