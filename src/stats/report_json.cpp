// The report for programs. "version" is counters.h's kVersion.
#include <spdlog/fmt/fmt.h>

#include "stats/report.h"
#include "support/json_writer.h"

namespace gmlake::stats {
namespace {

void add(JsonWriter& json, const UnprovedCost& cost) {
#define X(name, unit, help) json.member(#name, cost.name);
  GMLAKE_UNPROVED(X)
#undef X
}

void add(JsonWriter& json, const StreamName& name) {
  constexpr const char* kKinds[] = {"created", "legacy", "per_thread", "host"};
  json.member("kind", kKinds[static_cast<unsigned>(name.kind)]);
  if (name.kind == StreamName::Kind::host)
    json.member("context", fmt::format("{}", name.context));
  else
    json.member("stream", name.id);
}

void add(JsonWriter& json, const Unproved& unproved) {
  json.array("pairs", [&] {
    for (const auto& pair : unproved.pairs)
      json.object([&] {
        json.object("wanted_by", [&] { add(json, pair.wanted_by); });
        json.object("freed_by", [&] { add(json, pair.freed_by); });
        add(json, pair.cost);
      });
  });
  json.object("others", [&] { add(json, unproved.others); });
}

void add(JsonWriter& json, const DeviceReport& device) {
  json.object("counters", [&] {
#define X(name, kind, unit, help) json.member(#name, device.counters.name);
    GMLAKE_COUNTERS(X)
#undef X
  });
  json.member("utilization", utilization(device.counters));
  json.object("unproved", [&] { add(json, device.unproved); });
  json.object("driver_calls", [&] {
    const auto add_call = [&](const char* name, DriverCall call) {
      const auto& count = device.driver[static_cast<unsigned>(call)];
      json.object(name, [&] {
        json.member("calls", count.calls);
        json.member("nanoseconds", count.nanoseconds);
        json.member("failures", count.failures);
      });
    };
#define X(name) add_call(#name, DriverCall::name);
    GMLAKE_DRIVER_CALLS(X)
#undef X
  });
}

}  // namespace

std::string to_json(const Unproved& unproved) {
  JsonWriter json(0);
  json.object([&] { add(json, unproved); });
  return json.take();
}

std::string to_json(const Report& report) {
  JsonWriter json(2);
  json.object([&] {
    json.member("format", "gmlake-report");
    json.member("version", kVersion);
    json.object("gmlake", [&] {
      json.member("version", report.version);
      json.member("revision", report.revision);
    });
    json.object("process", [&] {
      json.member("pid", report.process);
      json.member("executable", report.executable);
      json.member("host", report.host);
      json.member("rank", report.rank);
      json.member("seconds", report.seconds);
      json.member("recovered", report.recovered);
    });
    json.object("config", [&] {
      json.member("pool_enabled", report.pool_enabled);
      json.member("stitch_enabled", report.stitch_enabled);
      json.member("events_seen", report.events_seen);
      json.member("follow_events", report.follow_events);
      json.member("reuse_completed", report.reuse_completed);
      json.member("single_stream", report.single_stream);
    });
    json.array("devices", [&] {
      for (const auto& device : report.devices)
        json.object([&] {
          json.member("device", device.device);
          add(json, device);
        });
    });
    json.object("total", [&] { add(json, total(report.devices)); });
    if (report.who.sample_bytes != 0) json.object("who", [&] { add_holders(json, report.who); });
  });
  return json.take() + "\n";
}

}  // namespace gmlake::stats
