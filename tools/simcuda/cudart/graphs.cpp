// Graphs as wholes: made, copied, asked for their shape, instantiated, launched, destroyed.
#include "runtime.h"

using namespace gmlake::simcudart;

static_assert(static_cast<int>(cudaGraphNodeTypeMemFree) == CU_GRAPH_NODE_TYPE_MEM_FREE);
static_assert(cudaGraphInstantiateFlagAutoFreeOnLaunch ==
              static_cast<int>(CUDA_GRAPH_INSTANTIATE_FLAG_AUTO_FREE_ON_LAUNCH));
static_assert(static_cast<int>(cudaGraphMemAttrReservedMemHigh) ==
              CU_GRAPH_MEM_ATTR_RESERVED_MEM_HIGH);

cudaError_t cudaGraphCreate(cudaGraph_t* graph, unsigned flags) {
  RT(driver->cuGraphCreate(graph, flags));
}
cudaError_t cudaGraphClone(cudaGraph_t* clone, cudaGraph_t original) {
  RT(driver->cuGraphClone(clone, original));
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  RT(driver->cuGraphDestroy(graph));
}
cudaError_t cudaGraphDebugDotPrint(cudaGraph_t graph, const char* path, unsigned flags) {
  RT(driver->cuGraphDebugDotPrint(graph, path, flags));
}

cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t* nodes, size_t* count) {
  RT(driver->cuGraphGetNodes(graph, nodes, count));
}
cudaError_t cudaGraphGetRootNodes(cudaGraph_t graph, cudaGraphNode_t* nodes, size_t* count) {
  RT(driver->cuGraphGetRootNodes(graph, nodes, count));
}
cudaError_t cudaGraphGetEdges(cudaGraph_t graph, cudaGraphNode_t* from_, cudaGraphNode_t* to,
                              cudaGraphEdgeData* edges, size_t* count) {
  RT(driver->cuGraphGetEdges_v2(graph, from_, to, like(edges), count));
}
cudaError_t cudaGraphNodeGetDependencies(cudaGraphNode_t node, cudaGraphNode_t* nodes,
                                         cudaGraphEdgeData* edges, size_t* count) {
  RT(driver->cuGraphNodeGetDependencies_v2(node, nodes, like(edges), count));
}
cudaError_t cudaGraphNodeGetDependentNodes(cudaGraphNode_t node, cudaGraphNode_t* nodes,
                                           cudaGraphEdgeData* edges, size_t* count) {
  RT(driver->cuGraphNodeGetDependentNodes_v2(node, nodes, like(edges), count));
}
cudaError_t cudaGraphAddDependencies(cudaGraph_t graph, const cudaGraphNode_t* from_,
                                     const cudaGraphNode_t* to, const cudaGraphEdgeData* edges,
                                     size_t count) {
  RT(driver->cuGraphAddDependencies_v2(graph, from_, to, like(edges), count));
}
cudaError_t cudaGraphRemoveDependencies(cudaGraph_t graph, const cudaGraphNode_t* from_,
                                        const cudaGraphNode_t* to, const cudaGraphEdgeData* edges,
                                        size_t count) {
  RT(driver->cuGraphRemoveDependencies_v2(graph, from_, to, like(edges), count));
}
cudaError_t cudaGraphNodeGetType(cudaGraphNode_t node, cudaGraphNodeType* type) {
  RT(driver->cuGraphNodeGetType(node, like(type)));
}
cudaError_t cudaGraphNodeFindInClone(cudaGraphNode_t* node, cudaGraphNode_t original,
                                     cudaGraph_t clone) {
  RT(driver->cuGraphNodeFindInClone(node, original, clone));
}
cudaError_t cudaGraphDestroyNode(cudaGraphNode_t node) {
  RT(driver->cuGraphDestroyNode(node));
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph,
                                 unsigned long long flags) {
  RT(driver->cuGraphInstantiateWithFlags(executable, graph, flags));
}
cudaError_t cudaGraphInstantiateWithFlags(cudaGraphExec_t* executable, cudaGraph_t graph,
                                          unsigned long long flags) {
  RT(driver->cuGraphInstantiateWithFlags(executable, graph, flags));
}
RT_PTSZ(cudaGraphInstantiateWithParams,
        (cudaGraphExec_t * executable, cudaGraph_t graph, cudaGraphInstantiateParams* parameters),
        cuGraphInstantiateWithParams, (executable, graph, like(parameters)))
cudaError_t cudaGraphExecGetFlags(cudaGraphExec_t executable, unsigned long long* flags) {
  RT(driver->cuGraphExecGetFlags(executable, like(flags)));
}
cudaError_t cudaGraphExecUpdate(cudaGraphExec_t executable, cudaGraph_t graph,
                                cudaGraphExecUpdateResultInfo* result) {
  RT(driver->cuGraphExecUpdate_v2(executable, graph, like(result)));
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
  RT(driver->cuGraphExecDestroy(executable));
}
RT_PTSZ(cudaGraphUpload, (cudaGraphExec_t executable, cudaStream_t stream), cuGraphUpload,
        (executable, stream))
RT_PTSZ(cudaGraphLaunch, (cudaGraphExec_t executable, cudaStream_t stream), cuGraphLaunch,
        (executable, stream))

cudaError_t cudaDeviceGraphMemTrim(int device) {
  RT(driver->cuDeviceGraphMemTrim(device));
}
cudaError_t cudaDeviceGetGraphMemAttribute(int device, cudaGraphMemAttributeType attribute,
                                           void* value) {
  RT(driver->cuDeviceGetGraphMemAttribute(device, like(attribute), value));
}
cudaError_t cudaDeviceSetGraphMemAttribute(int device, cudaGraphMemAttributeType attribute,
                                           void* value) {
  RT(driver->cuDeviceSetGraphMemAttribute(device, like(attribute), value));
}

cudaError_t cudaUserObjectCreate(cudaUserObject_t* object, void* pointer, cudaHostFn_t destroy,
                                 unsigned count, unsigned flags) {
  RT(driver->cuUserObjectCreate(object, pointer, destroy, count, flags));
}
cudaError_t cudaUserObjectRetain(cudaUserObject_t object, unsigned count) {
  RT(driver->cuUserObjectRetain(object, count));
}
cudaError_t cudaUserObjectRelease(cudaUserObject_t object, unsigned count) {
  RT(driver->cuUserObjectRelease(object, count));
}
cudaError_t cudaGraphRetainUserObject(cudaGraph_t graph, cudaUserObject_t object, unsigned count,
                                      unsigned flags) {
  RT(driver->cuGraphRetainUserObject(graph, object, count, flags));
}
cudaError_t cudaGraphReleaseUserObject(cudaGraph_t graph, cudaUserObject_t object, unsigned count) {
  RT(driver->cuGraphReleaseUserObject(graph, object, count));
}
