// The C API for allocator plug-ins: a third door to the same pools, for programs that call us by
// name. It needs no hook: opened by path, the library intercepts nothing, so it finds the driver by
// itself, asks every stream whether it captures, and trusts no stream handle for longer than a
// call.
#include "hooks/plugin.h"

#include <dlfcn.h>

#include <array>
#include <atomic>

#include "hooks/gmlake.h"
#include "hooks/serve.h"
#include "support/log.h"
#include "support/no_cancel.h"

namespace gmlake::hooks {
namespace {

const RealDriver* open_driver() {
  (void)Process::get();  // before anything is said
  const auto* real = real_driver();
  // Kept: the driver must not be unloaded under us.
  if (!real && dlopen("libcuda.so.1", RTLD_LAZY)) real = real_driver();
  return real && real->complete ? real : nullptr;
}

// Primary contexts that we made sure of, by device: retained once each and never given back, as
// cudart keeps them.
std::array<std::atomic<CUcontext>, Process::kMostDevices> primaries{};

CUcontext primary_of(const RealDriver& real, int device) {
  if (device < 0 || device >= Process::kMostDevices) return nullptr;
  auto& kept = primaries[static_cast<unsigned>(device)];
  if (auto* known = kept.load(std::memory_order_acquire)) return known;
  CUcontext context = nullptr;
  const NoCancel whole;
  Process::get().cuda_begins();
  if (real.table.cuInit_(0) != CUDA_SUCCESS ||
      real.table.cuDevicePrimaryCtxRetain_(&context, device) != CUDA_SUCCESS)
    return nullptr;
  kept.store(context, std::memory_order_release);
  return context;
}

// Who calls, on a stream of `device`. Where the current context is not the device's, its primary
// context is current for the scope.
class OnDevice {
 public:
  OnDevice(const RealDriver& real, int device, CUstream stream)
      : real_(real), caller_(stream_caller(real, stream, false)) {
    if ((caller_ && caller_->device == device) || Process::get().exiting()) return;
    const NoCancel whole;
    auto* primary = primary_of(real, device);
    pushed_ = primary && real.table.cuCtxPushCurrent_v2_(primary) == CUDA_SUCCESS;
    caller_ = pushed_ ? stream_caller(real, stream, false) : std::nullopt;
    if (caller_ && caller_->device != device) caller_.reset();
  }
  ~OnDevice() {
    CUcontext ours = nullptr;
    if (pushed_) (void)real_.table.cuCtxPopCurrent_v2_(&ours);
  }
  OnDevice(const OnDevice&) = delete;
  OnDevice& operator=(const OnDevice&) = delete;

  // Nothing if there is no such device or stream, or the stream is another device's.
  const std::optional<Caller>& caller() const { return caller_; }

