// The shared runtimes (libcudart, whatever its file is called) that are loaded: each keeps its own
// last error and calls its own functions, so each has wrappers of its own.
#pragma once

#include <array>
#include <cstddef>

#include <driver_types.h>

#include "hooks/hook_table.h"
#include "hooks/redirect.h"

namespace gmlake::hooks {

// The real functions of one of them.
struct RealRuntime {
#define X(symbol, wrapper, result, parameters) result(*wrapper) parameters = nullptr;
  GMLAKE_RUNTIME_HOOKS(X)
#undef X
};

// Our functions, handed the runtime that they stand for.
#define GMLAKE_WITH_RUNTIME(...) (const RealRuntime& __VA_OPT__(, ) __VA_ARGS__)
#define X(symbol, wrapper, result, parameters) result wrapper GMLAKE_WITH_RUNTIME parameters;
GMLAKE_RUNTIME_HOOKS(X)
#undef X
#undef GMLAKE_WITH_RUNTIME

// Whether the object is a runtime that we have wrappers for: it defines cudaMalloc under a version
// node of a runtime, as import stubs and wrappers of others do not, and of one whose functions we
// know. Before CUDA 12 cudaSetDevice did not make the device's context current at once, so the
// current context could be another device's: those are served by the driver door alone.
bool is_runtime(const ElfObject& object);

// Gives each of these runtimes, all that are loaded, wrappers of its own, as far as there are any
// left, and adds what is to be redirected. One that was closed has left its place to others.
void take_runtimes(Redirections& redirections, const ElfObject* first, std::size_t count);

}  // namespace gmlake::hooks
