// What the functions of the runtime door have in common.
#pragma once

#include "hooks/process.h"
#include "hooks/runtimes.h"

namespace gmlake::hooks {

inline bool runtime_open() {
  return Process::get().runtime_door();
}

// cudaError_t and CUresult share the numbers of the errors an allocation can have.
inline cudaError_t translate(CUresult result) {
  return static_cast<cudaError_t>(result);
}
inline CUresult translate(cudaError_t error) {
  return static_cast<CUresult>(error);
}

}  // namespace gmlake::hooks
