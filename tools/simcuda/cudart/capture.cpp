// Capture of streams into graphs.
#include "runtime.h"

using namespace gmlake::simcudart;

static_assert(static_cast<int>(cudaStreamCaptureModeRelaxed) == CU_STREAM_CAPTURE_MODE_RELAXED);
static_assert(static_cast<int>(cudaStreamCaptureStatusInvalidated) ==
              CU_STREAM_CAPTURE_STATUS_INVALIDATED);

RT_PTSZ(cudaStreamBeginCapture, (cudaStream_t stream, cudaStreamCaptureMode mode),
        cuStreamBeginCapture_v2, (stream, like(mode)))
RT_PTSZ(cudaStreamBeginCaptureToGraph,
        (cudaStream_t stream, cudaGraph_t graph, const cudaGraphNode_t* dependencies,
         const cudaGraphEdgeData* edges, size_t count, cudaStreamCaptureMode mode),
        cuStreamBeginCaptureToGraph, (stream, graph, dependencies, like(edges), count, like(mode)))
RT_PTSZ(cudaStreamEndCapture, (cudaStream_t stream, cudaGraph_t* graph), cuStreamEndCapture,
        (stream, graph))
RT_PTSZ(cudaStreamIsCapturing, (cudaStream_t stream, cudaStreamCaptureStatus* status),
        cuStreamIsCapturing, (stream, like(status)))
RT_PTSZ(cudaStreamGetCaptureInfo,
        (cudaStream_t stream, cudaStreamCaptureStatus* status, unsigned long long* id,
         cudaGraph_t* graph, const cudaGraphNode_t** dependencies, const cudaGraphEdgeData** edges,
         size_t* count),
        cuStreamGetCaptureInfo_v3,
        (stream, like(status), like(id), graph, dependencies, like(edges), count))
RT_PTSZ(cudaStreamUpdateCaptureDependencies,
        (cudaStream_t stream, cudaGraphNode_t* dependencies, const cudaGraphEdgeData* edges,
         size_t count, unsigned flags),
        cuStreamUpdateCaptureDependencies_v2, (stream, dependencies, like(edges), count, flags))

cudaError_t cudaThreadExchangeStreamCaptureMode(cudaStreamCaptureMode* mode) {
  RT_ANY(driver->cuThreadExchangeStreamCaptureMode(like(mode)));
}
