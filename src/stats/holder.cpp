#include "stats/holder.h"

#include "support/json_writer.h"

namespace gmlake::stats {

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
      });
  });
}

}  // namespace gmlake::stats
