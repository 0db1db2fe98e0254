// Counting over a trace and its two forms of output; see info.h.
#include "trace/info.h"

#include <algorithm>
#include <array>
#include <bit>
#include <iterator>

#include <spdlog/fmt/fmt.h>
#include <nlohmann/json.hpp>

#include "support/printable.h"
#include "trace/sums.h"

namespace gmlake::trace {
namespace {

constexpr Bytes kSmall = MiB;

std::uint64_t at_rank(std::vector<std::uint64_t>& values, std::size_t percent) {
  if (values.empty()) return 0;
  const auto rank = (values.size() - 1) * percent / 100;
  const auto position = values.begin() + static_cast<std::ptrdiff_t>(rank);
  std::nth_element(values.begin(), position, values.end());
  return *position;
}

}  // namespace

Info summarize(const Trace& trace) {
  Info info;
  std::array<Info::Bucket, 65> sizes;
  std::vector<std::size_t> born(trace.allocations);
  std::vector<std::uint64_t> lifetimes;
  Bytes live = 0;
  std::uint64_t blocks = 0;
  for (const auto stream : trace.streams) info.streams.push_back({stream, {}, 0, 0, 0, 0, 0});
  for (const auto& [index, thread] : trace.stream_threads) info.streams[index].thread = thread;
  for (std::size_t i = 0; i < trace.events.size(); ++i) {
    const auto& event = trace.events[i];
    auto& lane = info.streams[event.stream];
    if (event.of_pool()) continue;
    if (!event.of_memory()) {
      info.synchronizations += event.kind() == Kind::synchronize || event.kind() == Kind::complete;
      info.records += event.kind() == Kind::record;
      lane.records += event.kind() == Kind::record;
      info.waits += event.kind() == Kind::wait;
      lane.waits += event.kind() == Kind::wait;
      continue;
    }
    if (event.kind() == Kind::free) {
      ++info.frees;
      ++lane.frees;
      live -= event.bytes;
      --blocks;
      lifetimes.push_back(i - born[event.block]);
      continue;
    }
    ++info.allocations;
    ++lane.allocations;
    add_to(lane.bytes, event.bytes);
    add_to(info.allocated, event.bytes);
    info.small_allocations += event.bytes <= kSmall;
    born[event.block] = i;
    add_to(live, event.bytes);
    info.peak_live = std::max(info.peak_live, live);
    info.peak_blocks = std::max(info.peak_blocks, ++blocks);
    auto& bucket =
        sizes[event.bytes <= 1 ? 0 : static_cast<std::size_t>(std::bit_width(event.bytes - 1))];
    ++bucket.allocations;
    add_to(bucket.bytes, event.bytes);
  }
  info.live_at_end = live;
  info.never_freed = blocks;
  if (!trace.events.empty() && trace.events.back().time > trace.events.front().time)
    info.duration = trace.events.back().time - trace.events.front().time;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    if (sizes[i].allocations == 0) continue;
    sizes[i].above = i == 0 ? 0 : Bytes{1} << (i - 1);
    sizes[i].up_to = i == 64 ? ~Bytes{0} : Bytes{1} << i;
    info.sizes.push_back(sizes[i]);
  }
  info.lifetimes.median = at_rank(lifetimes, 50);
  info.lifetimes.p90 = at_rank(lifetimes, 90);
  info.lifetimes.longest = at_rank(lifetimes, 100);
  return info;
}

