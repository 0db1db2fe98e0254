// The driver functions the library itself calls, by their exact names in libcuda.so.1, as pointers.
//
// Loaded from wherever the real driver is (the hooks find it behind the interposed symbols; tools
// open it by path). Required functions must be there; the others are null on drivers that lack
// them. Immutable once loaded.
#pragma once

#include <cstddef>
#include <type_traits>

#include <cuda.h>

#include "support/result.h"

// X(symbol, type, required). The type is written out as cudaTypedefs.h has it for that symbol.
// clang-format off
#define GMLAKE_DRIVER_FUNCTIONS(X)                                                                           \
  X(cuInit, CUresult (*)(unsigned), true)                                                                    \
  X(cuGetErrorName, CUresult (*)(CUresult, const char**), true)                                              \
  X(cuDeviceGet, CUresult (*)(CUdevice*, int), true)                                                         \
  X(cuDeviceGetCount, CUresult (*)(int*), true)                                                              \
  X(cuDeviceGetAttribute, CUresult (*)(int*, CUdevice_attribute, CUdevice), true)                            \
  X(cuDeviceCanAccessPeer, CUresult (*)(int*, CUdevice, CUdevice), false)                                    \
  X(cuDevicePrimaryCtxRetain, CUresult (*)(CUcontext*, CUdevice), true)                                      \
  X(cuDevicePrimaryCtxRelease_v2, CUresult (*)(CUdevice), true)                                              \
  X(cuDevicePrimaryCtxGetState, CUresult (*)(CUdevice, unsigned*, int*), true)                               \
  X(cuCtxGetCurrent, CUresult (*)(CUcontext*), true)                                                         \
  X(cuCtxPushCurrent_v2, CUresult (*)(CUcontext), true)                                                      \
  X(cuDeviceGetMemPool, CUresult (*)(CUmemoryPool*, CUdevice), false)                                        \
  X(cuDeviceGetDefaultMemPool, CUresult (*)(CUmemoryPool*, CUdevice), false)                                 \
  X(cuMemPoolGetAttribute, CUresult (*)(CUmemoryPool, CUmemPool_attribute, void*), false)                    \
  X(cuCtxPopCurrent_v2, CUresult (*)(CUcontext*), true)                                                      \
  X(cuCtxGetDevice, CUresult (*)(CUdevice*), true)                                                           \
  X(cuCtxSynchronize, CUresult (*)(), true)                                                                  \
  X(cuCtxRecordEvent, CUresult (*)(CUcontext, CUevent), false)                                               \
  X(cuStreamGetId, CUresult (*)(CUstream, unsigned long long*), true)                                        \
  X(cuStreamGetId_ptsz, CUresult (*)(CUstream, unsigned long long*), true)                                   \
  X(cuStreamGetCtx, CUresult (*)(CUstream, CUcontext*), true)                                                \
  X(cuStreamCreate, CUresult (*)(CUstream*, unsigned), true)                                                 \
  X(cuStreamDestroy_v2, CUresult (*)(CUstream), true)                                                        \
  X(cuStreamIsCapturing, CUresult (*)(CUstream, CUstreamCaptureStatus*), true)                               \
  X(cuStreamIsCapturing_ptsz, CUresult (*)(CUstream, CUstreamCaptureStatus*), true)                          \
  X(cuThreadExchangeStreamCaptureMode, CUresult (*)(CUstreamCaptureMode*), false)                            \
  X(cuEventCreate, CUresult (*)(CUevent*, unsigned), true)                                                   \
  X(cuEventDestroy_v2, CUresult (*)(CUevent), true)                                                          \
  X(cuEventRecord, CUresult (*)(CUevent, CUstream), true)                                                    \
  X(cuEventQuery, CUresult (*)(CUevent), true)                                                               \
  X(cuStreamWaitEvent, CUresult (*)(CUstream, CUevent, unsigned), true)                                      \
  X(cuEventSynchronize, CUresult (*)(CUevent), true)                                                         \
  X(cuMemGetInfo_v2, CUresult (*)(std::size_t*, std::size_t*), true)                                         \
  X(cuMemGetAllocationGranularity,                                                                           \
    CUresult (*)(std::size_t*, const CUmemAllocationProp*, CUmemAllocationGranularity_flags), true)          \
  X(cuMemAddressReserve,                                                                                     \
    CUresult (*)(CUdeviceptr*, std::size_t, std::size_t, CUdeviceptr, unsigned long long), true)             \
  X(cuMemAddressFree, CUresult (*)(CUdeviceptr, std::size_t), true)                                          \
  X(cuMemCreate,                                                                                             \
    CUresult (*)(CUmemGenericAllocationHandle*, std::size_t, const CUmemAllocationProp*, unsigned long long), true) \
  X(cuMemRelease, CUresult (*)(CUmemGenericAllocationHandle), true)                                          \
  X(cuMemMap,                                                                                                \
    CUresult (*)(CUdeviceptr, std::size_t, std::size_t, CUmemGenericAllocationHandle, unsigned long long), true) \
  X(cuMemUnmap, CUresult (*)(CUdeviceptr, std::size_t), true)                                                \
  X(cuMemSetAccess, CUresult (*)(CUdeviceptr, std::size_t, const CUmemAccessDesc*, std::size_t), true)       \
  X(cuMemExportToShareableHandle,                                                                            \
    CUresult (*)(void*, CUmemGenericAllocationHandle, CUmemAllocationHandleType, unsigned long long), false) \
  X(cuMemImportFromShareableHandle,                                                                          \
    CUresult (*)(CUmemGenericAllocationHandle*, void*, CUmemAllocationHandleType), false)                    \
  X(cuMemGetAllocationPropertiesFromHandle, CUresult (*)(CUmemAllocationProp*, CUmemGenericAllocationHandle), false)
// clang-format on

namespace gmlake::driver {

// Gives the address of a driver function by name, or null.
using Lookup = void* (*)(const char* symbol, void* context);

struct DriverTable {
#define X(symbol, type, required) std::type_identity_t<type> symbol##_ = nullptr;
  GMLAKE_DRIVER_FUNCTIONS(X)
#undef X

  // The error names the first required function that is missing.
  static Result<DriverTable> load(Lookup lookup, void* context);
};

}  // namespace gmlake::driver
