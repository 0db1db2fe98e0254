// The driver door's part that sees captures begin and end.
#include <algorithm>
#include <mutex>
#include <vector>

#include "hooks/captures.h"
#include "hooks/process.h"
#include "hooks/single_stream.h"
#include "support/lasting.h"

namespace gmlake::hooks {
namespace {

#define GMLAKE_REAL(wrapper)        \
  const auto* real = real_driver(); \
  if (!real || !real->wrapper) return CUDA_ERROR_NOT_FOUND

struct Origin {
  CUstream stream = nullptr;
  const void* thread = nullptr;  // of a thread's own default stream, whose handle says nothing
  CUcontext context = nullptr;
};

class Begun {
 public:
  void add(const Origin& origin) {
    const std::lock_guard lock(mutex_);
    ++more_;  // in case it can not be kept: then nobody will tell when it is over
    captures = origins_.size() + more_;
    origins_.push_back(origin);
    --more_;
  }
  template <typename Which>
  void remove(Which which) {
    if (captures == 0) return;
    const std::lock_guard lock(mutex_);
    std::erase_if(origins_, which);
    captures = origins_.size() + more_;
  }

 private:
  RankedMutex<Rank::events> mutex_;
  std::vector<Origin> origins_;
  std::size_t more_ = 0;
};
Begun& begun() {
  return lasting<Begun>();
}

Origin origin_of(CUstream stream, bool zero_is_per_thread) {
  static thread_local const char here = 0;
  if (stream == CU_STREAM_PER_THREAD || (!stream && zero_is_per_thread))
    return {CU_STREAM_PER_THREAD, &here, nullptr};
  return {stream, nullptr, nullptr};
}

template <typename Native>
CUresult began(const RealDriver& real, CUstream stream, bool per_thread, Native native) {
  stream_used(stream, per_thread);
  auto origin = origin_of(stream, per_thread);
  if (real.complete && origin.thread)
    (void)real.table.cuCtxGetCurrent_(&origin.context);
  else if (real.complete && stream)
    (void)real.table.cuStreamGetCtx_(stream, &origin.context);
  const CUresult result = native();
  if (result == CUDA_SUCCESS) (void)guarded([&] { begun().add(origin); });
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
  const auto over = origin_of(stream, per_thread);
  begun().remove([&](const Origin& origin) {
    return origin.stream == over.stream && origin.thread == over.thread;
  });
  return result;
}

}  // namespace

std::atomic<std::size_t> captures{0};

void captures_end(CUstream stream) {
  begun().remove([&](const Origin& origin) { return origin.stream == stream; });
}
void captures_end(CUcontext context) {
  begun().remove([&](const Origin& origin) { return origin.context == context; });
}

RelaxedCapture::RelaxedCapture(const RealDriver& real) : real_(real) {
  // Without the driver door there may be one.
  const bool needed = capture_under_way() || !Process::get().driver_door();
  if (needed && real_.table.cuThreadExchangeStreamCaptureMode_)
    exchanged_ = real_.table.cuThreadExchangeStreamCaptureMode_(&mode_) == CUDA_SUCCESS;
}
RelaxedCapture::~RelaxedCapture() {
  if (exchanged_) (void)real_.table.cuThreadExchangeStreamCaptureMode_(&mode_);
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
CUresult end_capture(CUstream stream, CUgraph* graph) {
  GMLAKE_REAL(end_capture);
  return ended(*real, stream, false, real->end_capture(stream, graph));
}
CUresult end_capture_ptsz(CUstream stream, CUgraph* graph) {
  GMLAKE_REAL(end_capture_ptsz);
  return ended(*real, stream, true, real->end_capture_ptsz(stream, graph));
}

}  // namespace gmlake::hooks