std::string info_text(const std::string& name, const Trace& trace, const Info& info) {
  std::string text;
  const auto line = [&](std::string_view key, const std::string& value) {
    fmt::format_to(std::back_inserter(text), "  {:<22}{}\n", key, value);
  };
  text = printable(name) + "\n";
  line("device", fmt::format("{}", trace.device));
  line("events", fmt::format("{} ({} allocations, {} frees)", trace.events.size(), info.allocations,
                             info.frees));
  if (trace.cuda_events)
    line("order", fmt::format("{} events recorded {} times, waited for {} times by streams and {} "
                              "by the host",
                              trace.cuda_events, info.records, info.waits, info.synchronizations));
  line("duration", fmt::format("{:.3f} s", static_cast<double>(info.duration) / 1e6));
  line("peak live",
       fmt::format("{} in at most {} blocks", human_bytes(info.peak_live), info.peak_blocks));
  line("allocated in all", human_bytes(info.allocated));
  line("up to 1 MiB",
       fmt::format("{:.1f} % of the allocations",
                   info.allocations == 0 ? 0.0
                                         : 100.0 * static_cast<double>(info.small_allocations) /
                                               static_cast<double>(info.allocations)));
  line("never freed",
       fmt::format("{} blocks, {}", info.never_freed, human_bytes(info.live_at_end)));
  line("lifetime", fmt::format("median {}, 90 % within {}, longest {} events",
                               info.lifetimes.median, info.lifetimes.p90, info.lifetimes.longest));
  if (trace.initial_blocks) line("alive before", fmt::format("{} blocks", trace.initial_blocks));
  if (trace.unknown_frees)
    line("frees of unknown", fmt::format("{}, ignored", trace.unknown_frees));
  if (trace.allocation_failures)
    line("failed allocations", fmt::format("{}, ignored", trace.allocation_failures));
  if (trace.native) line("of native memory", fmt::format("{} rows, ignored", trace.native));
  if (trace.lost)
    line("lost", fmt::format("{} events that the recorder had no time for", trace.lost));
  if (trace.cut)
    line("cut",
         fmt::format("the end of the file is missing; {} cut rows, skipped", trace.cut_rows));
  if (trace.other_devices)
    line("of other devices", fmt::format("{} events, ignored; see --device", trace.other_devices));
  fmt::format_to(std::back_inserter(text), "\n  {:>12} {:>12} {:>14}\n", "size up to",
                 "allocations", "bytes");
  for (const auto& bucket : info.sizes)
    fmt::format_to(std::back_inserter(text), "  {:>12} {:>12} {:>14}\n", exact_bytes(bucket.up_to),
                   bucket.allocations, human_bytes(bucket.bytes));
  fmt::format_to(std::back_inserter(text), "\n  {:>12} {:>12} {:>14} {:>12}\n", "stream",
                 "allocations", "bytes", "frees");
  for (const auto& lane : info.streams)
    fmt::format_to(std::back_inserter(text), "  {:>12} {:>12} {:>14} {:>12}\n",
                   lane.thread            ? fmt::format("thread {}", *lane.thread)
                   : lane.stream == kHost ? "host"
                                          : fmt::format("{:#x}", lane.stream),
                   lane.allocations, human_bytes(lane.bytes), lane.frees);
  return text;
}

std::string info_json(const std::string& name, const Trace& trace, const Info& info) {
  using Json = nlohmann::ordered_json;
  Json json = {{"trace", name},
               {"device", trace.device},
               {"events", trace.events.size()},
               {"allocations", info.allocations},
               {"frees", info.frees},
               {"cuda_events", trace.cuda_events},
               {"records", info.records},
               {"waits", info.waits},
               {"synchronizations", info.synchronizations},
               {"duration_microseconds", info.duration},
               {"peak_live_bytes", info.peak_live},
               {"peak_live_blocks", info.peak_blocks},
               {"allocated_bytes", info.allocated},
               {"small_allocations", info.small_allocations},
               {"never_freed_blocks", info.never_freed},
               {"never_freed_bytes", info.live_at_end},
               {"initial_blocks", trace.initial_blocks},
               {"unknown_frees", trace.unknown_frees},
               {"allocation_failures", trace.allocation_failures},
               {"other_device_events", trace.other_devices},
               {"native_events", trace.native},
               {"lost_events", trace.lost},
               {"cut", trace.cut},
               {"cut_rows", trace.cut_rows},
               {"threads", trace.threads.size()},
               {"lifetime_events",
                {{"median", info.lifetimes.median},
                 {"p90", info.lifetimes.p90},
                 {"longest", info.lifetimes.longest}}},
               {"sizes", Json::array()},
               {"streams", Json::array()}};
  for (const auto& bucket : info.sizes)
    json["sizes"].push_back({{"above_bytes", bucket.above},
                             {"up_to_bytes", bucket.up_to},
                             {"allocations", bucket.allocations},
                             {"bytes", bucket.bytes}});
  for (const auto& lane : info.streams) {
    json["streams"].push_back({{"stream", lane.stream == kHost ? Json("host") : Json(lane.stream)},
                               {"allocations", lane.allocations},
                               {"frees", lane.frees},
                               {"bytes", lane.bytes},
                               {"records", lane.records},
                               {"waits", lane.waits}});
    if (lane.thread) json["streams"].back()["thread"] = *lane.thread;
  }
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace gmlake::trace
