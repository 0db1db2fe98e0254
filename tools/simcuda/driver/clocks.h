// Vector clocks: which work is ordered before which, whatever the times at which it happens to run.
//
// A timeline is a sequence whose members are ordered: a stream, or the host. All host threads share
// one timeline, in the order of their calls: simcuda does not see the program's own locks, so it
// takes every order it observes between threads for one the program made. That way it never reports
// a race that is none.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace gmlake::simcuda {

using Timeline = std::uint32_t;
inline constexpr Timeline kHostTimeline = 0;

// For each timeline how far its work is ordered before the moment the clock stands for.
struct Clock {
  std::vector<std::uint64_t> ticks;

  bool covers(Timeline timeline, std::uint64_t tick) const {
    return timeline < ticks.size() && ticks[timeline] >= tick;
  }
  void raise(Timeline timeline, std::uint64_t tick) {
    if (ticks.size() <= timeline) ticks.resize(timeline + 1);
    ticks[timeline] = std::max(ticks[timeline], tick);
  }
  void join(const Clock& other) {
    if (ticks.size() < other.ticks.size()) ticks.resize(other.ticks.size());
    for (std::size_t i = 0; i < other.ticks.size(); ++i)
      ticks[i] = std::max(ticks[i], other.ticks[i]);
  }
};

// Gives timelines their numbers and ticks. A closed timeline's number is used again, going on from
// its last tick, once the host is ordered behind that tick: from then on whatever is new is, too,
// so no order is invented. Not thread-safe.
class Timelines {
 public:
  Timeline open(const Clock& host) {
    const auto free = std::find_if(closed_.begin(), closed_.end(), [&](Timeline timeline) {
      return host.covers(timeline, last_[timeline]);
    });
    if (free != closed_.end()) {
      const Timeline timeline = *free;
      *free = closed_.back();
      closed_.pop_back();
      return timeline;
    }
    last_.push_back(0);
    return static_cast<Timeline>(last_.size() - 1);
  }
  void close(Timeline timeline) { closed_.push_back(timeline); }
  std::uint64_t next(Timeline timeline) { return ++last_[timeline]; }

 private:
  std::vector<std::uint64_t> last_{0};  // the host's, and then the streams'
  std::vector<Timeline> closed_;
};

}  // namespace gmlake::simcuda
