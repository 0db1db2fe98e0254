// Legacy IPC: cuIpcGetMemHandle, cuIpcOpenMemHandle and cuIpcCloseMemHandle for memory of the
// pools, which the driver refuses to share this way. Whatever is not a pool's is passed on, and so
// is what can not be shared, for the driver to say so.
#include "hooks/ipc.h"
#include "hooks/runtimes.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "hooks/ipc_memory.h"
#include "hooks/serve.h"
#include "ipc/exports.h"
#include "ipc/service.h"
#include "support/lasting.h"
#include "support/no_cancel.h"

namespace gmlake::hooks {
namespace {

using config::IpcMode;

// What this process shares and has opened.
class Sharing {
 public:
  // Others can reach us. False, once said why, where there can be no socket.
  bool listens() {
    const Lock lock(beginning_);
    if (state_ == State::fresh) begin();
    return state_ == State::listens;
  }

  const ipc::ProcessName name = ipc::draw_name();
  DriverMemory memory;
  ipc::Exports exports{memory, [](driver::Address at) {
                         auto* owner = Process::get().owner(at);
                         bool live = false;
                         if (owner && !Process::get().has_given_up())
                           (void)guarded([&] { live = owner->is_shown(at); });
                         return live;
                       }};
  ipc::Imports imports{memory, ipc::usual_folders(),
                       [this](const ipc::ProcessName& owner, ipc::Descriptor connection) {
                         return service.follow(owner, std::move(connection));
                       }};
  ipc::Service service{exports, imports};

 private:
  enum class State { fresh, listens, refused };
  void begin() GMLAKE_REQUIRES(beginning_) {
    const bool ready = name != ipc::ProcessName{} && service.listen(name, ipc::usual_folders());
    state_ = ready ? State::listens : State::refused;
    if (ready)
      log::warning(
          "memory is shared with other processes: they can open it if they run with gmlake too "
          "(process {}; pool.ipc=native is for others)",
          getpid());
    else
      log::warning(
          "memory can not be shared with other processes: no socket ({}); pool.ipc=native leaves "
          "it to the driver",
          std::strerror(errno));
  }

