// The only list of intercepted symbols. What is redirected (settle.cpp), the cuGetProcAddress
// substitution and the pointers to the real functions all come from it.
//
// X(symbol, wrapper, result, parameters): `symbol` is the exact name in libcuda.so.1 or
// libcudart.so (never a base name: cuMemAlloc and cuMemAlloc_v2 are different functions), `wrapper`
// our function for it. A _ptsz symbol is the same call with stream 0 meaning the per-thread default
// stream.
#pragma once

#include "work_table.h"

// clang-format off
// Calls that need memory of the device besides the pool's: tried again when there is none.
#define GMLAKE_PRESSURE_HOOKS(X)                                                                                     \
  X(cuMemCreate, mem_create, CUresult,                                                                               \
    (CUmemGenericAllocationHandle*, std::size_t, const CUmemAllocationProp*, unsigned long long))                    \
  X(cuMemAllocPitch_v2, mem_alloc_pitch, CUresult,                                                                   \
    (CUdeviceptr*, std::size_t*, std::size_t, std::size_t, unsigned))                                                \
  X(cuArrayCreate_v2, array_create, CUresult, (CUarray*, const CUDA_ARRAY_DESCRIPTOR*))                              \
  X(cuArray3DCreate_v2, array_3d_create, CUresult, (CUarray*, const CUDA_ARRAY3D_DESCRIPTOR*))                       \
  X(cuMipmappedArrayCreate, mipmapped_array_create, CUresult,                                                        \
    (CUmipmappedArray*, const CUDA_ARRAY3D_DESCRIPTOR*, unsigned))                                                   \
  X(cuModuleLoad, module_load, CUresult, (CUmodule*, const char*))                                                   \
  X(cuModuleLoadData, module_load_data, CUresult, (CUmodule*, const void*))                                          \
  X(cuModuleLoadDataEx, module_load_data_ex, CUresult, (CUmodule*, const void*, unsigned, CUjit_option*, void**))    \
  X(cuModuleLoadFatBinary, module_load_fat_binary, CUresult, (CUmodule*, const void*))                               \
  X(cuModuleGetFunction, module_get_function, CUresult, (CUfunction*, CUmodule, const char*))                        \
  X(cuFuncLoad, func_load, CUresult, (CUfunction))                                                                   \
  X(cuKernelGetFunction, kernel_get_function, CUresult, (CUfunction*, CUkernel))                                     \
  X(cuLibraryGetModule, library_get_module, CUresult, (CUmodule*, CUlibrary))                                        \
  X(cuLibraryGetKernel, library_get_kernel, CUresult, (CUkernel*, CUlibrary, const char*))                           \
  /* a kernel may be loaded by its first launch */                                                                   \
  X(cuLaunchKernel, launch_kernel, CUresult,                                                                         \
    (CUfunction, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, CUstream, void**, void**))    \
  X(cuLaunchKernel_ptsz, launch_kernel_ptsz, CUresult,                                                               \
    (CUfunction, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, CUstream, void**, void**))    \
  X(cuLaunchKernelEx, launch_kernel_ex, CUresult, (const CUlaunchConfig*, CUfunction, void**, void**))               \
  X(cuLaunchKernelEx_ptsz, launch_kernel_ex_ptsz, CUresult, (const CUlaunchConfig*, CUfunction, void**, void**))     \
  X(cuLaunchCooperativeKernel, launch_cooperative_kernel, CUresult,                                                  \
    (CUfunction, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, CUstream, void**))            \
  X(cuLaunchCooperativeKernel_ptsz, launch_cooperative_kernel_ptsz, CUresult,                                        \
    (CUfunction, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, CUstream, void**))            \
  /* a graph may have memory of its own */                                                                           \
  X(cuGraphInstantiate, graph_instantiate_v1, CUresult, (CUgraphExec*, CUgraph, CUgraphNode*, char*, std::size_t))   \
  X(cuGraphInstantiate_v2, graph_instantiate_v2, CUresult, (CUgraphExec*, CUgraph, CUgraphNode*, char*, std::size_t))\
  X(cuGraphInstantiateWithFlags, graph_instantiate, CUresult, (CUgraphExec*, CUgraph, unsigned long long))           \
  X(cuGraphInstantiateWithParams, graph_instantiate_with_params, CUresult,                                           \
    (CUgraphExec*, CUgraph, CUDA_GRAPH_INSTANTIATE_PARAMS*))                                                         \
  X(cuGraphInstantiateWithParams_ptsz, graph_instantiate_with_params_ptsz, CUresult,                                 \
    (CUgraphExec*, CUgraph, CUDA_GRAPH_INSTANTIATE_PARAMS*))                                                         \
  X(cuGraphUpload, graph_upload, CUresult, (CUgraphExec, CUstream))                                                  \
  X(cuGraphUpload_ptsz, graph_upload_ptsz, CUresult, (CUgraphExec, CUstream))                                        \
  X(cuGraphLaunch, graph_launch, CUresult, (CUgraphExec, CUstream))                                                  \
  X(cuGraphLaunch_ptsz, graph_launch_ptsz, CUresult, (CUgraphExec, CUstream))

