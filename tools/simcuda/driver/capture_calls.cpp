// cuStreamBeginCapture and the calls about captures that follow from it.
#include "capture.h"
#include "entry.h"

#if CUDA_VERSION >= 13030
using RecaptureCallback = CUgraphRecaptureCallback;
#else
using RecaptureCallback = void*;
#endif

namespace gmlake::simcuda {
namespace {

CUresult begin(CUstream handle, Implicit implicit, CUstreamCaptureMode mode) {
  StreamRef stream;
  if (const CUresult bad = find_stream(handle, implicit, stream)) return bad;
  const GraphLock lock = lock_graphs();
  return begin_capture(stream, mode, nullptr, {});
}

CUresult begin_in(CUstream handle, Implicit implicit, CUgraph graph_handle,
                  const CUgraphNode* dependencies, const CUgraphEdgeData* edges, size_t count,
                  CUstreamCaptureMode mode) {
  StreamRef stream;
  if (const CUresult bad = find_stream(handle, implicit, stream)) return bad;
  const GraphLock lock = lock_graphs();
  Graph* graph = nullptr;
  std::vector<Node*> nodes;
  if (const CUresult bad = find_graph(graph_handle, graph)) return bad;
  if (graph->capturing) return CUDA_ERROR_INVALID_VALUE;
  if (const CUresult bad = find_nodes(*graph, dependencies, count, nodes)) return bad;
  if (const CUresult bad = check_edges(edges, count)) return bad;
  return begin_capture(stream, mode, graph->shared_from_this(), std::move(nodes));
}

// The nodes are made anew: what a program sees of a recapture is its graph with other parameters,
// but for the handles of the nodes. That the new ones are like the old ones is not checked.
CUresult begin_again(CUstream handle, Implicit implicit, CUstreamCaptureMode mode,
                     CUgraph graph_handle) {
  StreamRef stream;
  if (const CUresult bad = find_stream(handle, implicit, stream)) return bad;
  const GraphLock lock = lock_graphs();
  Graph* graph = nullptr;
  if (const CUresult bad = find_graph(graph_handle, graph)) return bad;
  if (graph->capturing) return CUDA_ERROR_INVALID_VALUE;
  if (const CUresult bad = begin_capture(stream, mode, graph->shared_from_this(), {})) return bad;
  while (!graph->nodes.empty()) destroy_node(*graph->nodes.back());
  return CUDA_SUCCESS;
}

CUresult end(CUstream handle, Implicit implicit, CUgraph* result) {
  StreamRef stream;
  if (const CUresult bad = find_stream(handle, implicit, stream)) return bad;
  if (result == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const GraphLock lock = lock_graphs();
  return end_capture(stream, result);
}

// cuda.h, cuStreamGetCaptureInfo: what `Wanted` points to is optional but for the status.
struct Wanted {
  CUstreamCaptureStatus* status = nullptr;
  cuuint64_t* id = nullptr;
  CUgraph* graph = nullptr;
  const CUgraphNode** dependencies = nullptr;
  const CUgraphEdgeData** edges = nullptr;
  size_t* count = nullptr;
};

CUresult info(CUstream handle, Implicit implicit, const Wanted& wanted) {
  StreamRef stream;
  if (const CUresult bad = find_stream(handle, implicit, stream)) return bad;
  if (wanted.status == nullptr || (wanted.edges != nullptr && wanted.dependencies == nullptr))
    return CUDA_ERROR_INVALID_VALUE;
  const GraphLock lock = lock_graphs();
  // cuda.h, cuStreamIsCapturing: "The blocking stream capture is not invalidated."
  if (legacy_is_implied(*stream)) return CUDA_ERROR_STREAM_CAPTURE_IMPLICIT;
  StreamCapture* part = stream->capture.get();
  *wanted.status = part == nullptr         ? CU_STREAM_CAPTURE_STATUS_NONE
                   : part->sequence->valid ? CU_STREAM_CAPTURE_STATUS_ACTIVE
                                           : CU_STREAM_CAPTURE_STATUS_INVALIDATED;
  if (*wanted.status != CU_STREAM_CAPTURE_STATUS_ACTIVE) return CUDA_SUCCESS;
  part->handles.clear();
  for (const Node* node : part->dependencies) part->handles.push_back(node->handle);
  part->edges.assign(part->handles.size(), CUgraphEdgeData{});
  if (wanted.id != nullptr) *wanted.id = part->sequence->id;
  if (wanted.graph != nullptr) *wanted.graph = part->sequence->graph->handle;
  if (wanted.dependencies != nullptr) *wanted.dependencies = part->handles.data();
  if (wanted.edges != nullptr) *wanted.edges = part->edges.data();
  if (wanted.count != nullptr) *wanted.count = part->handles.size();
  return CUDA_SUCCESS;
}

CUresult update(CUstream handle, Implicit implicit, const CUgraphNode* dependencies,
                const CUgraphEdgeData* edges, size_t count, unsigned flags) {
  StreamRef stream;
  if (const CUresult bad = find_stream(handle, implicit, stream)) return bad;
  const GraphLock lock = lock_graphs();
  if (stream->capture == nullptr) return CUDA_ERROR_ILLEGAL_STATE;
  Capture& sequence = *stream->capture->sequence;
  if (!sequence.valid) return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
  if (flags != CU_STREAM_ADD_CAPTURE_DEPENDENCIES && flags != CU_STREAM_SET_CAPTURE_DEPENDENCIES)
    return CUDA_ERROR_INVALID_VALUE;
  std::vector<Node*> nodes;
  if (const CUresult bad = find_nodes(*sequence.graph, dependencies, count, nodes)) return bad;
  if (const CUresult bad = check_edges(edges, count)) return bad;
  if (flags == CU_STREAM_SET_CAPTURE_DEPENDENCIES) stream->capture->dependencies.clear();
  add_all(stream->capture->dependencies, nodes);
  return CUDA_SUCCESS;
}

}  // namespace
}  // namespace gmlake::simcuda

using namespace gmlake::simcuda;

SIM_PTSZ(cuStreamBeginCapture, (CUstream stream),
         begin(stream, implicit, CU_STREAM_CAPTURE_MODE_GLOBAL))
SIM_PTSZ(cuStreamBeginCapture_v2, (CUstream stream, CUstreamCaptureMode mode),
         begin(stream, implicit, mode))
SIM_PTSZ(cuStreamBeginCaptureToGraph,
         (CUstream stream, CUgraph graph, const CUgraphNode* dependencies,
          const CUgraphEdgeData* edges, size_t count, CUstreamCaptureMode mode),
         begin_in(stream, implicit, graph, dependencies, edges, count, mode))
SIM_PTSZ(cuStreamBeginRecaptureToGraph,
         (CUstream stream, CUstreamCaptureMode mode, CUgraph graph, RecaptureCallback, void*),
         begin_again(stream, implicit, mode, graph))
SIM_PTSZ(cuStreamEndCapture, (CUstream stream, CUgraph* graph), end(stream, implicit, graph))
SIM_PTSZ(cuStreamIsCapturing, (CUstream stream, CUstreamCaptureStatus* status),
         info(stream, implicit, {status}))
SIM_PTSZ(cuStreamGetCaptureInfo, (CUstream stream, CUstreamCaptureStatus* status, cuuint64_t* id),
         info(stream, implicit, {status, id}))
SIM_PTSZ(cuStreamGetCaptureInfo_v2,
         (CUstream stream, CUstreamCaptureStatus* status, cuuint64_t* id, CUgraph* graph,
          const CUgraphNode** dependencies, size_t* count),
         info(stream, implicit, {status, id, graph, dependencies, nullptr, count}))
SIM_PTSZ(cuStreamGetCaptureInfo_v3,
         (CUstream stream, CUstreamCaptureStatus* status, cuuint64_t* id, CUgraph* graph,
          const CUgraphNode** dependencies, const CUgraphEdgeData** edges, size_t* count),
         info(stream, implicit, {status, id, graph, dependencies, edges, count}))
SIM_PTSZ(cuStreamUpdateCaptureDependencies,
         (CUstream stream, CUgraphNode* dependencies, size_t count, unsigned flags),
         update(stream, implicit, dependencies, nullptr, count, flags))
SIM_PTSZ(cuStreamUpdateCaptureDependencies_v2,
         (CUstream stream, CUgraphNode* dependencies, const CUgraphEdgeData* edges, size_t count,
          unsigned flags),
         update(stream, implicit, dependencies, edges, count, flags))

CUresult cuThreadExchangeStreamCaptureMode(CUstreamCaptureMode* mode) {
  SIM_ENTER();
  return mode != nullptr ? exchange_mode(*mode) : CUDA_ERROR_INVALID_VALUE;
}
