// Nodes of graphs that need no translation: memory, fills, host functions, events, child graphs.
#include "runtime.h"

using namespace gmlake::simcudart;

// Where a new node goes.
#define PLACE \
  cudaGraphNode_t *node, cudaGraph_t graph, const cudaGraphNode_t *dependencies, size_t count
#define AT node, graph, dependencies, count

cudaError_t cudaGraphAddEmptyNode(PLACE) {
  RT(driver->cuGraphAddEmptyNode(AT));
}
cudaError_t cudaGraphAddChildGraphNode(PLACE, cudaGraph_t child) {
  RT(driver->cuGraphAddChildGraphNode(AT, child));
}
cudaError_t cudaGraphChildGraphNodeGetGraph(cudaGraphNode_t node, cudaGraph_t* child) {
  RT(driver->cuGraphChildGraphNodeGetGraph(node, child));
}
cudaError_t cudaGraphExecChildGraphNodeSetParams(cudaGraphExec_t executable, cudaGraphNode_t node,
                                                 cudaGraph_t child) {
  RT(driver->cuGraphExecChildGraphNodeSetParams(executable, node, child));
}

cudaError_t cudaGraphAddMemAllocNode(PLACE, cudaMemAllocNodeParams* parameters) {
  RT(driver->cuGraphAddMemAllocNode(AT, like(parameters)));
}
cudaError_t cudaGraphMemAllocNodeGetParams(cudaGraphNode_t node,
                                           cudaMemAllocNodeParams* parameters) {
  RT(driver->cuGraphMemAllocNodeGetParams(node, like(parameters)));
}
cudaError_t cudaGraphAddMemFreeNode(PLACE, void* pointer) {
  RT(driver->cuGraphAddMemFreeNode(AT, like(pointer)));
}
cudaError_t cudaGraphMemFreeNodeGetParams(cudaGraphNode_t node, void* pointer) {
  RT(driver->cuGraphMemFreeNodeGetParams(node, like(pointer)));
}

cudaError_t cudaGraphAddMemsetNode(PLACE, const cudaMemsetParams* parameters) {
  RT(driver->cuGraphAddMemsetNode(AT, like(parameters), current_context(*driver)));
}
cudaError_t cudaGraphMemsetNodeGetParams(cudaGraphNode_t node, cudaMemsetParams* parameters) {
  RT(driver->cuGraphMemsetNodeGetParams(node, like(parameters)));
}
cudaError_t cudaGraphMemsetNodeSetParams(cudaGraphNode_t node, const cudaMemsetParams* parameters) {
  RT(driver->cuGraphMemsetNodeSetParams(node, like(parameters)));
}
cudaError_t cudaGraphExecMemsetNodeSetParams(cudaGraphExec_t executable, cudaGraphNode_t node,
                                             const cudaMemsetParams* parameters) {
  RT(driver->cuGraphExecMemsetNodeSetParams(executable, node, like(parameters),
                                            current_context(*driver)));
}

cudaError_t cudaGraphAddHostNode(PLACE, const cudaHostNodeParams* parameters) {
  RT(driver->cuGraphAddHostNode(AT, like(parameters)));
}
cudaError_t cudaGraphHostNodeGetParams(cudaGraphNode_t node, cudaHostNodeParams* parameters) {
  RT(driver->cuGraphHostNodeGetParams(node, like(parameters)));
}
cudaError_t cudaGraphHostNodeSetParams(cudaGraphNode_t node, const cudaHostNodeParams* parameters) {
  RT(driver->cuGraphHostNodeSetParams(node, like(parameters)));
}
cudaError_t cudaGraphExecHostNodeSetParams(cudaGraphExec_t executable, cudaGraphNode_t node,
                                           const cudaHostNodeParams* parameters) {
  RT(driver->cuGraphExecHostNodeSetParams(executable, node, like(parameters)));
}

cudaError_t cudaGraphAddEventRecordNode(PLACE, cudaEvent_t event) {
  RT(driver->cuGraphAddEventRecordNode(AT, event));
}
cudaError_t cudaGraphEventRecordNodeGetEvent(cudaGraphNode_t node, cudaEvent_t* event) {
  RT(driver->cuGraphEventRecordNodeGetEvent(node, event));
}
cudaError_t cudaGraphEventRecordNodeSetEvent(cudaGraphNode_t node, cudaEvent_t event) {
  RT(driver->cuGraphEventRecordNodeSetEvent(node, event));
}
cudaError_t cudaGraphExecEventRecordNodeSetEvent(cudaGraphExec_t executable, cudaGraphNode_t node,
                                                 cudaEvent_t event) {
  RT(driver->cuGraphExecEventRecordNodeSetEvent(executable, node, event));
}
cudaError_t cudaGraphAddEventWaitNode(PLACE, cudaEvent_t event) {
  RT(driver->cuGraphAddEventWaitNode(AT, event));
}
cudaError_t cudaGraphEventWaitNodeGetEvent(cudaGraphNode_t node, cudaEvent_t* event) {
  RT(driver->cuGraphEventWaitNodeGetEvent(node, event));
}
cudaError_t cudaGraphEventWaitNodeSetEvent(cudaGraphNode_t node, cudaEvent_t event) {
  RT(driver->cuGraphEventWaitNodeSetEvent(node, event));
}
cudaError_t cudaGraphExecEventWaitNodeSetEvent(cudaGraphExec_t executable, cudaGraphNode_t node,
                                               cudaEvent_t event) {
  RT(driver->cuGraphExecEventWaitNodeSetEvent(executable, node, event));
}

cudaError_t cudaGraphNodeSetEnabled(cudaGraphExec_t executable, cudaGraphNode_t node,
                                    unsigned enabled) {
  RT(driver->cuGraphNodeSetEnabled(executable, node, enabled));
}
cudaError_t cudaGraphNodeGetEnabled(cudaGraphExec_t executable, cudaGraphNode_t node,
                                    unsigned* enabled) {
  RT(driver->cuGraphNodeGetEnabled(executable, node, enabled));
}

cudaError_t cudaGraphKernelNodeCopyAttributes(cudaGraphNode_t to, cudaGraphNode_t from_) {
  RT(driver->cuGraphKernelNodeCopyAttributes(to, from_));
}
cudaError_t cudaGraphKernelNodeGetAttribute(cudaGraphNode_t node, cudaKernelNodeAttrID attribute,
                                            cudaKernelNodeAttrValue* value) {
  RT(driver->cuGraphKernelNodeGetAttribute(node, like(attribute), like(value)));
}
cudaError_t cudaGraphKernelNodeSetAttribute(cudaGraphNode_t node, cudaKernelNodeAttrID attribute,
                                            const cudaKernelNodeAttrValue* value) {
  RT(driver->cuGraphKernelNodeSetAttribute(node, like(attribute), like(value)));
}
