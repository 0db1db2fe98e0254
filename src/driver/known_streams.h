// The streams of the program, by context: the non-blocking ones that it has made, which an event on
// the legacy default stream does not follow (it follows all blocking streams, threads' own default
// streams among them: CUDA driver API, "Stream synchronization behavior"); and which contexts have
// ever had any besides their legacy default stream.
//
// A stream that was destroyed may have work ahead, which nothing follows by its handle any more: so
// its end is known by an event, unless the driver is known to record events on whole contexts.
//
// Complete only where every call that makes or destroys a stream is seen. Thread-safe; a stream
// stays valid while it is visited, if it is removed before it is destroyed.
#pragma once

#include <algorithm>
#include <atomic>
#include <optional>
#include <utility>
#include <vector>

#include "driver/device.h"
#include "support/ranked_mutex.h"

namespace gmlake::driver {

class KnownStreams {
 public:
  // Null: of no one context.
  void add(Context context, Stream stream) {
    const std::lock_guard lock(mutex_);
    streams_.emplace_back(context, stream);
  }
  void remove(Stream stream) {
    const std::lock_guard lock(mutex_);
    std::erase_if(streams_, [&](const auto& known) { return known.second == stream; });
  }
  // Its context, if it is known.
  std::optional<Context> find(Stream stream) const {
    const std::lock_guard lock(mutex_);
    for (const auto& [context, known] : streams_)
      if (known == stream) return context;
    return {};
  }
  void remove_context(Context context) {
    const std::lock_guard lock(mutex_);
    const auto of_it = [&](const auto& known) { return known.first == context; };
    std::erase_if(streams_, of_it);
    std::erase_if(ends_, of_it);
  }
  // A stream of the context (null: of no one) is about to be destroyed: an event that follows its
  // work, or null where there can be none.
  void add_end(Context context, Event event) {
    const std::lock_guard lock(mutex_);
    ends_.emplace_back(context, event);
  }
  // Takes away those ends that `over(event)` says have happened.
  template <typename Over>
  void remove_ends(Over over) {
    const std::lock_guard lock(mutex_);
    std::erase_if(ends_, [&](const auto& end) { return end.second && over(end.second); });
  }
  // As each(), for the ends of its streams; false too if one is not known.
  template <typename Visit>
  bool each_end(Context context, Visit visit) const {
    const std::lock_guard lock(mutex_);
    return std::all_of(ends_.begin(), ends_.end(), [&](const auto& end) {
      return (end.first && end.first != context) || (end.second && visit(end.second));
    });
  }
  // Events are recorded on whole contexts: the ends of streams need not be known.
  bool contexts_are_recorded() const { return recorded_.load(std::memory_order_relaxed); }
  void context_is_recorded() const {
    if (!contexts_are_recorded()) recorded_.store(true, std::memory_order_relaxed);
  }
  // The context (null: each, whenever it was made) has another stream than its legacy default one.
  // It counts as such from then on, whatever becomes of the stream or of the context. Whether that
  // is new.
  bool add_to_legacy(Context context) {
    const std::lock_guard lock(mutex_);
    if (!only_legacy_in(context)) return false;
    several_.push_back(context);
    return true;
  }
  // Null: any context.
  bool only_legacy(Context context) const {
    const std::lock_guard lock(mutex_);
    return context ? only_legacy_in(context) : several_.empty();
  }
  // Visits the context's streams until one visit says false; whether none did.
  template <typename Visit>
  bool each(Context context, Visit visit) const {
    const std::lock_guard lock(mutex_);
    return std::all_of(streams_.begin(), streams_.end(), [&](const auto& known) {
      return (known.first && known.first != context) || visit(known.second);
    });
  }

 private:
  bool only_legacy_in(Context context) const {
    return std::none_of(several_.begin(), several_.end(),
                        [&](Context known) { return !known || known == context; });
  }

  mutable RankedMutex<Rank::streams> mutex_;
  std::vector<std::pair<Context, Stream>> streams_;
  std::vector<std::pair<Context, Event>> ends_;
  std::vector<Context> several_;
  mutable std::atomic<bool> recorded_{false};
};

}  // namespace gmlake::driver
