// Looks at what has been loaded: the driver and the runtimes among it are made to hand out our
// functions in place of theirs, if the process is served.
#pragma once

#include <atomic>

namespace gmlake::hooks {

// How many objects the dynamic linker has loaded so far.
unsigned long long loads_so_far();
extern std::atomic<unsigned long long> settled_loads;
// Whether anything has been loaded since. Lock-free, apart from the linker's list.
inline bool is_settled() {
  return settled_loads.load(std::memory_order_acquire) == loads_so_far();
}

// With the dynamic linker's lock held, or while there is one thread: no object comes, goes, or is
// half bound meanwhile.
void settle();

}  // namespace gmlake::hooks
