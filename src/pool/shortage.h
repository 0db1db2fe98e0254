// Memory as it was when a request failed, and what that says to people: which of the reasons it
// was, the one that helps first, in three lines at most. docs/out-of-memory.md goes on from there.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "config/config.h"
#include "stats/unproved.h"
#include "support/units.h"

namespace gmlake::pool {

struct Shortage {
  Bytes wanted = 0;
  Bytes missing = 0;       // beyond all that is free in the pool and that it could still grow by
  std::uint64_t home = 0;  // where the pool's home range begins
  Bytes live = 0;
  Bytes physical = 0;
  Bytes free = 0;  // of it
  Bytes largest_span = 0;
  Bytes beside = 0;      // what the program has of the device past the pool
  Bytes limit_left = 0;  // growth that the options allow
  Bytes device_free = 0;
  Bytes device_memory = 0;     // 0: not known
  std::vector<Bytes> pending;  // by timeline: free bytes whose work is not known to be complete
  struct Pending {
    stats::StreamName freed_by;
    Bytes bytes;
  };
  std::vector<Pending> most_pending;  // of it the largest, the most first

  Bytes others() const {  // what is neither free nor this process's, as far as it is known
    const Bytes known = physical + beside + device_free;
    return device_memory - std::min(device_memory, known);
  }
};

// One to three lines, the second and third indented; without a line's end behind the last.
std::string explain(const Shortage& shortage, int device, const config::Config& config);

}  // namespace gmlake::pool
