// The legacy default stream's own rule (CUDA driver API, "Stream synchronization behavior"): its
// work stands between the work of blocking streams before and after it.
#pragma once

#include <atomic>

#include "hooks/caller.h"

namespace gmlake::hooks {

// A stream that the legacy default stream waits for, and that waits for it, is about to be used.
void note_blocking_stream();
inline std::atomic<bool> seen_blocking_stream{false};
inline bool has_seen_blocking_stream() {
  return seen_blocking_stream.load(std::memory_order_relaxed);
}
// A free in the legacy stream is work there (measured on driver 580; an allocation is not): what
// blocking streams are given later comes after what they were given before. To be called before the
// pool's free, which orders nothing by itself. False: the driver has failed, and so must the order.
bool stand_between_blocking(const Caller& caller);
inline bool stand_between_streams(const Caller& caller) {
  // Without the driver door there may be some.
  return (!has_seen_blocking_stream() && Process::get().driver_door()) ||
         stand_between_blocking(caller);
}
// The context is gone, and the event that was recorded there for this.
void forget_barrier(CUcontext context);

}  // namespace gmlake::hooks
