// The streams of the program, by context: the non-blocking ones that it has made, which an event on
// the legacy default stream does not follow (it follows all blocking streams, threads' own default
// streams among them: CUDA driver API, "Stream synchronization behavior"); and which contexts have
// ever had any besides their legacy default stream.
//
// Complete only where every call that makes or destroys a stream is seen. Thread-safe; a stream
// stays valid while it is visited, if it is removed before it is destroyed.
#pragma once

#include <algorithm>
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
  // Gives its context, if it was known.
  std::optional<Context> remove(Stream stream) {
    const std::lock_guard lock(mutex_);
    const auto known = std::find_if(streams_.begin(), streams_.end(),
                                    [&](const auto& one) { return one.second == stream; });
    if (known == streams_.end()) return {};
    const Context context = known->first;
    streams_.erase(known);
    return context;
  }
  void remove_context(Context context) {
    const std::lock_guard lock(mutex_);
    std::erase_if(streams_, [&](const auto& known) { return known.first == context; });
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
  std::vector<Context> several_;
};

}  // namespace gmlake::driver
