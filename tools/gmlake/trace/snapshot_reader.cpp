// PyTorch's memory snapshot (torch.cuda.memory._dump_snapshot): its trace of one device.
//
// The recording is a ring that usually begins in mid-run. What was alive before it is found by
// walking it backwards from the blocks that the segments show at its end.
#include <map>

#include <spdlog/fmt/fmt.h>

#include "trace/builder.h"
#include "trace/pickle.h"
#include "trace/reader.h"
#include "trace/snapshot_beside.h"

namespace gmlake::trace {
namespace {

constexpr const char* kHowToRecord =
    "call torch.cuda.memory._record_memory_history(max_entries=1000000) before the work and "
    "torch.cuda.memory._dump_snapshot(path) after it";

struct Block {
  Bytes bytes;
  std::uint64_t stream;
  Pickle::Value frames;
};
// Each has values of its own in a file that was recorded, and there are no more of these
// (pickle.cpp). One that was made up may show the same a thousand times.
constexpr std::size_t kMostEvents = std::size_t{1} << 23;
constexpr std::size_t kMostBlocks = std::size_t{1} << 23;
using LiveBlocks = std::map<std::uint64_t, Block>;  // by address

struct Entry {
  enum Action { allocate, free, other } action;
  std::uint64_t address;
  Bytes bytes;
  std::uint64_t stream;
  std::uint64_t time;
};

Expected<Entry> read_entry(Pickle::Value entry, std::size_t number) {
  const auto bad = [&](std::string_view field) {
    return tl::unexpected(
        fmt::format("device_traces: event {}: field '{}' is missing or malformed; {}", number,
                    field, kHowToRecord));
  };
  const auto action = entry["action"];
  if (!action.is(Pickle::Type::text)) return bad("action");
  Entry out{Entry::other, 0, 0, whole(entry["stream"]).value_or(0),
            whole(entry["time_us"]).value_or(0)};
  if (action.text() == "alloc") out.action = Entry::allocate;
  // The memory can be reused from free_completed on; free_requested may come earlier.
  if (action.text() == "free_completed") out.action = Entry::free;
  if (out.action != Entry::allocate && out.action != Entry::free) return out;

  const auto address = whole(entry["addr"]);
  const auto size = whole(entry["size"]);
  if (!address) return bad("addr");
  if (!size) return bad("size");
  out.address = *address;
  out.bytes = *size;
  return out;
}

// The blocks the segments show in use: that is how things stood after the last event.
Expected<LiveBlocks> live_at_end(Pickle::Value segments, std::uint64_t device) {
  LiveBlocks live;
  std::size_t seen = 0;
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const auto segment = segments[i];
    if (whole(segment["device"]).value_or(0) != device) continue;
    auto next = whole(segment["address"]).value_or(0);
    const auto blocks = segment["blocks"];
    if ((seen += blocks.size()) > kMostBlocks)
      return tl::unexpected(fmt::format(
          "segments: segment {}: more than {} blocks with those before", i, kMostBlocks));
    for (std::size_t j = 0; j < blocks.size(); ++j) {
      const auto block = blocks[j];
      const auto size = whole(block["size"]);
      if (!size)
        return tl::unexpected(
            fmt::format("segments: segment {}, block {}: field 'size' is missing or malformed; {}",
                        i, j, kHowToRecord));
      // Before PyTorch 2.1 a block had no address: they follow one another.
      const auto address = whole(block["address"]).value_or(next);
      next = address + *size;
      if (block["state"].text().starts_with("active"))
        live[address] = {whole(block["requested_size"]).value_or(*size),
                         whole(segment["stream"]).value_or(0), block["frames"]};
    }
  }
  return live;
}

Expected<Pickle::Value> choose(Pickle::Value traces, const ReadOptions& options, Trace& trace) {
  std::size_t chosen = traces.size();
  for (std::size_t i = traces.size(); i-- > 0;)
    if (options.device ? static_cast<int>(i) == *options.device : traces[i].size() > 0) chosen = i;
  if (chosen == traces.size() || traces[chosen].size() == 0)
    return tl::unexpected(fmt::format(
        "holds no event{}; {}", options.device ? fmt::format(" of device {}", *options.device) : "",
        kHowToRecord));
  for (std::size_t i = 0; i < traces.size(); ++i)
    if (i != chosen) trace.other_devices += traces[i].size();
  trace.device = static_cast<int>(chosen);
  return traces[chosen];
}

}  // namespace

