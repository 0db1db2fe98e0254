// The runtime door: our functions for shared cudarts, each handed the one it stands for. A plain
// hit is served without entering cudart; everything else (no context yet, a miss, an error) goes to
// the real cudart, which comes back through the driver door, so that lazy initialisation,
// cudaGetLastError and error codes stay native. With the driver door off, misses are served here
// too.
#include "hooks/runtime_door.h"

#include "hooks/caller_cache.h"
#include "hooks/ends.h"
#include "hooks/ipc.h"
#include "hooks/program_pools.h"
#include "hooks/serve.h"

namespace gmlake::hooks {
namespace {

using MallocAsync = cudaError_t (*)(void**, std::size_t, cudaStream_t);
using MallocFromPool = cudaError_t (*)(void**, std::size_t, cudaMemPool_t, cudaStream_t);
using FreeAsync = cudaError_t (*)(void*, cudaStream_t);

// Hits: nobody is asked anything, as who calls is known. Where it is not there is more to see to.
template <typename Known>
[[gnu::always_inline]] inline const Caller* caller_of_hit(const RealRuntime& runtime, Known known) {
  const auto* process = Process::get_if_made();
  return process && process->serves_hits() && runtime.driver.load(std::memory_order_relaxed)
             ? known()
             : nullptr;
}
template <typename Native, typename Otherwise>
[[gnu::always_inline]] inline cudaError_t allocate_at_once(const Caller* caller, void** out,
                                                           std::size_t bytes, Native native,
                                                           Otherwise otherwise) {
  if (!caller || !out) [[unlikely]]
    return otherwise();
  auto* const pool = Process::get().pool_if_any(caller->device);
  driver::Address at = 0;
  if (pool && bytes != 0) (void)guarded([&] { at = pool->try_allocate(bytes, caller->origin); });
  if (at == 0) return native();
  note(Action::allocate, caller->origin, caller->device, at, bytes);
  *out = reinterpret_cast<void*>(at);
  return cudaSuccess;
}
template <typename Native, typename Otherwise>
[[gnu::always_inline]] inline cudaError_t free_at_once(const Caller* caller, void* at,
                                                       Native native, Otherwise otherwise) {
  const auto address = reinterpret_cast<CUdeviceptr>(at);
  auto* const owner = caller ? Process::get().owner(address) : nullptr;
  if (!owner) return otherwise();
  if (caller->legacy()) {  // which asks who calls again
    const std::optional<Caller> legacy = *caller;
    return give_back(*owner, legacy, address) == CUDA_SUCCESS ? cudaSuccess : native();
  }
  bool known = true;
  (void)guarded([&] {
    note(Action::free, caller->origin, owner->ordinal(), address);
    known = owner->free(address, caller->origin);
  });
  return known ? cudaSuccess : native();
}

template <typename WhoCalls, typename Native>
[[gnu::noinline]] cudaError_t runtime_allocate(const RealRuntime& runtime, void** out,
                                               std::size_t bytes, WhoCalls who, Native native) {
  if (!runtime_open() || !out || bytes == 0) return native();
  const auto* real = driver_of(runtime);
  auto caller = real ? who(*real) : std::optional<Caller>{};
  if (Process::get().driver_door()) {
    Reason reason = nullptr;
    auto* pool = real ? serving_pool(*real, caller, reason) : nullptr;
    if (!pool || reason) return native();
    driver::Address at = 0;
    (void)guarded([&] { at = pool->try_allocate(bytes, caller->origin); });
    if (at == 0) return native();
    note(Action::allocate, caller->origin, caller->device, at, bytes);
    *out = reinterpret_cast<void*>(at);
    return cudaSuccess;
  }
  if (!caller) {
    // What cudart does first of all, too: the device's primary context.
    if (const auto error = runtime.rt_free(nullptr)) return error;
    real = driver_of(runtime);
    if (real) caller = who(*real);
    if (!real || !caller) return native();
  }
  CUdeviceptr at = 0;
  bool asked = false;
  const auto result = allocate(*real, caller, &at, bytes, [&] {
    asked = true;
    const auto error = native();
    if (error == cudaSuccess) at = reinterpret_cast<CUdeviceptr>(*out);
    return translate(error);
  });
  if (result == CUDA_SUCCESS) *out = reinterpret_cast<void*>(at);
  // Where cudart has not failed itself it is to remember that all the same.
  void* none = nullptr;
  if (result == CUDA_ERROR_OUT_OF_MEMORY && !asked && runtime.rt_malloc)
    return runtime.rt_malloc(&none, ~std::size_t{0} / 2);
  return translate(result);
}

template <typename WhoCalls, typename Native>
[[gnu::noinline]] cudaError_t runtime_free(const RealRuntime& runtime, void* at, WhoCalls who,
                                           Native native) {
  if (!runtime_open()) return native();
  const auto address = reinterpret_cast<CUdeviceptr>(at);
  const auto* real = driver_of(runtime);
  auto* owner = real ? Process::get().owner(address) : nullptr;
  if (!owner) return Process::get().driver_door() ? native() : free_past(address, native);
  auto caller = who(*real);
  // cudart sees to a context first of all.
  if (!caller && Process::get().serving()) {
    if (Process::get().driver_door()) return native();
    if (const auto error = runtime.rt_free(nullptr)) return error;
    if (caller = who(*real); !caller) return native();
  }
  if (caller && caller->capturing) return native();
  // A wrong pointer: the real cudart says so in its own way, last error included.
  return give_back(*owner, caller, address) == CUDA_SUCCESS ? cudaSuccess : native();
}

// The driver, where cudart's own calls to it are not seen.
const RealDriver* sees_ends(const RealRuntime& runtime) {
  return runtime_open() && !Process::get().driver_door() ? driver_of(runtime) : nullptr;
}

auto on_stream(cudaStream_t stream, bool per_thread) {
  return [=](const RealDriver& real) {
    return stream_caller(real, stream, per_thread, Entry::runtime);
  };
}
std::optional<Caller> on_host(const RealDriver& real) {
  return host_caller(real, Entry::runtime);
}

[[gnu::always_inline]] inline cudaError_t allocate_async(MallocAsync native,
                                                         const RealRuntime& runtime, void** out,
                                                         std::size_t bytes, cudaStream_t stream,
                                                         bool per_thread) {
  const auto natively = [=] { return native(out, bytes, stream); };
  const auto* known = caller_of_hit(runtime, [&]() -> const Caller* {
    const auto* caller = known_stream_caller(stream, per_thread);
    return caller && current_pool_of(caller->device) == pool::kDefaultPool ? caller : nullptr;
  });
  return allocate_at_once(known, out, bytes, natively, [&] {
    const auto who = [=](const RealDriver& real) {
      auto caller = stream_caller(real, stream, per_thread, Entry::runtime);
      use_current_pool(caller);
      return caller;
    };
    return runtime_allocate(runtime, out, bytes, who, natively);
  });
}
cudaError_t allocate_from(MallocFromPool native, const RealRuntime& runtime, void** out,
                          std::size_t bytes, cudaMemPool_t pool, cudaStream_t stream,
                          bool per_thread) {
  const auto who = [=](const RealDriver& real) {
    auto caller = stream_caller(real, stream, per_thread, Entry::runtime);
    use_pool(real, caller, pool);
    return caller;
  };
  return runtime_allocate(runtime, out, bytes, who,
                          [&] { return native(out, bytes, pool, stream); });
}
[[gnu::always_inline]] inline cudaError_t free_async(FreeAsync native, const RealRuntime& runtime,
                                                     void* at, cudaStream_t stream,
                                                     bool per_thread) {
  const auto natively = [=] { return native(at, stream); };
  const auto* known =
      caller_of_hit(runtime, [&] { return known_stream_caller(stream, per_thread); });
  return free_at_once(known, at, natively, [&] {
    return runtime_free(runtime, at, on_stream(stream, per_thread), natively);
  });
}

}  // namespace

cudaError_t rt_malloc(void** out, std::size_t bytes, const RealRuntime& runtime) {
  const auto natively = [=, real = runtime.rt_malloc] { return real(out, bytes); };
  if (native_sizes.has(bytes)) [[unlikely]]
    return natively();
  return allocate_at_once(caller_of_hit(runtime, known_host_caller), out, bytes, natively,
                          [&] { return runtime_allocate(runtime, out, bytes, on_host, natively); });
}
cudaError_t rt_free(void* at, const RealRuntime& runtime) {
  const auto natively = [=, real = runtime.rt_free] { return real(at); };
  return free_at_once(caller_of_hit(runtime, known_host_caller), at, natively,
                      [&] { return runtime_free(runtime, at, on_host, natively); });
}
cudaError_t rt_malloc_async(void** out, std::size_t bytes, cudaStream_t stream,
                            const RealRuntime& runtime) {
  return allocate_async(runtime.rt_malloc_async, runtime, out, bytes, stream, false);
}
cudaError_t rt_malloc_async_ptsz(void** out, std::size_t bytes, cudaStream_t stream,
                                 const RealRuntime& runtime) {
  return allocate_async(runtime.rt_malloc_async_ptsz, runtime, out, bytes, stream, true);
}
cudaError_t rt_malloc_from_pool(void** out, std::size_t bytes, cudaMemPool_t pool,
                                cudaStream_t stream, const RealRuntime& runtime) {
  return allocate_from(runtime.rt_malloc_from_pool, runtime, out, bytes, pool, stream, false);
}
cudaError_t rt_malloc_from_pool_ptsz(void** out, std::size_t bytes, cudaMemPool_t pool,
                                     cudaStream_t stream, const RealRuntime& runtime) {
  return allocate_from(runtime.rt_malloc_from_pool_ptsz, runtime, out, bytes, pool, stream, true);
}
cudaError_t rt_free_async(void* at, cudaStream_t stream, const RealRuntime& runtime) {
  return free_async(runtime.rt_free_async, runtime, at, stream, false);
}
cudaError_t rt_free_async_ptsz(void* at, cudaStream_t stream, const RealRuntime& runtime) {
  return free_async(runtime.rt_free_async_ptsz, runtime, at, stream, true);
}

cudaError_t rt_mem_get_info(std::size_t* free, std::size_t* total, const RealRuntime& runtime) {
  const auto result = runtime.rt_mem_get_info(free, total);
  // With the driver door open cudart has asked our cuMemGetInfo.
  const auto* real = driver_of(runtime);
  if (result == cudaSuccess && real && runtime_open() && !Process::get().driver_door())
    add_reusable(*real, free, total);
  return result;
}

cudaError_t rt_stream_destroy(cudaStream_t stream, const RealRuntime& runtime) {
  const auto native = [&] { return runtime.rt_stream_destroy(stream); };
  const auto* real = sees_ends(runtime);
  return real ? end(*real, {.stream = stream}, native) : native();
}

cudaError_t rt_device_reset(const RealRuntime& runtime) {
  const auto native = [&] { return runtime.rt_device_reset(); };
  const auto* real = sees_ends(runtime);
  return real ? end(*real, {.primary_of = Ending::kAnyDevice, .reset = true}, native) : native();
}

}  // namespace gmlake::hooks
