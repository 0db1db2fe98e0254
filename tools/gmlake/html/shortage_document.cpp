// An out-of-memory file (docs/statistics.md) as the page has it: rows without names, checked.
#include <map>

#include <spdlog/fmt/fmt.h>

#include "html/documents.h"
#include "html/figures.h"
#include "support/units.h"

namespace gmlake::tool::html {
namespace {

using nlohmann::json;

std::uint64_t number(const json& object, const char* key) {
  return object.at(key).get<std::uint64_t>();
}

// 0 absent, 1 free, 2 free with work pending, 3 held or lent, 4 live, 5 parked: as html/shortage.js
// has it.
json region_row(const json& region) {
  static const std::map<std::string, int> kStates{{"absent", 0}, {"free", 1}, {"held", 3},
                                                  {"lent", 3},   {"live", 4}, {"parked", 5}};
  int state = kStates.at(region.at("state").get<std::string>());
  std::int64_t timeline = -1;
  if (const auto fence = region.find("fence"); state == 1 && fence != region.end()) {
    timeline = fence->at("timeline").get<std::int64_t>();
    if (!fence->at("passed").get<bool>()) state = 2;
  }
  return {number(region, "start"), number(region, "size"), state,
          region.at("heap").get<std::string>() == "small", timeline};
}

json window_row(const json& window) {
  auto pieces = json::array();
  for (const auto& piece : window.at("pieces"))
    pieces.push_back({number(piece, "start"), number(piece, "size")});
  return {number(window, "address"), number(window, "size"), window.at("busy").get<bool>(), pieces};
}

}  // namespace

Document shortage_document(const std::string& name, const json& file) {
  auto regions = json::array(), windows = json::array(), blocks = json::array(),
       timelines = json::array();
  for (const auto& region : file.at("regions")) regions.push_back(region_row(region));
  for (const auto& window : file.at("windows")) windows.push_back(window_row(window));
  for (const auto& block : file.at("blocks"))
    blocks.push_back({number(block, "address"), number(block, "requested"), number(block, "size"),
                      block.contains("window")});
  for (const auto& timeline : file.at("timelines"))
    timelines.push_back({number(timeline, "timeline"), timeline.at("kind").get<std::string>(),
                         number(timeline, "pending_bytes")});
  json memory, request;
  for (const char* key :
       {"home", "live", "physical", "free", "largest_span", "limit_left", "device_free"})
    memory[key] = number(file.at("memory"), key);
  for (const char* key : {"bytes", "missing"}) request[key] = number(file.at("request"), key);
  const auto device = file.at("device").get<int>();
  Document document;
  document.about = {{"kind", "oom"},
                    {"name", name},
                    {"subtitle", fmt::format("out of memory on device {}: {} were asked for",
                                             device, human_bytes(number(request, "bytes")))},
                    {"explanation", file.at("explanation").get<std::string>()},
                    {"request", request},
                    {"memory", memory},
                    {"regions", std::move(regions)},
                    {"windows", std::move(windows)},
                    {"blocks", std::move(blocks)},
                    {"timelines", std::move(timelines)},
                    {"who", holders_of(file)},
                    {"figures", counter_rows({&file.at("counters")})},
                    {"columns_of_figures", {fmt::format("device {}", device)}}};
  return document;
}

}  // namespace gmlake::tool::html
