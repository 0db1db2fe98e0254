// Stream capture: what is given to a capturing stream becomes a node of a graph.
//
// A capture sequence begins in one stream and takes in others that wait for events recorded in it
// (CUDA programming guide, "Cross-stream Dependencies and Events"). An operation that is not
// allowed invalidates it; it is then over only for the stream that began it, which has to end it.
#pragma once

#include "graph.h"

namespace gmlake::simcuda {

struct Capture {
  std::uint64_t id = 0;
  GraphRef graph;  // also while invalid
  bool own_graph = true;
  StreamRef origin;
  CUstreamCaptureMode mode = CU_STREAM_CAPTURE_MODE_GLOBAL;
  std::uint64_t thread = 0;
  bool valid = true;
  bool ended = false;
  std::vector<StreamRef> streams;  // all that take part, destroyed ones too
};
using CaptureRef = std::shared_ptr<Capture>;

// A stream's part in a capture.
struct StreamCapture {
  CaptureRef sequence;
  std::vector<Node*> dependencies;  // of the next node
  // The same, as cuStreamGetCaptureInfo lends it.
  std::vector<CUgraphNode> handles;
  std::vector<CUgraphEdgeData> edges;
};

// What an event that was recorded in a capture stands for.
struct CapturedPoint {
  CaptureRef sequence;
  std::vector<Node*> dependencies;
};

// Whether the stream is capturing, validly or not.
bool capturing(const Stream& stream);
// Adds a node to the capture of a capturing stream. With the lock of graphs held:
CUresult capture_locked(const Stream& stream, NodeParams params, Node** result);
CUresult capture(const StreamRef& stream, NodeParams params);

// cuMemAllocAsync and cuMemFreeAsync in a capturing stream.
CUresult capture_allocation(const StreamRef& stream, CUdevice device, CUdeviceptr* result,
                            std::size_t size);
CUresult capture_free(const StreamRef& stream, CUdeviceptr at);

// The next five refuse, and invalidates every capture that is in the way; each succeeds at once
// when there is no capture anywhere.
//
// A call that is potentially unsafe (cuda.h, cuThreadExchangeStreamCaptureMode).
CUresult check_unsafe();
// Work for a stream that is not capturing, or a look at it: the legacy stream is not to be used
// while a blocking stream captures.
CUresult check_legacy(const Stream& stream);
// A look at the stream's work: not while it captures.
CUresult check_stream(const Stream& stream);
// A look at all work of a context (cuCtxSynchronize, cuCtxRecordEvent).
CUresult check_context(const Context& context);
// A look at an event's work.
CUresult check_event(const Event& event);

// Event record and wait where a capture has a part in them; `taken` if that was all.
CUresult capture_record(const StreamRef& stream, const EventRef& event, CUevent handle,
                        unsigned flags, bool& taken);
CUresult capture_wait(const StreamRef& stream, const EventRef& event, CUevent handle,
                      unsigned flags, bool& taken);

// The event was last recorded outside of any capture.
void forget_capture(const EventRef& event);

// The stream is gone: cuStreamDestroy, or the end of its context.
void leave_capture(const StreamRef& stream);

// For the calls in capture_calls.cpp, with the lock of graphs held.
CUresult begin_capture(const StreamRef& stream, CUstreamCaptureMode mode, GraphRef graph,
                       std::vector<Node*> dependencies);
CUresult end_capture(const StreamRef& stream, CUgraph* result);
bool legacy_is_implied(const Stream& stream);
CUresult exchange_mode(CUstreamCaptureMode& mode);

}  // namespace gmlake::simcuda