// The program's own order between streams; and events that graphs or other processes may record
// as well, which prove nothing.
#define GMLAKE_ORDER_HOOKS(X)                                                                                        \
  X(cuEventRecord, event_record, CUresult, (CUevent, CUstream))                                                      \
  X(cuEventRecord_ptsz, event_record_ptsz, CUresult, (CUevent, CUstream))                                            \
  X(cuEventRecordWithFlags, event_record_with_flags, CUresult, (CUevent, CUstream, unsigned))                        \
  X(cuEventRecordWithFlags_ptsz, event_record_with_flags_ptsz, CUresult, (CUevent, CUstream, unsigned))              \
  X(cuStreamWaitEvent, stream_wait_event, CUresult, (CUstream, CUevent, unsigned))                                   \
  X(cuStreamWaitEvent_ptsz, stream_wait_event_ptsz, CUresult, (CUstream, CUevent, unsigned))                         \
  X(cuCtxRecordEvent, ctx_record_event, CUresult, (CUcontext, CUevent))                                              \
  X(cuCtxWaitEvent, ctx_wait_event, CUresult, (CUcontext, CUevent))                                                  \
  X(cuGreenCtxRecordEvent, green_record_event, CUresult, (CUgreenCtx, CUevent))                                      \
  X(cuGreenCtxWaitEvent, green_wait_event, CUresult, (CUgreenCtx, CUevent))                                          \
  X(cuCtxSynchronize, ctx_synchronize, CUresult, ())                                                                 \
  X(cuCtxSynchronize_v2, ctx_synchronize_v2, CUresult, (CUcontext))                                                  \
  X(cuStreamSynchronize, stream_synchronize, CUresult, (CUstream))                                                   \
  X(cuStreamSynchronize_ptsz, stream_synchronize_ptsz, CUresult, (CUstream))                                         \
  X(cuStreamQuery, stream_query, CUresult, (CUstream))                                                               \
  X(cuStreamQuery_ptsz, stream_query_ptsz, CUresult, (CUstream))                                                     \
  X(cuEventSynchronize, event_synchronize, CUresult, (CUevent))                                                      \
  X(cuEventQuery, event_query, CUresult, (CUevent))                                                                  \
  X(cuEventDestroy, event_destroy_v1, CUresult, (CUevent))                                                           \
  X(cuEventDestroy_v2, event_destroy, CUresult, (CUevent))                                                           \
  X(cuIpcGetEventHandle, ipc_get_event, CUresult, (CUipcEventHandle*, CUevent))                                      \
  X(cuIpcOpenEventHandle, ipc_open_event, CUresult, (CUevent*, CUipcEventHandle))                                    \
  X(cuGraphAddEventRecordNode, graph_add_event_record, CUresult,                                                     \
    (CUgraphNode*, CUgraph, const CUgraphNode*, std::size_t, CUevent))                                               \
  X(cuGraphEventRecordNodeSetEvent, graph_set_event, CUresult, (CUgraphNode, CUevent))                               \
  X(cuGraphExecEventRecordNodeSetEvent, graph_exec_set_event, CUresult, (CUgraphExec, CUgraphNode, CUevent))         \
  X(cuGraphAddNode, graph_add_node_v1, CUresult,                                                                     \
    (CUgraphNode*, CUgraph, const CUgraphNode*, std::size_t, CUgraphNodeParams*))                                    \
  X(cuGraphAddNode_v2, graph_add_node, CUresult,                                                                     \
    (CUgraphNode*, CUgraph, const CUgraphNode*, const CUgraphEdgeData*, std::size_t, CUgraphNodeParams*))            \
  X(cuGraphAddNode_v3, graph_add_node_v3, CUresult,                                                                  \
    (CUgraphNode*, CUgraph, const CUgraphNode*, const CUgraphEdgeData*, std::size_t, CUgraphNodeParams*))            \
  X(cuGraphNodeSetParams, graph_set_params, CUresult, (CUgraphNode, CUgraphNodeParams*))                             \
  X(cuGraphNodeSetParams_v2, graph_set_params_v2, CUresult, (CUgraphNode, CUgraphNodeParams*))                       \
  X(cuGraphKernelNodeSetAttribute, graph_set_kernel_attribute, CUresult,                                             \
    (CUgraphNode, CUkernelNodeAttrID, const CUkernelNodeAttrValue*))                                                 \
  X(cuGraphExecNodeSetParams, graph_exec_set_params, CUresult, (CUgraphExec, CUgraphNode, CUgraphNodeParams*))

