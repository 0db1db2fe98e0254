// Declares our wrapper for every driver symbol of the hook table. The C++ names differ because
// cuda.h renames functions by macro (cuMemAlloc is cuMemAlloc_v2 there).
#pragma once

#include <cstddef>

#include <cuda.h>
#include <driver_types.h>

#include "hook_table.h"

// Of CUDA before 3.2, which cuda.h declares for itself only, and of later ones than cuda.h may be.
struct CUDA_MEMCPY2D_v1_st;
struct CUDA_MEMCPY3D_v1_st;
struct CUDA_FABRIC_COPY_BATCH_OP_st;
struct CUstreamCigCaptureParams_st;

#define GMLAKE_EXPORT __attribute__((visibility("default")))

namespace gmlake::hooks {

#if CUDA_VERSION >= 13030
using RecaptureCallback = CUgraphRecaptureCallback;
#else  // the last one is an enumeration there
using RecaptureCallback = CUresult (*)(void*, CUgraphNode, const CUgraphNodeParams*,
                                       const CUgraphNodeParams*, int);
#endif

#define X(symbol, wrapper, result, parameters) result wrapper parameters;
GMLAKE_DRIVER_HOOKS(X)
#undef X

}  // namespace gmlake::hooks
