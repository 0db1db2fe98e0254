// The exit report: from counters to text for people and JSON for programs. docs/statistics.md
// explains both.
//
// Made for the end of a process: no CUDA call, no stream, nothing static that could be destroyed
// before it. Whoever builds a Report owns it; nothing here keeps it. Thread-safe as far as two
// calls do not write the same path.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "stats/counters.h"
#include "stats/holder.h"
#include "support/result.h"

namespace gmlake::stats {

struct Report {
  std::string version;   // of gmlake
  std::string revision;  // git's
  std::int64_t process = 0;
  std::string executable;
  std::string host;
  std::string rank;    // as the job launcher names it; "0" without one
  double seconds = 0;  // wall time since the process first used gmlake
  bool pool_enabled = true;
  bool stitch_enabled = true;
  bool events_seen = true;      // the program's events and waits come by
  bool follow_events = true;    // streams.follow_events
  bool reuse_completed = true;  // streams.reuse_completed
  bool single_stream = false;   // streams.single_stream
  bool one_stream = false;      // no context had a stream besides its legacy default one
  bool recovered = false;       // written by another process, from the page of one that has ended
  std::vector<DeviceReport> devices;
  Holders who;
};

// All devices as one: every counter and driver call added up, the pairs side by side. Its `device`
// is -1.
DeviceReport total(const std::vector<DeviceReport>& devices);

// peak_live_bytes / peak_physical_bytes, from 0 to 1; 0 before the pool owns memory.
double utilization(const DeviceCounters& counters);

// Whether it helped, in a few lines; or with all the rest.
std::string to_text(const Report& report, bool full = true);
std::string to_json(const Report& report);
std::string to_json(const Unproved& unproved);  // as it is in the report

// The text goes to `text_file`, or to stderr if that is "" (and nowhere if descriptor 2 is not that
// any more, support/stderr.h). A failure is said on the log with the path and the reason, and
// returned with its errno. Throws nothing.
Status write_text(const Report& report, const std::string& text_file, bool full = true) noexcept;
Status write_json(const Report& report, const std::string& json_file) noexcept;

}  // namespace gmlake::stats
