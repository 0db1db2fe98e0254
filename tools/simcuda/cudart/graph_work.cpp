// Nodes of graphs whose parameters the driver knows in another form: kernels and copies.
#include "copy.h"

using namespace gmlake::simcudart;

#define PLACE \
  cudaGraphNode_t *node, cudaGraph_t graph, const cudaGraphNode_t *dependencies, size_t count
#define AT node, graph, dependencies, count

namespace {

// Runs `call` with the driver's form of the parameters.
template <typename Parameters, typename Call>
CUresult with_kernel(const Driver& driver, const Parameters* kernel, Call call) {
  CUDA_KERNEL_NODE_PARAMS translated{};
  if (kernel == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (const cudaError_t failed = find_kernel(driver, kernel->func, translated.kern))
    return to_driver(failed);
  translated.gridDimX = kernel->gridDim.x;
  translated.gridDimY = kernel->gridDim.y;
  translated.gridDimZ = kernel->gridDim.z;
  translated.blockDimX = kernel->blockDim.x;
  translated.blockDimY = kernel->blockDim.y;
  translated.blockDimZ = kernel->blockDim.z;
  translated.sharedMemBytes = kernel->sharedMemBytes;
  translated.kernelParams = kernel->kernelParams;
  translated.extra = kernel->extra;
  return call(&translated);
}

CUresult get_kernel(const Driver& driver, cudaGraphNode_t node, cudaKernelNodeParams* parameters) {
  if (parameters == nullptr) return CUDA_ERROR_INVALID_VALUE;
  CUDA_KERNEL_NODE_PARAMS kernel{};
  if (const CUresult bad = driver.cuGraphKernelNodeGetParams_v2(node, &kernel)) return bad;
  *parameters = {find_stub(kernel.func != nullptr ? static_cast<void*>(kernel.func) : kernel.kern),
                 dim3(kernel.gridDimX, kernel.gridDimY, kernel.gridDimZ),
                 dim3(kernel.blockDimX, kernel.blockDimY, kernel.blockDimZ),
                 kernel.sharedMemBytes,
                 kernel.kernelParams,
                 kernel.extra};
  return CUDA_SUCCESS;
}

template <typename Call>
CUresult with_copy(const cudaMemcpy3DParms* copy, Call call) {
  CUDA_MEMCPY3D translated{};
  if (copy == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (const cudaError_t failed = describe(*copy, translated)) return to_driver(failed);
  return call(&translated);
}

CUresult get_copy(const Driver& driver, cudaGraphNode_t node, cudaMemcpy3DParms* parameters) {
  if (parameters == nullptr) return CUDA_ERROR_INVALID_VALUE;
  CUDA_MEMCPY3D copy{};
  if (const CUresult bad = driver.cuGraphMemcpyNodeGetParams(node, &copy)) return bad;
  *parameters = describe(copy);
  return CUDA_SUCCESS;
}

// One line as a box of one row.
cudaMemcpy3DParms line(void* to, const void* from_, size_t size, cudaMemcpyKind kind) {
  cudaMemcpy3DParms copy{};
  copy.srcPtr = {const_cast<void*>(from_), size, size, 1};
  copy.dstPtr = {to, size, size, 1};
  copy.extent = {size, 1, 1};
  copy.kind = kind;
  return copy;
}

}  // namespace

cudaError_t cudaGraphAddKernelNode(PLACE, const cudaKernelNodeParams* parameters) {
  RT(with_kernel(*driver, parameters,
                 [&](auto* kernel) { return driver->cuGraphAddKernelNode_v2(AT, kernel); }));
}
cudaError_t cudaGraphKernelNodeGetParams(cudaGraphNode_t node, cudaKernelNodeParams* parameters) {
  RT(get_kernel(*driver, node, parameters));
}
cudaError_t cudaGraphKernelNodeSetParams(cudaGraphNode_t node,
                                         const cudaKernelNodeParams* parameters) {
  RT(with_kernel(*driver, parameters, [&](auto* kernel) {
    return driver->cuGraphKernelNodeSetParams_v2(node, kernel);
  }));
}
cudaError_t cudaGraphExecKernelNodeSetParams(cudaGraphExec_t executable, cudaGraphNode_t node,
                                             const cudaKernelNodeParams* parameters) {
  RT(with_kernel(*driver, parameters, [&](auto* kernel) {
    return driver->cuGraphExecKernelNodeSetParams_v2(executable, node, kernel);
  }));
}

cudaError_t cudaGraphAddMemcpyNode(PLACE, const cudaMemcpy3DParms* parameters) {
  RT(with_copy(parameters, [&](auto* copy) {
    return driver->cuGraphAddMemcpyNode(AT, copy, current_context(*driver));
  }));
}
cudaError_t cudaGraphAddMemcpyNode1D(PLACE, void* to, const void* from_, size_t size,
                                     cudaMemcpyKind kind) {
  const cudaMemcpy3DParms copy = line(to, from_, size, kind);
  return cudaGraphAddMemcpyNode(AT, &copy);
}
cudaError_t cudaGraphMemcpyNodeGetParams(cudaGraphNode_t node, cudaMemcpy3DParms* parameters) {
  RT(get_copy(*driver, node, parameters));
}
cudaError_t cudaGraphMemcpyNodeSetParams(cudaGraphNode_t node,
                                         const cudaMemcpy3DParms* parameters) {
  RT(with_copy(parameters,
               [&](auto* copy) { return driver->cuGraphMemcpyNodeSetParams(node, copy); }));
}
cudaError_t cudaGraphMemcpyNodeSetParams1D(cudaGraphNode_t node, void* to, const void* from_,
                                           size_t size, cudaMemcpyKind kind) {
  const cudaMemcpy3DParms copy = line(to, from_, size, kind);
  return cudaGraphMemcpyNodeSetParams(node, &copy);
}
cudaError_t cudaGraphExecMemcpyNodeSetParams(cudaGraphExec_t executable, cudaGraphNode_t node,
                                             const cudaMemcpy3DParms* parameters) {
  RT(with_copy(parameters, [&](auto* copy) {
    return driver->cuGraphExecMemcpyNodeSetParams(executable, node, copy, current_context(*driver));
  }));
}
cudaError_t cudaGraphExecMemcpyNodeSetParams1D(cudaGraphExec_t executable, cudaGraphNode_t node,
                                               void* to, const void* from_, size_t size,
                                               cudaMemcpyKind kind) {
  const cudaMemcpy3DParms copy = line(to, from_, size, kind);
  return cudaGraphExecMemcpyNodeSetParams(executable, node, &copy);
}
