// Who holds memory: the blocks that were asked for from one place in the program, or under one name
// (gmlake_annotate), as far as they were noted (stats.sample_bytes).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "support/units.h"

namespace gmlake {
class JsonWriter;
}

namespace gmlake::stats {

struct Holder {
  std::string name;                 // as the program said; "": it said nothing
  std::string library;              // that made the call
  std::vector<std::string> frames;  // the calls that led there, the innermost first
  std::vector<std::string> python;  // Python's that led to those: "function (file:line)"
  Bytes live = 0;                   // requested bytes in blocks not yet freed
  Bytes at_peak = 0;                // the same when all of them together had the most
  Bytes allocated = 0;              // summed over its allocations
  std::uint64_t blocks = 0;         // not yet freed, of those that were noted
  double oldest_seconds = 0;        // age of the oldest of them
  std::string stream;               // of the latest: "legacy", "per-thread", "host" or its number
};

// What has been noted. Small blocks stand for each other: their figures are estimates.
struct Holders {
  Bytes sample_bytes = 0;       // 0: nothing is noted
  Bytes live = 0, peak = 0;     // the peak to a hundredth
  std::uint64_t lost = 0;       // not noted for want of host memory
  std::vector<Holder> holders;  // those with the most, at the peak or now, first
};

// The first of them in a live page (stats/live_layout.h): texts are cut, each ends with a zero.
struct HoldersRecord {
  static constexpr std::size_t kMost = 8, kFrames = 8;
  struct Line {
    Bytes live, at_peak, allocated;
    std::uint64_t blocks;
    std::uint64_t oldest;  // since when its oldest block is there: monotonic, nanoseconds
    char name[64], library[64], stream[24];
    std::array<char[112], kFrames> frames;
    std::array<char[256], kFrames> python;
  };
  Bytes sample_bytes, live, peak;
  std::uint64_t lost;
  std::array<Line, kMost> lines;  // of `allocated` 0: none
};
// Written by one thread at a time; a reader may see some of the next ones.
void show(HoldersRecord& record, const Holders& holders, std::uint64_t now);
Holders shown(const HoldersRecord& record, std::uint64_t now);

// "sample_bytes" and so on, into an object.
void add_holders(JsonWriter& json, const Holders& holders);

}  // namespace gmlake::stats
