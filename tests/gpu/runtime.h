// What the .cu programs in this folder share: checked runtime calls and the arguments
// `--name number`.
#pragma once

#include <cuda_runtime.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace gpu {

inline void check_runtime(cudaError_t code, const char* what) {
  if (code == cudaSuccess) return;
  std::fprintf(stderr, "%s: %s\n", what, cudaGetErrorName(code));
  std::exit(2);
}
#define CUDA(call) ::gpu::check_runtime(call, #call)

inline double option(int argc, char** argv, const char* name, double fallback) {
  for (int i = 1; i + 1 < argc; ++i)
    if (std::strcmp(argv[i], name) == 0) return std::atof(argv[i + 1]);
  return fallback;
}

}  // namespace gpu
