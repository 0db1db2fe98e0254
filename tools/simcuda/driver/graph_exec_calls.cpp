// cuGraphInstantiate, cuGraphLaunch and the other calls on executable graphs.
#include "capture.h"
#include "entry.h"
#include "graph_exec.h"

namespace gmlake::simcuda {
namespace {

constexpr cuuint64_t kFlags = CUDA_GRAPH_INSTANTIATE_FLAG_AUTO_FREE_ON_LAUNCH |
                              CUDA_GRAPH_INSTANTIATE_FLAG_DEVICE_LAUNCH |
                              CUDA_GRAPH_INSTANTIATE_FLAG_USE_NODE_PRIORITY;

CUresult make(CUgraphExec* result, CUgraph handle, cuuint64_t flags, cuuint64_t allowed,
              CUgraphNode* error) {
  if (result == nullptr || (flags & ~allowed) != 0) return CUDA_ERROR_INVALID_VALUE;
  const GraphLock lock = lock_graphs();
  Graph* graph = nullptr;
  Node* node = nullptr;
  if (const CUresult bad = find_graph(handle, graph)) return bad;
  const CUresult made = instantiate(result, *graph, flags, node);
  if (error != nullptr) *error = node != nullptr ? node->handle : nullptr;
  return made;
}

// The first two forms: a message may go to a buffer.
CUresult make_with_log(CUgraphExec* result, CUgraph graph, CUgraphNode* error, char* log,
                       size_t size) {
  if (log != nullptr && size > 0) *log = '\0';
  return make(result, graph, 0, kFlags, error);
}

CUresult upload(CUgraphExec handle, CUstream stream_handle, Implicit implicit) {
  StreamRef stream;
  if (const CUresult bad = find_stream(stream_handle, implicit, stream)) return bad;
  Point last;
  {
    const GraphLock lock = lock_graphs();
    Executable* executable = nullptr;
    if (const CUresult bad = find_executable(handle, executable)) return bad;
    last = executable->last;
  }
  // cuda.h, cuGraphUpload: "ordered behind both any previous work in hStream and any previous
  // launches of hGraphExec".
  return enqueue(stream, {Run::marker, {}, {}, {last}});
}

CUresult make_with_params(CUgraphExec* result, CUgraph graph, CUDA_GRAPH_INSTANTIATE_PARAMS* params,
                          Implicit implicit) {
  if (params == nullptr) return CUDA_ERROR_INVALID_VALUE;
  params->hErrNode_out = nullptr;
  params->result_out = CUDA_GRAPH_INSTANTIATE_ERROR;
  const cuuint64_t flags = params->flags;
  const CUresult made = make(result, graph, flags, kFlags | CUDA_GRAPH_INSTANTIATE_FLAG_UPLOAD,
                             &params->hErrNode_out);
  if (made != CUDA_SUCCESS) {
    if (params->hErrNode_out != nullptr)
      params->result_out = (flags & CUDA_GRAPH_INSTANTIATE_FLAG_DEVICE_LAUNCH) != 0
                               ? CUDA_GRAPH_INSTANTIATE_NODE_OPERATION_NOT_SUPPORTED
                               : CUDA_GRAPH_INSTANTIATE_INVALID_STRUCTURE;
    return made;
  }
  if ((flags & CUDA_GRAPH_INSTANTIATE_FLAG_UPLOAD) != 0)
    if (const CUresult bad = upload(*result, params->hUploadStream, implicit)) {
      const GraphLock lock = lock_graphs();
      destroy_executable(*result);
      return bad;
    }
  params->result_out = CUDA_GRAPH_INSTANTIATE_SUCCESS;
  return CUDA_SUCCESS;
}

// In a capture a launch is a child graph (CUDA programming guide, "Creating a Graph Using Stream
// Capture").
CUresult capture_launch(const StreamRef& stream, const Executable& executable) {
  if (has_memory_nodes(*executable.graph)) return CUDA_ERROR_NOT_SUPPORTED;
  NodeParams params;
  params.what.type = CU_GRAPH_NODE_TYPE_GRAPH;
  params.child = clone_graph(*executable.graph);
  const GraphRef child = params.child;
  Node* node = nullptr;
  const CUresult done = capture_locked(*stream, std::move(params), &node);
  if (done != CUDA_SUCCESS) destroy_graph(*child);
  return done;
}

CUresult launch(CUgraphExec handle, CUstream stream_handle, Implicit implicit) {
  StreamRef stream;
  if (const CUresult bad = find_stream(stream_handle, implicit, stream)) return bad;
  if (const CUresult bad = check_legacy(*stream)) return bad;
  const GraphLock lock = lock_graphs();
  Executable* executable = nullptr;
  if (const CUresult bad = find_executable(handle, executable)) return bad;
  return stream->capture != nullptr ? capture_launch(stream, *executable)
                                    : launch(*executable, stream);
}

// cuda.h, cuGraphExecMemcpyNodeSetParams and cuGraphExecMemsetNodeSetParams: copies of one
// dimension, fills with the shape they had, and nothing of no size.
bool may_become(const CUgraphNodeParams& now, const CUgraphNodeParams& next) {
  const auto line = [](const CUDA_MEMCPY3D& copy) { return copy.Height == 1 && copy.Depth == 1; };
  switch (next.type) {
    case CU_GRAPH_NODE_TYPE_MEMCPY: {
      const CUDA_MEMCPY3D& was = now.memcpy.copyParams;
      const CUDA_MEMCPY3D& is = next.memcpy.copyParams;
      return line(was) && line(is) && is.WidthInBytes != 0 &&
             was.srcMemoryType == is.srcMemoryType && was.dstMemoryType == is.dstMemoryType;
    }
    case CU_GRAPH_NODE_TYPE_MEMSET: {
      const CUDA_MEMSET_NODE_PARAMS_v2& was = now.memset;
      const CUDA_MEMSET_NODE_PARAMS_v2& is = next.memset;
      if (is.width == 0 || is.height != was.height) return false;
      return was.height == 1 ||
             (is.width == was.width && is.elementSize == was.elementSize && is.pitch == was.pitch);
    }
    default:
      return true;
  }
}

CUresult set(CUgraphExec handle, CUgraphNode original, const CUgraphNodeParams& what) {
  const GraphLock lock = lock_graphs();
  Executable* executable = nullptr;
  Node* node = nullptr;
  if (const CUresult bad = find_executable(handle, executable)) return bad;
  if (const CUresult bad = find_node(*executable, original, node)) return bad;
  if (node->type() != what.type) return CUDA_ERROR_INVALID_VALUE;
  if (what.type == CU_GRAPH_NODE_TYPE_GRAPH) {
    Graph* child = nullptr;
    CUgraphExecUpdateResultInfo outcome{};
    if (const CUresult bad = find_graph(what.graph.graph, child)) return bad;
    update(*node->params.child, *child, outcome);
    return outcome.result == CU_GRAPH_EXEC_UPDATE_SUCCESS ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
  }
  if (!may_become(node->params.what, what)) return CUDA_ERROR_INVALID_VALUE;
  NodeParams params;
  params.what = what;
  return set_params(*node, std::move(params));
}

CUresult update_all(CUgraphExec handle, CUgraph graph_handle,
                    CUgraphExecUpdateResultInfo& outcome) {
  outcome = {CU_GRAPH_EXEC_UPDATE_ERROR, nullptr, nullptr};
  const GraphLock lock = lock_graphs();
  Executable* executable = nullptr;
  Graph* graph = nullptr;
  if (const CUresult bad = find_executable(handle, executable)) return bad;
  if (const CUresult bad = find_graph(graph_handle, graph)) return bad;
  update(*executable->graph, *graph, outcome);
  return outcome.result == CU_GRAPH_EXEC_UPDATE_SUCCESS ? CUDA_SUCCESS
                                                        : CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE;
}

// cuda.h, cuGraphNodeSetEnabled: "Currently only kernel, memset and memcpy nodes are supported."
CUresult find_switchable(CUgraphExec handle, CUgraphNode original, Node*& node) {
  Executable* executable = nullptr;
  if (const CUresult bad = find_executable(handle, executable)) return bad;
  if (const CUresult bad = find_node(*executable, original, node)) return bad;
  const CUgraphNodeType type = node->type();
  return type == CU_GRAPH_NODE_TYPE_KERNEL || type == CU_GRAPH_NODE_TYPE_MEMSET ||
                 type == CU_GRAPH_NODE_TYPE_MEMCPY
             ? CUDA_SUCCESS
             : CUDA_ERROR_INVALID_VALUE;
}

}  // namespace
}  // namespace gmlake::simcuda

