// Both forms of output; see report.h.
#include "replay/report.h"

#include <algorithm>
#include <array>
#include <iterator>

#include <spdlog/fmt/fmt.h>
#include <nlohmann/json.hpp>

#include "config/schema.h"
#include "stats/page.h"
#include "stats/report.h"
#include "stats/unproved_text.h"
#include "support/printable.h"

namespace gmlake::replay {
namespace {

constexpr std::array<const char*, stats::kDriverCalls> kDriverNames{
#define X(name) #name,
    GMLAKE_DRIVER_CALLS(X)
#undef X
};

std::uint64_t hits(const stats::DeviceCounters& c) {
  return c.hits_exact + c.hits_window + c.hits_split + c.hits_small;
}

// As the report of a process says it.
std::string not_reused(const NamedResults& results, const config::Config& config) {
  stats::Page page;
  stats::Report report;
  report.follow_events = config.streams_follow_events;
  report.reuse_completed = config.streams_reuse_completed;
  for (const auto& [name, result] : results) {
    if (result.report.unproved.pairs.empty()) continue;
    page.heading(fmt::format("\n{}", printable(name)));
    stats::add_unproved(page, report, result.report);
  }
  return page.take();
}

}  // namespace

std::string table(const NamedResults& results, const config::Config& config) {
  using Row = std::vector<std::string>;
  std::vector<Row> rows{
      {"trace", "peak live", "physical", "utilization", "allocations", "hits", "stitches",
       "growths", "driver calls", "stitches per loop", "ns/event", "mallocs/event"},
      {"", "GiB", "GiB", "live/phys.", "", "", "", "", "first, last", "", "steady", "64 bytes"}};
  const bool smallest = std::any_of(results.begin(), results.end(), [](const auto& named) {
    return named.second.smallest_device.has_value();
  });
  if (smallest) {
    rows[0].insert(rows[0].end(), {"smallest device", "live/dev."});
    rows[1].insert(rows[1].end(), {"GiB", ""});
  }
  for (const auto& [name, result] : results) {
    const auto& c = result.report.counters;
    const auto gib = [](Bytes n) {
      return fmt::format("{:.3f}", static_cast<double>(n) / static_cast<double>(GiB));
    };
    rows.push_back(
        {printable(name.substr(name.rfind('/') + 1)), gib(result.peak_live),
         gib(c.peak_physical_bytes),
         result.out_of_memory ? "out of mem." : fmt::format("{:.4f}", result.utilization()),
         fmt::format("{}", c.allocations), fmt::format("{}", hits(c)),
         fmt::format("{}", c.stitches), fmt::format("{}", c.growths),
         fmt::format("{}, {}", result.driver_calls_first_loop, result.driver_calls_last_loop),
         fmt::format("{}", fmt::join(result.stitches_per_loop, " ")),
         fmt::format("{:.0f}", result.nanoseconds_per_event),
         fmt::format("{:.1f}", result.malloc_pairs_per_event())});
    if (!smallest) continue;
    const auto& device = result.smallest_device;
    rows.back().push_back(device ? gib(*device) : "none");
    rows.back().push_back(device ? fmt::format("{:.4f}", result.live_over(*device)) : "");
  }
  std::vector<std::size_t> widths(rows.front().size());
  for (const auto& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  std::string out;
  for (const auto& row : rows) {
    fmt::format_to(std::back_inserter(out), "{:<{}}", row[0], widths[0]);
    for (std::size_t i = 1; i < row.size(); ++i)
      fmt::format_to(std::back_inserter(out), "  {:>{}}", row[i], widths[i]);
    out += '\n';
  }
  return out + not_reused(results, config);
}

std::string json(const NamedResults& results, const config::Config& config) {
  using Json = nlohmann::ordered_json;
  const auto configuration = Json::parse(config::to_json(config));
  auto all = Json::array();
  for (const auto& [name, result] : results) {
    const auto& c = result.report.counters;
    const auto& smallest = result.smallest_device;
    auto calls = Json::object();
    for (unsigned i = 0; i < stats::kDriverCalls; ++i)
      if (result.report.driver[i].calls > 0) calls[kDriverNames[i]] = result.report.driver[i].calls;
    all.push_back(
        {{"trace", name},
         {"events", result.events},
         {"loops", result.stitches_per_loop.size()},
         {"peak_live_bytes", result.peak_live},
         {"peak_physical_bytes", c.peak_physical_bytes},
         {"utilization", result.utilization()},
         {"allocations", c.allocations},
         {"hits",
          {{"exact", c.hits_exact},
           {"window", c.hits_window},
           {"split", c.hits_split},
           {"small", c.hits_small}}},
         {"stitches", c.stitches},
         {"growths", c.growths},
         {"reuse",
          {{"own_stream", c.reuse_own_stream},
           {"proved", c.reuse_proved},
           {"completed", c.reuse_completed},
           {"new", c.reuse_new}}},
         {"fences", c.fences},
         {"fence_queries", c.fence_queries},
         {"fence_queries_per_allocation", result.queries_per_allocation()},
         {"fence_waits", c.fence_waits},
         {"inserted_waits", c.ladder_inserted_waits},
         {"unproved", Json::parse(stats::to_json(result.report.unproved))},
         {"stitches_per_loop", result.stitches_per_loop},
         {"utilization_per_loop", result.utilization_per_loop},
         {"driver_calls", calls},
         {"driver_calls_first_loop", result.driver_calls_first_loop},
         {"driver_calls_last_loop", result.driver_calls_last_loop},
         {"modelled_driver_nanoseconds", result.modelled_driver_ns},
         {"modelled_driver_nanoseconds_last_loop", result.modelled_driver_ns_last_loop},
         {"nanoseconds_per_event", result.nanoseconds_per_event},
         {"malloc_pair_nanoseconds", result.malloc_pair_nanoseconds},
         {"malloc_pairs_per_event", result.malloc_pairs_per_event()},
         {"smallest_device_bytes", smallest ? Json(*smallest) : Json()},
         {"smallest_device_utilization", smallest ? Json(result.live_over(*smallest)) : Json()},
         {"out_of_memory", result.out_of_memory},
         {"config", configuration}});
  }
  return all.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace gmlake::replay
