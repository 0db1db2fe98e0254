#include "hooks/serve.h"

#include <algorithm>

#include "hooks/gmlake.h"
#include "hooks/neighbours.h"
#include "hooks/program_pools.h"

namespace gmlake::hooks {
pool::DevicePool* serving_pool(const RealDriver& real, const std::optional<Caller>& caller,
                               Reason& reason) {
  auto& process = Process::get();
  if (!caller || !process.serving()) return nullptr;
  auto* pool = process.pool(caller->device, real.table);
  if (!pool) return nullptr;
  if (!process.config().pool_enabled)
    reason = &stats::DeviceCounters::bypass_off;
  else if (caller->capturing)
    reason = &stats::DeviceCounters::bypass_capture;
  else if (caller->origin.pool == kNativePool)
    reason = &stats::DeviceCounters::bypass_pool;
  return pool;
}

void add_reusable(const RealDriver& real, std::size_t* free, const std::size_t* total) {
  const auto caller = host_caller(real);
  auto* pool = caller ? Process::get().pool_if_any(caller->device) : nullptr;
  if (!free || !pool) return;
  // The least of what the device has and of what the limits leave.
  (void)guarded(
      [&] { *free = std::min<Bytes>(*free + pool->reusable_bytes(), pool->limit_left()); });
  if (total) *free = std::min(*free, *total);
}

void after_wait(const RealDriver& real) {
  auto& process = Process::get();
  if (!process.has_pools() || !process.serving()) return;
  const auto caller = host_caller(real);
  if (auto* pool = caller ? process.pool_if_any(caller->device) : nullptr)
    (void)guarded([&] { pool->after_wait(); });
}

bool make_room(const RealDriver& real, std::optional<int> device) {
  auto& process = Process::get();
  if (!process.has_pools() || !process.serving()) return false;
  if (!device)
    if (const auto caller = host_caller(real)) device = caller->device;
  auto* pool = device ? process.pool_if_any(*device) : nullptr;
  Bytes given = 0;
  if (pool) (void)guarded([&] { given = pool->trim_for_others(); });
  return given != 0 || (pool && ask_neighbours(pool->ordinal()));
}

Result<driver::Address> allocate_in_pool(pool::DevicePool& pool, const pool::Origin& origin,
                                         std::size_t bytes) {
  constexpr int kMostAsks = 3;  // another may take what was given
  Result<driver::Address> at = fail(ErrorKind::limit, "host memory");
  (void)guarded([&] { at = pool.allocate(bytes, origin); });
  for (int asks = 0; !at && at.error().kind != ErrorKind::pool_limit && asks < kMostAsks; ++asks) {
    if (!ask_neighbours(pool.ordinal())) break;
    (void)guarded([&] { at = pool.allocate(bytes, origin); });
  }
  return at;
}

extern "C" __attribute__((visibility("default"))) std::size_t gmlake_trim(int device,
                                                                          std::size_t keep_bytes) {
  auto* process = Process::get_if_made();
  if (!process || !process->serving()) return 0;
  auto* pool = process->pool_if_any(device);
  Bytes given = 0;
  if (pool) (void)guarded([&] { given = pool->trim(keep_bytes); });
  return given;
}

}  // namespace gmlake::hooks
