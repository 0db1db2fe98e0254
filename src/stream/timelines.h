// Who freed what when, as timelines: one for each stream, and one for each context for frees that
// name no stream.
//
// A timeline's frees are numbered in batches. All frees of the open batch carry the fence
// (timeline, batch); the batch is closed when somebody else wants the memory, by one event that
// follows everything the stream or the context has been given so far. Nothing is recorded for
// memory its own stream takes back: same-stream order is a proof by itself (CUDA programming guide,
// stream-ordered memory allocator).
//
// A stream that begins may go on with the timeline of one that has ended, once all that was freed
// there has passed: values only rise, so whatever still names the timeline stays true.
//
// Pure bookkeeping: knows no memory and makes no driver call. The owner guards it with its lock;
// the parts of a close() that call the driver are the owner's, between close() and recorded() or
// not_recorded().
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <optional>
#include <unordered_map>
#include <vector>

#include "support/fault.h"

namespace gmlake::stream {

using Timeline = std::uint32_t;  // index

// How to follow a timeline's work with an event.
struct Follow {
  void* context = nullptr;
  void* stream = nullptr;
  bool whole_context =
      false;               // record on the context: no stream handle stands for this timeline here
  bool may_order = false;  // driver/device.h, record_context
};

struct Batch {
  Timeline timeline = 0;
  std::uint64_t value = 0;
  Follow follow;
};

class Timelines {
 public:
  // The timeline of a stream, by its process-wide unique id. `thread_bound`: the handle means this
  // stream only on the calling thread (the per-thread default stream).
  Timeline of_stream(std::uint64_t id, void* stream, void* context, bool thread_bound);
  // For a stream that is not known: the timeline of an ended one, if one is found of which nothing
  // is pending and which `unused(timeline)` says that nobody else knows by that name.
  template <typename Unused>
  std::optional<Timeline> take_over(std::uint64_t id, void* stream, void* context,
                                    bool thread_bound, Unused unused);
  // The timeline of frees without a stream.
  Timeline of_context(void* context);
  // Whether it is one of those.
  bool is_context(Timeline timeline) const { return lines_[timeline].of_context; }
  // The stream's handle is about to become invalid: it is followed through its context from here
  // on. Then it has; or it has not, and all is as before.
  void ending(std::uint64_t id);
  void not_ended(std::uint64_t id);
  // The stream is gone; its memory stays on its timeline.
  void retire_stream(std::uint64_t id);
  // The same for a stream whose id is not known: all that were ever followed by that handle.
  void ending_handle(void* stream);
  void handle_not_ended(void* stream);
  void retire_handle(void* stream);
  // The context is gone: all work on its timelines is over. Its address may come back as another
  // context, whose frees without a stream go on in the same timeline; in one of their own where
  // memory that it freed or will free has outlived it.
  void forget_context(void* context, bool takes_memory = true);
  // Whether its stream has.
  bool ended(Timeline timeline) const { return lines_[timeline].ended; }
  // Whether it went with its context.
  bool over(Timeline timeline) const { return lines_[timeline].over; }
  // Whether something was freed on it that is not known to have passed.
  bool pending(Timeline timeline) const {
    const auto& line = lines_[timeline];
    return line.open_has_frees || passed_[timeline] + 1 < line.open;
  }
  bool known_stream(std::uint64_t id) const { return streams_.count(id) != 0; }

  // The fence value for bytes freed on `timeline` now. Of a stream that went with its context
  // nothing can follow them any more, and nothing need: its work is over.
  std::uint64_t free_on(Timeline timeline) {
    auto& line = lines_[timeline];
    if (line.over) return passed_[timeline];
    line.open_has_frees = line.in_batch = true;
    return line.open;
  }

  // Whether frees on `timeline` exist that no event follows yet.
  bool open_has_frees(Timeline timeline) const { return lines_[timeline].open_has_frees; }
  // Ends the open batch for an event of the program's: gives the value that all frees so far are
  // at or below, and none later. They still count as not followed.
  std::uint64_t cut(Timeline timeline);
  // Ends the open batch: later frees belong to the next one. Record an event after this returns,
  // then say so.
  Batch close(Timeline timeline);
  void not_recorded(const Batch& batch) {
    if (batch.value > passed_[batch.timeline]) lines_[batch.timeline].open_has_frees = true;
  }
  // Everything up to `value` is known to have happened.
  void advance(Timeline timeline, std::uint64_t value);

  // By timeline, the highest value known to have passed: what requests are checked against.
  const std::vector<std::uint64_t>& all_passed() const { return passed_; }
  // Visits the timelines whose work is the context's.
  template <typename Each>
  void each_of_context(void* context, Each visit) const {
    for (Timeline t = 0; t < size(); ++t)
      if (lines_[t].follow.context == context) visit(t);
  }
  // Those of ended streams that are looked at next for a new one to go on with.
  template <typename Each>
  void each_next_ended(Each visit) const {
    for (std::size_t i = 0; i < std::min(kLooks, ended_.size()); ++i) visit(ended_[i]);
  }
  Timeline size() const { return static_cast<Timeline>(lines_.size()); }

 private:
  // Below it are the values that have passed from the start (memory/fence.h).
  static constexpr std::uint64_t kFirstBatch = 2;
  static constexpr std::size_t kLooks = 8;
  struct Line {
    std::uint64_t open = kFirstBatch;
    bool open_has_frees = false;
    bool in_batch = false;  // some of them are in the open batch itself
    Follow follow;
    bool of_context = false;
    bool thread_bound = false;
    bool ended = false;
    bool over = false;     // so is its context
    std::uint64_t id = 0;  // of the stream
  };
  Timeline add(const Follow& follow, bool of_context);
  void end(Timeline timeline);
  void ending(Line& line);
  void not_ended(Line& line);
  template <typename Each>
  void each_by_handle(void* stream, Each visit);

  std::vector<Line> lines_;
  std::deque<Timeline> ended_;  // those, the one looked at longest ago first
  std::vector<std::uint64_t> passed_;
  std::unordered_map<std::uint64_t, Timeline> streams_;
  std::unordered_map<void*, Timeline> contexts_;
};

template <typename Unused>
std::optional<Timeline> Timelines::take_over(std::uint64_t id, void* stream, void* context,
                                             bool thread_bound, Unused unused) {
  for (auto looks = std::min(kLooks, ended_.size()); looks > 0; --looks) {
    const Timeline timeline = ended_.front();
    ended_.pop_front();
    if ((pending(timeline) && !GMLAKE_FAULT(replaced_under_work)) || !unused(timeline)) {
      ended_.push_back(timeline);
      continue;
    }
    auto& line = lines_[timeline];
    streams_.erase(line.id);
    streams_.emplace(id, timeline);
    line.follow = {context, stream, thread_bound, false};
    line.thread_bound = thread_bound;
    line.ended = line.over = false;
    line.id = id;
    return timeline;
  }
  return {};
}

}  // namespace gmlake::stream
