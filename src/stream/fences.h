// The events that follow closed batches, by timeline and oldest first, and a pool of events to use
// again.
//
// An event follows all that its stream or context was given until it was recorded, which may be
// more than was given before the frees it stands for. Any event may be asked: "over" is true of the
// frees too. But nothing waits for one, on the host or on a stream, unless it was recorded in time:
// before anything else was given. Otherwise the program would be made to wait, for ever perhaps,
// for work that natively nobody waits for.
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
// contention, so events are kept. Thread-safe: the lock is held for the books only, never across a
// call of the device. Complexity: O(t) for t timelines, and O(k) for each question in the k points
// before its fence.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "driver/device.h"
#include "stream/clocks.h"
#include "stream/endings.h"
#include "stream/timelines.h"
#include "support/ranked_mutex.h"

namespace gmlake::stream {

class Fences {
 public:
  using Clock = std::chrono::steady_clock;
  using Time = Clock::time_point;
  // Called with the lock held: takes none of a lower rank.
  using Which = std::function<bool(Timeline)>;

  // `ask_again`: the share; 0: whenever it may be of use.
  Fences(driver::Device& device, double ask_again) : device_(device), ask_again_(ask_again) {}
  ~Fences();  // destroys the events
  Fences(const Fences&) = delete;
  Fences& operator=(const Fences&) = delete;

  // How many streams and contexts have ended: to be asked before a batch is closed, or a context
  // looked up, that the device is to be called about then.
  Endings::Moment moment() const GMLAKE_EXCLUDES(mutex_) {
    const Lock lock(mutex_);
    return endings_.now();
  }

  // Records an event after everything given to the batch's stream or context so far. `before` is
  // what comes before that, the batch among it. `in_time`: nothing was given there between the
  // batch's frees and this call. Refused if that stream or context is ending, or has ended since
  // the batch was `closed`.
  Status follow(const Batch& batch, Snapshot before, Time now, bool in_time, Endings::Moment closed)
      GMLAKE_EXCLUDES(mutex_);

  // Where it is ending: not waited for; or the host waits until it has ended, or has not.
  enum class IfEnding { refuse, wait };
  // While it lives the context or stream does not end. False: it is ending, or has ended since it
  // was looked up.
  class Stay {
   public:
    Stay(Fences& fences, const void* handle, Endings::Moment looked_up, IfEnding ending)
        : fences_(fences), handle_(handle), stays_(fences.enter(handle, looked_up, ending)) {}
    ~Stay() {
      if (stays_) fences_.exit(handle_);
    }
    Stay(const Stay&) = delete;
    Stay& operator=(const Stay&) = delete;
    explicit operator bool() const { return stays_; }

   private:
    Fences& fences_;
    const void* const handle_;
    const bool stays_;
  };

  // What a question may save: a walk over the pool, a stitch, new memory, or the request. For the
  // least of them an event is asked once.
  enum class Stake { walk, place, growth, all };
  // Whether it is time to ask for the timeline again. True where nothing is pending.
  bool due(Timeline timeline, Time now, Stake stake) const GMLAKE_EXCLUDES(mutex_);
  bool pending(Timeline timeline) const GMLAKE_EXCLUDES(mutex_);

  // What has happened by what is found now, and the questions that took.
  struct Answers {
    Snapshot passed;
    std::uint64_t questions = 0;
  };
  // Asks the pending fences of the timelines that `known` names, oldest first, as far as they are
  // due and have fired. An event that can not be queried counts as not fired. The values are what
  // is known of each to have passed already.
  Answers ask(const Snapshot& known, Time now, Stake stake) GMLAKE_EXCLUDES(mutex_);

  // Waits on the host for the oldest pending fence, recorded in time, of a timeline that `which`
  // names; where there are only those of contexts that are ending, until they have ended, or have
  // not. `over()` is called, under the lock, when it has passed and is about to be pending no
  // more. Nothing: none is pending, or waiting failed. To be called without any lock.
  std::optional<Point> wait_oldest(const Which& which, const std::function<void()>& over)
      GMLAKE_EXCLUDES(mutex_);

