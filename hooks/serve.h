// Allocation and free against the pools: what both doors share. Native calls are handed in, so that
// each door falls back to its own kind.
#pragma once

#include "hooks/caller.h"
#include "hooks/captures.h"
#include "hooks/legacy_stream.h"
#include "hooks/out_of_memory.h"
#include "hooks/own_memory.h"
#include "hooks/own_pools.h"
#include "hooks/recording.h"

namespace gmlake::hooks {

// The native code of a failure.
inline CUresult result_of(const Error& error) {
  return error.code == 0 ? CUDA_ERROR_OUT_OF_MEMORY : static_cast<CUresult>(error.code);
}

// Why a request went past the pool.
using Reason = std::uint64_t stats::DeviceCounters::*;

// The pool that should serve this caller, or null with the reason.
pool::DevicePool* serving_pool(const RealDriver& real, const std::optional<Caller>& caller,
                               Reason& reason);

// cuMemGetInfo's free memory counts what the pool can hand out. Either pointer may be null, as
// natively.
void add_reusable(const RealDriver& real, std::size_t* free, const std::size_t* total);

// For calls that went past the pool: `add` to its counters, unless they are nobody's any more.
template <typename Count>
void count(pool::DevicePool& pool, Count add) {
  if (!Process::get().has_given_up()) (void)guarded([&] { pool.count(add); });
}

// The driver's pool that a device's stream-ordered allocations come from natively.
CUmemoryPool current_pool(const RealDriver& real, int device);

// Memory given back, because the program has waited for the GPU, or because a native call of it ran
// out of memory (true: worth another try).
void after_wait(const RealDriver& real);
bool make_room(const RealDriver& real, std::optional<int> device = {});
// A native call, made again as long as there is no memory for it on the device (the current
// context's if none is named) and the pool has some to give.
template <typename Native>
CUresult with_room(const RealDriver& real, Native native, std::optional<int> device = {}) {
  CUresult result = native();
  while (result == CUDA_ERROR_OUT_OF_MEMORY && Process::get().driver_door() &&
         make_room(real, device))
    result = native();
  return result;
}

// From the pool; where it has none left, once what other processes have free there is given back.
Result<driver::Address> allocate_in_pool(pool::DevicePool& pool, const pool::Origin& origin,
                                         std::size_t bytes);

// The whole ladder down to the driver's own allocator. `native` allocates natively and gives its
// result: of a stream's memory from the pool `from`, or from its device's current one.
template <typename Native>
CUresult allocate(const RealDriver& real, const std::optional<Caller>& caller, CUdeviceptr* out,
                  std::size_t bytes, Native native, CUmemoryPool from = nullptr) {
  if (!out || bytes == 0 || !caller) return native();
  Reason reason = nullptr;
  auto* pool = serving_pool(real, caller, reason);
  if (pool && !reason) {
    const auto at = allocate_in_pool(*pool, caller->origin, bytes);
    if (at) {
      note(Action::allocate, caller->origin, caller->device, *at, bytes);
      *out = *at;
      return CUDA_SUCCESS;
    }
    const bool past_pool = at.error().kind != ErrorKind::pool_limit;
    if (!past_pool || !Process::get().config().pool_native_fallback)
      note(Action::failure, caller->origin, caller->device, 0, bytes);
    if (!past_pool) return CUDA_ERROR_OUT_OF_MEMORY;
    if (!Process::get().config().pool_native_fallback) {
      say_out_of_memory(*pool, bytes);
      return result_of(at.error());
    }
    reason = &stats::DeviceCounters::ladder_natives;
  }
  if (!pool) return native();
  const auto past = [&] {
    if (caller->origin.host())
      return allocate_past(*pool, out, bytes, caller->origin.context, native);
    // In a capture it becomes a node of the graph.
    if (caller->capturing) return native();
    return allocate_in(real, from ? from : current_pool(real, caller->device), bytes, native);
  };
  const CUresult result = past();
  if (result == CUDA_SUCCESS)
    note(Action::allocate_natively, caller->origin, caller->device, *out, bytes);
  else if (result == CUDA_ERROR_OUT_OF_MEMORY)
    note(Action::failure, caller->origin, caller->device, 0, bytes);
  count(*pool, [&](stats::DeviceCounters& counters) {
    ++(counters.*reason);
    if (result == CUDA_SUCCESS) {
      ++counters.native_allocations;
      counters.native_bytes += bytes;
    }
  });
  if (result == CUDA_ERROR_OUT_OF_MEMORY && reason == &stats::DeviceCounters::ladder_natives)
    say_out_of_memory(*pool, bytes);
  return result;
}

// Back to the pool that owns it. Also during exit: the books are kept, the driver is not called.
inline CUresult give_back(pool::DevicePool& owner, const std::optional<Caller>& caller,
                          CUdeviceptr at) {
  if (Process::get().has_given_up()) return CUDA_SUCCESS;
  bool known = true;
  (void)guarded([&] {
    static constexpr pool::Origin kNobody{};
    const bool placed =
        !caller || !caller->legacy() || !Process::get().serving() || stand_between_streams(*caller);
    if (!placed) (void)owner.use_beside(at, {});  // behind all work of its context, then
    note(Action::free, caller && placed ? caller->origin : kNobody, owner.ordinal(), at);
    known = owner.free(at, caller && placed ? caller->origin : kNobody);
  });
  return known ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

// Back to the pool it came from, or to the driver if it is not the pool's.
template <typename Native>
CUresult release(const std::optional<Caller>& caller, CUdeviceptr at, Native native) {
  auto& process = Process::get();
  if (auto* owner = process.owner(at)) return give_back(*owner, caller, at);
  const CUresult result = free_past(at, native);
  if (at != 0 && result == CUDA_SUCCESS && caller)
    note(Action::free_natively, caller->origin, caller->device, at);
  if (at != 0 && result == CUDA_SUCCESS && caller)
    if (auto* pool = process.pool_if_any(caller->device))
      count(*pool, [](stats::DeviceCounters& counters) { ++counters.native_frees; });
  return result;
}

}  // namespace gmlake::hooks