  RankedMutex<Rank::registry> beginning_;
  State state_ GMLAKE_GUARDED_BY(beginning_) = State::fresh;
};

// Null before anything is shared or opened, and in a forked child.
std::atomic<Sharing*> known{nullptr};

Sharing& sharing() {
  auto* now = known.load(std::memory_order_acquire);
  if (now) return *now;
  now = &lasting<Sharing>();
  known.store(now, std::memory_order_release);
  return *now;
}

void learn(Bytes bytes, const char* why) {
  if (native_sizes.learn(bytes))
    log::info("blocks of {} bytes are left to the driver from now on: {}", bytes, why);
}

// The number of the block at `at` to others, 0 if there is none.
std::uint64_t number_of(pool::DevicePool& owner, CUdeviceptr at) {
  auto& ours = sharing();
  std::optional<Bytes> bytes;
  const auto show = [&]() -> std::optional<ipc::Shown> {
    auto block = owner.show(at);
    if (!block) return {};
    bytes = block->bytes;
    return ipc::Shown{block->again, block->bytes, block->offset, std::move(block->handles)};
  };
  if (!ours.listens()) {
    if (show()) learn(*bytes, "no socket");
    return 0;
  }
  const auto number = ours.exports.add(at, show);
  for (const auto size : ours.exports.take_unopened()) learn(size, "nobody opened one");
  if (number) return *number;
  if (bytes) {
    log::warning("memory can not be shared with other processes: {} (error {})",
                 number.error().what, number.error().code);
    learn(*bytes, "it can not be exported");
  }
  return 0;
}

template <typename Native>
CUresult share(const RealDriver& real, void* out, CUdeviceptr at, Native native) {
  auto& process = Process::get();
  auto* owner = process.owner(at);
  if (!owner || !out || !process.serving() || process.config().pool_ipc != IpcMode::emulate ||
      !DriverMemory::supported(real.table) || !host_caller(real))
    return native();
  const NoCancel whole;
  std::uint64_t number = 0;
  // An address inside a block names it too (measured on driver 580).
  (void)guarded([&] {
    const auto block = owner->view(at);
    if (block) number = number_of(*owner, block->start);
  });
  if (number == 0) return native();
  const auto bytes = ipc::to_bytes({sharing().name, number, static_cast<std::uint32_t>(getpid())});
  std::memcpy(out, bytes.data(), bytes.size());
  count(*owner, [](stats::DeviceCounters& counters) { ++counters.ipc_exports; });
  return CUDA_SUCCESS;
}

CUresult result_of(const ipc::Refusal& refusal) {
  switch (refusal.why) {
    case ipc::Refusal::gone:
      return CUDA_ERROR_INVALID_HANDLE;
    case ipc::Refusal::freed:
      return CUDA_ERROR_INVALID_VALUE;
    case ipc::Refusal::unreachable:
      return CUDA_ERROR_MAP_FAILED;
    case ipc::Refusal::other_context:
      return CUDA_ERROR_INVALID_CONTEXT;
    case ipc::Refusal::driver:
      break;
  }
  return static_cast<CUresult>(refusal.code);
}

template <typename Native>
CUresult open_shared(const RealDriver& real, CUdeviceptr* out, const void* handle, unsigned flags,
                     Native native) {
  auto& process = Process::get();
  const auto ticket = ipc::from_bytes(handle);
  if (!ticket || !process.serving() || process.config().pool_ipc == IpcMode::off ||
      !DriverMemory::supported(real.table))
    return native();
  const auto caller = host_caller(real);
  if (!caller) return native();
  if (!out || flags != CU_IPC_MEM_LAZY_ENABLE_PEER_ACCESS) return CUDA_ERROR_INVALID_VALUE;
  const NoCancel whole;
  auto* pool = process.pool(caller->device, real.table);
  tl::expected<driver::Address, ipc::Refusal> at =
      tl::unexpected(ipc::Refusal{ipc::Refusal::driver, CUDA_ERROR_OUT_OF_MEMORY, "host memory"});
  (void)guarded([&] {
    // cuda.h: it is for other processes.
    if (ticket->process == sharing().name)
      at = tl::unexpected(ipc::Refusal{ipc::Refusal::other_context, 0, "it is our own"});
    else
      at = sharing().imports.open(*ticket, caller->origin.context, caller->device);
  });
  if (pool)
    count(*pool, [&](stats::DeviceCounters& counters) {
      ++(at ? counters.ipc_opens : counters.ipc_refused);
    });
  if (at) {
    *out = *at;
    return CUDA_SUCCESS;
  }
  if (ticket->process != sharing().name)
    log::warning("memory of process {} can not be opened: {} (error {})", ticket->pid,
                 at.error().what, static_cast<int>(result_of(at.error())));
  return result_of(at.error());
}

template <typename Native>
CUresult close_shared(CUdeviceptr at, Native native) {
  auto* ours = known.load(std::memory_order_acquire);
  if (!ours || !Process::get().serving()) return native();
  const NoCancel whole;
  bool closed = false;
  (void)guarded([&] { closed = ours->imports.close(at); });
  return closed ? CUDA_SUCCESS : native();
}

// The runtime's driver, where its own calls to it are not seen.
const RealDriver* runtime_only(const RealRuntime& runtime) {
  auto& process = Process::get();
  return process.runtime_door() && !process.driver_door() ? driver_of(runtime) : nullptr;
}

// The errors of these calls have the same numbers in both.
template <typename Ours, typename Native>
cudaError_t either(const RealRuntime& runtime, Ours ours, Native native) {
  const auto* real = runtime_only(runtime);
  if (!real || !real->complete) return native();
  return static_cast<cudaError_t>(ours(*real, [&] { return static_cast<CUresult>(native()); }));
}

}  // namespace

constinit NativeSizes native_sizes;

bool NativeSizes::look(Bytes bytes) const {
  for (const auto& size : sizes_) {
    const auto one = size.load(std::memory_order_relaxed);
    if (one == bytes || one == kAll) return true;
    if (one == 0) return false;
  }
  return false;
}

bool NativeSizes::learn(Bytes bytes) {
  if (look(bytes)) return false;
  for (auto& size : sizes_) {
    Bytes none = 0;
    if (!size.compare_exchange_strong(none, bytes)) continue;
    any_ = true;
    return true;
  }
  return false;
}

void NativeSizes::all() {
  (void)learn(kAll);
}

CUresult allocated_for_others(const RealDriver& real, Bytes bytes, CUresult result) {
  auto& process = Process::get();
  const auto caller = process.serving() ? host_caller(real) : std::nullopt;
  if (auto* pool = caller ? process.pool(caller->device, real.table) : nullptr)
    count(*pool, [&](stats::DeviceCounters& counters) {
      ++counters.bypass_ipc;
      counters.native_allocations += result == CUDA_SUCCESS ? 1 : 0;
      counters.native_bytes += result == CUDA_SUCCESS ? bytes : 0;
    });
  return result;
}

void shared_handle_leaves(driver::Handle handle) {
  auto* ours = known.load(std::memory_order_acquire);
  if (ours && ours->exports.forget(handle)) ours->service.tell();
}

void shared_context_ends(CUcontext context) {
  auto* ours = known.load(std::memory_order_acquire);
  if (ours) (void)guarded([&] { ours->imports.context_ends(context); });
}

void stop_sharing() {
  if (auto* ours = known.load(std::memory_order_acquire)) ours->service.stop();
}

void sharing_after_fork() {
  known = nullptr;
  ipc::close_descriptors_after_fork();
}

std::optional<ipc::Imports::Range> opened_range(CUdeviceptr at, std::optional<bool> synchronous) {
  auto* ours = known.load(std::memory_order_acquire);
  std::optional<ipc::Imports::Range> range;
  if (ours) (void)guarded([&] { range = ours->imports.range_of(at, synchronous); });
  return range;
}

CUresult ipc_get_memory(CUipcMemHandle* handle, CUdeviceptr at) {
  GMLAKE_REAL(ipc_get_memory);
  const auto native = [&] { return real->ipc_get_memory(handle, at); };
  return driver_open() ? share(*real, handle, at, native) : native();
}
CUresult ipc_open_memory_v1(CUdeviceptr* out, CUipcMemHandle handle, unsigned flags) {
  GMLAKE_REAL(ipc_open_memory_v1);
  const auto native = [&] { return real->ipc_open_memory_v1(out, handle, flags); };
  return driver_open() ? open_shared(*real, out, &handle, flags, native) : native();
}
CUresult ipc_open_memory(CUdeviceptr* out, CUipcMemHandle handle, unsigned flags) {
  GMLAKE_REAL(ipc_open_memory);
  const auto native = [&] { return real->ipc_open_memory(out, handle, flags); };
  return driver_open() ? open_shared(*real, out, &handle, flags, native) : native();
}
CUresult ipc_close_memory(CUdeviceptr at) {
  GMLAKE_REAL(ipc_close_memory);
  const auto native = [&] { return real->ipc_close_memory(at); };
  return driver_open() ? close_shared(at, native) : native();
}

cudaError_t rt_ipc_get_memory(cudaIpcMemHandle_t* handle, void* at, const RealRuntime& runtime) {
  return either(
      runtime,
      [&](const RealDriver& real, auto native) {
        return share(real, handle, reinterpret_cast<CUdeviceptr>(at), native);
      },
      [&] { return runtime.rt_ipc_get_memory(handle, at); });
}
cudaError_t rt_ipc_open_memory(void** out, cudaIpcMemHandle_t handle, unsigned flags,
                               const RealRuntime& runtime) {
  return either(
      runtime,
      [&](const RealDriver& real, auto native) {
        return open_shared(real, reinterpret_cast<CUdeviceptr*>(out), &handle, flags, native);
      },
      [&] { return runtime.rt_ipc_open_memory(out, handle, flags); });
}
cudaError_t rt_ipc_close_memory(void* at, const RealRuntime& runtime) {
  return either(
      runtime,
      [&](const RealDriver&, auto native) {
        return close_shared(reinterpret_cast<CUdeviceptr>(at), native);
      },
      [&] { return runtime.rt_ipc_close_memory(at); });
}

}  // namespace gmlake::hooks
