// The report for programs. "version" is counters.h's kVersion.
#include <nlohmann/json.hpp>

#include "stats/report.h"

namespace gmlake::stats {
namespace {

using Json = nlohmann::ordered_json;

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
          {"driver_calls", calls}};
}

}  // namespace

std::string to_json(const Report& report) {
  Json devices = Json::array();
  for (const auto& device : report.devices) {
    Json entry = {{"device", device.device}};
    entry.update(figures(device));
    devices.push_back(std::move(entry));
  }
  const Json json = {
      {"format", "gmlake-report"},
      {"version", kVersion},
      {"gmlake", {{"version", report.version}, {"revision", report.revision}}},
      {"process",
       {{"pid", report.process},
        {"executable", report.executable},
        {"host", report.host},
        {"rank", report.rank},
        {"seconds", report.seconds}}},
      {"config",
       {{"pool_enabled", report.pool_enabled}, {"stitch_enabled", report.stitch_enabled}}},
      {"devices", std::move(devices)},
      {"total", figures(total(report.devices))}};
  // A program's name may hold any bytes; JSON may not.
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace gmlake::stats
