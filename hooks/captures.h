// Stream captures under way, as far as the driver door sees them: a capture ends by its end call,
// or with the stream it began on.
#pragma once

#include <atomic>
#include <cstddef>

#include "hooks/real.h"
#include "support/fault.h"

namespace gmlake::hooks {

extern std::atomic<std::size_t> captures;
// Whether there is one in the whole process.
inline bool capture_under_way() {
  return captures.load(std::memory_order_relaxed) != 0 && !GMLAKE_FAULT(capture_ignored);
}
// A stream, or a context with its streams, is gone.
void captures_end(CUstream stream);
void captures_end(CUcontext context);

// Lets this thread make calls that a capture elsewhere would forbid, for a scope. Costs nothing
// while none can be under way.
class RelaxedCapture {
 public:
  explicit RelaxedCapture(const RealDriver& real);
  ~RelaxedCapture();
  RelaxedCapture(const RelaxedCapture&) = delete;
  RelaxedCapture& operator=(const RelaxedCapture&) = delete;

 private:
  const RealDriver& real_;
  bool exchanged_ = false;
  CUstreamCaptureMode mode_ = CU_STREAM_CAPTURE_MODE_RELAXED;
};

}  // namespace gmlake::hooks
