// The non-blocking streams that the program has made, by context: what an event on the legacy
// default stream does not follow. (It follows all blocking streams, threads' own default streams
// among them: CUDA driver API, "Stream synchronization behavior".)
//
// Complete only where every call that makes or destroys a stream is seen. Thread-safe; a stream
// stays valid while it is visited, if it is removed before it is destroyed.
#pragma once

#include <algorithm>
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
  void remove_context(Context context) {
    const std::lock_guard lock(mutex_);
    std::erase_if(streams_, [&](const auto& known) { return known.first == context; });
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
  mutable RankedMutex<Rank::streams> mutex_;
  std::vector<std::pair<Context, Stream>> streams_;
};

}  // namespace gmlake::driver
