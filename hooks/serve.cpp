#include "hooks/serve.h"

#include <algorithm>

#include "support/log.h"

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
  return pool;
}

void add_reusable(const RealDriver& real, std::size_t* free, const std::size_t* total) {
  const auto caller = host_caller(real);
  const auto* pool = caller ? Process::get().pool_if_any(caller->device) : nullptr;
  if (!free || !pool) return;
  *free += pool->reusable_bytes();
  if (total) *free = std::min(*free, *total);
}

void before_stream_dies(const RealDriver& real, CUstream stream) {
  auto& process = Process::get();
  if (process.has_pools())
    if (const auto caller = stream_caller(real, stream, false))
      process.each_pool([&](pool::DevicePool& pool) { pool.retire_stream(caller->origin); });
  forget_identities();
}

void after_context_died(CUcontext context) {
  forget_identities();
  Process::get().each_pool([&](pool::DevicePool& pool) { pool.forget_context(context); });
}

void say_out_of_memory(const pool::DevicePool& pool, std::size_t bytes) {
  log::warning("out of memory: {} were asked for. {}", human_bytes(bytes), pool.picture());
}

}  // namespace gmlake::hooks
