#include "stats/holder.h"

#include <algorithm>

#include "stats/fixed_text.h"
#include "support/json_writer.h"

namespace gmlake::stats {

void show(HoldersRecord& record, const Holders& all, std::uint64_t now) {
  record.sample_bytes = all.sample_bytes;
  record.live = all.live;
  record.peak = all.peak;
  record.lost = all.lost;
  const Holder none;
  for (std::size_t i = 0; i < HoldersRecord::kMost; ++i) {
    const auto& one = i < all.holders.size() ? all.holders[i] : none;
    auto& line = record.lines[i];
    line.live = one.live;
    line.at_peak = one.at_peak;
    line.allocated = one.allocated;
    line.blocks = one.blocks;
    line.oldest = now - std::min(now, static_cast<std::uint64_t>(one.oldest_seconds * 1e9));
    put_start(line.name, one.name);
    put_start(line.library, one.library);
    put_start(line.stream, one.stream);
    const auto put = [](auto& lines, const std::vector<std::string>& texts) {
      for (std::size_t f = 0; f < HoldersRecord::kFrames; ++f)
        put_start(lines[f], f < texts.size() ? texts[f] : std::string());
    };
    put(line.frames, one.frames);
    put(line.python, one.python);
  }
}

Holders shown(const HoldersRecord& record, std::uint64_t now) {
  Holders all{record.sample_bytes, record.live, record.peak, record.lost, {}};
  for (const auto& line : record.lines) {
    if (line.allocated == 0) break;
    auto& one = all.holders.emplace_back();
    one.live = line.live;
    one.at_peak = line.at_peak;
    one.allocated = line.allocated;
    one.blocks = line.blocks;
    if (one.blocks != 0 && now > line.oldest)
      one.oldest_seconds = static_cast<double>(now - line.oldest) / 1e9;
    one.name = text_in(line.name);
    one.library = text_in(line.library);
    one.stream = text_in(line.stream);
    for (const auto& frame : line.frames)
      if (frame[0] != 0) one.frames.push_back(text_in(frame));
    for (const auto& frame : line.python)
      if (frame[0] != 0) one.python.push_back(text_in(frame));
  }
  return all;
}

void add_holders(JsonWriter& json, const Holders& all) {
  json.member("sample_bytes", all.sample_bytes);
  json.member("live", all.live);
  json.member("peak", all.peak);
  json.member("lost", all.lost);
  json.array("holders", [&] {
    for (const auto& one : all.holders)
      json.object([&] {
        json.member("name", one.name);
        json.member("library", one.library);
        json.member("live", one.live);
        json.member("at_peak", one.at_peak);
        json.member("allocated", one.allocated);
        json.member("blocks", one.blocks);
        json.member("oldest_seconds", one.oldest_seconds);
        json.member("stream", one.stream);
        json.array("frames", [&] {
          for (const auto& frame : one.frames) json.element(frame);
        });
        json.array("python", [&] {
          for (const auto& frame : one.python) json.element(frame);
        });
      });
  });
}

}  // namespace gmlake::stats
