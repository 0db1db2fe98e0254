// Reports as the page has them, from files and from pages of processes.
#include <map>

#include <spdlog/fmt/fmt.h>

#include "html/documents.h"
#include "html/figures.h"
#include "stats/report.h"
#include "support/units.h"

namespace gmlake::tool::html {
namespace {

using nlohmann::json;

struct CounterWords {
  const char *name, *unit, *help;
};

constexpr CounterWords kCounters[] = {
#define X(name, kind, unit, help) {#name, #unit, help},
    GMLAKE_COUNTERS(X)
#undef X
};

}  // namespace

json counter_rows(const std::vector<const json*>& counters) {
  auto rows = json::array();
  for (const auto& words : kCounters) {
    auto values = json::array();
    for (const auto* one : counters) values.push_back(one->value(words.name, std::uint64_t{0}));
    rows.push_back({words.name, words.unit, words.help, values});
  }
  return rows;
}

// Frames have numbers. Python's called the others; the name that the program gave is the outermost.
json holders_of(const json& file) {
  const auto who = file.find("who");
  if (who == file.end()) return nullptr;
  std::map<std::string, std::size_t> numbers;
  auto frames = json::array(), stacks = json::array();
  const auto number_of = [&](const std::string& text) {
    const auto [known, fresh] = numbers.try_emplace(text, frames.size());
    if (fresh) frames.push_back(text);
    return known->second;
  };
  json figures{{"at_peak", json::array()}, {"live", json::array()}, {"allocated", json::array()}};
  for (const auto& holder : who->at("holders")) {
    auto stack = json::array();
    for (const auto& frame : holder.at("frames"))
      stack.push_back(number_of(frame.get<std::string>()));
    for (const auto& frame : holder.value("python", json::array()))
      stack.push_back(number_of(frame.get<std::string>()));
    const auto name = holder.at("name").get<std::string>();
    if (!name.empty()) stack.push_back(number_of("\"" + name + "\""));
    stacks.push_back(std::move(stack));
    for (auto& [key, values] : figures.items())
      values.push_back(holder.at(key).get<std::uint64_t>());
  }
  figures["frames"] = std::move(frames);
  figures["stacks"] = std::move(stacks);
  return figures;
}

Document report_document(const std::string& name, const json& report) {
  if (report.value("format", "") != "gmlake-report")
    throw std::runtime_error("no report of gmlake's");
  const auto& process = report.at("process");
  const auto& total = report.at("total").at("counters");
  std::vector<const json*> counters{&total};
  auto columns = json::array({"all devices"});
  for (const auto& device : report.at("devices")) {
    counters.push_back(&device.at("counters"));
    columns.push_back(fmt::format("device {}", device.at("device").get<int>()));
  }
  if (counters.size() == 2) {  // once is enough
    counters.erase(counters.begin());
    columns.erase(columns.begin());
  }
  Document document;
  document.about = {
      {"kind", "report"},
      {"name", name},
      {"subtitle",
       fmt::format("{} (pid {}) on {}, rank {}: {:.1f} s{}; peak live {}, peak physical {}",
                   process.at("executable").get<std::string>(),
                   process.at("pid").get<std::int64_t>(), process.at("host").get<std::string>(),
                   process.at("rank").get<std::string>(), process.at("seconds").get<double>(),
                   process.value("recovered", false) ? ", recovered" : "",
                   human_bytes(total.at("peak_live_bytes").get<std::uint64_t>()),
                   human_bytes(total.at("peak_physical_bytes").get<std::uint64_t>()))},
      {"series", json::array()},
      {"who", holders_of(report)},
      {"figures", counter_rows(counters)},
      {"columns_of_figures", columns}};
  return document;
}

Document page_document(const stats::PageView& page) {
  const auto name = fmt::format("{} (pid {})", page.report.executable, page.report.process);
  auto document = report_document(name, json::parse(stats::to_json(page.report)));
  for (const auto& device : page.history) {
    if (device.samples.size() < 2) continue;
    json seconds, live, physical;
    for (const auto& sample : device.samples) {
      seconds.push_back(
          (static_cast<double>(sample.nanoseconds) - static_cast<double>(page.began)) / 1e9);
      live.push_back(sample.live);
      physical.push_back(sample.physical);
    }
    document.about["series"].push_back({{"device", device.device},
                                        {"seconds", std::move(seconds)},
                                        {"live", std::move(live)},
                                        {"physical", std::move(physical)}});
  }
  return document;
}

}  // namespace gmlake::tool::html
