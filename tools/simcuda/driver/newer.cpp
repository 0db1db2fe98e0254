// Functions that no CUDA has (newer.def): each does what its relative does.
#include "entry.h"
#include "event.h"

CUresult cuStreamBeginNextCapture(CUstream stream, CUstreamCaptureMode mode) {
  SIM_ENTER_EARLY();
  return cuStreamBeginCapture_v2(stream, mode);
}
CUresult cuGraphAddNode_v99(CUgraphNode* result, CUgraph graph, const CUgraphNode* dependencies,
                            const CUgraphEdgeData* edges, size_t count, CUgraphNodeParams* params) {
  SIM_ENTER_EARLY();
  return cuGraphAddNode_v2(result, graph, dependencies, edges, count, params);
}
CUresult cuEventRecordNext(CUevent event, CUstream stream) {
  SIM_ENTER_EARLY();
  return cuEventRecord(event, stream);
}
CUresult cuStreamCreateNext(CUstream* stream, unsigned flags) {
  SIM_ENTER_EARLY();
  return cuStreamCreate(stream, flags);
}
CUresult cuCtxDestroyNext(CUcontext context) {
  SIM_ENTER_EARLY();
  return cuCtxDestroy_v2(context);
}
CUresult cuStreamCaptureOfManyNext(CUstream, int a, int b, int c, int d, int e, int f, int g,
                                   double h, void* sum) {
  SIM_ENTER_EARLY();
  *static_cast<double*>(sum) = a + b + c + d + e + f + g + h;
  return CUDA_SUCCESS;
}
