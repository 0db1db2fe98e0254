// The registration calls that nvcc 13 puts into every program with device code
// (crt/host_runtime.h, crt/device_functions.h), and the way from a stub to its kernel. They run
// before main and before the constructors of a static archive, and must not touch the driver.
#include <map>
#include <mutex>
#include <string>

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

}  // namespace

cudaError_t find_registered(const Driver& driver, const void* stub, CUkernel& kernel) {
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
  kernel = entry.kernel;
  return cudaSuccess;
}

cudaError_t find_kernel(const Driver& driver, const void* function, CUkernel& kernel) {
  const cudaError_t result = find_registered(driver, function, kernel);
  if (result != cudaErrorInvalidDeviceFunction || function == nullptr) return result;
  kernel = static_cast<CUkernel>(const_cast<void*>(function));
  return cudaSuccess;
}

void* find_stub(const void* kernel) {
  const std::lock_guard lock(registered().mutex);
  for (const auto& [stub, entry] : registered().stubs)
    if (entry.kernel != nullptr && entry.kernel == kernel) return const_cast<void*>(stub);
  return const_cast<void*>(kernel);
}

}  // namespace gmlake::simcudart

using namespace gmlake::simcudart;

SIMCUDART_API_BEGIN
extern "C" {
// A cudaKernel_t is the stub's address here: nothing is asked of the driver before the launch.
cudaError_t __cudaGetKernel(cudaKernel_t* kernel, const void* stub) {
  *kernel = static_cast<cudaKernel_t>(const_cast<void*>(stub));
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

// In no header; nvcc's output does not call them in a program that runs here.
int __cudaRegisterHostVar() {
  return refuse();
}
int __cudaRegisterUnifiedTable() {
  return refuse();
}
int __cudaGetProcAddress() {
  return refuse();
}
}
SIMCUDART_API_END
