// The streams of the program, by context: those that it has made, and which of them the legacy
// default stream does not wait for (it does for all blocking streams, threads' own default streams
// among them: CUDA driver API, "Stream synchronization behavior"); how many threads have used their
// own default stream; and which contexts have ever had any besides their legacy default stream.
//
// A stream that was destroyed may have work ahead, which nothing follows by its handle any more: so
// its end is known by an event where none can be recorded on the whole context.
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

namespace gmlake::hooks {

class KnownStreams {
 public:
  // Null: of no one context.
  void add(driver::Context context, driver::Stream stream, bool blocking) {
    const Lock lock(mutex_);
    streams_.push_back({context, stream, blocking});
  }
  bool is_non_blocking(driver::Stream stream) const {
    const Lock lock(mutex_);
    for (const auto& known : streams_)
      if (known.stream == stream) return !known.blocking;
    return false;
  }
  // This thread uses its own default stream.
  void use_per_thread() {
    if (!uses_per_thread) per_thread_users_.fetch_add(1);
    uses_per_thread = true;
  }
  bool per_thread_used() const { return uses_per_thread; }
  // Other threads that have used theirs.
  unsigned other_per_thread_users() const {
    return per_thread_users_ - (uses_per_thread ? 1U : 0U);
  }
  void remove(driver::Stream stream) {
    const Lock lock(mutex_);
    std::erase_if(streams_, [&](const auto& known) { return known.stream == stream; });
  }
  struct Known {
    driver::Context context;
    driver::Stream stream;
    bool blocking;
  };
  // The stream, if it is known.
  std::optional<Known> find(driver::Stream stream) const {
    const Lock lock(mutex_);
    for (const auto& known : streams_)
      if (known.stream == stream) return known;
    return {};
  }
  void remove_context(driver::Context context) {
    const Lock lock(mutex_);
    std::erase_if(streams_, [&](const auto& known) { return known.context == context; });
    std::erase_if(ends_, [&](const auto& end) { return end.first == context; });
  }
  // A stream of the context (null: of no one) is about to be destroyed: an event that follows its
  // work, or null where there can be none.
  void add_end(driver::Context context, driver::Event event) {
    const Lock lock(mutex_);
    ends_.emplace_back(context, event);
  }
  // Takes away those ends that `over(event)` says have happened.
  template <typename Over>
  void remove_ends(Over over) {
    const Lock lock(mutex_);
    std::erase_if(ends_, [&](const auto& end) { return end.second && over(end.second); });
  }
  // As each(), for the ends of its streams; false too if one is not known.
  template <typename Visit>
  bool each_end(driver::Context context, Visit visit) const {
    const Lock lock(mutex_);
    return std::all_of(ends_.begin(), ends_.end(), [&](const auto& end) {
      return (end.first && end.first != context) || (end.second && visit(end.second));
    });
  }
  // Events are recorded on whole contexts: the ends of streams need not be known.
  bool has_recorded_contexts() const {
    return has_recorded_contexts_.load(std::memory_order_relaxed);
  }
  void context_is_recorded() const {
    if (!has_recorded_contexts()) has_recorded_contexts_.store(true, std::memory_order_relaxed);
  }
  // The context (null: each, whenever it was made) has another stream than its legacy default one.
  // It counts as such from then on, whatever becomes of the stream or of the context. Whether that
  // is new.
  bool add_to_legacy(driver::Context context) {
    const Lock lock(mutex_);
    if (!only_legacy_in(context)) return false;
    ever_several_.push_back(context);
    return true;
  }
  // Null: any context.
  bool only_legacy(driver::Context context) const {
    const Lock lock(mutex_);
    return context ? only_legacy_in(context) : ever_several_.empty();
  }
  // Visits the context's streams, with whether they are blocking, until one visit says false;
  // whether none did.
  template <typename Visit>
  bool each(driver::Context context, Visit visit) const {
    const Lock lock(mutex_);
    return std::all_of(streams_.begin(), streams_.end(), [&](const Known& known) {
      return (known.context && known.context != context) || visit(known.stream, known.blocking);
    });
  }

 private:
  bool only_legacy_in(driver::Context context) const GMLAKE_REQUIRES(mutex_) {
    for (const driver::Context known : ever_several_)
      if (!known || known == context) return false;
    return true;
  }

  mutable RankedMutex<Rank::streams> mutex_;
  std::vector<Known> streams_ GMLAKE_GUARDED_BY(mutex_);
  std::vector<std::pair<driver::Context, driver::Event>> ends_ GMLAKE_GUARDED_BY(mutex_);
  mutable std::atomic<bool> has_recorded_contexts_{false};
  std::vector<driver::Context> ever_several_ GMLAKE_GUARDED_BY(mutex_);
  std::atomic<unsigned> per_thread_users_{0};
  static inline thread_local bool uses_per_thread = false;
};

}  // namespace gmlake::hooks
