// How the runtime's copies of rows and boxes are described to the driver.
#pragma once

#include "runtime.h"

namespace gmlake::simcudart {

// Which memory `kind` says the two sides are; false for a kind that does not exist.
bool memory_types(cudaMemcpyKind kind, CUmemorytype& to, CUmemorytype& from_);

// cudaErrorNotSupported where an array takes part.
cudaError_t describe(const cudaMemcpy3DParms& copy, CUDA_MEMCPY3D& driver_copy);
cudaError_t describe(const Driver& driver, const cudaMemcpy3DPeerParms& copy,
                     CUDA_MEMCPY3D_PEER& driver_copy);
// The other way, for graph nodes.
cudaMemcpy3DParms describe(const CUDA_MEMCPY3D& driver_copy);

}  // namespace gmlake::simcudart