  // Makes a stream wait for the oldest pending fence, recorded in time, that
  // `which(timeline, value)` names. Nothing: none is, or it failed.
  std::optional<Point> make_wait(driver::Context context, driver::Stream stream,
                                 const std::function<bool(Timeline, std::uint64_t)>& which)
      GMLAKE_EXCLUDES(mutex_);

  // The context or stream is about to end: the device is no longer called about it and its events,
  // and no such call is under way when this returns (a wait ends with work that the context's end
  // waits for as well). Blocks for that: to be called without any lock.
  void leave(const void* handle) GMLAKE_EXCLUDES(mutex_);
  // It did not end.
  void stay(const void* handle) GMLAKE_EXCLUDES(mutex_);
  // The stream is gone; the context is, and its events with it. Whoever keeps batches has forgotten
  // them before.
  void forget_stream(driver::Stream stream) GMLAKE_EXCLUDES(mutex_);
  void forget_context(driver::Context context) GMLAKE_EXCLUDES(mutex_);

 private:
  using Mutex = RankedMutex<Rank::fences>;
  // An event of ours; whoever calls the device about it holds on to it.
  struct Follower {
    driver::Event event;
    driver::Context context;
    unsigned holders = 0;
    bool in_line = true;
  };
  struct Pending {
    std::uint64_t value;
    std::uint64_t number;  // in the order of recording, over all timelines
    bool in_time;
    std::shared_ptr<Follower> follower;
    Snapshot before;
  };
  struct Line {
    std::deque<Pending> pending;
    Time since{};     // waited for from here on, without progress
    Time answered{};  // "no", the last time, or another's answer stood for it
  };
  // As the clock has it, or `known` (Device::follows, Device::looks) if the line has been asked.
  using Known = bool (driver::Device::*)(driver::Event, bool);
  bool is_due(Timeline timeline, Time now, Stake stake, Known known) const GMLAKE_REQUIRES(mutex_);
  bool is_due_by_clock(const Line& line, Time now, Stake stake) const;
  bool awaited(const Point& point, Time now, Stake stake) const GMLAKE_REQUIRES(mutex_);
  // Whether this point's event has fired, for `line`'s oldest; asked without the lock.
  bool has_fired(Line& line) GMLAKE_REQUIRES(mutex_);
  void retire(Line& line) GMLAKE_REQUIRES(mutex_);  // its oldest
  void retire_to(Line& line, std::uint64_t value) GMLAKE_REQUIRES(mutex_);
  std::shared_ptr<Follower> hold(const Pending& pending) GMLAKE_REQUIRES(mutex_);
  void let_go(const std::shared_ptr<Follower>& follower) GMLAKE_REQUIRES(mutex_);
  void keep(const std::shared_ptr<Follower>& follower) GMLAKE_REQUIRES(mutex_);
  bool enter(const void* handle, Endings::Moment looked_up, IfEnding ending)
      GMLAKE_EXCLUDES(mutex_);
  void exit(const void* handle) GMLAKE_EXCLUDES(mutex_);
  void exit_from(const void* handle) GMLAKE_REQUIRES(mutex_);

  driver::Device& device_;
  const double ask_again_;
  mutable Mutex mutex_;
  std::condition_variable_any changed_;  // somebody has gone out, or what was ending has ended
  std::deque<Line> lines_ GMLAKE_GUARDED_BY(mutex_);  // by timeline; they keep their addresses
  std::uint64_t recorded_ GMLAKE_GUARDED_BY(mutex_) = 0;
  // An event belongs to its context.
  std::unordered_map<driver::Context, std::vector<std::shared_ptr<Follower>>> idle_
      GMLAKE_GUARDED_BY(mutex_);
  Endings endings_ GMLAKE_GUARDED_BY(mutex_);
};

}  // namespace gmlake::stream
