// The shared runtimes (libcudart, whatever its file is called) that are loaded: each keeps its own
// last error and calls its own functions, so each has wrappers of its own.
#pragma once

#include <atomic>
#include <cstddef>
#include <span>

#include <driver_types.h>

#include "hooks/hook_table.h"
#include "hooks/real.h"
#include "hooks/redirect.h"

namespace gmlake::hooks {

// The real functions of one of them.
struct RealRuntime {
  Lmid_t space = LM_ID_BASE;  // the dynamic linker's namespace that it is in
  mutable std::atomic<const RealDriver*> driver{nullptr};  // once it is known
#define X(symbol, wrapper, result, parameters) result(*wrapper) parameters = nullptr;
  GMLAKE_RUNTIME_HOOKS(X)
#undef X
};

// The driver that the runtime calls, if it is the one that is served: in each namespace of the
// dynamic linker there is another, with memory of its own.
inline const RealDriver* driver_of(const RealRuntime& runtime) {
  if (const auto* known = runtime.driver.load(std::memory_order_acquire)) return known;
  const auto* real = real_driver();
  if (!real || real->space != runtime.space) return nullptr;
  runtime.driver.store(real, std::memory_order_release);
  return real;
}

// Our functions, handed the runtime that they stand for, behind what the caller has handed them.
#define GMLAKE_WITH_RUNTIME(...) (__VA_ARGS__ __VA_OPT__(, ) const RealRuntime&)
#define X(symbol, wrapper, result, parameters) result wrapper GMLAKE_WITH_RUNTIME parameters;
GMLAKE_RUNTIME_HOOKS(X)
#undef X
#undef GMLAKE_WITH_RUNTIME

// Whether the object is a runtime that we have wrappers for: it defines cudaMalloc under a version
// node of a runtime, as import stubs and wrappers of others do not, and of one whose functions we
// know. Before CUDA 12 cudaSetDevice did not make the device's context current at once, so the
// current context could be another device's: those are served by the driver door alone.
bool is_runtime(const ElfObject& object);

// Each of these, all that are loaded, gets wrappers of its own, as far as there are any left.
void take_runtimes(Redirections& redirections, std::span<const ElfObject> runtimes);

}  // namespace gmlake::hooks
