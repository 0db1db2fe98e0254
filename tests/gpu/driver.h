// libcuda.so.1 for the programs in this folder, opened when they run: they build without a driver,
// and the loader decides whether they meet a GPU or simcuda. A function the driver lacks answers
// CUDA_ERROR_NOT_FOUND.
//
// Single-threaded until driver() has returned once; the table does not change afterwards.
#pragma once

#include <cuda.h>
#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>

// clang-format off
#define GPU_DRIVER_FUNCTIONS(X)                                                                      \
  X(cuInit) X(cuDriverGetVersion) X(cuGetErrorName) X(cuDeviceGet) X(cuDeviceGetName)                \
  X(cuDeviceGetAttribute) X(cuDeviceTotalMem_v2) X(cuDevicePrimaryCtxRetain) X(cuCtxSetCurrent)      \
  X(cuCtxGetCurrent) X(cuCtxSynchronize) X(cuCtxRecordEvent) X(cuMemGetInfo_v2) X(cuMemAlloc_v2)     \
  X(cuMemFree_v2) X(cuMemAllocAsync) X(cuMemFreeAsync) X(cuMemGetAddressRange_v2)                    \
  X(cuPointerGetAttribute) X(cuPointerGetAttributes) X(cuPointerSetAttribute) X(cuIpcGetMemHandle)   \
  X(cuMemcpyDtoD_v2) X(cuMemcpyHtoD_v2) X(cuMemcpyDtoH_v2) X(cuMemcpyDtoDAsync_v2) X(cuMemsetD8_v2)  \
  X(cuMemsetD32_v2) X(cuMemsetD32Async) X(cuStreamCreate) X(cuStreamDestroy_v2)                      \
  X(cuStreamSynchronize) X(cuStreamQuery) X(cuStreamGetId) X(cuStreamIsCapturing)                    \
  X(cuStreamBeginCapture_v2) X(cuStreamEndCapture) X(cuThreadExchangeStreamCaptureMode)              \
  X(cuGraphDestroy) X(cuEventCreate) X(cuEventRecord) X(cuEventQuery) X(cuEventSynchronize)          \
  X(cuEventDestroy_v2) X(cuModuleLoadData) X(cuModuleGetFunction) X(cuLaunchKernel)                  \
  X(cuMemGetAllocationGranularity) X(cuMemAddressReserve) X(cuMemAddressFree) X(cuMemCreate)         \
  X(cuMemRelease) X(cuMemMap) X(cuMemUnmap) X(cuMemSetAccess) X(cuGetProcAddress_v2)               \
  X(cuIpcOpenMemHandle_v2) X(cuIpcCloseMemHandle) X(cuMemExportToShareableHandle)                    \
  X(cuMemImportFromShareableHandle) X(cuDeviceGetCount) X(cuDeviceCanAccessPeer)                     \
  X(cuCtxEnablePeerAccess) X(cuMemcpyPeer) X(cuMemcpyPeerAsync) X(cuMemsetD8Async) X(cuMemGetAccess)
// clang-format on

namespace gpu {

template <typename Function>
struct Missing;
template <typename... Args>
struct Missing<CUresult (*)(Args...)> {
  static CUresult call(Args...) { return CUDA_ERROR_NOT_FOUND; }
};

struct Driver {
  void* library = nullptr;
#define X(symbol) decltype(&::symbol) symbol##_ = nullptr;
  GPU_DRIVER_FUNCTIONS(X)
#undef X
  // simcuda exports what no driver does.
  bool simulated() const {
    return dlsym(library, "simcuda_call_count") != nullptr;
  }
};

inline const Driver& driver() {
  static const Driver loaded = [] {
    Driver fresh;
    fresh.library = dlopen("libcuda.so.1", RTLD_NOW);
    if (fresh.library == nullptr) {
      std::fprintf(stderr, "no CUDA driver: %s\n", dlerror());
      std::exit(2);
    }
#define X(symbol)                                                                               \
  fresh.symbol##_ = reinterpret_cast<decltype(fresh.symbol##_)>(dlsym(fresh.library, #symbol)); \
  if (fresh.symbol##_ == nullptr) fresh.symbol##_ = Missing<decltype(fresh.symbol##_)>::call;
    GPU_DRIVER_FUNCTIONS(X)
#undef X
    return fresh;
  }();
  return loaded;
}

inline std::string name(CUresult code) {
  const char* text = nullptr;
  if (driver().cuGetErrorName_(code, &text) != CUDA_SUCCESS || text == nullptr)
    return "CUresult " + std::to_string(code);
  return text;
}

// A call that had to succeed and did not.
struct Failure : std::runtime_error {
  Failure(const char* what, CUresult result)
      : std::runtime_error(std::string(what) + ": " + name(result)), code(result) {}
  CUresult code;
};
inline void check(CUresult code, const char* what) {
  if (code != CUDA_SUCCESS) throw Failure(what, code);
}
// GPU(cuMemMap_(...)): the call with its name, and a Failure if it fails.
#define GPU(call) ::gpu::check(::gpu::driver().call, #call)

// Makes a device's primary context current on this thread.
inline CUcontext open_device(int ordinal = 0) {
  CUdevice device = 0;
  CUcontext context = nullptr;
  GPU(cuInit_(0));
  GPU(cuDeviceGet_(&device, ordinal));
  GPU(cuDevicePrimaryCtxRetain_(&context, device));
  GPU(cuCtxSetCurrent_(context));
  return context;
}

}  // namespace gpu
