// cudaGraphAddNode and its relatives: a node of any kind, its parameters in one union.
#include <cstring>

#include "copy.h"

using namespace gmlake::simcudart;

namespace {

cudaError_t translate(const Driver& driver, const cudaGraphNodeParams& node,
                      CUgraphNodeParams& translated) {
  translated = {};
  translated.type = like(node.type);
  switch (node.type) {
    case cudaGraphNodeTypeKernel: {
      const auto& kernel = node.kernel;
      translated.kernel = {nullptr,
                           kernel.gridDim.x,
                           kernel.gridDim.y,
                           kernel.gridDim.z,
                           kernel.blockDim.x,
                           kernel.blockDim.y,
                           kernel.blockDim.z,
                           kernel.sharedMemBytes,
                           kernel.kernelParams,
                           kernel.extra,
                           nullptr,
                           nullptr};
      return find_kernel(driver, kernel.func, translated.kernel.kern);
    }
    case cudaGraphNodeTypeMemcpy:
      translated.memcpy.flags = node.memcpy.flags;
      translated.memcpy.copyCtx = current_context(driver);
      return describe(node.memcpy.copyParams, translated.memcpy.copyParams);
    case cudaGraphNodeTypeMemset:
      std::memcpy(&translated.memset, &node.memset, sizeof node.memset);
      translated.memset.ctx = current_context(driver);
      return cudaSuccess;
    default:
      static_assert(sizeof translated.reserved1 == sizeof node.reserved1);
      std::memcpy(translated.reserved1, node.reserved1, sizeof node.reserved1);
      return cudaSuccess;
  }
}

template <typename Call>
CUresult with_node(const Driver& driver, cudaGraphNodeParams* node, Call call) {
  CUgraphNodeParams translated{};
  if (node == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (const cudaError_t failed = translate(driver, *node, translated)) return to_driver(failed);
  if (const CUresult bad = call(&translated)) return bad;
  // What a new node tells: the address of its memory, the graphs of its body.
  if (node->type == cudaGraphNodeTypeMemAlloc)
    node->alloc.dptr = reinterpret_cast<void*>(translated.alloc.dptr);
  if (node->type == cudaGraphNodeTypeConditional)
    node->conditional.phGraph_out = translated.conditional.phGraph_out;
  return CUDA_SUCCESS;
}

}  // namespace

cudaError_t cudaGraphAddNode(cudaGraphNode_t* node, cudaGraph_t graph,
                             const cudaGraphNode_t* dependencies, const cudaGraphEdgeData* edges,
                             size_t count, cudaGraphNodeParams* parameters) {
  RT(with_node(*driver, parameters, [&](auto* translated) {
    return driver->cuGraphAddNode_v2(node, graph, dependencies, like(edges), count, translated);
  }));
}
cudaError_t cudaGraphNodeSetParams(cudaGraphNode_t node, cudaGraphNodeParams* parameters) {
  RT(with_node(*driver, parameters,
               [&](auto* translated) { return driver->cuGraphNodeSetParams(node, translated); }));
}
cudaError_t cudaGraphExecNodeSetParams(cudaGraphExec_t executable, cudaGraphNode_t node,
                                       cudaGraphNodeParams* parameters) {
  RT(with_node(*driver, parameters, [&](auto* translated) {
    return driver->cuGraphExecNodeSetParams(executable, node, translated);
  }));
}
