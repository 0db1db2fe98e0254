// The driver functions that these tests use, by the names of their ELF symbols.
#pragma once

// clang-format off
#define CONFORMANCE_DRIVER_FUNCTIONS(X)                                                               \
  X(cuInit) X(cuDriverGetVersion) X(cuGetErrorName) X(cuGetErrorString) X(cuGetProcAddress)           \
  X(cuGetProcAddress_v2)                                                                              \
  X(cuDeviceGet) X(cuDeviceGetCount) X(cuDeviceGetName) X(cuDeviceTotalMem_v2) X(cuDeviceGetUuid)     \
  X(cuDeviceGetUuid_v2) X(cuDeviceGetAttribute) X(cuDeviceGetPCIBusId) X(cuDeviceGetByPCIBusId)       \
  X(cuDeviceCanAccessPeer) X(cuDeviceGetDefaultMemPool) X(cuDeviceGetMemPool) X(cuDeviceSetMemPool)   \
  X(cuDevicePrimaryCtxRetain) X(cuDevicePrimaryCtxRelease) X(cuDevicePrimaryCtxRelease_v2)            \
  X(cuDevicePrimaryCtxReset_v2) X(cuDevicePrimaryCtxGetState) X(cuDevicePrimaryCtxSetFlags_v2)        \
  X(cuCtxCreate_v2) X(cuCtxDestroy_v2) X(cuCtxGetCurrent) X(cuCtxSetCurrent) X(cuCtxPushCurrent_v2)   \
  X(cuCtxPopCurrent_v2) X(cuCtxGetDevice) X(cuCtxGetDevice_v2) X(cuCtxGetFlags) X(cuCtxGetId)         \
  X(cuCtxGetApiVersion) X(cuCtxGetStreamPriorityRange) X(cuCtxSynchronize) X(cuCtxSynchronize_v2)     \
  X(cuCtxRecordEvent) X(cuCtxWaitEvent) X(cuCtxEnablePeerAccess) X(cuCtxDisablePeerAccess)            \
  X(cuCtxAttach) X(cuCtxDetach) X(cuDeviceGetDevResource) X(cuDevResourceGenerateDesc)                \
  X(cuGreenCtxCreate) X(cuGreenCtxDestroy) X(cuCtxFromGreenCtx) X(cuGreenCtxStreamCreate)             \
  X(cuStreamCreate) X(cuStreamCreateWithPriority) X(cuStreamDestroy_v2) X(cuStreamQuery)              \
  X(cuStreamQuery_ptsz) X(cuStreamSynchronize) X(cuStreamWaitEvent) X(cuStreamGetId)                  \
  X(cuStreamGetId_ptsz) X(cuStreamGetCtx) X(cuStreamGetFlags) X(cuStreamGetPriority)                  \
  X(cuStreamGetDevice) X(cuStreamAddCallback) X(cuLaunchHostFunc)                                     \
  X(cuEventCreate) X(cuEventDestroy_v2) X(cuEventRecord) X(cuEventRecordWithFlags) X(cuEventQuery)    \
  X(cuEventSynchronize) X(cuEventElapsedTime)                                                         \
  X(cuMemGetInfo_v2) X(cuMemAlloc_v2) X(cuMemAllocPitch_v2) X(cuMemFree_v2)                           \
  X(cuMemGetAddressRange_v2) X(cuMemAllocAsync) X(cuMemAllocFromPoolAsync) X(cuMemFreeAsync)          \
  X(cuMemAllocHost_v2) X(cuMemHostAlloc) X(cuMemFreeHost) X(cuMemHostGetDevicePointer_v2)             \
  X(cuMemHostGetFlags) X(cuMemHostRegister_v2) X(cuMemHostUnregister) X(cuMemAllocManaged)            \
  X(cuMemPoolCreate) X(cuMemPoolDestroy) X(cuMemPoolTrimTo) X(cuMemPoolSetAttribute)                  \
  X(cuMemPoolGetAttribute) X(cuMemPoolSetAccess) X(cuMemPoolGetAccess)                                \
  X(cuMemPoolExportToShareableHandle) X(cuMemPoolImportFromShareableHandle)                           \
  X(cuMemPoolExportPointer) X(cuMemPoolImportPointer)                                                 \
  X(cuMemGetAllocationGranularity) X(cuMemAddressReserve) X(cuMemAddressFree) X(cuMemCreate)          \
  X(cuMemRelease) X(cuMemMap) X(cuMemUnmap) X(cuMemSetAccess) X(cuMemGetAccess)                       \
  X(cuMemRetainAllocationHandle) X(cuMemGetAllocationPropertiesFromHandle)                            \
  X(cuMemExportToShareableHandle) X(cuMemImportFromShareableHandle)                                   \
  X(cuPointerGetAttribute) X(cuPointerGetAttributes) X(cuPointerSetAttribute)                         \
  X(cuIpcGetMemHandle) X(cuIpcOpenMemHandle_v2) X(cuIpcCloseMemHandle) X(cuIpcGetEventHandle)         \
  X(cuIpcOpenEventHandle)                                                                             \
  X(cuMemcpy) X(cuMemcpyAsync) X(cuMemcpyHtoD_v2) X(cuMemcpyHtoD_v2_ptds) X(cuMemcpyDtoH_v2)          \
  X(cuMemcpyDtoD_v2) X(cuMemcpyHtoDAsync_v2) X(cuMemcpyDtoHAsync_v2) X(cuMemcpyDtoDAsync_v2)          \
  X(cuMemcpyPeer) X(cuMemcpyPeerAsync) X(cuMemcpy3DPeer) X(cuMemcpy2D_v2) X(cuMemcpy2DUnaligned_v2)                     \
  X(cuMemcpy2DAsync_v2) X(cuMemsetD8_v2) X(cuMemsetD16_v2) X(cuMemsetD32_v2) X(cuMemsetD8Async)       \
  X(cuMemsetD16Async) X(cuMemsetD32Async) X(cuMemsetD2D8_v2) X(cuMemsetD2D16_v2)                      \
  X(cuMemsetD2D32_v2) X(cuMemsetD2D8Async) X(cuMemsetD2D16Async) X(cuMemsetD2D32Async)                \
  X(cuStreamBeginCapture_v2) X(cuStreamBeginCaptureToGraph) X(cuStreamEndCapture)                     \
  X(cuStreamIsCapturing) X(cuStreamGetCaptureInfo_v2) X(cuThreadExchangeStreamCaptureMode)            \
  X(cuGraphCreate) X(cuGraphDestroy) X(cuGraphGetNodes) X(cuGraphGetRootNodes) X(cuGraphGetEdges)     \
  X(cuGraphNodeGetType) X(cuGraphNodeGetDependencies) X(cuGraphNodeGetDependentNodes)                 \
  X(cuGraphInstantiateWithFlags) X(cuGraphLaunch) X(cuGraphUpload) X(cuGraphExecDestroy)              \
  X(cuGraphExecGetFlags) X(cuGraphAddMemAllocNode) X(cuGraphAddMemFreeNode)                           \
  X(cuGraphMemAllocNodeGetParams) X(cuGraphMemFreeNodeGetParams) X(cuGraphAddEmptyNode)               \
  X(cuGraphAddMemsetNode) X(cuGraphAddHostNode) X(cuGraphMemsetNodeGetParams)                         \
  X(cuGraphHostNodeGetParams) X(cuGraphClone) X(cuGraphDestroyNode)                                   \
  X(cuDeviceGraphMemTrim) X(cuDeviceGetGraphMemAttribute) X(cuDeviceSetGraphMemAttribute)
// clang-format on
