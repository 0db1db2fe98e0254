// What processes have done since they were looked at last.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "stats/live_reader.h"

namespace gmlake::tool {

// One device of one process, for a line of a table.
struct Row {
  std::int64_t process = 0;
  std::string program, rank;
  int device = 0;
  stats::Life life = stats::Life::running;
  stats::DeviceCounters counters;
  double allocations_per_second = 0, bytes_per_second = 0;
  std::uint64_t stitches = 0, waits = 0;  // since then
  std::string page;
};

class Rates {
 public:
  std::vector<Row> rows(const stats::PageView& page, stats::Life life);

 private:
  struct Before {
    std::uint64_t time = 0;
    stats::DeviceCounters counters;
  };
  std::map<std::pair<std::string, int>, Before> before_;
};

// Waits of the host for the GPU, and of streams for one another.
inline std::uint64_t waits(const stats::DeviceCounters& c) {
  return c.fence_waits + c.ladder_inserted_waits;
}

}  // namespace gmlake::tool
