// An allocator for PyTorch that only passes its calls on to the driver's pool: what PyTorch itself
// pays for having a plug-in shows beside backend:cudaMallocAsync. The pool keeps its memory, as
// that backend has it.
#include <mutex>

#include "driver.h"

namespace {

using Stream = CUstream_st*;

template <typename Function>
Function from_driver(const char* name) {
  return reinterpret_cast<Function>(dlsym(gpu::driver().library, name));
}

void keep_memory(int device) {
  CUmemoryPool pool = nullptr;
  cuuint64_t all = ~cuuint64_t{0};
  const auto find = from_driver<decltype(&cuDeviceGetDefaultMemPool)>("cuDeviceGetDefaultMemPool");
  const auto set = from_driver<decltype(&cuMemPoolSetAttribute)>("cuMemPoolSetAttribute");
  if (find(&pool, device) == CUDA_SUCCESS) (void)set(pool, CU_MEMPOOL_ATTR_RELEASE_THRESHOLD, &all);
}

// As cudart does for a thread of the program's that has no context yet (autograd's).
void see_to_context(int device) {
  static const auto current = from_driver<decltype(&cuCtxGetCurrent)>("cuCtxGetCurrent");
  static const auto retain =
      from_driver<decltype(&cuDevicePrimaryCtxRetain)>("cuDevicePrimaryCtxRetain");
  static const auto set = from_driver<decltype(&cuCtxSetCurrent)>("cuCtxSetCurrent");
  CUcontext context = nullptr;
  if (current(&context) == CUDA_SUCCESS && !context && retain(&context, device) == CUDA_SUCCESS)
    (void)set(context);
}

}  // namespace

extern "C" [[gnu::visibility("default")]] void* plain_malloc(std::size_t bytes, int device,
                                                             Stream stream) {
  static std::once_flag first;
  std::call_once(first, keep_memory, device);
  CUdeviceptr at = 0;
  see_to_context(device);
  if (bytes != 0) (void)gpu::driver().cuMemAllocAsync_(&at, bytes, stream);
  return reinterpret_cast<void*>(at);
}

extern "C" [[gnu::visibility("default")]] void plain_free(void* at, std::size_t, int,
                                                          Stream stream) {
  (void)gpu::driver().cuMemFreeAsync_(reinterpret_cast<CUdeviceptr>(at), stream);
}
