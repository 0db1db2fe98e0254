// Other devices than a pool's own: which of them may reach its memory. Natively a plain copy or set
// works whichever device is current, and all else once the program has enabled it; memory that is
// mapped, as the pool's, is reached by no other device until it is opened to it.
#pragma once

#include <atomic>

#include "hooks/serve.h"
#include "hooks/touched.h"

namespace gmlake::hooks {

// A context of that device is there. Nothing below costs anything before there is a second one.
void device_is_used(CUdevice device);
extern std::atomic<bool> several_devices;

// What natively needs access between the devices: a set does, a copy does not, unless it is of
// stream-ordered memory, and one between contexts never.
enum class Touch { nothing, set, copy, copy_between };

// Who is about to touch memory, and from which device: a copy asks what the device of the current
// context reaches, whichever stream it is given to, all else what the stream's does
// (asked of two H200, driver 580: tests/conformance/driver/two_devices_test.cpp).
std::optional<Caller> toucher(const RealDriver& real, CUstream stream, bool zero_is_per_thread,
                              Touch how);
// It is about to touch the block that `at` is in, if that is another device's: opens the block to
// its device, or gives the error that it natively gets. `apart`: a copy of memory that can not be
// opened to it.
CUresult touch(const RealDriver& real, const Caller& caller, CUdeviceptr at, Touch how,
               bool& apart);

template <typename... Args>
CUresult before_touch(const RealDriver& real, CUstream stream, bool zero_is_per_thread, Touch how,
                      bool& apart, Args... args) {
  if (!several_devices.load(std::memory_order_relaxed)) return CUDA_SUCCESS;
  const auto caller = toucher(real, stream, zero_is_per_thread, how);
  auto result = CUDA_SUCCESS;
  if (caller)
    each_address(
        [&](CUdeviceptr at) {
          if (result == CUDA_SUCCESS) result = touch(real, *caller, at, how, apart);
        },
        args...);
  return result;
}

// The pool has just been made: what was enabled before holds for it.
void pool_is_made(pool::DevicePool& pool);
// The context is gone, and with it what was enabled between it and others.
void forget_peers(CUcontext context);
// The same of a memory pool that the program has destroyed.
void forget_peers_of(CUmemoryPool pool);

}  // namespace gmlake::hooks
