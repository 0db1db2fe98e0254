// The driver door's part that sees captures begin and end.
#include <algorithm>
#include <mutex>
#include <vector>

#include "driver/current_context.h"
#include "hooks/captures.h"
#include "hooks/process.h"
#include "hooks/single_stream.h"
#include "support/lasting.h"
#include "support/this_thread.h"

namespace gmlake::hooks {
namespace {

// Those that are open, and events for what their streams had been given.
class Registry {
 public:
  CapturesMutex& mutex() GMLAKE_RETURN_CAPABILITY(mutex_) { return mutex_; }
  const std::vector<OpenCapture>& open() const GMLAKE_REQUIRES(mutex_) { return open_; }

  void add(const OpenCapture& capture) {
    const Lock lock(mutex_);
    ++lost_;  // in case it can not be kept: then nobody will tell when it is over
    captures = open_.size() + lost_;
    open_.push_back(capture);
    --lost_;
  }
  // One that is nobody's, and is never over.
  void add_lost() {
    const Lock lock(mutex_);
    captures = open_.size() + ++lost_;
  }
  bool any_silent(CUstream stream) {
    const Lock lock(mutex_);
    return std::any_of(open_.begin(), open_.end(), [&](const OpenCapture& open) {
      return open.silent && open.stream == stream && (!open.thread || open.thread == this_thread());
    });
  }
  template <typename Which>
  void remove(Which which) {
    if (captures == 0) return;
    const Lock lock(mutex_);
    for (auto at = open_.begin(); at != open_.end();) {
      if (!which(*at)) {
        ++at;
        continue;
      }
      if (at->before) spare_.emplace_back(at->context, at->before);
      at = open_.erase(at);
    }
    captures = open_.size() + lost_;
  }
  // An event that has been used before; null if there is none.
  CUevent take_event(CUcontext context) {
    const Lock lock(mutex_);
    const auto found = std::find_if(spare_.begin(), spare_.end(),
                                    [&](const auto& one) { return one.first == context; });
    if (found == spare_.end()) return nullptr;
    auto* const event = found->second;
    spare_.erase(found);
    return event;
  }
  void give_event(CUcontext context, CUevent event) {
    const Lock lock(mutex_);
    spare_.emplace_back(context, event);
  }
  void forget_events(CUcontext context) {
    const Lock lock(mutex_);
    std::erase_if(spare_, [&](const auto& one) { return one.first == context; });
  }

