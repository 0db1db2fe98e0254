// All samples of one name stand together, as the format wants it. What only rises is called _total.
#include "prometheus.h"

#include <functional>
#include <string_view>

#include <spdlog/fmt/fmt.h>

namespace gmlake::tool {
namespace {

std::string label_text(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\n') {
      out += "\\n";
      continue;
    }
    if (c == '\\' || c == '"') out += '\\';
    out += c;
  }
  return out;
}

class Text {
 public:
  explicit Text(const std::vector<const stats::Report*>& reports) : reports_(reports) {}

  template <typename Value>
  void add(std::string name, std::string_view kind, std::string_view help, Value value) {
    const bool rises = kind == "count";
    if (rises) name += "_total";
    text_ += fmt::format("# HELP gmlake_{0} {1}\n# TYPE gmlake_{0} {2}\n", name, help,
                         rises ? "counter" : "gauge");
    for (const auto* report : reports_)
      for (const auto& device : report->devices)
        value(device, [&](std::string_view more, auto figure) {
          text_ += fmt::format(
              "gmlake_{}{{pid=\"{}\",executable=\"{}\",host=\"{}\",rank=\"{}\",device=\"{}\"{}}} "
              "{}\n",
              name, report->process, label_text(report->executable), label_text(report->host),
              label_text(report->rank), device.device, more, figure);
        });
  }
  std::string take() { return std::move(text_); }

 private:
  const std::vector<const stats::Report*>& reports_;
  std::string text_;
};

}  // namespace

std::string to_prometheus(const std::vector<const stats::Report*>& reports) {
  Text text(reports);
#define X(name, kind, unit, help) \
  text.add(#name, #kind, help,    \
           [](const stats::DeviceReport& d, auto put) { put("", d.counters.name); });
  GMLAKE_COUNTERS(X)
#undef X
  const auto each_call = [](const stats::DeviceReport& d, auto put) {
#define X(name) \
  put(",function=\"" #name "\"", d.driver[static_cast<unsigned>(stats::DriverCall::name)]);
    GMLAKE_DRIVER_CALLS(X)
#undef X
  };
  text.add("driver_calls", "count", "driver calls by the pool", [&](const auto& d, auto put) {
    each_call(d, [&](std::string_view more, const auto& call) { put(more, call.calls); });
  });
  text.add("driver_seconds", "count", "time in driver calls by the pool",
           [&](const auto& d, auto put) {
             each_call(d, [&](std::string_view more, const auto& call) {
               put(more, static_cast<double>(call.nanoseconds) / 1e9);
             });
           });
  return text.take();
}

}  // namespace gmlake::tool
