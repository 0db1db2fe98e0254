// cuGraphAdd*Node and what follows from it: one type of node after the other, each by way of
// cuda.h's own description of any node, CUgraphNodeParams.
#include "entry.h"
#include "graph.h"

namespace gmlake::simcuda {
namespace {

CUresult add(CUgraphNode* result, CUgraph handle, const CUgraphNode* dependencies, size_t count,
             const CUgraphEdgeData* edges, const CUgraphNodeParams& what, Node** made = nullptr) {
  if (result == nullptr) return CUDA_ERROR_INVALID_VALUE;
  Graph* graph = nullptr;
  std::vector<Node*> before;
  NodeParams params;
  params.what = what;
  if (const CUresult bad = find_graph(handle, graph)) return bad;
  if (const CUresult bad = find_nodes(*graph, dependencies, count, before)) return bad;
  if (const CUresult bad = check_edges(edges, count)) return bad;
  Node* node = nullptr;
  if (const CUresult bad = add_node(*graph, before, std::move(params), &node)) return bad;
  *result = node->handle;
  if (made != nullptr) *made = node;
  return CUDA_SUCCESS;
}

CUresult add_locked(CUgraphNode* result, CUgraph graph, const CUgraphNode* dependencies,
                    size_t count, const CUgraphNodeParams& what) {
  const GraphLock lock = lock_graphs();
  return add(result, graph, dependencies, count, nullptr, what);
}

CUresult set(CUgraphNode handle, const CUgraphNodeParams& what) {
  const GraphLock lock = lock_graphs();
  Node* node = nullptr;
  NodeParams params;
  params.what = what;
  if (const CUresult bad = find_node(handle, node)) return bad;
  return set_params(*node, std::move(params));
}

// What a node of that type does: `take` stores it.
template <typename Take>
CUresult get(CUgraphNode handle, CUgraphNodeType type, const void* result, Take take) {
  if (result == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const GraphLock lock = lock_graphs();
  Node* node = nullptr;
  if (const CUresult bad = find_node(handle, node)) return bad;
  if (node->type() != type) return CUDA_ERROR_INVALID_VALUE;
  take(node->params.what);
  return CUDA_SUCCESS;
}

CUresult add_any(CUgraphNode* result, CUgraph graph, const CUgraphNode* dependencies,
                 const CUgraphEdgeData* edges, size_t count, CUgraphNodeParams* what) {
  if (what == nullptr || what->reserved2 != 0) return CUDA_ERROR_INVALID_VALUE;
  for (const int reserved : what->reserved0)
    if (reserved != 0) return CUDA_ERROR_INVALID_VALUE;
  const GraphLock lock = lock_graphs();
  Node* node = nullptr;
  if (const CUresult bad = add(result, graph, dependencies, count, edges, *what, &node)) return bad;
  // "for some node types, nodeParams may contain "out parameters"".
  if (what->type == CU_GRAPH_NODE_TYPE_MEM_ALLOC) what->alloc.dptr = node->params.what.alloc.dptr;
  if (what->type == CU_GRAPH_NODE_TYPE_GRAPH) what->graph.graph = node->params.what.graph.graph;
  return CUDA_SUCCESS;
}

}  // namespace

CUgraphNodeParams describe(const CUDA_KERNEL_NODE_PARAMS_v1& p) {
  CUgraphNodeParams what{};
  what.type = CU_GRAPH_NODE_TYPE_KERNEL;
  what.kernel = {p.func,         p.gridDimX,  p.gridDimY,  p.gridDimZ,
                 p.blockDimX,    p.blockDimY, p.blockDimZ, p.sharedMemBytes,
                 p.kernelParams, p.extra,     nullptr,     nullptr};
  return what;
}
CUgraphNodeParams describe(const CUDA_KERNEL_NODE_PARAMS_v2& p) {
  CUgraphNodeParams what{};
  what.type = CU_GRAPH_NODE_TYPE_KERNEL;
  what.kernel = {p.func,         p.gridDimX,  p.gridDimY,  p.gridDimZ,
                 p.blockDimX,    p.blockDimY, p.blockDimZ, p.sharedMemBytes,
                 p.kernelParams, p.extra,     p.kern,      p.ctx};
  return what;
}
CUgraphNodeParams describe(const CUDA_MEMCPY3D& p, CUcontext context) {
  CUgraphNodeParams what{};
  what.type = CU_GRAPH_NODE_TYPE_MEMCPY;
  what.memcpy.copyCtx = context;
  what.memcpy.copyParams = p;
  return what;
}
CUgraphNodeParams describe(const CUDA_MEMSET_NODE_PARAMS_v1& p, CUcontext context) {
  CUgraphNodeParams what{};
  what.type = CU_GRAPH_NODE_TYPE_MEMSET;
  what.memset = {p.dst, p.pitch, p.value, p.elementSize, p.width, p.height, context};
  return what;
}
CUgraphNodeParams describe(const CUDA_HOST_NODE_PARAMS_v1& p) {
  CUgraphNodeParams what{};
  what.type = CU_GRAPH_NODE_TYPE_HOST;
  what.host = {p.fn, p.userData};
  return what;
}
CUgraphNodeParams describe_event(CUgraphNodeType type, CUevent event) {
  CUgraphNodeParams what{};
  what.type = type;
  if (type == CU_GRAPH_NODE_TYPE_WAIT_EVENT)
    what.eventWait.event = event;
  else
    what.eventRecord.event = event;
  return what;
}
CUgraphNodeParams describe_child(CUgraph child) {
  CUgraphNodeParams what{};
  what.type = CU_GRAPH_NODE_TYPE_GRAPH;
  what.graph.graph = child;
  return what;
}

}  // namespace gmlake::simcuda

using namespace gmlake::simcuda;

CUresult cuGraphAddKernelNode(CUgraphNode* result, CUgraph graph, const CUgraphNode* dependencies,
                              size_t count, const CUDA_KERNEL_NODE_PARAMS_v1* params) {
  SIM_ENTER();
  if (params == nullptr) return CUDA_ERROR_INVALID_VALUE;
  return add_locked(result, graph, dependencies, count, describe(*params));
}
CUresult cuGraphAddKernelNode_v2(CUgraphNode* result, CUgraph graph,
                                 const CUgraphNode* dependencies, size_t count,
                                 const CUDA_KERNEL_NODE_PARAMS_v2* params) {
  SIM_ENTER();
  if (params == nullptr) return CUDA_ERROR_INVALID_VALUE;
  return add_locked(result, graph, dependencies, count, describe(*params));
}
CUresult cuGraphKernelNodeGetParams(CUgraphNode node, CUDA_KERNEL_NODE_PARAMS_v1* params) {
  SIM_ENTER();
  return get(node, CU_GRAPH_NODE_TYPE_KERNEL, params, [&](const CUgraphNodeParams& what) {
    const CUDA_KERNEL_NODE_PARAMS_v3& k = what.kernel;
    *params = {k.func,      k.gridDimX,  k.gridDimY,       k.gridDimZ,     k.blockDimX,
               k.blockDimY, k.blockDimZ, k.sharedMemBytes, k.kernelParams, k.extra};
  });
}
CUresult cuGraphKernelNodeGetParams_v2(CUgraphNode node, CUDA_KERNEL_NODE_PARAMS_v2* params) {
  SIM_ENTER();
  return get(node, CU_GRAPH_NODE_TYPE_KERNEL, params, [&](const CUgraphNodeParams& what) {
    const CUDA_KERNEL_NODE_PARAMS_v3& k = what.kernel;
    *params = {k.func,      k.gridDimX,       k.gridDimY,     k.gridDimZ, k.blockDimX, k.blockDimY,
               k.blockDimZ, k.sharedMemBytes, k.kernelParams, k.extra,    k.kern,      k.ctx};
  });
}
CUresult cuGraphKernelNodeSetParams(CUgraphNode node, const CUDA_KERNEL_NODE_PARAMS_v1* params) {
  SIM_ENTER();
  return params != nullptr ? set(node, describe(*params)) : CUDA_ERROR_INVALID_VALUE;
}
CUresult cuGraphKernelNodeSetParams_v2(CUgraphNode node, const CUDA_KERNEL_NODE_PARAMS_v2* params) {
  SIM_ENTER();
  return params != nullptr ? set(node, describe(*params)) : CUDA_ERROR_INVALID_VALUE;
}

CUresult cuGraphAddMemcpyNode(CUgraphNode* result, CUgraph graph, const CUgraphNode* dependencies,
                              size_t count, const CUDA_MEMCPY3D* params, CUcontext context) {
  SIM_ENTER();
  if (params == nullptr) return CUDA_ERROR_INVALID_VALUE;
  return add_locked(result, graph, dependencies, count, describe(*params, context));
}
CUresult cuGraphMemcpyNodeGetParams(CUgraphNode node, CUDA_MEMCPY3D* params) {
  SIM_ENTER();
  return get(node, CU_GRAPH_NODE_TYPE_MEMCPY, params,
             [&](const CUgraphNodeParams& what) { *params = what.memcpy.copyParams; });
}
CUresult cuGraphMemcpyNodeSetParams(CUgraphNode node, const CUDA_MEMCPY3D* params) {
  SIM_ENTER();
  CUcontext context = nullptr;
  const CUresult bad = get(node, CU_GRAPH_NODE_TYPE_MEMCPY, params,
                           [&](const CUgraphNodeParams& what) { context = what.memcpy.copyCtx; });
  return bad != CUDA_SUCCESS ? bad : set(node, describe(*params, context));
}

CUresult cuGraphAddMemsetNode(CUgraphNode* result, CUgraph graph, const CUgraphNode* dependencies,
                              size_t count, const CUDA_MEMSET_NODE_PARAMS_v1* params,
                              CUcontext context) {
  SIM_ENTER();
  if (params == nullptr) return CUDA_ERROR_INVALID_VALUE;
  return add_locked(result, graph, dependencies, count, describe(*params, context));
}
CUresult cuGraphMemsetNodeGetParams(CUgraphNode node, CUDA_MEMSET_NODE_PARAMS_v1* params) {
  SIM_ENTER();
  return get(node, CU_GRAPH_NODE_TYPE_MEMSET, params, [&](const CUgraphNodeParams& what) {
    const CUDA_MEMSET_NODE_PARAMS_v2& m = what.memset;
    *params = {m.dst, m.pitch, m.value, m.elementSize, m.width, m.height};
  });
}
CUresult cuGraphMemsetNodeSetParams(CUgraphNode node, const CUDA_MEMSET_NODE_PARAMS_v1* params) {
  SIM_ENTER();
  CUcontext context = nullptr;
  const CUresult bad = get(node, CU_GRAPH_NODE_TYPE_MEMSET, params,
                           [&](const CUgraphNodeParams& what) { context = what.memset.ctx; });
  return bad != CUDA_SUCCESS ? bad : set(node, describe(*params, context));
}

CUresult cuGraphAddHostNode(CUgraphNode* result, CUgraph graph, const CUgraphNode* dependencies,
                            size_t count, const CUDA_HOST_NODE_PARAMS_v1* params) {
  SIM_ENTER();
  if (params == nullptr) return CUDA_ERROR_INVALID_VALUE;
  return add_locked(result, graph, dependencies, count, describe(*params));
}
CUresult cuGraphHostNodeGetParams(CUgraphNode node, CUDA_HOST_NODE_PARAMS_v1* params) {
  SIM_ENTER();
  return get(node, CU_GRAPH_NODE_TYPE_HOST, params, [&](const CUgraphNodeParams& what) {
    *params = {what.host.fn, what.host.userData};
  });
}
CUresult cuGraphHostNodeSetParams(CUgraphNode node, const CUDA_HOST_NODE_PARAMS_v1* params) {
  SIM_ENTER();
  return params != nullptr ? set(node, describe(*params)) : CUDA_ERROR_INVALID_VALUE;
}

CUresult cuGraphAddChildGraphNode(CUgraphNode* result, CUgraph graph,
                                  const CUgraphNode* dependencies, size_t count, CUgraph child) {
  SIM_ENTER();
  return add_locked(result, graph, dependencies, count, describe_child(child));
}
CUresult cuGraphChildGraphNodeGetGraph(CUgraphNode node, CUgraph* graph) {
  SIM_ENTER();
  return get(node, CU_GRAPH_NODE_TYPE_GRAPH, graph,
             [&](const CUgraphNodeParams& what) { *graph = what.graph.graph; });
}
CUresult cuGraphAddEmptyNode(CUgraphNode* result, CUgraph graph, const CUgraphNode* dependencies,
                             size_t count) {
  SIM_ENTER();
  CUgraphNodeParams what{};
  what.type = CU_GRAPH_NODE_TYPE_EMPTY;
  return add_locked(result, graph, dependencies, count, what);
}

CUresult cuGraphAddEventRecordNode(CUgraphNode* result, CUgraph graph,
                                   const CUgraphNode* dependencies, size_t count, CUevent event) {
  SIM_ENTER();
  return add_locked(result, graph, dependencies, count,
                    describe_event(CU_GRAPH_NODE_TYPE_EVENT_RECORD, event));
}
CUresult cuGraphEventRecordNodeGetEvent(CUgraphNode node, CUevent* event) {
  SIM_ENTER();
  return get(node, CU_GRAPH_NODE_TYPE_EVENT_RECORD, event,
             [&](const CUgraphNodeParams& what) { *event = what.eventRecord.event; });
}
CUresult cuGraphEventRecordNodeSetEvent(CUgraphNode node, CUevent event) {
  SIM_ENTER();
  return set(node, describe_event(CU_GRAPH_NODE_TYPE_EVENT_RECORD, event));
}
CUresult cuGraphAddEventWaitNode(CUgraphNode* result, CUgraph graph,
                                 const CUgraphNode* dependencies, size_t count, CUevent event) {
  SIM_ENTER();
  return add_locked(result, graph, dependencies, count,
                    describe_event(CU_GRAPH_NODE_TYPE_WAIT_EVENT, event));
}
CUresult cuGraphEventWaitNodeGetEvent(CUgraphNode node, CUevent* event) {
  SIM_ENTER();
  return get(node, CU_GRAPH_NODE_TYPE_WAIT_EVENT, event,
             [&](const CUgraphNodeParams& what) { *event = what.eventWait.event; });
}
CUresult cuGraphEventWaitNodeSetEvent(CUgraphNode node, CUevent event) {
  SIM_ENTER();
  return set(node, describe_event(CU_GRAPH_NODE_TYPE_WAIT_EVENT, event));
}

CUresult cuGraphAddMemAllocNode(CUgraphNode* result, CUgraph graph, const CUgraphNode* dependencies,
                                size_t count, CUDA_MEM_ALLOC_NODE_PARAMS* params) {
  SIM_ENTER();
  if (params == nullptr) return CUDA_ERROR_INVALID_VALUE;
  CUgraphNodeParams what{};
  what.type = CU_GRAPH_NODE_TYPE_MEM_ALLOC;
  what.alloc = {params->poolProps, params->accessDescs, params->accessDescCount, params->bytesize,
                0};
  if (const CUresult bad = add_any(result, graph, dependencies, nullptr, count, &what)) return bad;
  params->dptr = what.alloc.dptr;
  return CUDA_SUCCESS;
}
CUresult cuGraphMemAllocNodeGetParams(CUgraphNode node, CUDA_MEM_ALLOC_NODE_PARAMS* params) {
  SIM_ENTER();
  return get(node, CU_GRAPH_NODE_TYPE_MEM_ALLOC, params, [&](const CUgraphNodeParams& what) {
    const CUDA_MEM_ALLOC_NODE_PARAMS_v2& a = what.alloc;
    *params = {a.poolProps, a.accessDescs, a.accessDescCount, a.bytesize, a.dptr};
  });
}
CUresult cuGraphAddMemFreeNode(CUgraphNode* result, CUgraph graph, const CUgraphNode* dependencies,
                               size_t count, CUdeviceptr at) {
  SIM_ENTER();
  CUgraphNodeParams what{};
  what.type = CU_GRAPH_NODE_TYPE_MEM_FREE;
  what.free.dptr = at;
  return add_locked(result, graph, dependencies, count, what);
}
CUresult cuGraphMemFreeNodeGetParams(CUgraphNode node, CUdeviceptr* at) {
  SIM_ENTER();
  return get(node, CU_GRAPH_NODE_TYPE_MEM_FREE, at,
             [&](const CUgraphNodeParams& what) { *at = what.free.dptr; });
}

CUresult cuGraphAddNode(CUgraphNode* result, CUgraph graph, const CUgraphNode* dependencies,
                        size_t count, CUgraphNodeParams* params) {
  SIM_ENTER();
  return add_any(result, graph, dependencies, nullptr, count, params);
}
CUresult cuGraphAddNode_v2(CUgraphNode* result, CUgraph graph, const CUgraphNode* dependencies,
                           const CUgraphEdgeData* edges, size_t count, CUgraphNodeParams* params) {
  SIM_ENTER();
  return add_any(result, graph, dependencies, edges, count, params);
}
CUresult cuGraphAddNode_v3(CUgraphNode* result, CUgraph graph, const CUgraphNode* dependencies,
                           const CUgraphEdgeData* edges, size_t count, CUgraphNodeParams* params) {
  SIM_ENTER();
  return add_any(result, graph, dependencies, edges, count, params);
}
CUresult cuGraphNodeSetParams(CUgraphNode node, CUgraphNodeParams* params) {
  SIM_ENTER();
  return params != nullptr ? set(node, *params) : CUDA_ERROR_INVALID_VALUE;
}
CUresult cuGraphNodeSetParams_v2(CUgraphNode node, CUgraphNodeParams* params) {
  SIM_ENTER();
  return params != nullptr ? set(node, *params) : CUDA_ERROR_INVALID_VALUE;
}
