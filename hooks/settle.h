// Looks at what has been loaded: the driver and the runtimes among it are made to hand out our
// functions in place of theirs, if the process is served. Before the first call that is only known
// of a process that is told not to: ours then hand on what is not theirs to serve.
#pragma once

#include <link.h>

#include <atomic>
#include <span>

#include "hooks/redirect.h"

namespace gmlake::hooks {

// The linker's namespaces, in a row. Before glibc 2.35 it told only of the first.
const r_debug* next_namespace(const r_debug* space);

// How many objects the dynamic linker has loaded so far.
unsigned long long loads_so_far();
extern std::atomic<unsigned long long> settled_loads;
// Whether the driver or a runtime was among it.
extern std::atomic<bool> has_cuda;
// Whether anything has been loaded since. Lock-free, apart from the linker's list.
inline bool is_settled() {
  return settled_loads.load(std::memory_order_acquire) == loads_so_far();
}

// Whether the program has opened libraries in namespaces of their own, by dlmopen.
inline bool has_namespaces() {
  return next_namespace(&_r_debug) != nullptr;
}

// The dlsym of the C libraries of other namespaces: the driver is noticed there when it is asked
// for its functions.
void take_dlsym(Redirections& redirections, std::span<const ElfObject> libraries);

// With the dynamic linker's lock held, or while there is one thread: no object comes, goes, or is
// half bound meanwhile.
void settle();

}  // namespace gmlake::hooks
