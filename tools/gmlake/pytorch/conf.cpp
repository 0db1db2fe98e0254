#include "conf.h"

#include <algorithm>
#include <vector>

namespace gmlake::tool {
namespace {

constexpr const char* kBackend = "backend:cudaMallocAsync";

std::string without_blanks(const std::string& text) {
  std::string bare;
  std::copy_if(text.begin(), text.end(), std::back_inserter(bare),
               [](unsigned char c) { return c != ' ' && c != '\t'; });
  return bare;
}

// At the commas that are in no bracket.
std::vector<std::string> settings_in(const std::string& conf) {
  std::vector<std::string> settings(1);
  int depth = 0;
  for (const char c : without_blanks(conf)) {
    if (c == '[') ++depth;
    if (c == ']') --depth;
    if (c == ',' && depth == 0)
      settings.emplace_back();
    else
      settings.back() += c;
  }
  std::erase(settings, "");
  return settings;
}

std::string listed(const std::vector<std::string>& settings) {
  std::string text;
  for (const auto& setting : settings) text += (text.empty() ? "" : ",") + setting;
  return text;
}

}  // namespace

AllocConf with_async_backend(const std::optional<std::string>& cuda,
                             const std::optional<std::string>& general) {
  const bool from_cuda = cuda.has_value();
  std::vector<std::string> kept;
  std::vector<std::string> dropped;
  for (const auto& setting : settings_in(from_cuda ? *cuda : general.value_or(""))) {
    if (setting == kBackend) continue;
    const bool excluded =
        setting.starts_with("backend:") || setting.starts_with("expandable_segments");
    (excluded ? dropped : kept).push_back(setting);
  }
  AllocConf conf;
  conf.value = kBackend + (kept.empty() ? "" : "," + listed(kept));
  const auto say = [&](const std::string& what) {
    conf.said += (conf.said.empty() ? "" : "; ") + what;
  };
  const std::string source = from_cuda ? kCudaAllocConf : kAllocConf;
  if (!dropped.empty())
    say("dropped " + listed(dropped) + " of " + source + ", which excludes that backend");
  if (!kept.empty()) say("kept " + listed(kept) + " of " + source);
  if (from_cuda && general && !without_blanks(*general).empty())
    say(std::string(kAllocConf) + " was not in force, as " + kCudaAllocConf +
        " was set, and is not now");
  return conf;
}

}  // namespace gmlake::tool
