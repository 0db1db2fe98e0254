// Memory of the pools between processes, as far as the rest of the hooks needs to know.
// ipc_door.cpp has the calls of the program, ipc_memory.cpp what they need of the driver, src/ipc
// everything else.
#pragma once

#include <array>
#include <atomic>
#include <optional>

#include "hooks/real.h"
#include "ipc/imports.h"

namespace gmlake::hooks {

// Sizes of cudaMalloc that are left to the driver: their blocks were to be opened by processes that
// do not run with gmlake, as far as is seen, or can not be shared by us at all.
class NativeSizes {
 public:
  bool has(Bytes bytes) const { return any_.load(std::memory_order_relaxed) && look(bytes); }
  // False: known, or no place is left.
  bool learn(Bytes bytes);
  void all();

 private:
  static constexpr Bytes kAll = ~Bytes{0};
  bool look(Bytes bytes) const;

  std::atomic<bool> any_{false};
  std::array<std::atomic<Bytes>, 64> sizes_{};
};
extern NativeSizes native_sizes;
// Counts such a call, and gives its result.
CUresult allocated_for_others(const RealDriver& real, Bytes bytes, CUresult result);

// A handle of a pool is about to be given back to the device.
void shared_handle_leaves(driver::Handle handle);
void shared_context_ends(CUcontext context);
// exit() has begun: the thread that others talk to ends.
void stop_sharing();
// In a forked child: nothing of its parent's is the child's.
void sharing_after_fork();
// The block of another process that `at` lies in, where it is open.
std::optional<ipc::Imports::Range> opened_range(CUdeviceptr at,
                                                std::optional<bool> synchronous = {});

}  // namespace gmlake::hooks
