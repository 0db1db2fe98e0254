#include "hooks/caller.h"

#include <array>

namespace gmlake::hooks {
namespace {

std::atomic<std::uint64_t> generation{1};  // of identities: rises when one dies
std::atomic<int> captures{0};

struct Identity {
  CUstream handle = nullptr;
  CUcontext current =
      nullptr;  // the context that was current: it gives the default streams their meaning
  bool per_thread = false;
  bool valid = false;
  CUcontext context = nullptr;
  int device = 0;
  std::uint64_t id = 0;
};

struct Cache {
  std::uint64_t generation = 0;
  CUcontext context = nullptr;
  int device = -1;
  std::array<Identity, 16> streams{};
};
thread_local Cache cache;

void refresh_cache() {
  const auto now = generation.load(std::memory_order_acquire);
  if (cache.generation == now) return;
  cache = Cache{};
  cache.generation = now;
}

bool device_of_current(const RealDriver& real, CUcontext& context, int& device) {
  if (real.table.cuCtxGetCurrent_(&context) != CUDA_SUCCESS || !context) return false;
  if (context != cache.context) {
    CUdevice found = 0;
    if (real.table.cuCtxGetDevice_(&found) != CUDA_SUCCESS) return false;
    cache.context = context;
    cache.device = found;
  }
  device = cache.device;
  return true;
}

bool is_default(CUstream stream) {
  return stream == nullptr || stream == CU_STREAM_LEGACY || stream == CU_STREAM_PER_THREAD;
}

bool identify(const RealDriver& real, Identity& who) {
  unsigned long long id = 0;
  const auto get_id = who.per_thread ? real.table.cuStreamGetId_ptsz_ : real.table.cuStreamGetId_;
  if (get_id(who.handle, &id) != CUDA_SUCCESS) return false;
  who.id = id;
  who.context = who.current;
  who.device = cache.device;
  CUcontext own = nullptr;
  if (is_default(who.handle) || real.table.cuStreamGetCtx_(who.handle, &own) != CUDA_SUCCESS ||
      !own || own == who.current)
    return true;
  // A stream of another context, perhaps of another device: memory comes from the stream's device.
  CUdevice device = 0;
  CUcontext popped = nullptr;
  if (real.table.cuCtxPushCurrent_v2_(own) != CUDA_SUCCESS) return false;
  const bool known = real.table.cuCtxGetDevice_(&device) == CUDA_SUCCESS;
  (void)real.table.cuCtxPopCurrent_v2_(&popped);
  who.context = own;
  who.device = device;
  return known;
}

}  // namespace

void forget_identities() {
  generation.fetch_add(1, std::memory_order_acq_rel);
}
void capture_began() {
  captures.fetch_add(1);
}
void capture_ended() {
  captures.fetch_sub(1);
}
bool capture_under_way() {
  return captures.load(std::memory_order_relaxed) > 0;
}

std::optional<Caller> host_caller(const RealDriver& real) {
  if (!real.complete) return {};
  refresh_cache();
  Caller caller;
  CUcontext context = nullptr;
  if (!device_of_current(real, context, caller.device)) return {};
  caller.origin.context = context;
  caller.origin.capture_under_way = capture_under_way();
  return caller;
}

std::optional<Caller> stream_caller(const RealDriver& real, CUstream stream,
                                    bool per_thread_default) {
  if (!real.complete) return {};
  refresh_cache();
  CUcontext context = nullptr;
  int device = 0;
  if (!device_of_current(real, context, device)) return {};

  Caller caller;
  caller.device = device;
  caller.origin.context = context;
  caller.origin.stream = stream;
  caller.origin.capture_under_way = capture_under_way();
  const bool may_cache = Process::get().driver_door();
  // Without the driver door captures go unseen: then the driver is asked each time. Before anything
  // else: to ask a capturing stream for its id breaks the capture (measured on driver 580).
  if (caller.origin.capture_under_way || !may_cache) {
    auto status = CU_STREAM_CAPTURE_STATUS_NONE;
    const auto ask =
        per_thread_default ? real.table.cuStreamIsCapturing_ptsz_ : real.table.cuStreamIsCapturing_;
    // An error means the legacy stream while a blocking stream captures: as good as captured.
    caller.capturing =
        ask(stream, &status) != CUDA_SUCCESS || status != CU_STREAM_CAPTURE_STATUS_NONE;
    if (caller.capturing) return caller;
  }

  auto& known = cache.streams[(reinterpret_cast<std::uintptr_t>(stream) >> 4 ^
                               reinterpret_cast<std::uintptr_t>(stream)) %
                              cache.streams.size()];
  Identity who = known;
  if (!may_cache || !who.valid || who.handle != stream || who.current != context ||
      who.per_thread != per_thread_default) {
    who = Identity{stream, context, per_thread_default, true, nullptr, 0, 0};
    if (!identify(real, who)) return {};
    known = who;
  }
  caller.device = who.device;
  caller.origin.context = who.context;
  caller.origin.stream_id = who.id;
  caller.origin.thread_bound =
      stream == CU_STREAM_PER_THREAD || (per_thread_default && stream == nullptr);
  return caller;
}

RelaxedCapture::RelaxedCapture(const RealDriver& real) : real_(real) {
  if (capture_under_way() && real_.table.cuThreadExchangeStreamCaptureMode_)
    exchanged_ = real_.table.cuThreadExchangeStreamCaptureMode_(&mode_) == CUDA_SUCCESS;
}
RelaxedCapture::~RelaxedCapture() {
  if (exchanged_) (void)real_.table.cuThreadExchangeStreamCaptureMode_(&mode_);
}

}  // namespace gmlake::hooks
