// Replays a trace through a pool on the simulated device and measures what the pool made of it.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "config/config.h"
#include "replay/simulated_device.h"
#include "stats/counters.h"
#include "trace/trace.h"

namespace gmlake::replay {

// How a trace is replayed.
struct Manner {
  unsigned loops = 1;
  // Rows until work is complete (lagging_device.h): as it was recorded, or 0 where nothing was.
  std::uint64_t lag = ~std::uint64_t{0};
  bool one_stream = false;  // everything on the trace's first stream, where order needs no proof
  // Asked each thousand events or so, with the loop and the event it has come to, from 0: whether
  // to go on.
  std::function<bool(unsigned loop, std::size_t event)> go_on;
};

struct Result {
  std::uint64_t events = 0;    // of one loop, as read
  Bytes peak_live = 0;         // requested bytes
  stats::DeviceReport report;  // of the pool, after the last loop
  std::vector<std::uint64_t> stitches_per_loop;
  std::vector<double> utilization_per_loop;   // peak live / peak physical, since the first loop
  std::uint64_t driver_calls_first_loop = 0;  // those that make the pool included
  std::uint64_t driver_calls_last_loop = 0;
  std::uint64_t modelled_driver_ns = 0;            // of all loops (simulated_device.h)
  std::uint64_t modelled_driver_ns_last_loop = 0;  // of the last
  // In the pool, without driver calls, for each row or free at a loop's end: the best of the loops
  // from the fifth on, when everything has found its place; of the last if there are fewer.
  double nanoseconds_per_event = 0;
  double malloc_pair_nanoseconds = 0;    // before and after the replay, the better of the two
  std::optional<Bytes> smallest_device;  // if it was looked for and found (smallest_device.h)
  bool out_of_memory = false;            // the replay stopped there
  bool interrupted = false;              // it was not to go on: all this is of the loops before
  std::string picture;                   // of the pool then

  double utilization() const {
    return utilization_per_loop.empty() ? 0 : utilization_per_loop.back();
  }
  double live_over(Bytes memory) const {
    return static_cast<double>(peak_live) / static_cast<double>(memory);
  }
  // Questions whether freed memory may be used yet, for each allocation.
  double queries_per_allocation() const {
    const auto& c = report.counters;
    return c.allocations == 0
               ? 0
               : static_cast<double>(c.fence_queries) / static_cast<double>(c.allocations);
  }
  double malloc_pairs_per_event() const { return nanoseconds_per_event / malloc_pair_nanoseconds; }
};

// Each loop replays all events, then frees what is still live. The pool is made for it and gone
// after it.
trace::Expected<Result> replay(const trace::Trace& trace, const SimulatedDevice& device,
                               const config::Config& config, const Manner& manner);

}  // namespace gmlake::replay
