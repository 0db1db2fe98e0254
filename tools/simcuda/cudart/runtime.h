// The stand-in runtime's core: the driver's functions, the calling thread's context and its last
// error.
//
// It reaches the driver exactly as the real runtime does: nothing at load time; at the first call
// dlopen("libcuda.so.1"), one dlsym, cuGetProcAddress_v2 for every function. All state is
// function-local or constant-initialised, because nvcc's registration code runs before the
// constructors of a static archive.
#pragma once

#define __CUDA_API_VERSION_INTERNAL
#include <cuda.h>

#include "api.h"

SIMCUDART_API_BEGIN
#include <cuda_profiler_api.h>
#include <cuda_runtime_api.h>
SIMCUDART_API_END

#include "alike.h"

namespace gmlake::simcudart {

struct Driver {
#define D(symbol, base, version, flags) decltype(&::symbol) symbol = nullptr;
#include "driver_functions.def"
};

// As CUDART_VERSION of the CUDA that this is the runtime of.
extern const int runtime_version;

// The driver's functions, after cuInit. An error if there is no driver, one that is too old, or one
// that does not start; it stays so. A function this driver lacks answers "requires newer driver".
cudaError_t find_driver(const Driver*& driver);
// The same, and the calling thread has a context: the current one, else the primary one of its
// device.
cudaError_t find_context(const Driver*& driver);

// Runtime error numbers are the driver's.
inline cudaError_t from(CUresult result) {
  return static_cast<cudaError_t>(result);
}
inline CUresult to_driver(cudaError_t error) {
  return static_cast<CUresult>(error);
}
// Keeps an error for cudaGetLastError and hands it on.
cudaError_t remember(cudaError_t error);
// The answer of functions behind which nothing is simulated, a cudaError_t. generate_stubs.py
// repeats the declaration.
int refuse();

// The calling thread's device: what cudaSetDevice chose, else the first of all.
int chosen_device();
void choose_device(int device);
void choose_first_device(int device);  // for threads that choose none
CUcontext current_context(const Driver& driver);
cudaError_t bind_primary(const Driver& driver, int device);
// The device's primary context, which is made if it is not there.
cudaError_t primary_context(const Driver& driver, int device, CUcontext& context);
// Ends the device's primary context; the next call that needs one makes it anew.
cudaError_t reset_primary(const Driver& driver, int device);

// The kernel behind the host-side stub nvcc made for it; "invalid device function" if it made none.
cudaError_t find_registered(const Driver& driver, const void* stub, CUkernel& kernel);
// The same where a cudaKernel_t may stand instead: what is no stub is the driver's to judge, as on
// the real runtime (measured: a launch of a wrong pointer is an invalid resource handle).
cudaError_t find_kernel(const Driver& driver, const void* function, CUkernel& kernel);
// The other way: the stub of a kernel, or the kernel itself if it has none.
void* find_stub(const void* kernel);

}  // namespace gmlake::simcudart

// Runs `call` with `driver` in scope and returns its CUresult as the thread's error. RT needs a
// context, RT_ANY does not.
#define RT_WITH(find, call)                                         \
  const ::gmlake::simcudart::Driver* driver = nullptr;              \
  if (const cudaError_t failed = ::gmlake::simcudart::find(driver)) \
    return ::gmlake::simcudart::remember(failed);                   \
  return ::gmlake::simcudart::remember(::gmlake::simcudart::from(call))
#define RT(call) RT_WITH(find_context, call)
#define RT_ANY(call) RT_WITH(find_driver, call)

// A runtime function and its per-thread variant, each with a call of the driver function of the
// same flavour.
#define RT_BOTH(name, suffix, parameters, call_legacy, call_per_thread) \
  cudaError_t name parameters {                                         \
    RT(call_legacy);                                                    \
  }                                                                     \
  extern "C" SIMCUDART_API cudaError_t name##suffix parameters {        \
    RT(call_per_thread);                                                \
  }
#define RT_PTSZ(name, parameters, function, arguments) \
  RT_BOTH(name, _ptsz, parameters, driver->function arguments, driver->function##_ptsz arguments)
#define RT_PTDS(name, parameters, function, arguments) \
  RT_BOTH(name, _ptds, parameters, driver->function arguments, driver->function##_ptds arguments)