 private:
  CapturesMutex mutex_;
  std::vector<OpenCapture> open_ GMLAKE_GUARDED_BY(mutex_);
  std::size_t lost_ GMLAKE_GUARDED_BY(mutex_) = 0;
  std::vector<std::pair<CUcontext, CUevent>> spare_ GMLAKE_GUARDED_BY(mutex_);
};
Registry& registry() {
  return lasting<Registry>();
}

std::atomic<unsigned> in_gate{0};

OpenCapture capture_of(CUstream stream, bool zero_is_per_thread) {
  OpenCapture capture;
  capture.stream = stream;
  if (stream == CU_STREAM_PER_THREAD || (!stream && zero_is_per_thread)) {
    capture.stream = CU_STREAM_PER_THREAD;
    capture.thread = this_thread();
  }
  return capture;
}

// What the stream, or while none captures the whole context, has been given is followed by an event
// of its own, which what is recorded beside the capture comes after.
void follow_before(const RealDriver& real, OpenCapture& capture) {
  const driver::CurrentContext current(real.table, capture.context);
  if (current.result() != CUDA_SUCCESS) return;
  auto* event = registry().take_event(capture.context);
  if (!event && real.table.cuEventCreate_(&event, CU_EVENT_DISABLE_TIMING) != CUDA_SUCCESS) return;
  auto recorded = CUDA_ERROR_NOT_SUPPORTED;
  {
    const CaptureGate gate;
    if (real.table.cuCtxRecordEvent_ && !gate.is_open(capture.context)) {
      recorded = real.table.cuCtxRecordEvent_(capture.context, event);
      capture.of_context = recorded == CUDA_SUCCESS;
    }
  }
  auto status = CU_STREAM_CAPTURE_STATUS_NONE;
  if (recorded != CUDA_SUCCESS &&
      real.table.cuStreamIsCapturing_(capture.stream, &status) == CUDA_SUCCESS &&
      status == CU_STREAM_CAPTURE_STATUS_NONE)
    recorded = real.table.cuEventRecord_(event, capture.stream);
  if (recorded == CUDA_SUCCESS)
    capture.before = event;
  else
    registry().give_event(capture.context, event);
}

// Who is in the gate has left it: what enters from here on sees what has been counted.
void wait_for_gate() {
  for (unsigned inside = in_gate.load(); inside != 0; inside = in_gate.load()) in_gate.wait(inside);
}

template <typename Native>
CUresult began(const RealDriver& real, CUstream stream, bool per_thread, Native native,
               bool silent = false) {
  if (!Process::get().driver_door()) return native();
  stream_used(stream, per_thread);
  auto capture = capture_of(stream, per_thread);
  capture.silent = silent;
  if (real.complete && capture.thread)
    (void)real.table.cuCtxGetCurrent_(&capture.context);
  else if (real.complete && stream)
    (void)real.table.cuStreamGetCtx_(stream, &capture.context);
  capture.blocking = !Process::get().streams().is_non_blocking(stream);
  const auto same = [&](const OpenCapture& open) {
    return open.stream == capture.stream && open.thread == capture.thread;
  };
  if (capture.context && Process::get().serving()) {
    (void)each_pool([&](pool::DevicePool& pool) { pool.before_capture(capture.context); });
    (void)guarded([&] { follow_before(real, capture); });
  }
  // Also by who has given up: nobody else keeps calls that would break it away.
  const bool counted = guarded([&] { registry().add(capture); });
  wait_for_gate();
  const CUresult result = native();
  if (result != CUDA_SUCCESS && counted) {
    // As it was, unless the stream was capturing already.
    auto status = CU_STREAM_CAPTURE_STATUS_NONE;
    const auto ask =
        per_thread ? real.table.cuStreamIsCapturing_ptsz_ : real.table.cuStreamIsCapturing_;
    const bool none = !real.complete || ask(stream, &status) != CUDA_SUCCESS ||
                      status == CU_STREAM_CAPTURE_STATUS_NONE;
    (void)guarded([&] {
      registry().remove([&, kept = none](const OpenCapture& open) mutable {
        return same(open) && std::exchange(kept, true);
      });
    });
  }
  return result;
}

// After an error the capture may be over or not, or be none, or another thread's: the stream knows.
CUresult ended(const RealDriver& real, CUstream stream, bool per_thread, CUresult result) {
  auto status = CU_STREAM_CAPTURE_STATUS_NONE;
  if (result != CUDA_SUCCESS && real.complete) {
    const auto ask =
        per_thread ? real.table.cuStreamIsCapturing_ptsz_ : real.table.cuStreamIsCapturing_;
    if (ask(stream, &status) != CUDA_SUCCESS || status != CU_STREAM_CAPTURE_STATUS_NONE)
      return result;
  }
  const auto over = capture_of(stream, per_thread);
  (void)guarded([&] {
    registry().remove([&](const OpenCapture& open) {
      return open.stream == over.stream && open.thread == over.thread;
    });
  });
  return result;
}

thread_local bool capturing_call = false;

}  // namespace

std::atomic<std::size_t> captures{0};

CapturesMutex& captures_mutex() {
  return registry().mutex();
}
const std::vector<OpenCapture>& open_captures() GMLAKE_NO_THREAD_SAFETY_ANALYSIS {
  return registry().open();  // two names of one lock, which the analysis can not know
}

bool is_counted(CUstream stream, CUcontext context) {
  const bool legacy = !stream || stream == CU_STREAM_LEGACY;
  for (const auto& open : open_captures()) {
    if (open.context && open.context != context) continue;
    if (legacy ? open.blocking
               : open.stream == stream && (!open.thread || open.thread == this_thread()))
      return true;
  }
  return false;
}

bool captures_silently(CUstream stream) {
  return registry().any_silent(stream);
}

void captures_unseen() {
  const auto* real = real_driver();
  CUcontext context = nullptr;
  if (real && real->complete && real->table.cuCtxGetCurrent_(&context) == CUDA_SUCCESS && context)
    (void)each_pool([&](pool::DevicePool& pool) { pool.before_capture(context); });
  (void)guarded([] { registry().add_lost(); });
  wait_for_gate();
}
void captures_end(CUstream stream) {
  (void)guarded(
      [&] { registry().remove([&](const OpenCapture& open) { return open.stream == stream; }); });
}
void captures_end(CUcontext context) {
  (void)guarded([&] {
    registry().remove([&](const OpenCapture& open) { return open.context == context; });
    registry().forget_events(context);
  });
}
void captures_of_thread_end() {
  (void)guarded([&] {
    registry().remove([&](const OpenCapture& open) { return open.thread == this_thread(); });
  });
}

// The two are in one order for everybody: who enters sees the capture counted, or whoever counted
// it sees who is inside.
CaptureGate::CaptureGate() {
  in_gate.fetch_add(1);
}
CaptureGate::~CaptureGate() {
  if (in_gate.fetch_sub(1) == 1 && captures.load() != 0) in_gate.notify_all();
}
bool CaptureGate::is_open(CUcontext context) const {
  if (captures.load() == 0 || GMLAKE_FAULT(capture_ignored)) return false;
  const Lock lock(registry().mutex());
  const auto& open = registry().open();
  // One that could not be kept may be any context's.
  return captures.load() != open.size() || !context ||
         std::any_of(open.begin(), open.end(), [&](const OpenCapture& capture) {
           return !capture.context || capture.context == context;
         });
}

CapturingCall::CapturingCall(bool capturing) : before_(capturing_call) {
  capturing_call = capturing;
}
CapturingCall::~CapturingCall() {
  capturing_call = before_;
}
bool CapturingCall::under_way() {
  return capturing_call;
}

RelaxedCapture::RelaxedCapture(const driver::DriverTable& driver) : driver_(driver) {
  if (driver_.cuThreadExchangeStreamCaptureMode_)
    exchanged_ = driver_.cuThreadExchangeStreamCaptureMode_(&mode_) == CUDA_SUCCESS;
}
RelaxedCapture::~RelaxedCapture() {
  if (exchanged_) (void)driver_.cuThreadExchangeStreamCaptureMode_(&mode_);
}

CUresult begin_capture_v1(CUstream stream) {
  GMLAKE_REAL(begin_capture_v1);
  return began(*real, stream, false, [&] { return real->begin_capture_v1(stream); });
}
CUresult begin_capture_v1_ptsz(CUstream stream) {
  GMLAKE_REAL(begin_capture_v1_ptsz);
  return began(*real, stream, true, [&] { return real->begin_capture_v1_ptsz(stream); });
}
CUresult begin_capture(CUstream stream, CUstreamCaptureMode mode) {
  GMLAKE_REAL(begin_capture);
  return began(*real, stream, false, [&] { return real->begin_capture(stream, mode); });
}
CUresult begin_capture_ptsz(CUstream stream, CUstreamCaptureMode mode) {
  GMLAKE_REAL(begin_capture_ptsz);
  return began(*real, stream, true, [&] { return real->begin_capture_ptsz(stream, mode); });
}
CUresult begin_capture_to_graph(CUstream stream, CUgraph graph, const CUgraphNode* dependencies,
                                const CUgraphEdgeData* edges, std::size_t count,
                                CUstreamCaptureMode mode) {
  GMLAKE_REAL(begin_capture_to_graph);
  return began(*real, stream, false, [&] {
    return real->begin_capture_to_graph(stream, graph, dependencies, edges, count, mode);
  });
}
CUresult begin_capture_to_graph_ptsz(CUstream stream, CUgraph graph,
                                     const CUgraphNode* dependencies, const CUgraphEdgeData* edges,
                                     std::size_t count, CUstreamCaptureMode mode) {
  GMLAKE_REAL(begin_capture_to_graph_ptsz);
  return began(*real, stream, true, [&] {
    return real->begin_capture_to_graph_ptsz(stream, graph, dependencies, edges, count, mode);
  });
}
CUresult begin_recapture(CUstream stream, CUstreamCaptureMode mode, CUgraph graph,
                         RecaptureCallback callback, void* data) {
  GMLAKE_REAL(begin_recapture);
  return began(*real, stream, false,
               [&] { return real->begin_recapture(stream, mode, graph, callback, data); });
}
CUresult begin_recapture_ptsz(CUstream stream, CUstreamCaptureMode mode, CUgraph graph,
                              RecaptureCallback callback, void* data) {
  GMLAKE_REAL(begin_recapture_ptsz);
  return began(*real, stream, true,
               [&] { return real->begin_recapture_ptsz(stream, mode, graph, callback, data); });
}
CUresult begin_capture_to_cig(CUstream stream, CUstreamCigCaptureParams_st* parameters) {
  GMLAKE_REAL(begin_capture_to_cig);
  return began(
      *real, stream, false, [&] { return real->begin_capture_to_cig(stream, parameters); }, true);
}
CUresult begin_capture_to_cig_ptsz(CUstream stream, CUstreamCigCaptureParams_st* parameters) {
  GMLAKE_REAL(begin_capture_to_cig_ptsz);
  return began(
      *real, stream, true, [&] { return real->begin_capture_to_cig_ptsz(stream, parameters); },
      true);
}
CUresult end_capture_to_cig(CUstream stream) {
  GMLAKE_REAL(end_capture_to_cig);
  return ended(*real, stream, false, real->end_capture_to_cig(stream));
}
CUresult end_capture_to_cig_ptsz(CUstream stream) {
  GMLAKE_REAL(end_capture_to_cig_ptsz);
  return ended(*real, stream, true, real->end_capture_to_cig_ptsz(stream));
}
CUresult end_capture(CUstream stream, CUgraph* graph) {
  GMLAKE_REAL(end_capture);
  return ended(*real, stream, false, real->end_capture(stream, graph));
}
CUresult end_capture_ptsz(CUstream stream, CUgraph* graph) {
  GMLAKE_REAL(end_capture_ptsz);
  return ended(*real, stream, true, real->end_capture_ptsz(stream, graph));
}

}  // namespace gmlake::hooks
