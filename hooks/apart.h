// Copies between devices that can not be peers. Natively the driver stages them through the host,
// in stream order; of the pools' memory, which is mapped, it does so only where it is told whose
// memory each side is. So a copy that touches such a block is made as one between contexts.
#pragma once

#include <cstddef>

#include <cuda.h>

#include "hooks/real.h"

namespace gmlake::hooks {

using PeerCopy = CUDA_MEMCPY3D_PEER;

void set_line(PeerCopy& out, CUmemorytype to_type, CUdeviceptr to, CUmemorytype from_type,
              CUdeviceptr from, std::size_t bytes);

// The copy that the arguments of a function of the work table ask for (work_table.h). False: none
// that can be told so.
inline bool as_peer_copy(PeerCopy& out, CUdeviceptr to, CUdeviceptr from, std::size_t bytes,
                         CUstream = nullptr) {
  set_line(out, CU_MEMORYTYPE_UNIFIED, to, CU_MEMORYTYPE_UNIFIED, from, bytes);
  return true;
}
inline bool as_peer_copy(PeerCopy& out, CUdeviceptr to, const void* from, std::size_t bytes,
                         CUstream = nullptr) {
  set_line(out, CU_MEMORYTYPE_DEVICE, to, CU_MEMORYTYPE_HOST, reinterpret_cast<CUdeviceptr>(from),
           bytes);
  return true;
}
inline bool as_peer_copy(PeerCopy& out, void* to, CUdeviceptr from, std::size_t bytes,
                         CUstream = nullptr) {
  set_line(out, CU_MEMORYTYPE_HOST, reinterpret_cast<CUdeviceptr>(to), CU_MEMORYTYPE_DEVICE, from,
           bytes);
  return true;
}
inline bool as_peer_copy(PeerCopy& out, CUdeviceptr to, CUdeviceptr from, std::size_t bytes,
                         CUmemcpyAttributes*, CUstream) {
  return as_peer_copy(out, to, from, bytes);
}
bool as_peer_copy(PeerCopy& out, const CUDA_MEMCPY2D* rows, CUstream = nullptr);
bool as_peer_copy(PeerCopy& out, const CUDA_MEMCPY3D* box, CUstream = nullptr);
inline bool as_peer_copy(PeerCopy&, ...) {
  return false;
}

// Says whose memory each side is.
void name_contexts(const RealDriver& real, PeerCopy& copy);

}  // namespace gmlake::hooks