// What can be asked about memory, which a block's answer is to be the same as natively.
#define GMLAKE_POINTER_HOOKS(X)                                                                                      \
  X(cuPointerGetAttribute, pointer_get_attribute, CUresult, (void*, CUpointer_attribute, CUdeviceptr))               \
  X(cuPointerGetAttributes, pointer_get_attributes, CUresult,                                                        \
    (unsigned, CUpointer_attribute*, void**, CUdeviceptr))                                                           \
  X(cuPointerSetAttribute, pointer_set_attribute, CUresult, (const void*, CUpointer_attribute, CUdeviceptr))         \
  X(cuMemGetAddressRange_v2, mem_get_address_range, CUresult, (CUdeviceptr*, std::size_t*, CUdeviceptr))             \
  X(cuMemRetainAllocationHandle, mem_retain_allocation_handle, CUresult, (CUmemGenericAllocationHandle*, void*))     \
  X(cuMemSetAccess, mem_set_access, CUresult,                                                                        \
    (CUdeviceptr, std::size_t, const CUmemAccessDesc*, std::size_t))

// The program's memory pools, which decide whose memory stream-ordered allocations are.
#define GMLAKE_POOL_HOOKS(X)                                                                                         \
  X(cuMemAllocFromPoolAsync, mem_alloc_from_pool, CUresult, (CUdeviceptr*, std::size_t, CUmemoryPool, CUstream))     \
  X(cuMemAllocFromPoolAsync_ptsz, mem_alloc_from_pool_ptsz, CUresult,                                                \
    (CUdeviceptr*, std::size_t, CUmemoryPool, CUstream))                                                             \
  X(cuMemPoolCreate, mem_pool_create, CUresult, (CUmemoryPool*, const CUmemPoolProps*))                              \
  X(cuMemPoolDestroy, mem_pool_destroy, CUresult, (CUmemoryPool))                                                    \
  X(cuMemPoolTrimTo, mem_pool_trim_to, CUresult, (CUmemoryPool, std::size_t))                                        \
  X(cuMemPoolSetAttribute, mem_pool_set_attribute, CUresult, (CUmemoryPool, CUmemPool_attribute, void*))             \
  X(cuMemPoolGetAttribute, mem_pool_get_attribute, CUresult, (CUmemoryPool, CUmemPool_attribute, void*))             \
  X(cuDeviceSetMemPool, device_set_mem_pool, CUresult, (CUdevice, CUmemoryPool))                                     \
  /* handles that may be those of pools that are gone */                                                             \
  X(cuMemPoolImportFromShareableHandle, mem_pool_import, CUresult,                                                   \
    (CUmemoryPool*, void*, CUmemAllocationHandleType, unsigned long long))                                           \
  X(cuDeviceGetDefaultMemPool, device_get_default_mem_pool, CUresult, (CUmemoryPool*, CUdevice))                     \
  X(cuDeviceGetMemPool, device_get_mem_pool, CUresult, (CUmemoryPool*, CUdevice))                                    \
  X(cuMemGetDefaultMemPool, get_default_mem_pool, CUresult, (CUmemoryPool*, CUmemLocation*, CUmemAllocationType))    \
  X(cuMemGetMemPool, get_mem_pool, CUresult, (CUmemoryPool*, CUmemLocation*, CUmemAllocationType))                   \
  X(cuMemSetMemPool, set_mem_pool, CUresult, (CUmemLocation*, CUmemAllocationType, CUmemoryPool))

