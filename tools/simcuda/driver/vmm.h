// What the two halves of virtual memory management share: handles and reservations
// (vmm_handles.cpp), mappings and access (vmm_mappings.cpp). Rules are from the comments in cuda.h,
// section "Virtual Memory Management" (CUDA_VA); where they leave an error code open, it is what
// driver 580 answers.
#pragma once

#include "memory.h"

namespace gmlake::simcuda {

// cuMemCreate, cuMemMap, cuMemAddressReserve: sizes and addresses are "a multiple of the value
// given via cuMemGetAllocationGranularity".
inline bool aligned(std::uint64_t value) {
  return value % kGranularity == 0;
}
inline bool valid_range(Address at, Bytes size) {
  return size != 0 && aligned(at) && aligned(size);
}

// Whether memory can be exported that way.
CUresult check_handle_type(CUmemAllocationHandleType type);

// Both with memory's lock held. The handle behind a value a program holds a reference to, else
// null; and what becomes of one that may have lost its last reference or mapping.
PhysicalHandle* live_handle(CUmemGenericAllocationHandle value);
void drop_if_unused(PhysicalHandle* handle);

}  // namespace gmlake::simcuda
