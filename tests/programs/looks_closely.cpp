// Looks functions of CUDA up by itself, and asks dlerror after each, which says nothing after a
// lookup that found its function. One of them is the program's own, as with a static cudart. Then
// calls some: who looked nothing up has no error either.
#include <dlfcn.h>

#include <cstdio>

#include <cuda.h>
#include <cuda_runtime_api.h>

extern "C" __attribute__((visibility("default"))) cudaError_t cudaMalloc(void**, std::size_t) {
  return cudaErrorMemoryAllocation;
}

namespace {

void look_up(void* library, const char* name) {
  (void)dlerror();
  const bool found = dlsym(library, name) != nullptr;
  std::printf("%s: found %d, error %d\n", name, found, dlerror() != nullptr);
}

template <typename Function>
Function* function_of(void* library, const char* name) {
  return reinterpret_cast<Function*>(dlsym(library, name));
}

void call(void* driver) {
  auto* const init = function_of<decltype(cuInit)>(driver, "cuInit");
  auto* const retain =
      function_of<decltype(cuDevicePrimaryCtxRetain)>(driver, "cuDevicePrimaryCtxRetain");
  auto* const use = function_of<decltype(cuCtxSetCurrent)>(driver, "cuCtxSetCurrent");
  auto* const allocate = function_of<CUresult(CUdeviceptr*, std::size_t)>(driver, "cuMemAlloc_v2");
  auto* const release = function_of<CUresult(CUdeviceptr)>(driver, "cuMemFree_v2");
  (void)dlerror();
  CUcontext context = nullptr;
  CUdeviceptr at = 0;
  const bool worked = init(0) == CUDA_SUCCESS && retain(&context, 0) == CUDA_SUCCESS &&
                      use(context) == CUDA_SUCCESS && allocate(&at, 1 << 20) == CUDA_SUCCESS &&
                      release(at) == CUDA_SUCCESS;
  std::printf("calls: worked %d, error %d\n", worked, dlerror() != nullptr);
}

}  // namespace

int main() {
  look_up(dlopen(nullptr, RTLD_NOW), "cudaMalloc");
  void* const driver = dlopen("libcuda.so.1", RTLD_NOW);
  look_up(driver, "cuGetProcAddress_v2");
  look_up(driver, "cuMemAlloc_v2");
  look_up(driver, "cuNoSuchFunction");
  call(driver);
  return 0;
}
