// device.h over the driver API: linked with -lcuda, or found at run time by dlopen and dlsym, as
// programs do that must start without a driver. With CLIENT_RESOLVE=getproc in the environment only
// cuGetProcAddress comes from dlsym and the rest from it, which is how cudart does it.
#pragma once

#include <cuda.h>
#include <dlfcn.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

// cuda.h renames many of these (cuMemAlloc is cuMemAlloc_v2): CLIENT_NAME gives the renamed name.
// clang-format off
#define CLIENT_CALLS(X)                                                                      \
  X(cuInit) X(cuDeviceGet) X(cuDevicePrimaryCtxRetain) X(cuCtxSetCurrent) X(cuMemAlloc)      \
  X(cuMemFree) X(cuMemAllocAsync) X(cuMemFreeAsync) X(cuStreamCreate) X(cuStreamSynchronize) \
  X(cuCtxSynchronize) X(cuMemAllocHost) X(cuMemcpyHtoDAsync) X(cuMemcpyDtoHAsync)            \
  X(cuMemsetD8Async) X(cuMemGetInfo) X(cuGetErrorString) X(cuEventCreate) X(cuEventRecord)   \
  X(cuStreamWaitEvent)
// clang-format on
#define CLIENT_TEXT(x) #x
#define CLIENT_NAME(x) CLIENT_TEXT(x)

namespace device {

using Stream = CUstream;
using Event = CUevent;

#if CLIENT_API == CLIENT_DLOPEN

struct Calls {
#define X(name) decltype(&::name) name = nullptr;
  CLIENT_CALLS(X)
#undef X
};
inline Calls calls;
#define CLIENT_CALL(name) calls.name

// Fills the table; on failure says which function is missing and returns its CUresult.
inline int resolve() {
  void* library = dlopen("libcuda.so.1", RTLD_NOW);
  if (library == nullptr) {
    std::fprintf(stderr, "client: %s\n", dlerror());
    return CUDA_ERROR_NO_DEVICE;
  }
  const char* how = std::getenv("CLIENT_RESOLVE");
  decltype(&::cuGetProcAddress) get = nullptr;
  if (how != nullptr && std::strcmp(how, "getproc") == 0) {
    get = reinterpret_cast<decltype(get)>(dlsym(library, CLIENT_NAME(cuGetProcAddress)));
    if (get == nullptr) return CUDA_ERROR_NOT_FOUND;
  }
  constexpr int kVersion = 12000;  // the oldest driver the clients are written for
  auto find = [&](const char* base, const char* exact) {
    void* at = nullptr;
    if (get == nullptr) {
      at = dlsym(library, exact);
    } else if (get(base, &at, kVersion, CU_GET_PROC_ADDRESS_DEFAULT, nullptr) != CUDA_SUCCESS) {
      at = nullptr;
    }
    if (at == nullptr) std::fprintf(stderr, "client: no %s in libcuda.so.1\n", exact);
    return at;
  };
#define X(name)                                                                     \
  calls.name = reinterpret_cast<decltype(&::name)>(find(#name, CLIENT_NAME(name))); \
  if (calls.name == nullptr) return CUDA_ERROR_NOT_FOUND;
  CLIENT_CALLS(X)
#undef X
  return CUDA_SUCCESS;
}

#else

#define CLIENT_CALL(name) ::name
inline int resolve() {
  return CUDA_SUCCESS;
}

#endif

inline CUdeviceptr address(const void* at) {
  return static_cast<CUdeviceptr>(reinterpret_cast<std::uintptr_t>(at));
}

inline int open() {
  if (int code = resolve(); code != CUDA_SUCCESS) return code;
  CUdevice device = 0;
  CUcontext context = nullptr;
  if (int code = CLIENT_CALL(cuInit)(0); code != CUDA_SUCCESS) return code;
  if (int code = CLIENT_CALL(cuDeviceGet)(&device, 0); code != CUDA_SUCCESS) return code;
  if (int code = CLIENT_CALL(cuDevicePrimaryCtxRetain)(&context, device); code != CUDA_SUCCESS) {
    return code;
  }
  return CLIENT_CALL(cuCtxSetCurrent)(context);
}

inline int allocate(void** out, std::size_t bytes) {
  CUdeviceptr at = 0;
  int code = CLIENT_CALL(cuMemAlloc)(out == nullptr ? nullptr : &at, bytes);
  if (code == CUDA_SUCCESS && out != nullptr) *out = reinterpret_cast<void*>(at);
  return code;
}
inline int release(void* at) {
  return CLIENT_CALL(cuMemFree)(address(at));
}
inline int allocate_async(void** out, std::size_t bytes, Stream stream) {
  CUdeviceptr at = 0;
  int code = CLIENT_CALL(cuMemAllocAsync)(&at, bytes, stream);
  if (code == CUDA_SUCCESS && out != nullptr) *out = reinterpret_cast<void*>(at);
  return code;
}
inline int release_async(void* at, Stream stream) {
  return CLIENT_CALL(cuMemFreeAsync)(address(at), stream);
}
inline int create_stream(Stream* out) {
  return CLIENT_CALL(cuStreamCreate)(out, CU_STREAM_DEFAULT);
}
inline int wait(Stream stream) {
  return CLIENT_CALL(cuStreamSynchronize)(stream);
}
inline int wait_all() {
  return CLIENT_CALL(cuCtxSynchronize)();
}
inline int create_event(Event* out) {
  return CLIENT_CALL(cuEventCreate)(out, CU_EVENT_DISABLE_TIMING);
}
inline int record(Event event, Stream stream) {
  return CLIENT_CALL(cuEventRecord)(event, stream);
}
inline int make_wait(Stream stream, Event event) {
  return CLIENT_CALL(cuStreamWaitEvent)(stream, event, 0);
}
inline int pinned(void** out, std::size_t bytes) {
  return CLIENT_CALL(cuMemAllocHost)(out, bytes);
}
inline int upload(void* to, const void* from, std::size_t bytes, Stream stream) {
  return CLIENT_CALL(cuMemcpyHtoDAsync)(address(to), from, bytes, stream);
}
inline int download(void* to, const void* from, std::size_t bytes, Stream stream) {
  return CLIENT_CALL(cuMemcpyDtoHAsync)(to, address(from), bytes, stream);
}
inline int fill(void* at, std::size_t bytes, Stream stream) {
  return CLIENT_CALL(cuMemsetD8Async)(address(at), 1, bytes, stream);
}
inline int memory_info(std::size_t* free, std::size_t* total) {
  return CLIENT_CALL(cuMemGetInfo)(free, total);
}
inline int last_error() {
  return CUDA_SUCCESS;
}  // the driver API keeps none
inline const char* describe(int code) {
  const char* text = nullptr;
  CLIENT_CALL(cuGetErrorString)(static_cast<CUresult>(code), &text);
  return text == nullptr ? "unknown error" : text;
}

}  // namespace device
