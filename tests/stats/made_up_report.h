// A report of two devices whose figures are easy to follow.
#pragma once

#include "stats/report.h"
#include "support/units.h"

namespace gmlake::stats {

inline Report made_up_report() {
  Report report;
  report.version = "1.2.3";
  report.revision = "abc";
  report.process = 42;
  report.executable = "train";
  report.host = "node7";
  report.rank = "3";
  report.seconds = 12.34;
  for (int device = 0; device < 2; ++device) {
    DeviceReport part;
    part.device = device;
    auto& c = part.counters;
    c.allocations = 1000;
    c.frees = 990;
    c.allocated_bytes = 50 * GiB;
    c.hits_exact = 700;
    c.hits_window = 100;
    c.hits_split = 50;
    c.hits_small = 140;
    c.stitches = 4;
    c.growths = 6;
    c.peak_live_bytes = 9 * GiB;
    c.peak_physical_bytes = 10 * GiB;
    c.live_blocks = 10;
    c.live_bytes = 10 * MiB;
    c.deferred_frees = 800;
    c.reuse_own_stream = 900;
    c.reuse_completed = 94;
    c.reuse_new = 6;
    c.reuse_own_stream_bytes = 40 * GiB;
    c.reuse_completed_bytes = 7 * GiB;
    c.reuse_new_bytes = 3 * GiB;
    part.driver[static_cast<unsigned>(DriverCall::cuMemMap)] = {12, 3'000'000, 1};
    part.driver[static_cast<unsigned>(DriverCall::cuMemCreate)] = {8, 1'500'000, 0};
    report.devices.push_back(part);
  }
  return report;
}

// Free memory that stream `wanted_by` could not have, as stream `freed_by` may still have used it.
inline UnprovedPair made_up_pair(std::uint64_t wanted_by, std::uint64_t freed_by, Bytes bytes) {
  UnprovedPair pair;
  pair.wanted_by.id = wanted_by;
  pair.freed_by.id = freed_by;
  pair.cost = {37, bytes, bytes / 2, 0, 0, 0};
  return pair;
}

}  // namespace gmlake::stats
