#include "hooks/serve.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <exception>

#include "config/pattern.h"
#include "hooks/gmlake.h"
#include "stats/file_output.h"
#include "support/log.h"

namespace gmlake::hooks {
namespace {

constexpr int kMostSnapshots = 3;  // in one process

}  // namespace

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

void trim_with(const RealDriver& real, CUmemoryPool memory_pool, std::size_t keep) {
  if (!Process::get().serving()) return;
  (void)each_pool([&](pool::DevicePool& pool) {
    const auto is = [&](CUresult (*get)(CUmemoryPool*, CUdevice)) {
      CUmemoryPool one = nullptr;
      return get && get(&one, pool.ordinal()) == CUDA_SUCCESS && one == memory_pool;
    };
    if (!is(real.table.cuDeviceGetMemPool_) && !is(real.table.cuDeviceGetDefaultMemPool_)) return;
    pool::Origin origin;
    origin.capture_under_way = capture_under_way();
    (void)pool.trim(keep, origin);
  });
}

void after_wait(const RealDriver& real) {
  auto& process = Process::get();
  if (!process.serving() || process.config().pool_release_threshold == config::kNoThreshold) return;
  const auto caller = host_caller(real);
  if (auto* pool = caller ? process.pool_if_any(caller->device) : nullptr)
    (void)guarded([&] { pool->release_surplus(caller->origin); });
}

bool make_room(const RealDriver& real) {
  auto& process = Process::get();
  if (!process.has_pools() || !process.serving()) return false;
  const auto caller = host_caller(real);
  auto* pool = caller ? process.pool_if_any(caller->device) : nullptr;
  Bytes given = 0;
  if (pool) (void)guarded([&] { given = pool->trim_for_others(caller->origin); });
  return given != 0;
}

void say_out_of_memory(const pool::DevicePool& pool, std::size_t bytes) noexcept try {
  if (Process::get().has_given_up()) return;
  const auto shortage = pool.shortage(bytes);
  log::warning("{}", pool.explain(shortage));
  const auto& name = Process::get().config().stats_oom_file;
  // A program may try again and again: the first pictures tell the most.
  static std::atomic<int> tries{0};
  const int number = ++tries;
  if (name.empty() || number > kMostSnapshots) return;
  const auto path =
      stats::numbered_path(config::expand_pattern(name, config::process_pattern_values()), number);
  if (const int error = stats::replace_file(path, pool.snapshot(shortage)))
    log::error("stats.oom_file can not be written to {}: {}", path, std::strerror(error));
} catch (const std::exception&) {  // no host memory: there is nothing left to say it with
}

extern "C" __attribute__((visibility("default"))) std::size_t gmlake_trim(int device,
                                                                          std::size_t keep_bytes) {
  auto* process = Process::get_if_made();
  if (!process || !process->serving()) return 0;
  auto* pool = process->pool_if_any(device);
  pool::Origin origin;
  origin.capture_under_way = capture_under_way();
  Bytes given = 0;
  if (pool) (void)guarded([&] { given = pool->trim(keep_bytes, origin); });
  return given;
}

}  // namespace gmlake::hooks
