// For each physical byte who last wrote it and who has read it since. An access that is not ordered
// behind an earlier one to the same byte, where either writes, is a race, through whichever
// addresses the two came. Complexity: O(log n) and the number of pieces touched. Not thread-safe.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "clocks.h"
#include "findings.h"

namespace gmlake::simcuda {

// Where a byte is: a device's memory, memory of its own behind an exported handle, or the host's.
using Place = std::uint64_t;

// One operation's use of a range of addresses.
struct Touch {
  Timeline timeline = kHostTimeline;
  std::uint64_t tick = 0;
  Caller caller;
  std::uint64_t at = 0;  // as the program named it
  std::uint64_t size = 0;
  bool write = false;
  std::shared_ptr<const Clock> clock;  // of its operation; null: the host's
  bool begins = false;  // a stream-ordered allocation: whoever is not behind it conflicts with it
};
using TouchRef = std::shared_ptr<const Touch>;

class Shadow {
 public:
  // An earlier touch that [begin, end) has in common with a new one and that is not ordered before
  // it. Called once per earlier touch and piece.
  using Conflict = std::function<void(const Touch& earlier, Place begin, Place end)>;

  void access(Place begin, Place end, const TouchRef& touch, const Clock& now,
              const Conflict& conflict);
  // The bytes begin anew, with this touch as their first write, or (null) with none.
  void renew(Place begin, Place end, TouchRef first);

 private:
  struct Cell {
    Place end = 0;
    TouchRef write;
    std::vector<TouchRef> reads;
  };
  using Cells = std::map<Place, Cell>;
  void split(Place at);

  Cells cells_;  // disjoint
};

}  // namespace gmlake::simcuda
