// Part of the hook table (hook_table.h): the driver's other functions that give work to a stream,
// besides launches, event records and waits. They are passed on; what is seen of each is its
// stream, which is the argument of type CUstream, or the default one where there is none.
//
// A name's parts are told apart so that no macro of cuda.h's, which renames functions, gets at
// it. tests/structure/check_hooks.py holds the list and its types against the newest headers.
#pragma once

// One function; and one with its second flavour, in which stream 0 is the thread's own default
// stream: _ptsz, or _ptds where there is no stream argument.
#define GMLAKE_GIVES(X, name, version, parameters) \
  X(name##version, gives_##name##version, CUresult, parameters)
#define GMLAKE_GIVES_BOTH(X, name, version, flavour, parameters) \
  X(name##version, gives_##name##version, CUresult, parameters)  \
  X(name##version##flavour, gives_##name##version##flavour, CUresult, parameters)

// clang-format off
#define GMLAKE_COPY_HOOKS(X)                                                                                         \
  GMLAKE_GIVES_BOTH(X, cuMemcpy, , _ptds, (CUdeviceptr, CUdeviceptr, std::size_t))                                   \
  GMLAKE_GIVES_BOTH(X, cuMemcpyPeer, , _ptds, (CUdeviceptr, CUcontext, CUdeviceptr, CUcontext, std::size_t))         \
  GMLAKE_GIVES_BOTH(X, cuMemcpyHtoD, _v2, _ptds, (CUdeviceptr, const void*, std::size_t))                            \
  GMLAKE_GIVES_BOTH(X, cuMemcpyDtoH, _v2, _ptds, (void*, CUdeviceptr, std::size_t))                                  \
  GMLAKE_GIVES_BOTH(X, cuMemcpyDtoD, _v2, _ptds, (CUdeviceptr, CUdeviceptr, std::size_t))                            \
  GMLAKE_GIVES_BOTH(X, cuMemcpyDtoA, _v2, _ptds, (CUarray, std::size_t, CUdeviceptr, std::size_t))                   \
  GMLAKE_GIVES_BOTH(X, cuMemcpyAtoD, _v2, _ptds, (CUdeviceptr, CUarray, std::size_t, std::size_t))                   \
  GMLAKE_GIVES_BOTH(X, cuMemcpyHtoA, _v2, _ptds, (CUarray, std::size_t, const void*, std::size_t))                   \
  GMLAKE_GIVES_BOTH(X, cuMemcpyAtoH, _v2, _ptds, (void*, CUarray, std::size_t, std::size_t))                         \
  GMLAKE_GIVES_BOTH(X, cuMemcpyAtoA, _v2, _ptds, (CUarray, std::size_t, CUarray, std::size_t, std::size_t))          \
  GMLAKE_GIVES_BOTH(X, cuMemcpy2D, _v2, _ptds, (const CUDA_MEMCPY2D*))                                               \
  GMLAKE_GIVES_BOTH(X, cuMemcpy2DUnaligned, _v2, _ptds, (const CUDA_MEMCPY2D*))                                      \
  GMLAKE_GIVES_BOTH(X, cuMemcpy3D, _v2, _ptds, (const CUDA_MEMCPY3D*))                                               \
  GMLAKE_GIVES_BOTH(X, cuMemcpy3DPeer, , _ptds, (const CUDA_MEMCPY3D_PEER*))                                         \
  GMLAKE_GIVES_BOTH(X, cuMemcpyAsync, , _ptsz, (CUdeviceptr, CUdeviceptr, std::size_t, CUstream))                    \
  GMLAKE_GIVES_BOTH(X, cuMemcpyPeerAsync, , _ptsz,                                                                   \
    (CUdeviceptr, CUcontext, CUdeviceptr, CUcontext, std::size_t, CUstream))                                         \
  GMLAKE_GIVES_BOTH(X, cuMemcpyHtoDAsync, _v2, _ptsz, (CUdeviceptr, const void*, std::size_t, CUstream))             \
  GMLAKE_GIVES_BOTH(X, cuMemcpyDtoHAsync, _v2, _ptsz, (void*, CUdeviceptr, std::size_t, CUstream))                   \
  GMLAKE_GIVES_BOTH(X, cuMemcpyDtoDAsync, _v2, _ptsz, (CUdeviceptr, CUdeviceptr, std::size_t, CUstream))             \
  GMLAKE_GIVES_BOTH(X, cuMemcpyHtoAAsync, _v2, _ptsz, (CUarray, std::size_t, const void*, std::size_t, CUstream))    \
  GMLAKE_GIVES_BOTH(X, cuMemcpyAtoHAsync, _v2, _ptsz, (void*, CUarray, std::size_t, std::size_t, CUstream))          \
  GMLAKE_GIVES_BOTH(X, cuMemcpy2DAsync, _v2, _ptsz, (const CUDA_MEMCPY2D*, CUstream))                                \
  GMLAKE_GIVES_BOTH(X, cuMemcpy3DAsync, _v2, _ptsz, (const CUDA_MEMCPY3D*, CUstream))                                \
  GMLAKE_GIVES_BOTH(X, cuMemcpy3DPeerAsync, , _ptsz, (const CUDA_MEMCPY3D_PEER*, CUstream))                          \
  GMLAKE_GIVES_BOTH(X, cuMemcpyBatchAsync, , _ptsz,                                                                  \
    (CUdeviceptr*, CUdeviceptr*, std::size_t*, std::size_t, CUmemcpyAttributes*, std::size_t*, std::size_t,          \
     std::size_t*, CUstream))                                                                                        \
  GMLAKE_GIVES_BOTH(X, cuMemcpyBatchAsync, _v2, _ptsz,                                                               \
    (CUdeviceptr*, CUdeviceptr*, std::size_t*, std::size_t, CUmemcpyAttributes*, std::size_t*, std::size_t,          \
     CUstream))                                                                                                      \
  GMLAKE_GIVES_BOTH(X, cuMemcpy3DBatchAsync, , _ptsz,                                                                \
    (std::size_t, CUDA_MEMCPY3D_BATCH_OP*, std::size_t*, unsigned long long, CUstream))                              \
  GMLAKE_GIVES_BOTH(X, cuMemcpy3DBatchAsync, _v2, _ptsz,                                                             \
    (std::size_t, CUDA_MEMCPY3D_BATCH_OP*, unsigned long long, CUstream))                                            \
  GMLAKE_GIVES_BOTH(X, cuMemcpyWithAttributesAsync, , _ptsz,                                                         \
    (CUdeviceptr, CUdeviceptr, std::size_t, CUmemcpyAttributes*, CUstream))                                          \
  GMLAKE_GIVES_BOTH(X, cuMemcpy3DWithAttributesAsync, , _ptsz,                                                       \
    (CUDA_MEMCPY3D_BATCH_OP*, unsigned long long, CUstream))                                                         \
  GMLAKE_GIVES_BOTH(X, cuFabricCpyBatchAsync, , _ptsz,                                                               \
    (std::size_t, CUDA_FABRIC_COPY_BATCH_OP_st*, unsigned long long, CUstream))                                      \
  /* before CUDA 3.2, when an address and a size had 32 bits */                                                      \
  GMLAKE_GIVES(X, cuMemcpyHtoD, , (unsigned, const void*, unsigned))                                                 \
  GMLAKE_GIVES(X, cuMemcpyDtoH, , (void*, unsigned, unsigned))                                                       \
  GMLAKE_GIVES(X, cuMemcpyDtoD, , (unsigned, unsigned, unsigned))                                                    \
  GMLAKE_GIVES(X, cuMemcpyDtoA, , (CUarray, unsigned, unsigned, unsigned))                                           \
  GMLAKE_GIVES(X, cuMemcpyAtoD, , (unsigned, CUarray, unsigned, unsigned))                                           \
  GMLAKE_GIVES(X, cuMemcpyHtoA, , (CUarray, unsigned, const void*, unsigned))                                        \
  GMLAKE_GIVES(X, cuMemcpyAtoH, , (void*, CUarray, unsigned, unsigned))                                              \
  GMLAKE_GIVES(X, cuMemcpyAtoA, , (CUarray, unsigned, CUarray, unsigned, unsigned))                                  \
  GMLAKE_GIVES(X, cuMemcpy2D, , (const CUDA_MEMCPY2D_v1_st*))                                                        \
  GMLAKE_GIVES(X, cuMemcpy2DUnaligned, , (const CUDA_MEMCPY2D_v1_st*))                                               \
  GMLAKE_GIVES(X, cuMemcpy3D, , (const CUDA_MEMCPY3D_v1_st*))                                                        \
  GMLAKE_GIVES(X, cuMemcpyHtoDAsync, , (unsigned, const void*, unsigned, CUstream))                                  \
  GMLAKE_GIVES(X, cuMemcpyDtoHAsync, , (void*, unsigned, unsigned, CUstream))                                        \
  GMLAKE_GIVES(X, cuMemcpyDtoDAsync, , (unsigned, unsigned, unsigned, CUstream))                                     \
  GMLAKE_GIVES(X, cuMemcpyHtoAAsync, , (CUarray, unsigned, const void*, unsigned, CUstream))                         \
  GMLAKE_GIVES(X, cuMemcpyAtoHAsync, , (void*, CUarray, unsigned, unsigned, CUstream))                               \
  GMLAKE_GIVES(X, cuMemcpy2DAsync, , (const CUDA_MEMCPY2D_v1_st*, CUstream))                                         \
  GMLAKE_GIVES(X, cuMemcpy3DAsync, , (const CUDA_MEMCPY3D_v1_st*, CUstream))

#define GMLAKE_FILL_HOOKS(X)                                                                                         \
  GMLAKE_GIVES_BOTH(X, cuMemsetD8, _v2, _ptds, (CUdeviceptr, unsigned char, std::size_t))                            \
  GMLAKE_GIVES_BOTH(X, cuMemsetD16, _v2, _ptds, (CUdeviceptr, unsigned short, std::size_t))                          \
  GMLAKE_GIVES_BOTH(X, cuMemsetD32, _v2, _ptds, (CUdeviceptr, unsigned, std::size_t))                                \
  GMLAKE_GIVES_BOTH(X, cuMemsetD2D8, _v2, _ptds, (CUdeviceptr, std::size_t, unsigned char, std::size_t, std::size_t))\
  GMLAKE_GIVES_BOTH(X, cuMemsetD2D16, _v2, _ptds,                                                                    \
    (CUdeviceptr, std::size_t, unsigned short, std::size_t, std::size_t))                                            \
  GMLAKE_GIVES_BOTH(X, cuMemsetD2D32, _v2, _ptds, (CUdeviceptr, std::size_t, unsigned, std::size_t, std::size_t))    \
  GMLAKE_GIVES_BOTH(X, cuMemsetD8Async, , _ptsz, (CUdeviceptr, unsigned char, std::size_t, CUstream))                \
  GMLAKE_GIVES_BOTH(X, cuMemsetD16Async, , _ptsz, (CUdeviceptr, unsigned short, std::size_t, CUstream))              \
  GMLAKE_GIVES_BOTH(X, cuMemsetD32Async, , _ptsz, (CUdeviceptr, unsigned, std::size_t, CUstream))                    \
  GMLAKE_GIVES_BOTH(X, cuMemsetD2D8Async, , _ptsz,                                                                   \
    (CUdeviceptr, std::size_t, unsigned char, std::size_t, std::size_t, CUstream))                                   \
  GMLAKE_GIVES_BOTH(X, cuMemsetD2D16Async, , _ptsz,                                                                  \
    (CUdeviceptr, std::size_t, unsigned short, std::size_t, std::size_t, CUstream))                                  \
  GMLAKE_GIVES_BOTH(X, cuMemsetD2D32Async, , _ptsz,                                                                  \
    (CUdeviceptr, std::size_t, unsigned, std::size_t, std::size_t, CUstream))                                        \
  GMLAKE_GIVES(X, cuMemsetD8, , (unsigned, unsigned char, unsigned))                                                 \
  GMLAKE_GIVES(X, cuMemsetD16, , (unsigned, unsigned short, unsigned))                                               \
  GMLAKE_GIVES(X, cuMemsetD32, , (unsigned, unsigned, unsigned))                                                     \
  GMLAKE_GIVES(X, cuMemsetD2D8, , (unsigned, unsigned, unsigned char, unsigned, unsigned))                           \
  GMLAKE_GIVES(X, cuMemsetD2D16, , (unsigned, unsigned, unsigned short, unsigned, unsigned))                         \
  GMLAKE_GIVES(X, cuMemsetD2D32, , (unsigned, unsigned, unsigned, unsigned, unsigned))

#define GMLAKE_STREAM_OPERATION_HOOKS(X)                                                                             \
  GMLAKE_GIVES_BOTH(X, cuStreamWaitValue32, , _ptsz, (CUstream, CUdeviceptr, cuuint32_t, unsigned))                  \
  GMLAKE_GIVES_BOTH(X, cuStreamWaitValue32, _v2, _ptsz, (CUstream, CUdeviceptr, cuuint32_t, unsigned))               \
  GMLAKE_GIVES_BOTH(X, cuStreamWaitValue64, , _ptsz, (CUstream, CUdeviceptr, cuuint64_t, unsigned))                  \
  GMLAKE_GIVES_BOTH(X, cuStreamWaitValue64, _v2, _ptsz, (CUstream, CUdeviceptr, cuuint64_t, unsigned))               \
  GMLAKE_GIVES_BOTH(X, cuStreamWriteValue32, , _ptsz, (CUstream, CUdeviceptr, cuuint32_t, unsigned))                 \
  GMLAKE_GIVES_BOTH(X, cuStreamWriteValue32, _v2, _ptsz, (CUstream, CUdeviceptr, cuuint32_t, unsigned))              \
  GMLAKE_GIVES_BOTH(X, cuStreamWriteValue64, , _ptsz, (CUstream, CUdeviceptr, cuuint64_t, unsigned))                 \
  GMLAKE_GIVES_BOTH(X, cuStreamWriteValue64, _v2, _ptsz, (CUstream, CUdeviceptr, cuuint64_t, unsigned))              \
  GMLAKE_GIVES_BOTH(X, cuStreamBatchMemOp, , _ptsz, (CUstream, unsigned, CUstreamBatchMemOpParams*, unsigned))       \
  GMLAKE_GIVES_BOTH(X, cuStreamBatchMemOp, _v2, _ptsz, (CUstream, unsigned, CUstreamBatchMemOpParams*, unsigned))    \
  GMLAKE_GIVES_BOTH(X, cuStreamAddCallback, , _ptsz, (CUstream, CUstreamCallback, void*, unsigned))                  \
  GMLAKE_GIVES_BOTH(X, cuLaunchHostFunc, , _ptsz, (CUstream, CUhostFn, void*))                                       \
  GMLAKE_GIVES_BOTH(X, cuLaunchHostFunc, _v2, _ptsz, (CUstream, CUhostFn, void*, unsigned))                          \
  GMLAKE_GIVES_BOTH(X, cuSignalExternalSemaphoresAsync, , _ptsz,                                                     \
    (const CUexternalSemaphore*, const CUDA_EXTERNAL_SEMAPHORE_SIGNAL_PARAMS*, unsigned, CUstream))                  \
  GMLAKE_GIVES_BOTH(X, cuWaitExternalSemaphoresAsync, , _ptsz,                                                       \
    (const CUexternalSemaphore*, const CUDA_EXTERNAL_SEMAPHORE_WAIT_PARAMS*, unsigned, CUstream))                    \
  GMLAKE_GIVES_BOTH(X, cuGraphicsMapResources, , _ptsz, (unsigned, CUgraphicsResource*, CUstream))                   \
  GMLAKE_GIVES_BOTH(X, cuGraphicsUnmapResources, , _ptsz, (unsigned, CUgraphicsResource*, CUstream))                 \
  GMLAKE_GIVES_BOTH(X, cuGLMapBufferObject, _v2, _ptds, (CUdeviceptr*, std::size_t*, unsigned))                      \
  GMLAKE_GIVES_BOTH(X, cuGLMapBufferObjectAsync, _v2, _ptsz, (CUdeviceptr*, std::size_t*, unsigned, CUstream))       \
  GMLAKE_GIVES(X, cuGLMapBufferObject, , (unsigned*, unsigned*, unsigned))                                           \
  GMLAKE_GIVES(X, cuGLMapBufferObjectAsync, , (unsigned*, unsigned*, unsigned, CUstream))                            \
  GMLAKE_GIVES(X, cuGLUnmapBufferObject, , (unsigned))                                                               \
  GMLAKE_GIVES(X, cuGLUnmapBufferObjectAsync, , (unsigned, CUstream))                                                \
  GMLAKE_GIVES(X, cuLaunch, , (CUfunction))                                                                          \
  GMLAKE_GIVES(X, cuLaunchGrid, , (CUfunction, int, int))                                                            \
  GMLAKE_GIVES(X, cuLaunchGridAsync, , (CUfunction, int, int, CUstream))                                             \
  /* its streams are created ones, all of them */                                                                    \
  GMLAKE_GIVES(X, cuLaunchCooperativeKernelMultiDevice, , (CUDA_LAUNCH_PARAMS*, unsigned, unsigned))

// Where memory is and what backs it.
#define GMLAKE_PLACE_HOOKS(X)                                                                                        \
  GMLAKE_GIVES_BOTH(X, cuMemPrefetchAsync, , _ptsz, (CUdeviceptr, std::size_t, CUdevice, CUstream))                  \
  GMLAKE_GIVES_BOTH(X, cuMemPrefetchAsync, _v2, _ptsz, (CUdeviceptr, std::size_t, CUmemLocation, unsigned, CUstream))\
  GMLAKE_GIVES_BOTH(X, cuMemPrefetchBatchAsync, , _ptsz,                                                             \
    (CUdeviceptr*, std::size_t*, std::size_t, CUmemLocation*, std::size_t*, std::size_t, unsigned long long,         \
     CUstream))                                                                                                      \
  GMLAKE_GIVES_BOTH(X, cuMemDiscardBatchAsync, , _ptsz,                                                              \
    (CUdeviceptr*, std::size_t*, std::size_t, unsigned long long, CUstream))                                         \
  GMLAKE_GIVES_BOTH(X, cuMemDiscardAndPrefetchBatchAsync, , _ptsz,                                                   \
    (CUdeviceptr*, std::size_t*, std::size_t, CUmemLocation*, std::size_t*, std::size_t, unsigned long long,         \
     CUstream))                                                                                                      \
  GMLAKE_GIVES_BOTH(X, cuMemBatchDecompressAsync, , _ptsz,                                                           \
    (CUmemDecompressParams*, std::size_t, unsigned, std::size_t*, CUstream))                                         \
  GMLAKE_GIVES_BOTH(X, cuMemMapArrayAsync, , _ptsz, (CUarrayMapInfo*, unsigned, CUstream))                           \
  GMLAKE_GIVES_BOTH(X, cuStreamAttachMemAsync, , _ptsz, (CUstream, CUdeviceptr, std::size_t, unsigned))

#define GMLAKE_WORK_HOOKS(X)       \
  GMLAKE_COPY_HOOKS(X)             \
  GMLAKE_FILL_HOOKS(X)             \
  GMLAKE_STREAM_OPERATION_HOOKS(X) \
  GMLAKE_PLACE_HOOKS(X)
// clang-format on
