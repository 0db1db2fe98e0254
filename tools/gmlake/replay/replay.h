// Replays a trace through a pool on the simulated device and measures what the pool made of it.
#pragma once

#include <string>
#include <vector>

#include "config/config.h"
#include "replay/simulated_device.h"
#include "stats/counters.h"
#include "trace/trace.h"

namespace gmlake::replay {

struct Result {
  std::uint64_t events = 0;    // of one loop, as read
  Bytes peak_live = 0;         // requested bytes
  stats::DeviceReport report;  // of the pool, after the last loop
  std::vector<std::uint64_t> stitches_per_loop;
  std::vector<double> utilization_per_loop;  // peak live / peak physical, since the first loop
  std::uint64_t driver_calls_last_loop = 0;
  std::uint64_t modelled_driver_ns = 0;            // of all loops (simulated_device.h)
  std::uint64_t modelled_driver_ns_last_loop = 0;  // of the last
  double nanoseconds_per_event = 0;  // in the pool, without driver calls, in the last loop
  bool out_of_memory = false;        // the replay stopped there
  std::string picture;               // of the pool then

  double utilization() const {
    return utilization_per_loop.empty() ? 0 : utilization_per_loop.back();
  }
};

// Each loop replays all events, then frees what is still live. The pool is made for it and gone
// after it.
trace::Expected<Result> replay(const trace::Trace& trace, const SimulatedDevice& device,
                               const config::Config& config, unsigned loops);

}  // namespace gmlake::replay
