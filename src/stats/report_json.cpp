// The report for programs. "version" is counters.h's kVersion.
#include <spdlog/fmt/fmt.h>
#include <nlohmann/json.hpp>

#include "stats/report.h"

namespace gmlake::stats {
namespace {

using Json = nlohmann::ordered_json;

Json figures(const UnprovedCost& cost) {
  Json json = Json::object();
#define X(name, unit, help) json[#name] = cost.name;
  GMLAKE_UNPROVED(X)
#undef X
  return json;
}

Json named(const StreamName& name) {
  constexpr const char* kKinds[] = {"created", "legacy", "per_thread", "host"};
  Json json = {{"kind", kKinds[static_cast<unsigned>(name.kind)]}};
  if (name.kind == StreamName::Kind::host)
    json["context"] = fmt::format("{}", name.context);
  else
    json["stream"] = name.id;
  return json;
}

Json figures(const Unproved& unproved) {
  Json pairs = Json::array();
  for (const auto& pair : unproved.pairs) {
    Json entry = {{"wanted_by", named(pair.wanted_by)}, {"freed_by", named(pair.freed_by)}};
    entry.update(figures(pair.cost));
    pairs.push_back(std::move(entry));
  }
  return {{"pairs", std::move(pairs)}, {"others", figures(unproved.others)}};
}

Json figures(const DeviceReport& device) {
  Json counters = Json::object();
#define X(name, kind, unit, help) counters[#name] = device.counters.name;
  GMLAKE_COUNTERS(X)
#undef X
  Json calls = Json::object();
  const auto add = [&](const char* name, DriverCall call) {
    const auto& count = device.driver[static_cast<unsigned>(call)];
    calls[name] = {
        {"calls", count.calls}, {"nanoseconds", count.nanoseconds}, {"failures", count.failures}};
  };
#define X(name) add(#name, DriverCall::name);
  GMLAKE_DRIVER_CALLS(X)
#undef X
  return {{"counters", counters},
          {"utilization", utilization(device.counters)},
          {"unproved", figures(device.unproved)},
          {"driver_calls", calls}};
}

}  // namespace

std::string to_json(const Unproved& unproved) {
  return figures(unproved).dump();
}

std::string to_json(const Report& report) {
  Json devices = Json::array();
  for (const auto& device : report.devices) {
    Json entry = {{"device", device.device}};
    entry.update(figures(device));
    devices.push_back(std::move(entry));
  }
  const Json json = {{"format", "gmlake-report"},
                     {"version", kVersion},
                     {"gmlake", {{"version", report.version}, {"revision", report.revision}}},
                     {"process",
                      {{"pid", report.process},
                       {"executable", report.executable},
                       {"host", report.host},
                       {"rank", report.rank},
                       {"seconds", report.seconds}}},
                     {"config",
                      {{"pool_enabled", report.pool_enabled},
                       {"stitch_enabled", report.stitch_enabled},
                       {"events_seen", report.events_seen},
                       {"follow_events", report.follow_events},
                       {"reuse_completed", report.reuse_completed},
                       {"single_stream", report.single_stream}}},
                     {"devices", std::move(devices)},
                     {"total", figures(total(report.devices))}};
  // A program's name may hold any bytes; JSON may not.
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace gmlake::stats