Expected<Trace> read_snapshot(std::string_view bytes, const ReadOptions& options) {
  const auto pickle = Pickle::parse(bytes);
  if (!pickle) return tl::unexpected(pickle.error());
  const auto root = pickle->root();
  if (root.is(Pickle::Type::list))
    return tl::unexpected(
        fmt::format("holds the segments of torch.cuda.memory_snapshot() only, which say what was "
                    "allocated, not when; {}",
                    kHowToRecord));
  if (!root.is(Pickle::Type::dict) || !root["segments"].is(Pickle::Type::list) ||
      !root["device_traces"].is(Pickle::Type::list))
    return tl::unexpected(fmt::format(
        "is a pickle, but no memory snapshot ('segments' and 'device_traces'); {}", kHowToRecord));

  Builder builder;
  const auto raw = choose(root["device_traces"], options, builder.trace());
  if (!raw) return tl::unexpected(raw.error());
  if (raw->size() > kMostEvents)
    return tl::unexpected(
        fmt::format("device_traces: {} events, more than {}; record a shorter period", raw->size(),
                    kMostEvents));
  std::vector<Entry> entries;
  entries.reserve(raw->size());
  for (std::size_t i = 0; i < raw->size(); ++i) {
    auto entry = read_entry((*raw)[i], i);
    if (!entry) return tl::unexpected(entry.error());
    entries.push_back(*entry);
  }

  auto live = live_at_end(root["segments"], static_cast<std::uint64_t>(builder.trace().device));
  if (!live) return tl::unexpected(live.error());
  for (std::size_t i = entries.size(); i-- > 0;) {
    const auto& entry = entries[i];
    if (entry.action == Entry::allocate) live->erase(entry.address);
    if (entry.action == Entry::free) (*live)[entry.address] = {entry.bytes, entry.stream, {}};
  }
  const auto too_large = [](std::string_view where) {
    return tl::unexpected(fmt::format("{}: more is live then than any device has", where));
  };
  SnapshotBeside beside(*raw, root["segments"], options.stacks, builder.trace());
  for (const auto& [address, block] : *live) {
    if (builder.allocate(address, block.bytes, 0, block.stream, 0) == Builder::Outcome::too_large)
      return too_large("segments");
    beside.allocated(block.frames);
  }
  builder.trace().initial_blocks = live->size();

  const auto start = entries.front().time;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const auto& entry = entries[i];
    const auto time = entry.time >= start ? entry.time - start : 0;
    auto outcome = Builder::Outcome::added;
    if (entry.action == Entry::allocate) {
      outcome = builder.allocate(entry.address, entry.bytes, time, entry.stream, 0);
      beside.allocated((*raw)[i]["frames"]);
    }
    if (entry.action == Entry::free) outcome = builder.free(entry.address, time, entry.stream, 0);
    if (entry.action == Entry::other) beside.other((*raw)[i], time);
    if (outcome == Builder::Outcome::live_already)
      return tl::unexpected(
          fmt::format("device_traces: event {}: allocates {:#x}, which is live; the snapshot is "
                      "damaged, record it again: {}",
                      i, entry.address, kHowToRecord));
    if (outcome == Builder::Outcome::too_large)
      return too_large(fmt::format("device_traces: event {}", i));
    if (outcome == Builder::Outcome::too_many)
      return tl::unexpected(
          fmt::format("device_traces: event {}: more streams or blocks than can be numbered; "
                      "record a shorter period",
                      i));
  }
  return std::move(builder).finish();
}

}  // namespace gmlake::trace
