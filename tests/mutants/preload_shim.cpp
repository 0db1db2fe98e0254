// A shim as a library of its own, put in front of an unmodified program by LD_PRELOAD: SHIM names
// it, MUTANTS_TWIN in the environment says which of the twins.
#include <dlfcn.h>

#include <cstdlib>
#include <cstring>
#include <mutex>

#include "shim.h"

namespace {

using namespace gmlake::mutants;

std::mutex mutex;
ShimPtr shim;

Shim& the_shim() {
  const char* twin = std::getenv("MUTANTS_TWIN");
  const bool wrong = twin != nullptr && std::strcmp(twin, "wrong") == 0;
  if (shim == nullptr) shim = SHIM(wrong ? Twin::wrong : Twin::correct);
  return *shim;
}

}  // namespace

#pragma GCC visibility push(default)
CUresult cuMemAllocAsync(CUdeviceptr* result, std::size_t size, CUstream stream) {
  const std::lock_guard lock(mutex);
  *result = the_shim().allocate(size, stream);
  return CUDA_SUCCESS;
}
CUresult cuMemFreeAsync(CUdeviceptr at, CUstream stream) {
  const std::lock_guard lock(mutex);
  the_shim().free(at, stream);
  return CUDA_SUCCESS;
}
// What is kept belongs to the context.
CUresult cuDevicePrimaryCtxRelease(CUdevice device) {
  const std::lock_guard lock(mutex);
  shim.reset();
  using Release = CUresult (*)(CUdevice);
  return reinterpret_cast<Release>(dlsym(RTLD_NEXT, "cuDevicePrimaryCtxRelease_v2"))(device);
}
#pragma GCC visibility pop