 private:
  const RealDriver& real_;
  bool pushed_ = false;
  std::optional<Caller> caller_;
};

// Memory that is not the pool's is graph memory while the stream captures, and otherwise the
// driver's plain memory, whose free waits for everything that may use it.
CUresult allocate_natively(const RealDriver& real, bool capturing, CUdeviceptr* out,
                           std::size_t bytes, CUstream stream) {
  return capturing ? real.mem_alloc_async(out, bytes, stream) : real.mem_alloc(out, bytes);
}
CUresult free_natively(const RealDriver& real, bool capturing, CUdeviceptr at, CUstream stream) {
  if (capturing || capture_under_way()) return real.mem_free_async(at, stream);
  // Graph memory's free would not wait by itself.
  const auto waited = real.ctx_synchronize();
  return waited == CUDA_SUCCESS ? real.mem_free(at) : waited;
}

CUresult allocate_for_plugin(CUdeviceptr& at, std::size_t bytes, int device, CUstream stream) {
  at = 0;
  if (bytes == 0) return CUDA_SUCCESS;
  const auto* real = open_driver();
  if (!real) {
    log::error("gmlake_malloc: there is no usable libcuda.so.1");
    return CUDA_ERROR_SHARED_OBJECT_INIT_FAILED;
  }
  const OnDevice on(*real, device, stream);
  if (!on.caller()) {
    log::error("gmlake_malloc: device {} has no stream {}", device, static_cast<void*>(stream));
    return CUDA_ERROR_INVALID_HANDLE;
  }
  const auto result = allocate(*real, on.caller(), &at, bytes, [&] {
    return allocate_natively(*real, on.caller()->capturing, &at, bytes, stream);
  });
  if (result == CUDA_SUCCESS) return result;
  at = 0;
  // The pool has said why.
  const auto& process = Process::get();
  const bool said = result == CUDA_ERROR_OUT_OF_MEMORY && process.serving() &&
                    process.pool_if_any(device) && process.config().pool_enabled &&
                    !on.caller()->capturing;
  static constinit Occasions refusals;
  if (const auto number = said ? 0 : refusals.next())
    log::error("gmlake_malloc: {} bytes on device {}: CUDA error {} (failure {})", bytes, device,
               static_cast<int>(result), number);
  return result;
}

bool record_use(pool::DevicePool& owner, CUdeviceptr at, const pool::Origin& by) {
  bool live = true;
  if (!Process::get().has_given_up()) (void)guarded([&] { live = owner.use_beside(at, by); });
  return live;
}

void free_for_plugin(CUdeviceptr at, int device, CUstream stream) {
  const auto* real = at != 0 ? open_driver() : nullptr;
  if (!real) return;
  const OnDevice on(*real, device, stream);
  const bool capturing = on.caller() && on.caller()->capturing;
  const CapturingCall scope(capturing);
  auto* owner = Process::get().owner(at);
  // Where the stream is not known, or its order is that of a graph to be: behind all work.
  const bool behind_all = owner && (!on.caller() || capturing);
  if (behind_all) (void)record_use(*owner, at, {});
  const auto result = release(behind_all ? std::nullopt : on.caller(), at,
                              [&] { return free_natively(*real, capturing, at, stream); });
  if (result != CUDA_SUCCESS && !Process::get().exiting())
    log::error("gmlake_free: {} on device {}: CUDA error {}", reinterpret_cast<void*>(at), device,
               static_cast<int>(result));
}

void record_for_plugin(CUdeviceptr at, CUstream stream) {
  auto* owner = Process::get().owner(at);
  const auto* real = owner ? open_driver() : nullptr;
  if (!real) return;  // not the pool's: its free waits for everything
  const OnDevice on(*real, owner->ordinal(), stream);
  // Nothing is known of a stream that captures, so it counts as any of the context.
  if (!record_use(*owner, at, on.caller() ? on.caller()->origin : pool::Origin{}))
    log::error("gmlake_record_use: {} is no live block", reinterpret_cast<void*>(at));
}

CUdeviceptr address(const void* at) {
  return reinterpret_cast<CUdeviceptr>(at);
}

}  // namespace

void forget_primary(CUcontext context) {
  for (auto& kept : primaries) {
    auto* known = context;
    (void)kept.compare_exchange_strong(known, nullptr);
  }
}

extern "C" {

GMLAKE_EXPORT void* gmlake_malloc(std::size_t size, int device, CUstream stream) {
  GMLAKE_CALL_SITE();
  CUdeviceptr at = 0;
  (void)allocate_for_plugin(at, size, device, stream);
  return reinterpret_cast<void*>(at);
}
GMLAKE_EXPORT int gmlake_allocate(void** ptr, std::size_t size, int device, CUstream stream) {
  GMLAKE_CALL_SITE();
  CUdeviceptr at = 0;
  const auto result = allocate_for_plugin(at, size, device, stream);
  *ptr = reinterpret_cast<void*>(at);
  return static_cast<int>(result);
}
GMLAKE_EXPORT void gmlake_free(void* ptr, std::size_t, int device, CUstream stream) {
  GMLAKE_CALL_SITE();
  free_for_plugin(address(ptr), device, stream);
}
GMLAKE_EXPORT void gmlake_record_use(void* ptr, CUstream stream) {
  record_for_plugin(address(ptr), stream);
}

}  // extern "C"

}  // namespace gmlake::hooks
