// Looks functions of CUDA up by itself, and asks dlerror after each, which says nothing after a
// lookup that found its function. One of them is the program's own, as with a static cudart.
#include <dlfcn.h>

#include <cstdio>

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

}  // namespace

int main() {
  look_up(dlopen(nullptr, RTLD_NOW), "cudaMalloc");
  void* const driver = dlopen("libcuda.so.1", RTLD_NOW);
  look_up(driver, "cuGetProcAddress_v2");
  look_up(driver, "cuMemAlloc_v2");
  look_up(driver, "cuNoSuchFunction");
  return 0;
}
