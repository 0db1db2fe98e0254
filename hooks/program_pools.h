// The program's memory pools: whose memory stream-ordered allocations are. The driver keeps the
// pools themselves, and every call about one is the driver's to answer; of those that gmlake
// serves, the memory is gmlake's, and what is asked and said of it is added here: each device's
// default pool, and pools of device memory that cannot be exported. All others are the driver's
// whole.
//
// Thread-safe. What an allocation looks up takes no lock.
#pragma once

#include "hooks/caller.h"

namespace gmlake::hooks {

// Of a request whose memory is to come from a pool that is the driver's whole.
inline constexpr pool::PoolTag kNativePool = 255;
static_assert(pool::kMostPools < kNativePool);

// By device: of which pool its stream-ordered memory is.
extern std::array<std::atomic<pool::PoolTag>, Process::kMostDevices> current_pools;

inline pool::PoolTag current_pool_of(int device) {
  return current_pools[static_cast<unsigned>(device)].load(std::memory_order_relaxed);
}

// A stream's request without a pool of its own is for the device's current one.
inline void use_current_pool(std::optional<Caller>& caller) {
  if (caller) caller->origin.pool = current_pool_of(caller->device);
}
// One that names its pool.
void use_pool(const RealDriver& real, std::optional<Caller>& caller, CUmemoryPool pool);

// The program pool of the block that begins there: null where there is none, or where it is none
// of a stream. `owner` is whose ranges the address is in.
CUmemoryPool pool_of_block(const RealDriver& real, pool::DevicePool& owner, CUdeviceptr at);
// The device pool that serves the program pool; null if the driver does.
pool::DevicePool* server_of(const RealDriver& real, CUmemoryPool pool);

// What the calls of both doors do besides; each says whether the driver's call succeeded.
//
// The driver has made it.
void pool_made(const RealDriver& real, CUmemoryPool pool, const CUmemPoolProps& properties);
// The driver has given the program this handle: it is a pool's.
void pool_is_there(CUmemoryPool pool);
// Whether the program has destroyed it, and no pool has got its handle since. The driver is not
// asked about it: it would look into what was that pool's memory, which by then may be anything.
bool pool_is_gone(CUmemoryPool pool);
// Around cuMemPoolDestroy: its handle may come back as another pool's at once.
class PoolEnds {
 public:
  explicit PoolEnds(CUmemoryPool pool);
  void settle(bool succeeded);

 private:
  CUmemoryPool pool_;
  std::size_t place_;
};
// The driver has made it the device's current one.
void pool_is_current(const RealDriver& real, int device, CUmemoryPool pool);
// After the driver has answered.
void attribute_set(const RealDriver& real, CUmemoryPool pool, CUmemPool_attribute which,
                   const void* value);
void attribute_got(const RealDriver& real, CUmemoryPool pool, CUmemPool_attribute which,
                   void* value);
// Before the driver trims it.
void trim_with(const RealDriver& real, CUmemoryPool pool, std::size_t keep);

}  // namespace gmlake::hooks
