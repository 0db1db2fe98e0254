// The only list of intercepted symbols. Exports, the dlsym and cuGetProcAddress substitution, the
// pointers to the real functions and the test of exported names all come from it.
//
// X(symbol, wrapper, result, parameters): `symbol` is the exact name in libcuda.so.1 or
// libcudart.so (never a base name: cuMemAlloc and cuMemAlloc_v2 are different functions), `wrapper`
// our function for it. A _ptsz symbol is the same call with stream 0 meaning the per-thread default
// stream.
#pragma once

// clang-format off
#define GMLAKE_DRIVER_HOOKS(X)                                                                                       \
  /* the gate through which every cudart gets its driver functions */                                                \
  X(cuGetProcAddress, get_proc_address, CUresult, (const char*, void**, int, cuuint64_t))                            \
  X(cuGetProcAddress_v2, get_proc_address_v2, CUresult,                                                              \
    (const char*, void**, int, cuuint64_t, CUdriverProcAddressQueryResult*))                                         \
  /* allocation */                                                                                                   \
  X(cuMemAlloc_v2, mem_alloc, CUresult, (CUdeviceptr*, std::size_t))                                                 \
  X(cuMemFree_v2, mem_free, CUresult, (CUdeviceptr))                                                                 \
  X(cuMemAllocAsync, mem_alloc_async, CUresult, (CUdeviceptr*, std::size_t, CUstream))                               \
  X(cuMemAllocAsync_ptsz, mem_alloc_async_ptsz, CUresult, (CUdeviceptr*, std::size_t, CUstream))                     \
  X(cuMemFreeAsync, mem_free_async, CUresult, (CUdeviceptr, CUstream))                                               \
  X(cuMemFreeAsync_ptsz, mem_free_async_ptsz, CUresult, (CUdeviceptr, CUstream))                                     \
  X(cuMemGetInfo_v2, mem_get_info, CUresult, (std::size_t*, std::size_t*))                                           \
  /* what the stream layer must see: handles that die, contexts that die, captures */                                \
  X(cuStreamDestroy_v2, stream_destroy, CUresult, (CUstream))                                                        \
  X(cuCtxDestroy_v2, ctx_destroy, CUresult, (CUcontext))                                                             \
  X(cuDevicePrimaryCtxReset, primary_ctx_reset, CUresult, (CUdevice))                                                \
  X(cuDevicePrimaryCtxReset_v2, primary_ctx_reset_v2, CUresult, (CUdevice))                                          \
  X(cuStreamBeginCapture, begin_capture_v1, CUresult, (CUstream))                                                    \
  X(cuStreamBeginCapture_ptsz, begin_capture_v1_ptsz, CUresult, (CUstream))                                          \
  X(cuStreamBeginCapture_v2, begin_capture, CUresult, (CUstream, CUstreamCaptureMode))                               \
  X(cuStreamBeginCapture_v2_ptsz, begin_capture_ptsz, CUresult, (CUstream, CUstreamCaptureMode))                     \
  X(cuStreamBeginCaptureToGraph, begin_capture_to_graph, CUresult,                                                   \
    (CUstream, CUgraph, const CUgraphNode*, const CUgraphEdgeData*, std::size_t, CUstreamCaptureMode))               \
  X(cuStreamBeginCaptureToGraph_ptsz, begin_capture_to_graph_ptsz, CUresult,                                         \
    (CUstream, CUgraph, const CUgraphNode*, const CUgraphEdgeData*, std::size_t, CUstreamCaptureMode))               \
  X(cuStreamEndCapture, end_capture, CUresult, (CUstream, CUgraph*))                                                 \
  X(cuStreamEndCapture_ptsz, end_capture_ptsz, CUresult, (CUstream, CUgraph*))

#define GMLAKE_RUNTIME_HOOKS(X)                                                                                      \
  X(cudaMalloc, rt_malloc, cudaError_t, (void**, std::size_t))                                                       \
  X(cudaFree, rt_free, cudaError_t, (void*))                                                                         \
  X(cudaMallocAsync, rt_malloc_async, cudaError_t, (void**, std::size_t, cudaStream_t))                              \
  X(cudaMallocAsync_ptsz, rt_malloc_async_ptsz, cudaError_t, (void**, std::size_t, cudaStream_t))                    \
  X(cudaFreeAsync, rt_free_async, cudaError_t, (void*, cudaStream_t))                                                \
  X(cudaFreeAsync_ptsz, rt_free_async_ptsz, cudaError_t, (void*, cudaStream_t))                                      \
  X(cudaMemGetInfo, rt_mem_get_info, cudaError_t, (std::size_t*, std::size_t*))                                      \
  X(cudaStreamDestroy, rt_stream_destroy, cudaError_t, (cudaStream_t))                                               \
  X(cudaDeviceReset, rt_device_reset, cudaError_t, ())

// Interposed in the dynamic linker itself, and our own small C API (gmlake.h).
#define GMLAKE_OTHER_EXPORTS(X) X(dlsym) X(gmlake_version)
// clang-format on
