// The runtime under test: dlopen("libcudart.so.13") and dlsym, so that LD_LIBRARY_PATH decides
// which runtime answers, as it does for the driver.
#pragma once

#include <cuda_runtime_api.h>
#include <dlfcn.h>
#include <gtest/gtest.h>

#include <cstdlib>

// clang-format off
#define CONFORMANCE_RUNTIME_FUNCTIONS(X)                                                              \
  X(cudaGetLastError) X(cudaPeekAtLastError) X(cudaRuntimeGetVersion) X(cudaDriverGetVersion)         \
  X(cudaGetDeviceCount) X(cudaGetDevice) X(cudaSetDevice) X(cudaDeviceGetAttribute)                   \
  X(cudaGetDeviceProperties) X(cudaDeviceSynchronize) X(cudaDeviceReset) X(cudaDeviceCanAccessPeer)   \
  X(cudaDeviceGetDefaultMemPool) X(cudaDeviceGetMemPool) X(cudaDeviceSetMemPool)                      \
  X(cudaStreamCreate) X(cudaStreamCreateWithFlags) X(cudaStreamCreateWithPriority)                    \
  X(cudaStreamDestroy) X(cudaStreamQuery) X(cudaStreamSynchronize) X(cudaStreamWaitEvent)             \
  X(cudaStreamGetFlags) X(cudaStreamGetId) X(cudaStreamIsCapturing) X(cudaStreamBeginCapture)         \
  X(cudaStreamEndCapture) X(cudaThreadExchangeStreamCaptureMode) X(cudaLaunchHostFunc)                \
  X(cudaEventCreate) X(cudaEventCreateWithFlags) X(cudaEventDestroy) X(cudaEventRecord)               \
  X(cudaEventQuery) X(cudaEventSynchronize) X(cudaEventElapsedTime)                                   \
  X(cudaMalloc) X(cudaMallocPitch) X(cudaMallocManaged) X(cudaFree) X(cudaMallocHost)                 \
  X(cudaHostAlloc) X(cudaFreeHost) X(cudaHostGetDevicePointer) X(cudaHostRegister)                    \
  X(cudaHostUnregister) X(cudaMemGetInfo) X(cudaPointerGetAttributes) X(cudaMemcpy)                   \
  X(cudaMemcpyAsync) X(cudaMemcpy2D) X(cudaMemset) X(cudaMemsetAsync) X(cudaMemset2D)                 \
  X(cudaMallocAsync) X(cudaFreeAsync) X(cudaMallocFromPoolAsync) X(cudaMemPoolCreate)                 \
  X(cudaMemPoolDestroy) X(cudaMemPoolGetAttribute) X(cudaMemPoolSetAttribute) X(cudaMemPoolTrimTo)    \
  X(cudaGraphGetNodes) X(cudaGraphNodeGetType) X(cudaGraphInstantiate) X(cudaGraphLaunch)             \
  X(cudaGraphExecDestroy) X(cudaGraphDestroy) X(cudaGetDriverEntryPointByVersion)
// clang-format on

namespace conformance {

// What a function answers that the runtime lacks.
template <typename Function>
struct AbsentInRuntime;
template <typename... Args>
struct AbsentInRuntime<cudaError_t (*)(Args...)> {
  static cudaError_t call(Args...) { return cudaErrorStubLibrary; }
};

struct Runtime {
  void* library = nullptr;
#define X(symbol) decltype(&::symbol) symbol = nullptr;
  CONFORMANCE_RUNTIME_FUNCTIONS(X)
#undef X
  decltype(&::cudaGetErrorName) cudaGetErrorName = nullptr;
  decltype(&::cudaGetErrorString) cudaGetErrorString = nullptr;
};

inline const Runtime& runtime() {
  static const Runtime* loaded = [] {
    auto* fresh = new Runtime;
    fresh->library = dlopen("libcudart.so.13", RTLD_NOW);
    if (fresh->library == nullptr) {
      ADD_FAILURE() << dlerror();
      std::abort();
    }
#define X(symbol)                                                                            \
  fresh->symbol = reinterpret_cast<decltype(fresh->symbol)>(dlsym(fresh->library, #symbol)); \
  if (fresh->symbol == nullptr) fresh->symbol = AbsentInRuntime<decltype(fresh->symbol)>::call;
    CONFORMANCE_RUNTIME_FUNCTIONS(X)
#undef X
    fresh->cudaGetErrorName = reinterpret_cast<decltype(fresh->cudaGetErrorName)>(
        dlsym(fresh->library, "cudaGetErrorName"));
    fresh->cudaGetErrorString = reinterpret_cast<decltype(fresh->cudaGetErrorString)>(
        dlsym(fresh->library, "cudaGetErrorString"));
    return fresh;
  }();
  return *loaded;
}

}  // namespace conformance
