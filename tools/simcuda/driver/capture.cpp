#include "capture.h"

#include <algorithm>
#include <atomic>
#include <set>
#include <utility>

#include "findings.h"

namespace gmlake::simcuda {
namespace {

// Written under the lock of graphs; read without it, so that calls cost nothing more while there is
// no capture.
constinit std::atomic<unsigned> under_way{0};

// Under the lock of graphs.
std::vector<CaptureRef>& captures() {
  static auto* captures = new std::vector<CaptureRef>;
  return *captures;
}

constinit thread_local CUstreamCaptureMode thread_mode = CU_STREAM_CAPTURE_MODE_GLOBAL;
constinit thread_local std::uint64_t thread_number = 0;

std::uint64_t this_thread() {
  static constinit std::atomic<std::uint64_t> next{1};
  if (thread_number == 0) thread_number = next.fetch_add(1);
  return thread_number;
}

bool known(CUstreamCaptureMode mode) {
  return mode == CU_STREAM_CAPTURE_MODE_GLOBAL || mode == CU_STREAM_CAPTURE_MODE_THREAD_LOCAL ||
         mode == CU_STREAM_CAPTURE_MODE_RELAXED;
}

// All its streams leave capture mode.
void terminate(const CaptureRef& capture) {
  for (const StreamRef& stream : capture->streams)
    if (stream->capture != nullptr && stream->capture->sequence == capture) stream->capture.reset();
  capture->streams.clear();
  capture->ended = true;
  capture->graph->capturing = false;
  std::erase(captures(), capture);
  under_way = static_cast<unsigned>(captures().size());
}

void abandon(const CaptureRef& capture) {
  terminate(capture);
  if (capture->own_graph) destroy_graph(*capture->graph);
}

// The capture is broken by the calling thread's call.
CUresult refuse(Capture& capture, CUresult why) {
  if (!std::exchange(capture.valid, false)) return why;
  return misuse(why, "breaks the capture of stream", capture.origin->id);
}

// Whether everything captured in other streams is waited for in the first. The programming guide,
// "Cross-stream Dependencies and Events": all of them "must be joined to the origin stream".
bool joined(const Capture& capture) {
  std::set<const Node*> reached;
  std::vector<const Node*> next;
  for (const Node* node : capture.origin->capture->dependencies) next.push_back(node);
  while (!next.empty()) {
    const Node* node = next.back();
    next.pop_back();
    if (!reached.insert(node).second) continue;
    next.insert(next.end(), node->dependencies.begin(), node->dependencies.end());
  }
  for (const StreamRef& stream : capture.streams)
    for (const Node* node : stream->capture->dependencies)
      if (!reached.contains(node)) return false;
  return true;
}

}  // namespace

bool capturing(const Stream& stream) {
  if (under_way == 0) return false;
  const GraphLock lock = lock_graphs();
  return stream.capture != nullptr;
}

CUresult capture_locked(const Stream& stream, NodeParams params, Node** result) {
  if (stream.capture == nullptr) return CUDA_ERROR_ILLEGAL_STATE;  // ended by another thread
  Capture& sequence = *stream.capture->sequence;
  if (!sequence.valid) return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
  Node* node = nullptr;
  if (const CUresult bad =
          add_node(*sequence.graph, stream.capture->dependencies, std::move(params), &node))
    return bad;
  stream.capture->dependencies = {node};
  if (result != nullptr) *result = node;
  return CUDA_SUCCESS;
}

CUresult capture(const StreamRef& stream, NodeParams params) {
  const GraphLock lock = lock_graphs();
  return capture_locked(*stream, std::move(params), nullptr);
}

CUresult capture_allocation(const StreamRef& stream, CUdevice device, CUdeviceptr* result,
                            std::size_t size) {
  NodeParams params;
  params.what.type = CU_GRAPH_NODE_TYPE_MEM_ALLOC;
  params.what.alloc.poolProps.allocType = CU_MEM_ALLOCATION_TYPE_PINNED;
  params.what.alloc.poolProps.location = {CU_MEM_LOCATION_TYPE_DEVICE, device};
  params.what.alloc.bytesize = size;
  const GraphLock lock = lock_graphs();
  Node* node = nullptr;
  if (const CUresult bad = capture_locked(*stream, std::move(params), &node)) return bad;
  *result = node->params.what.alloc.dptr;
  return CUDA_SUCCESS;
}

// cuda.h, cuMemFreeAsync: during capture it "must therefore be passed the address of a graph
// allocation". Another address is refused and the capture goes on (measured on driver 580).
CUresult capture_free(const StreamRef& stream, CUdeviceptr at) {
  NodeParams params;
  params.what.type = CU_GRAPH_NODE_TYPE_MEM_FREE;
  params.what.free.dptr = at;
  return capture(stream, std::move(params));
}

CUresult check_unsafe() {
  if (under_way == 0 || thread_mode == CU_STREAM_CAPTURE_MODE_RELAXED) return CUDA_SUCCESS;
  const GraphLock lock = lock_graphs();
  CUresult answer = CUDA_SUCCESS;
  for (const CaptureRef& capture : captures()) {
    const bool own = capture->thread == this_thread();
    // cuda.h, cuThreadExchangeStreamCaptureMode.
    const bool conflict = own ? capture->mode != CU_STREAM_CAPTURE_MODE_RELAXED
                              : capture->mode == CU_STREAM_CAPTURE_MODE_GLOBAL &&
                                    thread_mode == CU_STREAM_CAPTURE_MODE_GLOBAL;
    if (conflict) answer = refuse(*capture, CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
  }
  return answer;
}

bool legacy_is_implied(const Stream& stream) {
  if (!stream.legacy) return false;
  for (const CaptureRef& capture : captures())
    for (const StreamRef& other : capture->streams)
      if (other->blocking && other->context == stream.context) return true;
  return false;
}

CUresult check_legacy(const Stream& stream) {
  if (under_way == 0 || !stream.legacy) return CUDA_SUCCESS;
  const GraphLock lock = lock_graphs();
  if (!legacy_is_implied(stream)) return CUDA_SUCCESS;
  for (const CaptureRef& capture : captures())
    for (const StreamRef& other : capture->streams)
      if (other->blocking && other->context == stream.context)
        refuse(*capture, CUDA_ERROR_STREAM_CAPTURE_IMPLICIT);
  return CUDA_ERROR_STREAM_CAPTURE_IMPLICIT;
}

CUresult check_stream(const Stream& stream) {
  if (under_way == 0) return CUDA_SUCCESS;
  if (const CUresult bad = check_legacy(stream)) return bad;
  const GraphLock lock = lock_graphs();
  if (stream.capture == nullptr) return CUDA_SUCCESS;
  Capture& sequence = *stream.capture->sequence;
  if (!sequence.valid) return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
  return refuse(sequence, CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
}

CUresult check_context(const Context& context) {
  if (under_way == 0) return CUDA_SUCCESS;
  const GraphLock lock = lock_graphs();
  CUresult answer = CUDA_SUCCESS;
  for (const CaptureRef& capture : captures())
    for (const StreamRef& stream : capture->streams)
      if (stream->context == &context)
        answer = refuse(*capture, CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
  return answer;
}

CUresult check_event(const Event& event) {
  const GraphLock lock = lock_graphs();
  if (event.in_capture == nullptr) return CUDA_SUCCESS;
  Capture& sequence = *event.in_capture->sequence;
  if (sequence.ended) return CUDA_ERROR_INVALID_VALUE;  // measured on driver 580
  return refuse(sequence, CUDA_ERROR_CAPTURED_EVENT);
}

CUresult capture_record(const StreamRef& stream, const EventRef& event, CUevent handle,
                        unsigned flags, bool& taken) {
  taken = false;
  const GraphLock lock = lock_graphs();
  if (stream->capture == nullptr) {
    event->in_capture.reset();
    return CUDA_SUCCESS;
  }
  taken = true;
  const CaptureRef& sequence = stream->capture->sequence;
  if (!sequence->valid) return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
  if (flags == CU_EVENT_RECORD_EXTERNAL) {
    NodeParams params;
    params.what.type = CU_GRAPH_NODE_TYPE_EVENT_RECORD;
    params.what.eventRecord.event = handle;
    return capture_locked(*stream, std::move(params), nullptr);
  }
  event->in_capture =
      std::make_shared<CapturedPoint>(CapturedPoint{sequence, stream->capture->dependencies});
  return CUDA_SUCCESS;
}

CUresult capture_wait(const StreamRef& stream, const EventRef& event, CUevent handle,
                      unsigned flags, bool& taken) {
  taken = false;
  const GraphLock lock = lock_graphs();
  StreamCapture* own = stream->capture.get();
  if (own != nullptr && !own->sequence->valid) return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
  if (own != nullptr && flags == CU_EVENT_WAIT_EXTERNAL) {
    taken = true;
    NodeParams params;
    params.what.type = CU_GRAPH_NODE_TYPE_WAIT_EVENT;
    params.what.eventWait.event = handle;
    return capture_locked(*stream, std::move(params), nullptr);
  }
  if (event->in_capture == nullptr) {
    if (own == nullptr) return CUDA_SUCCESS;
    taken = true;
    // An event that was never recorded is nothing to wait for (measured on driver 580).
    if (!event->recorded) return CUDA_SUCCESS;
    return refuse(*own->sequence, CUDA_ERROR_STREAM_CAPTURE_ISOLATION);
  }
  taken = true;
  const CaptureRef& sequence = event->in_capture->sequence;
  if (sequence->ended) return CUDA_ERROR_INVALID_VALUE;  // measured on driver 580
  if (!sequence->valid) return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
  // cuda.h, cuStreamIsCapturing: "The legacy stream is not supported for stream capture".
  if (stream->legacy) return refuse(*sequence, CUDA_ERROR_STREAM_CAPTURE_IMPLICIT);
  if (own != nullptr && own->sequence != sequence) {
    refuse(*own->sequence, CUDA_ERROR_STREAM_CAPTURE_MERGE);
    return refuse(*sequence, CUDA_ERROR_STREAM_CAPTURE_MERGE);
  }
  if (own == nullptr) {
    stream->capture = std::make_shared<StreamCapture>();
    stream->capture->sequence = sequence;
    sequence->streams.push_back(stream);
  }
  add_all(stream->capture->dependencies, event->in_capture->dependencies);
  return CUDA_SUCCESS;
}

void forget_capture(const EventRef& event) {
  const GraphLock lock = lock_graphs();
  event->in_capture.reset();
}

void leave_capture(const StreamRef& stream) {
  if (under_way == 0) return;
  const GraphLock lock = lock_graphs();
  // A stream that joined leaves what it captured behind, to be waited for.
  if (stream->capture == nullptr || stream->capture->sequence->origin != stream) return;
  abandon(CaptureRef(stream->capture->sequence));  // the stream's own goes with it
}

CUresult begin_capture(const StreamRef& stream, CUstreamCaptureMode mode, GraphRef graph,
                       std::vector<Node*> dependencies) {
  if (!known(mode)) return CUDA_ERROR_INVALID_VALUE;
  if (stream->legacy) return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;  // measured on driver 580
  // cuda.h: "it may only be initiated if the stream is not already in capture mode".
  if (stream->capture != nullptr) return CUDA_ERROR_ILLEGAL_STATE;
  static std::uint64_t next_id = 1;
  auto capture = std::make_shared<Capture>();
  capture->id = next_id++;
  capture->own_graph = graph == nullptr;
  capture->graph = graph != nullptr ? std::move(graph) : new_graph();
  capture->graph->capturing = true;
  capture->origin = stream;
  capture->mode = mode;
  capture->thread = this_thread();
  capture->streams.push_back(stream);
  stream->capture = std::make_shared<StreamCapture>();
  stream->capture->sequence = capture;
  stream->capture->dependencies = std::move(dependencies);
  captures().push_back(std::move(capture));
  under_way = static_cast<unsigned>(captures().size());
  return CUDA_SUCCESS;
}

CUresult end_capture(const StreamRef& stream, CUgraph* result) {
  *result = nullptr;
  if (stream->capture == nullptr) return CUDA_ERROR_ILLEGAL_STATE;  // measured on driver 580
  const CaptureRef capture = stream->capture->sequence;
  if (capture->origin != stream) return refuse(*capture, CUDA_ERROR_STREAM_CAPTURE_UNMATCHED);
  CUresult answer = CUDA_SUCCESS;
  if (!capture->valid)
    answer = CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
  else if (capture->mode != CU_STREAM_CAPTURE_MODE_RELAXED && capture->thread != this_thread())
    answer = CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD;
  else if (!joined(*capture))
    answer = CUDA_ERROR_STREAM_CAPTURE_UNJOINED;
  if (answer != CUDA_SUCCESS) {  // the capture is over all the same (measured on driver 580)
    abandon(capture);
    return answer;
  }
  terminate(capture);
  *result = capture->graph->handle;
  return CUDA_SUCCESS;
}

CUresult exchange_mode(CUstreamCaptureMode& mode) {
  if (!known(mode)) return CUDA_ERROR_INVALID_VALUE;
  std::swap(mode, thread_mode);
  return CUDA_SUCCESS;
}

}  // namespace gmlake::simcuda
