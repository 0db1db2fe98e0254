// The driver's real functions: found once, never through our own dlsym.
//
// Thread-safe, and lock-free once found: loader calls are made under no lock of ours (another
// thread may hold the loader's lock and be on its way into a hook), so two threads may look at
// once; the first result is kept.
#pragma once

#include <dlfcn.h>

#include <atomic>

#include "driver/driver_table.h"
#include "hooks/wrappers.h"

namespace gmlake::hooks {

using Dlsym = void* (*)(void*, const char*);
Dlsym real_dlsym();

// Whether the loader searches this library before libc, as it does what is preloaded or linked, and
// not what is opened by path: whether our names stand in front of anything.
bool loaded_in_front();

// libcuda.so.1 as the process has it loaded.
struct RealDriver {
  driver::DriverTable table;  // what the pool calls
  bool complete = false;      // the table is; otherwise calls are only passed on
  Lmid_t space = LM_ID_BASE;  // the dynamic linker's namespace that it is in
#define X(symbol, wrapper, result, parameters) result(*wrapper) parameters = nullptr;
  GMLAKE_DRIVER_HOOKS(X)  // what we stand for; null where this driver lacks it
#undef X
};
// Null while libcuda is not loaded.
extern std::atomic<const RealDriver*> kept_driver;
const RealDriver* find_real_driver();
// The same of the libcuda that `libcuda` is, unless another one is kept already.
const RealDriver* keep_real_driver(void* libcuda, Lmid_t space);
// In a forked child: another thread may have been about to keep what it found.
void finding_after_fork();
inline const RealDriver* real_driver() {
  const auto* known = kept_driver.load(std::memory_order_acquire);
  return known ? known : find_real_driver();
}

// Begins a wrapper: `real` is the driver. Where it lacks the function, what it would answer itself.
#define GMLAKE_REAL(wrapper)        \
  const auto* real = real_driver(); \
  if (!real || !real->wrapper) return CUDA_ERROR_NOT_FOUND

// Whether callers of the driver are to have this wrapper of ours. With the driver door shut these
// are the ones by which blocks come back, and the gates to them. All of them before the process is
// known: then they only pass on what they are not to serve.
bool stands_for_driver(const void* wrapper);

}  // namespace gmlake::hooks
