// Kernel launches, and the registration calls that nvcc 13 puts into every program with device code
// (crt/host_runtime.h, crt/device_functions.h). They run before main and before the constructors of
// a static archive, and must not touch the driver.
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "runtime.h"

namespace gmlake::simcudart {
namespace {

struct FatBinary {
  const void* image = nullptr;
  CUlibrary library = nullptr;  // loaded at its first launch
};
struct Stub {
  FatBinary* binary = nullptr;
  std::string name;
  CUkernel kernel = nullptr;
};
struct Registered {
  std::mutex mutex;
  std::map<const void*, Stub> stubs;
};
Registered& registered() {
  static Registered* registered = new Registered;
  return *registered;
}

struct Configuration {
  dim3 grid;
  dim3 block;
  size_t shared = 0;
  cudaStream_t stream = nullptr;
};
// <<<>>> pushes in the caller and pops in the stub; nested only through the argument expressions.
std::vector<Configuration>& configurations() {
  static thread_local std::vector<Configuration> stack;
  return stack;
}

template <typename Launch>
cudaError_t launch(const Driver& driver, const void* stub, dim3 grid, dim3 block, void** arguments,
                   size_t shared, cudaStream_t stream, Launch function) {
  CUfunction kernel = nullptr;
  if (const cudaError_t failed = find_kernel(driver, stub, kernel)) return failed;
  return from(function(kernel, grid.x, grid.y, grid.z, block.x, block.y, block.z,
                       static_cast<unsigned>(shared), stream, arguments, nullptr));
}

}  // namespace

cudaError_t find_kernel(const Driver& driver, const void* stub, CUfunction& kernel) {
  const std::lock_guard lock(registered().mutex);
  const auto found = registered().stubs.find(stub);
  if (found == registered().stubs.end()) return cudaErrorInvalidDeviceFunction;
  Stub& entry = found->second;
  FatBinary& binary = *entry.binary;
  if (binary.library == nullptr)
    if (const CUresult bad = driver.cuLibraryLoadData(&binary.library, binary.image, nullptr,
                                                      nullptr, 0, nullptr, nullptr, 0))
      return from(bad);
  if (entry.kernel == nullptr)
    if (const CUresult bad =
            driver.cuLibraryGetKernel(&entry.kernel, binary.library, entry.name.c_str()))
      return from(bad);
  kernel = reinterpret_cast<CUfunction>(entry.kernel);  // cuLaunchKernel takes either
  return cudaSuccess;
}

}  // namespace gmlake::simcudart

using namespace gmlake::simcudart;

#define LAUNCH(stub, function) \
  static_cast<CUresult>(       \
      launch(*driver, stub, grid, block, arguments, shared, stream, driver->function))

cudaError_t cudaLaunchKernel(const void* stub, dim3 grid, dim3 block, void** arguments,
                             size_t shared, cudaStream_t stream) {
  RT(LAUNCH(stub, cuLaunchKernel));
}

#pragma GCC visibility push(default)
extern "C" {
cudaError_t cudaLaunchKernel_ptsz(const void* stub, dim3 grid, dim3 block, void** arguments,
                                  size_t shared, cudaStream_t stream) {
  RT(LAUNCH(stub, cuLaunchKernel_ptsz));
}
// A cudaKernel_t is the stub's address here: nothing is asked of the driver before the launch.
cudaError_t __cudaGetKernel(cudaKernel_t* kernel, const void* stub) {
  *kernel = static_cast<cudaKernel_t>(const_cast<void*>(stub));
  return cudaSuccess;
}
cudaError_t __cudaLaunchKernel(cudaKernel_t kernel, dim3 grid, dim3 block, void** arguments,
                               size_t shared, cudaStream_t stream) {
  RT(LAUNCH(static_cast<const void*>(kernel), cuLaunchKernel));
}
cudaError_t __cudaLaunchKernel_ptsz(cudaKernel_t kernel, dim3 grid, dim3 block, void** arguments,
                                    size_t shared, cudaStream_t stream) {
  RT(LAUNCH(static_cast<const void*>(kernel), cuLaunchKernel_ptsz));
}
unsigned __cudaPushCallConfiguration(dim3 grid, dim3 block, size_t shared, CUstream_st* stream) {
  configurations().push_back({grid, block, shared, stream});
  return 0;
}
cudaError_t __cudaPopCallConfiguration(dim3* grid, dim3* block, size_t* shared, void* stream) {
  auto& stack = configurations();
  if (stack.empty()) return remember(cudaErrorMissingConfiguration);
  *grid = stack.back().grid;
  *block = stack.back().block;
  *shared = stack.back().shared;
  *static_cast<cudaStream_t*>(stream) = stack.back().stream;
  stack.pop_back();
  return cudaSuccess;
}

void** __cudaRegisterFatBinary(void* image) {
  auto* binary = new FatBinary;
  binary->image = image;
  return reinterpret_cast<void**>(binary);
}
void __cudaRegisterFatBinaryEnd(void**) {}
char __cudaInitModule(void**) {
  return 1;
}
void __cudaRegisterFunction(void** handle, const char* stub, char*, const char* name, int, uint3*,
                            uint3*, dim3*, dim3*, int*) {
  const std::lock_guard lock(registered().mutex);
  registered().stubs[stub] = Stub{reinterpret_cast<FatBinary*>(handle), name, nullptr};
}
// Device variables have no place to be: device code is not executed.
void __cudaRegisterVar(void**, char*, char*, const char*, int, size_t, int, int) {}
void __cudaRegisterManagedVar(void**, void**, char*, const char*, int, size_t, int, int) {}
void __cudaUnregisterFatBinary(void** handle) {
  auto* binary = reinterpret_cast<FatBinary*>(handle);
  const std::lock_guard lock(registered().mutex);
  std::erase_if(registered().stubs, [&](const auto& stub) { return stub.second.binary == binary; });
  delete binary;
}
}
#pragma GCC visibility pop