#define GMLAKE_DRIVER_HOOKS(X)                                                                                       \
  /* the gate through which every cudart gets its driver functions */                                                \
  X(cuGetProcAddress, get_proc_address, CUresult, (const char*, void**, int, cuuint64_t))                            \
  X(cuGetProcAddress_v2, get_proc_address_v2, CUresult,                                                              \
    (const char*, void**, int, cuuint64_t, CUdriverProcAddressQueryResult*))                                         \
  X(cuInit, init, CUresult, (unsigned))                                                                              \
  /* allocation */                                                                                                   \
  X(cuMemAlloc_v2, mem_alloc, CUresult, (CUdeviceptr*, std::size_t))                                                 \
  X(cuMemFree_v2, mem_free, CUresult, (CUdeviceptr))                                                                 \
  X(cuMemAllocAsync, mem_alloc_async, CUresult, (CUdeviceptr*, std::size_t, CUstream))                               \
  X(cuMemAllocAsync_ptsz, mem_alloc_async_ptsz, CUresult, (CUdeviceptr*, std::size_t, CUstream))                     \
  X(cuMemFreeAsync, mem_free_async, CUresult, (CUdeviceptr, CUstream))                                               \
  X(cuMemFreeAsync_ptsz, mem_free_async_ptsz, CUresult, (CUdeviceptr, CUstream))                                     \
  X(cuMemGetInfo_v2, mem_get_info, CUresult, (std::size_t*, std::size_t*))                                           \
  /* memory between processes */                                                                                     \
  X(cuIpcGetMemHandle, ipc_get_memory, CUresult, (CUipcMemHandle*, CUdeviceptr))                                     \
  X(cuIpcOpenMemHandle, ipc_open_memory_v1, CUresult, (CUdeviceptr*, CUipcMemHandle, unsigned))                      \
  X(cuIpcOpenMemHandle_v2, ipc_open_memory, CUresult, (CUdeviceptr*, CUipcMemHandle, unsigned))                      \
  X(cuIpcCloseMemHandle, ipc_close_memory, CUresult, (CUdeviceptr))                                                  \
  /* the program's own physical memory, which counts for its limits (cuMemCreate is below) */                         \
  X(cuMemRelease, mem_release, CUresult, (CUmemGenericAllocationHandle))                                             \
  X(cuMemMap, mem_map, CUresult,                                                                                     \
    (CUdeviceptr, std::size_t, std::size_t, CUmemGenericAllocationHandle, unsigned long long))                       \
  X(cuMemUnmap, mem_unmap, CUresult, (CUdeviceptr, std::size_t))                                                     \
  GMLAKE_POOL_HOOKS(X)                                                                                               \
  GMLAKE_ORDER_HOOKS(X)                                                                                              \
  GMLAKE_PRESSURE_HOOKS(X)                                                                                           \
  GMLAKE_POINTER_HOOKS(X)                                                                                            \
  GMLAKE_WORK_HOOKS(X)                                                                                               \
  /* contexts besides the devices' primary ones */                                                                   \
  X(cuCtxCreate, ctx_create_v1, CUresult, (CUcontext*, unsigned, CUdevice))                                          \
  X(cuCtxCreate_v2, ctx_create_v2, CUresult, (CUcontext*, unsigned, CUdevice))                                       \
  X(cuCtxCreate_v3, ctx_create_v3, CUresult, (CUcontext*, CUexecAffinityParam*, int, unsigned, CUdevice))            \
  X(cuCtxCreate_v4, ctx_create_v4, CUresult, (CUcontext*, CUctxCreateParams*, unsigned, CUdevice))                   \
  X(cuGLCtxCreate, gl_ctx_create_v1, CUresult, (CUcontext*, unsigned, CUdevice))                                     \
  X(cuGLCtxCreate_v2, gl_ctx_create, CUresult, (CUcontext*, unsigned, CUdevice))                                     \
  X(cuVDPAUCtxCreate, vdpau_ctx_create_v1, CUresult, (CUcontext*, unsigned, CUdevice, unsigned, void*))              \
  X(cuVDPAUCtxCreate_v2, vdpau_ctx_create, CUresult, (CUcontext*, unsigned, CUdevice, unsigned, void*))              \
  X(cuCtxFromGreenCtx, ctx_from_green, CUresult, (CUcontext*, CUgreenCtx))                                           \
  /* which other devices may reach memory */                                                                         \
  X(cuCtxEnablePeerAccess, ctx_enable_peer_access, CUresult, (CUcontext, unsigned))                                  \
  X(cuCtxDisablePeerAccess, ctx_disable_peer_access, CUresult, (CUcontext))                                          \
  X(cuMemPoolSetAccess, mem_pool_set_access, CUresult, (CUmemoryPool, const CUmemAccessDesc*, std::size_t))          \
  /* contexts that begin, so that none gets the address of one that is ending */                                     \
  X(cuGreenCtxCreate, green_ctx_create, CUresult, (CUgreenCtx*, CUdevResourceDesc, CUdevice, unsigned))              \
  X(cuDevicePrimaryCtxRetain, primary_ctx_retain, CUresult, (CUcontext*, CUdevice))                                  \
  /* which context is current to the thread, and whether one is */                                                   \
  X(cuCtxSetCurrent, ctx_set_current, CUresult, (CUcontext))                                                         \
  X(cuCtxPushCurrent, ctx_push_current_v1, CUresult, (CUcontext))                                                    \
  X(cuCtxPushCurrent_v2, ctx_push_current, CUresult, (CUcontext))                                                    \
  X(cuCtxPopCurrent, ctx_pop_current_v1, CUresult, (CUcontext*))                                                     \
  X(cuCtxPopCurrent_v2, ctx_pop_current, CUresult, (CUcontext*))                                                     \
  /* what the stream layer must see: streams that no other follows, handles that die, contexts that die, captures */ \
  X(cuStreamCreate, stream_create, CUresult, (CUstream*, unsigned))                                                  \
  X(cuStreamCreateWithPriority, stream_create_with_priority, CUresult, (CUstream*, unsigned, int))                   \
  X(cuGreenCtxStreamCreate, green_stream_create, CUresult, (CUstream*, CUgreenCtx, unsigned, int))                   \
  X(cuStreamDestroy, stream_destroy_v1, CUresult, (CUstream))                                                        \
  X(cuStreamDestroy_v2, stream_destroy, CUresult, (CUstream))                                                        \
  X(cuCtxDestroy, ctx_destroy_v1, CUresult, (CUcontext))                                                             \
  X(cuCtxDestroy_v2, ctx_destroy, CUresult, (CUcontext))                                                             \
  X(cuCtxAttach, ctx_attach, CUresult, (CUcontext*, unsigned))                                                       \
  X(cuCtxDetach, ctx_detach, CUresult, (CUcontext))                                                                  \
  X(cuGreenCtxDestroy, green_ctx_destroy, CUresult, (CUgreenCtx))                                                    \
  X(cuDevicePrimaryCtxRelease, primary_ctx_release, CUresult, (CUdevice))                                            \
  X(cuDevicePrimaryCtxRelease_v2, primary_ctx_release_v2, CUresult, (CUdevice))                                      \
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
  X(cuStreamBeginRecaptureToGraph, begin_recapture, CUresult,                                                        \
    (CUstream, CUstreamCaptureMode, CUgraph, RecaptureCallback, void*))                                              \
  X(cuStreamBeginRecaptureToGraph_ptsz, begin_recapture_ptsz, CUresult,                                              \
    (CUstream, CUstreamCaptureMode, CUgraph, RecaptureCallback, void*))                                              \
  X(cuStreamBeginCaptureToCig, begin_capture_to_cig, CUresult, (CUstream, CUstreamCigCaptureParams_st*))             \
  X(cuStreamBeginCaptureToCig_ptsz, begin_capture_to_cig_ptsz, CUresult, (CUstream, CUstreamCigCaptureParams_st*))   \
  X(cuStreamEndCaptureToCig, end_capture_to_cig, CUresult, (CUstream))                                               \
  X(cuStreamEndCaptureToCig_ptsz, end_capture_to_cig_ptsz, CUresult, (CUstream))                                     \
  X(cuStreamEndCapture, end_capture, CUresult, (CUstream, CUgraph*))                                                 \
  X(cuStreamEndCapture_ptsz, end_capture_ptsz, CUresult, (CUstream, CUgraph*))

