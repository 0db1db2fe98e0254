// The events that follow closed batches, by timeline and oldest first, and a pool of events to use
// again.
//
// An event has not fired while work that it comes after is not over (stream/clocks.h): it is not
// asked as long as another's answer says so, and one answer serves for a whole chain of streams.
//
// A question costs driver time, so one that was answered "no" is put again only when the timeline
// has been waited for a share longer (streams.ask_again): one that makes progress is asked at its
// own pace, one that stands still O(log) times, and its end is found late by that share at most.
// Unless memory is at stake it may be found later; when memory has run out, every question is put.
//
// Creating an event is serialised per device by the driver and can stall for milliseconds under
// contention, so events are kept. Guarded by the pool's growth lock; the driver calls here are made
// under that lock only. Complexity: O(t) for t timelines, and O(k) for each question in the k
// points before its fence.
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <optional>
#include <unordered_map>
#include <vector>

#include "driver/device.h"
#include "stream/clocks.h"
#include "stream/timelines.h"

namespace gmlake::stream {

class Fences {
 public:
  using Clock = std::chrono::steady_clock;
  using Time = Clock::time_point;
  using Which = std::function<bool(Timeline)>;

  // `ask_again`: the share; 0: whenever it may be of use.
  Fences(driver::Device& device, double ask_again) : device_(device), ask_again_(ask_again) {}
  ~Fences();  // destroys the events
  Fences(const Fences&) = delete;
  Fences& operator=(const Fences&) = delete;

  // Records an event after everything given to the batch's stream or context so far. `before` is
  // what comes before that, the batch among it.
  Status record(const Batch& batch, Snapshot before, Time now);

  // What a question may save: a stitch at most, new memory, or the request.
  enum class Stake { place, growth, all };
  // Whether it is time to ask for the timeline again. True where nothing is pending.
  bool due(Timeline timeline, Time now, Stake stake) const;

  // What has happened by what is found now, and the questions that took.
  struct Answers {
    Snapshot passed;
    std::uint64_t questions = 0;
  };
  // Asks the pending fences of the timelines that `which` names, oldest first, as far as they are
  // due and have fired. An event that can not be queried counts as not fired. `passed`: what is
  // known already, by timeline.
  Answers ask(const Which& which, const std::vector<std::uint64_t>& passed, Time now, Stake stake);

  // Waits on the host for the oldest pending fence of a timeline that `which` names. Nothing: none
  // is pending, or waiting failed.
  std::optional<Point> wait_oldest(const Which& which);

  // Makes a stream wait for the oldest pending fence that `which(timeline, value)` names. Nothing:
  // none is, or it failed.
  std::optional<Point> make_wait(driver::Context context, driver::Stream stream,
                                 const std::function<bool(Timeline, std::uint64_t)>& which);

  // The context is gone, and its events with it.
  void forget_context(driver::Context context);

 private:
  struct Pending {
    std::uint64_t value;
    std::uint64_t number;  // in the order of recording, over all timelines
    driver::Event event;
    driver::Context context;
    Snapshot before;
  };
  struct Line {
    std::deque<Pending> pending;
    Time since{};     // waited for from here on, without progress
    Time answered{};  // "no", the last time, or another's answer stood for it
  };
  bool awaited(const Point& point, Time now, Stake stake) const;
  void retire(Line& line);  // its oldest

  driver::Device& device_;
  const double ask_again_;
  std::vector<Line> lines_;  // by timeline
  std::uint64_t recorded_ = 0;
  std::unordered_map<driver::Context, std::vector<driver::Event>>
      idle_;  // an event belongs to its context
};

}  // namespace gmlake::stream
