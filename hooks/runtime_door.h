// What the functions of the runtime door have in common.
#pragma once

#include "hooks/process.h"
#include "hooks/real.h"

namespace gmlake::hooks {

#define GMLAKE_REAL_RT(wrapper)         \
  const auto* runtime = real_runtime(); \
  if (!runtime || !runtime->wrapper) return cudaErrorInsufficientDriver

// Before CUDA 12 cudaSetDevice did not make the device's context current at once, so the current
// context could be another device's: those runtimes are served by the driver door alone.
inline constexpr int kEagerSetDevice = 12000;

inline bool runtime_open(const RealRuntime& runtime) {
  return runtime.version >= kEagerSetDevice && Process::get().runtime_door();
}

// cudaError_t and CUresult share the numbers of the errors an allocation can have.
inline cudaError_t translate(CUresult result) {
  return static_cast<cudaError_t>(result);
}
inline CUresult translate(cudaError_t error) {
  return static_cast<CUresult>(error);
}

}  // namespace gmlake::hooks