using namespace gmlake::simcuda;

CUresult cuGraphInstantiate(CUgraphExec* result, CUgraph graph, CUgraphNode* error, char* log,
                            size_t size) {
  SIM_ENTER();
  return make_with_log(result, graph, error, log, size);
}
CUresult cuGraphInstantiate_v2(CUgraphExec* result, CUgraph graph, CUgraphNode* error, char* log,
                               size_t size) {
  SIM_ENTER();
  return make_with_log(result, graph, error, log, size);
}
CUresult cuGraphInstantiateWithFlags(CUgraphExec* result, CUgraph graph, unsigned long long flags) {
  SIM_ENTER();
  return make(result, graph, flags, kFlags, nullptr);
}
SIM_PTSZ(cuGraphInstantiateWithParams,
         (CUgraphExec * result, CUgraph graph, CUDA_GRAPH_INSTANTIATE_PARAMS* params),
         make_with_params(result, graph, params, implicit))
SIM_PTSZ(cuGraphUpload, (CUgraphExec executable, CUstream stream),
         upload(executable, stream, implicit))
SIM_PTSZ(cuGraphLaunch, (CUgraphExec executable, CUstream stream),
         launch(executable, stream, implicit))

CUresult cuGraphExecDestroy(CUgraphExec executable) {
  SIM_ENTER();
  const GraphLock lock = lock_graphs();
  return destroy_executable(executable);
}
CUresult cuGraphExecGetFlags(CUgraphExec handle, cuuint64_t* flags) {
  SIM_ENTER();
  if (flags == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const GraphLock lock = lock_graphs();
  Executable* executable = nullptr;
  if (const CUresult bad = find_executable(handle, executable)) return bad;
  *flags = executable->flags;
  return CUDA_SUCCESS;
}
CUresult cuGraphExecUpdate(CUgraphExec executable, CUgraph graph, CUgraphNode* error,
                           CUgraphExecUpdateResult* result) {
  SIM_ENTER();
  CUgraphExecUpdateResultInfo outcome{};
  const CUresult done = update_all(executable, graph, outcome);
  if (error != nullptr) *error = outcome.errorNode;
  if (result != nullptr) *result = outcome.result;
  return done;
}
CUresult cuGraphExecUpdate_v2(CUgraphExec executable, CUgraph graph,
                              CUgraphExecUpdateResultInfo* outcome) {
  SIM_ENTER();
  return outcome != nullptr ? update_all(executable, graph, *outcome) : CUDA_ERROR_INVALID_VALUE;
}

CUresult cuGraphExecKernelNodeSetParams(CUgraphExec executable, CUgraphNode node,
                                        const CUDA_KERNEL_NODE_PARAMS_v1* params) {
  SIM_ENTER();
  return params != nullptr ? set(executable, node, describe(*params)) : CUDA_ERROR_INVALID_VALUE;
}
CUresult cuGraphExecKernelNodeSetParams_v2(CUgraphExec executable, CUgraphNode node,
                                           const CUDA_KERNEL_NODE_PARAMS_v2* params) {
  SIM_ENTER();
  return params != nullptr ? set(executable, node, describe(*params)) : CUDA_ERROR_INVALID_VALUE;
}
CUresult cuGraphExecMemcpyNodeSetParams(CUgraphExec executable, CUgraphNode node,
                                        const CUDA_MEMCPY3D* params, CUcontext context) {
  SIM_ENTER();
  return params != nullptr ? set(executable, node, describe(*params, context))
                           : CUDA_ERROR_INVALID_VALUE;
}
CUresult cuGraphExecMemsetNodeSetParams(CUgraphExec executable, CUgraphNode node,
                                        const CUDA_MEMSET_NODE_PARAMS_v1* params,
                                        CUcontext context) {
  SIM_ENTER();
  return params != nullptr ? set(executable, node, describe(*params, context))
                           : CUDA_ERROR_INVALID_VALUE;
}
CUresult cuGraphExecHostNodeSetParams(CUgraphExec executable, CUgraphNode node,
                                      const CUDA_HOST_NODE_PARAMS_v1* params) {
  SIM_ENTER();
  return params != nullptr ? set(executable, node, describe(*params)) : CUDA_ERROR_INVALID_VALUE;
}
CUresult cuGraphExecChildGraphNodeSetParams(CUgraphExec executable, CUgraphNode node,
                                            CUgraph child) {
  SIM_ENTER();
  return set(executable, node, describe_child(child));
}
CUresult cuGraphExecEventRecordNodeSetEvent(CUgraphExec executable, CUgraphNode node,
                                            CUevent event) {
  SIM_ENTER();
  return set(executable, node, describe_event(CU_GRAPH_NODE_TYPE_EVENT_RECORD, event));
}
CUresult cuGraphExecEventWaitNodeSetEvent(CUgraphExec executable, CUgraphNode node, CUevent event) {
  SIM_ENTER();
  return set(executable, node, describe_event(CU_GRAPH_NODE_TYPE_WAIT_EVENT, event));
}
CUresult cuGraphExecNodeSetParams(CUgraphExec executable, CUgraphNode node,
                                  CUgraphNodeParams* params) {
  SIM_ENTER();
  return params != nullptr ? set(executable, node, *params) : CUDA_ERROR_INVALID_VALUE;
}
CUresult cuGraphNodeSetEnabled(CUgraphExec executable, CUgraphNode original, unsigned enabled) {
  SIM_ENTER();
  const GraphLock lock = lock_graphs();
  Node* node = nullptr;
  if (const CUresult bad = find_switchable(executable, original, node)) return bad;
  node->enabled = enabled != 0;
  return CUDA_SUCCESS;
}
CUresult cuGraphNodeGetEnabled(CUgraphExec executable, CUgraphNode original, unsigned* enabled) {
  SIM_ENTER();
  if (enabled == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const GraphLock lock = lock_graphs();
  Node* node = nullptr;
  if (const CUresult bad = find_switchable(executable, original, node)) return bad;
  *enabled = node->enabled ? 1 : 0;
  return CUDA_SUCCESS;
}
