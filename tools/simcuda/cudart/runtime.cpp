#include "runtime.h"

#include <dlfcn.h>

#include <atomic>
#include <mutex>

namespace gmlake::simcudart {
namespace {

constinit std::atomic<int> first_device{0};
constinit thread_local int thread_device = -1;  // none chosen
constinit thread_local cudaError_t last_error = cudaSuccess;

constexpr int kMaxDevices = 64;
constinit std::atomic<CUcontext> primaries[kMaxDevices] = {};
CUcontext primary(int device) {
  return primaries[device].load();
}

// cudaDeviceReset calls so far, and how many of them the thread has taken note of.
constinit std::atomic<unsigned> resets{0};
constinit thread_local unsigned thread_resets = 0;

struct Loaded {
  Driver driver;
  cudaError_t error = cudaSuccess;
};

// In place of a function that the driver does not have.
template <typename Function>
struct Missing;
template <typename... Parameters>
struct Missing<CUresult (*)(Parameters...)> {
  static CUresult answer(Parameters...) { return CUDA_ERROR_CALL_REQUIRES_NEWER_DRIVER; }
};

void resolve(Driver& driver, decltype(&::cuGetProcAddress_v2) get) {
  const auto ask = [get](const char* base, int version, cuuint64_t flags) {
    void* function = nullptr;
    CUdriverProcAddressQueryResult status{};
    return get(base, &function, version, flags, &status) == CUDA_SUCCESS ? function : nullptr;
  };
  ask("", 0, 0);  // the real runtime's first question
#define D(symbol, base, version, flags)                      \
  driver.symbol = &Missing<decltype(driver.symbol)>::answer; \
  if (void* const found = ask(#base, version, flags))        \
    driver.symbol = reinterpret_cast<decltype(driver.symbol)>(found);
#include "driver_functions.def"
}

cudaError_t load(Driver& driver) {
  void* library = dlopen("libcuda.so.1", RTLD_NOW);
  if (library == nullptr) return cudaErrorInsufficientDriver;
  const auto get =
      reinterpret_cast<decltype(&::cuGetProcAddress_v2)>(dlsym(library, "cuGetProcAddress_v2"));
  if (get == nullptr) return cudaErrorInsufficientDriver;
  resolve(driver, get);
  int version = 0;
  if (driver.cuDriverGetVersion(&version) != CUDA_SUCCESS || version < runtime_version)
    return cudaErrorInsufficientDriver;
  return from(driver.cuInit(0));
}

}  // namespace

cudaError_t find_driver(const Driver*& driver) {
  static const Loaded* loaded = [] {
    auto* fresh = new Loaded;
    fresh->error = load(fresh->driver);
    return fresh;
  }();
  driver = &loaded->driver;
  return loaded->error;
}

int chosen_device() {
  return thread_device >= 0 ? thread_device : first_device.load();
}
void choose_device(int device) {
  thread_device = device;
}
void choose_first_device(int device) {
  first_device.store(device);
}
CUcontext current_context(const Driver& driver) {
  CUcontext context = nullptr;
  return driver.cuCtxGetCurrent(&context) == CUDA_SUCCESS ? context : nullptr;
}

cudaError_t primary_context(const Driver& driver, int device, CUcontext& context) {
  // One reference per activation: a context that was reset is not active and is retained anew.
  static std::mutex* mutex = new std::mutex;
  const std::lock_guard lock(*mutex);
  unsigned flags = 0;
  int active = 0;
  if (device < 0 || device >= kMaxDevices) return cudaErrorInvalidDevice;
  if (const CUresult bad = driver.cuDevicePrimaryCtxGetState(device, &flags, &active))
    return from(bad);
  context = primary(device);
  if (active != 0 && context != nullptr) return cudaSuccess;
  if (const CUresult bad = driver.cuDevicePrimaryCtxRetain(&context, device)) return from(bad);
  primaries[device].store(context);
  return cudaSuccess;
}

cudaError_t bind_primary(const Driver& driver, int device) {
  CUcontext context = nullptr;
  if (const cudaError_t failed = primary_context(driver, device, context)) return failed;
  return from(driver.cuCtxSetCurrent(context));
}

cudaError_t reset_primary(const Driver& driver, int device) {
  const CUresult result = driver.cuDevicePrimaryCtxReset(device);
  resets.fetch_add(1, std::memory_order_release);
  return from(result);
}

cudaError_t find_context(const Driver*& driver) {
  if (const cudaError_t failed = find_driver(driver)) return failed;
  CUcontext current = nullptr;
  if (const CUresult bad = driver->cuCtxGetCurrent(&current)) return from(bad);
  // A context the program made current by the driver API is used as it is; a primary one that
  // cudaDeviceReset ended is made anew.
  const unsigned now = resets.load(std::memory_order_acquire);
  if (current != nullptr && thread_resets == now) return cudaSuccess;
  thread_resets = now;
  if (current != nullptr && current != primary(chosen_device())) return cudaSuccess;
  return bind_primary(*driver, chosen_device());
}

cudaError_t remember(cudaError_t error) {
  // CUDA programming guide, "Error checking": cudaErrorNotReady "is not considered an error and is
  // therefore not reported by cudaPeekAtLastError() or cudaGetLastError()".
  if (error != cudaSuccess && error != cudaErrorNotReady) last_error = error;
  return error;
}

int refuse() {
  const Driver* driver = nullptr;
  const cudaError_t failed = find_driver(driver);
  return remember(failed != cudaSuccess ? failed : cudaErrorNotSupported);
}

}  // namespace gmlake::simcudart

using namespace gmlake::simcudart;

cudaError_t cudaGetLastError() {
  const cudaError_t error = last_error;
  last_error = cudaSuccess;
  return error;
}
cudaError_t cudaPeekAtLastError() {
  return last_error;
}
