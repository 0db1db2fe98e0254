// Stream captures that are open, as far as the driver door sees them, and the gate between them and
// calls of ours that would break one.
//
// A capture is counted before the driver is asked to begin it. A call that may break captures is
// made in the gate: none begins meanwhile, and where one is open already the call is not made. So a
// begin waits for the few such calls under way, and those never wait for the GPU. What is recorded
// beside open captures is recorded stream by stream, with captures_mutex() held: no stream joins a
// capture meanwhile.
//
// A capture ends by its end call, by the end of the stream it began on or of that stream's context,
// or, on a thread's own default stream, with the thread.
#pragma once

#include <atomic>
#include <cstddef>
#include <vector>

#include "hooks/real.h"
#include "support/fault.h"
#include "support/ranked_mutex.h"

namespace gmlake::hooks {

extern std::atomic<std::size_t> captures;
// Whether there is one in the whole process.
inline bool capture_under_way() {
  return captures.load(std::memory_order_relaxed) != 0 && !GMLAKE_FAULT(capture_ignored);
}

// Which stream a capture began on, and how far what it was given before can be followed.
struct OpenCapture {
  CUstream stream = nullptr;
  const void* thread = nullptr;  // of a thread's own default stream, whose handle says nothing
  CUcontext context = nullptr;
  bool blocking = false;     // the legacy stream is not to be used meanwhile
  bool silent = false;       // the driver is not known to say so of the stream
  CUevent before = nullptr;  // follows what had been given by then; null: there could be none
  bool of_context = false;   // to the whole context, not only to the stream
};

using CapturesMutex = RankedMutex<Rank::captures>;
CapturesMutex& captures_mutex();
bool captures_silently(CUstream stream);
const std::vector<OpenCapture>& open_captures() GMLAKE_REQUIRES(captures_mutex());
// Whether one that is counted is the stream's, or makes the legacy stream unusable: whether or not
// the driver has begun it yet. The stream is as the calling thread knows it in that context.
bool is_counted(CUstream stream, CUcontext context) GMLAKE_REQUIRES(captures_mutex());

// From now on one may be open at any time, on any stream, and nobody tells.
void captures_unseen();
// What ends captures besides their end call.
void captures_end(CUstream stream);
void captures_end(CUcontext context);
void captures_of_thread_end();

// No capture begins while this lives.
class CaptureGate {
 public:
  CaptureGate();
  ~CaptureGate();
  CaptureGate(const CaptureGate&) = delete;
  CaptureGate& operator=(const CaptureGate&) = delete;
  // Whether one is open, in the context or (null) at all.
  bool is_open(CUcontext context) const;
};

// The call is about a stream that captures, which only the call itself has found out (the C API
// where nothing is intercepted): nothing is recorded on a context in it.
class CapturingCall {
 public:
  explicit CapturingCall(bool capturing);
  ~CapturingCall();
  CapturingCall(const CapturingCall&) = delete;
  CapturingCall& operator=(const CapturingCall&) = delete;
  static bool under_way();

 private:
  const bool before_;
};

// Lets this thread make calls that a capture elsewhere would forbid, for a scope.
class RelaxedCapture {
 public:
  explicit RelaxedCapture(const driver::DriverTable& driver);
  ~RelaxedCapture();
  RelaxedCapture(const RelaxedCapture&) = delete;
  RelaxedCapture& operator=(const RelaxedCapture&) = delete;

 private:
  const driver::DriverTable& driver_;
  bool exchanged_ = false;
  CUstreamCaptureMode mode_ = CU_STREAM_CAPTURE_MODE_RELAXED;
};

}  // namespace gmlake::hooks