#define GMLAKE_RUNTIME_HOOKS(X)                                                                                      \
  X(cudaMalloc, rt_malloc, cudaError_t, (void**, std::size_t))                                                       \
  X(cudaFree, rt_free, cudaError_t, (void*))                                                                         \
  X(cudaMallocAsync, rt_malloc_async, cudaError_t, (void**, std::size_t, cudaStream_t))                              \
  X(cudaMallocAsync_ptsz, rt_malloc_async_ptsz, cudaError_t, (void**, std::size_t, cudaStream_t))                    \
  X(cudaFreeAsync, rt_free_async, cudaError_t, (void*, cudaStream_t))                                                \
  X(cudaFreeAsync_ptsz, rt_free_async_ptsz, cudaError_t, (void*, cudaStream_t))                                      \
  X(cudaMallocFromPoolAsync, rt_malloc_from_pool, cudaError_t, (void**, std::size_t, cudaMemPool_t, cudaStream_t))   \
  X(cudaMallocFromPoolAsync_ptsz, rt_malloc_from_pool_ptsz, cudaError_t,                                             \
    (void**, std::size_t, cudaMemPool_t, cudaStream_t))                                                              \
  X(cudaMemPoolCreate, rt_mem_pool_create, cudaError_t, (cudaMemPool_t*, const cudaMemPoolProps*))                   \
  X(cudaMemPoolDestroy, rt_mem_pool_destroy, cudaError_t, (cudaMemPool_t))                                           \
  X(cudaMemPoolTrimTo, rt_mem_pool_trim_to, cudaError_t, (cudaMemPool_t, std::size_t))                               \
  X(cudaIpcGetMemHandle, rt_ipc_get_memory, cudaError_t, (cudaIpcMemHandle_t*, void*))                               \
  X(cudaIpcOpenMemHandle, rt_ipc_open_memory, cudaError_t, (void**, cudaIpcMemHandle_t, unsigned))                   \
  X(cudaIpcCloseMemHandle, rt_ipc_close_memory, cudaError_t, (void*))                                                \
  X(cudaMemPoolSetAttribute, rt_mem_pool_set_attribute, cudaError_t, (cudaMemPool_t, cudaMemPoolAttr, void*))        \
  X(cudaMemPoolGetAttribute, rt_mem_pool_get_attribute, cudaError_t, (cudaMemPool_t, cudaMemPoolAttr, void*))        \
  X(cudaDeviceSetMemPool, rt_device_set_mem_pool, cudaError_t, (int, cudaMemPool_t))                                 \
  X(cudaMemSetMemPool, rt_set_mem_pool, cudaError_t, (cudaMemLocation*, cudaMemAllocationType, cudaMemPool_t))       \
  X(cudaMemGetInfo, rt_mem_get_info, cudaError_t, (std::size_t*, std::size_t*))                                      \
  X(cudaStreamDestroy, rt_stream_destroy, cudaError_t, (cudaStream_t))                                               \
  X(cudaDeviceReset, rt_device_reset, cudaError_t, ())

// Interposed in the dynamic linker and the C library, what these call of ours (dlsym.cpp), and our own small C API
// (gmlake.h).
#define GMLAKE_OTHER_EXPORTS(X)                                                                                      \
  X(dlsym) X(__gmon_start__) X(gmlake_settle)                                                                        \
  X(dup2) X(dup3) X(gmlake_version) X(gmlake_trim) X(gmlake_malloc) X(gmlake_free) X(gmlake_record_use) \
  X(gmlake_allocate) X(gmlake_memory) X(gmlake_report) X(gmlake_annotate) \
  X(InitializeInjectionNvtx2)
// clang-format on
