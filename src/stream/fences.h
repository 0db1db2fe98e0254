// The events that follow closed batches, oldest first, and a pool of events to use again.
//
// Creating an event is serialised per device by the driver and can stall for milliseconds under
// contention, so events are kept. Guarded by the pool's growth lock; the driver calls here are made
// under that lock only.
#pragma once

#include <algorithm>
#include <list>
#include <optional>
#include <unordered_map>
#include <vector>

#include "driver/device.h"
#include "stream/clocks.h"
#include "stream/timelines.h"
#include "support/fault.h"

namespace gmlake::stream {

class Fences {
 public:
  explicit Fences(driver::Device& device) : device_(device) {}
  ~Fences();  // destroys the events
  Fences(const Fences&) = delete;
  Fences& operator=(const Fences&) = delete;

  // Records an event after everything given to the batch's stream or context so far.
  Status record(const Batch& batch);

  // Looks at the pending fences of the timelines that `which` names, oldest first on each, and
  // calls `passed(timeline, value)` for those that have fired. An event that can not be queried
  // counts as not fired. Gives the number of queries made.
  template <typename Which, typename Passed>
  std::uint64_t poll(Which which, Passed passed);

  // Waits on the host for the oldest pending fence of a timeline that `which` names. False: none is
  // pending, or waiting failed.
  template <typename Which, typename Passed>
  bool wait_oldest(Which which, Passed passed);

  // Makes a stream wait for the oldest pending fence that `which(timeline, value)` names. Nothing:
  // none is, or it failed.
  template <typename Which>
  std::optional<Point> make_wait(driver::Context context, driver::Stream stream, Which which);

  // The context is gone, and its events with it.
  void forget_context(driver::Context context);

 private:
  struct Pending {
    Timeline timeline;
    std::uint64_t value;
    driver::Event event;
    driver::Context context;
  };
  void recycle(const Pending& done) { idle_[done.context].push_back(done.event); }

  driver::Device& device_;
  std::list<Pending> pending_;
  std::unordered_map<driver::Context, std::vector<driver::Event>>
      idle_;  // an event belongs to its context
};

template <typename Which, typename Passed>
std::uint64_t Fences::poll(Which which, Passed passed) {
  std::uint64_t queries = 0;
  std::vector<Timeline>
      waiting;  // timelines whose older fence has not fired: younger ones have not either
  for (auto at = pending_.begin(); at != pending_.end();) {
    bool fired = which(at->timeline);
    for (const Timeline timeline : waiting) fired = fired && timeline != at->timeline;
    if (fired) {
      const auto answer = device_.query(at->event);
      ++queries;
      fired = answer && (*answer || GMLAKE_FAULT(not_ready_is_done));
      if (!fired) waiting.push_back(at->timeline);
    }
    if (!fired) {
      ++at;
      continue;
    }
    passed(at->timeline, at->value);
    recycle(*at);
    at = pending_.erase(at);
  }
  return queries;
}

template <typename Which, typename Passed>
bool Fences::wait_oldest(Which which, Passed passed) {
  const auto oldest = std::find_if(pending_.begin(), pending_.end(),
                                   [&](const Pending& fence) { return which(fence.timeline); });
  if (oldest == pending_.end() || !device_.wait(oldest->event)) return false;
  passed(oldest->timeline, oldest->value);
  recycle(*oldest);
  pending_.erase(oldest);
  return true;
}

template <typename Which>
std::optional<Point> Fences::make_wait(driver::Context context, driver::Stream stream,
                                       Which which) {
  const auto oldest = std::find_if(pending_.begin(), pending_.end(), [&](const Pending& fence) {
    return which(fence.timeline, fence.value);
  });
  if (oldest == pending_.end()) return {};
  if (!GMLAKE_FAULT(wait_not_inserted) && !device_.make_wait(stream, context, oldest->event))
    return {};
  return Point{oldest->timeline, oldest->value};
}

}  // namespace gmlake::stream
