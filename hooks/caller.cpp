#include "hooks/caller.h"

#include <array>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include <unistd.h>

#include "hooks/caller_cache.h"
#include "hooks/captures.h"
#include "hooks/legacy_stream.h"
#include "hooks/recording.h"
#include "hooks/single_stream.h"
#include "support/fault.h"
#include "support/no_cancel.h"

namespace gmlake::hooks {

std::atomic<std::uint64_t> caller_generation{1};
std::atomic<Contexts> known_contexts{Contexts::unknown};
constinit thread_local CallerCache caller_cache;

namespace {

// Of a thread with more streams: those that had to leave the cache.
struct Others {
  std::uint64_t generation = 0;
  std::array<Identity, 512> streams{};

  Identity& of(CUstream stream) {
    const auto bits = reinterpret_cast<std::uintptr_t>(stream);
    return streams[bits * 0x9e3779b97f4a7c15 >> 55];
  }
};
// Whether the thread's own objects here are destroyed: destructors of the program's may call after
// that, and then no more is remembered.
constinit thread_local bool thread_has_ended = false;

// What the calling thread has and leaves.
class Mine {
 public:
  // Its default streams end with it, and no call says so; what they freed is followed through
  // their contexts, as before.
  ~Mine() {
    thread_has_ended = true;
    // At the end of the process nobody begins a stream any more, and a lock may never be given
    // back.
    if (::gettid() == ::getpid()) return;
    if (capture_under_way()) captures_of_thread_end();
    if (streams_.empty()) return;
    auto* process = Process::get_if_made();
    if (!process || !process->serving()) return;
    for (const auto& origin : streams_) note(Action::stream_ends, origin, 0, 0);
    for (const auto& origin : streams_)
      (void)each_pool([&](pool::DevicePool& pool) { pool.retire_stream(origin); });
  }
  void add(const pool::Origin& origin) {
    for (const auto& known : streams_)
      if (known.stream_id == origin.stream_id) return;
    streams_.push_back(origin);
  }
  std::unique_ptr<Others> others;

 private:
  std::vector<pool::Origin> streams_;
};
thread_local Mine mine;

// The cache's place for the stream, with what is known of it.
Identity& place_of(CUstream stream) {
  auto& place = caller_cache.place_of(stream);
  if (!place.valid || place.handle == stream) return place;
  if (thread_has_ended) return place = Identity{};
  auto& others = mine.others;
  if (!others) others.reset(new (std::nothrow) Others);
  if (!others) return place = Identity{};
  if (others->generation != caller_cache.generation) *others = Others{};
  others->generation = caller_cache.generation;
  auto& other = others->of(stream);
  const auto leaves = std::exchange(place, other.handle == stream ? other : Identity{});
  others->of(leaves.handle) = leaves;
  return place;
}

void refresh_cache() {
  const auto now = caller_generation.load(std::memory_order_acquire);
  if (caller_cache.generation == now) return;
  caller_cache = CallerCache{};
  caller_cache.generation = now;
}

// A primary context stays current when it is reset, and says of which device it is (measured on
// driver 580); of others the second question is a sure sign.
bool is_alive(const RealDriver& real, CUdevice device) {
  unsigned flags = 0;
  int active = 0;
  std::size_t free = 0;
  std::size_t total = 0;
  return (real.table.cuDevicePrimaryCtxGetState_(device, &flags, &active) == CUDA_SUCCESS &&
          active != 0) ||
         real.table.cuMemGetInfo_v2_(&free, &total) == CUDA_SUCCESS;
}

bool device_of_current(const RealDriver& real, CUcontext& context, int& device) {
  caller_cache.current = false;
  if (real.table.cuCtxGetCurrent_(&context) != CUDA_SUCCESS || !context) return false;
  if (context != caller_cache.host.origin.context) {
    CUdevice found = 0;
    if (real.table.cuCtxGetDevice_(&found) != CUDA_SUCCESS || !is_alive(real, found)) return false;
    caller_cache.host.origin.context = context;
    caller_cache.host.device = found;
  }
  caller_cache.current = true;
  device = caller_cache.host.device;
  return true;
}

[[gnu::noinline]] Contexts count_contexts(const RealDriver& real) {
  int devices = 0;
  const bool one = Process::get().driver_door() && Process::get().in_front() &&
                   real.table.cuDeviceGetCount_(&devices) == CUDA_SUCCESS && devices == 1;
  // A context made meanwhile has said so.
  auto known = Contexts::unknown;
  known_contexts.compare_exchange_strong(known, one ? Contexts::one : Contexts::several);
  return known_contexts.load();
}
bool one_context(const RealDriver& real) {
  auto known = known_contexts.load(std::memory_order_acquire);
  if (known == Contexts::unknown) known = count_contexts(real);
  return known == Contexts::one;
}

// An error means the legacy stream while a blocking stream captures: as good as captured.
bool is_capturing(const RealDriver& real, CUstream stream, bool per_thread_default) {
  auto status = CU_STREAM_CAPTURE_STATUS_NONE;
  const auto ask =
      per_thread_default ? real.table.cuStreamIsCapturing_ptsz_ : real.table.cuStreamIsCapturing_;
  return ask(stream, &status) != CUDA_SUCCESS || status != CU_STREAM_CAPTURE_STATUS_NONE;
}

bool identify(const RealDriver& real, Identity& who) {
  const NoCancel whole;
  unsigned long long id = 0;
  if (GMLAKE_FAULT(per_thread_is_legacy) && is_default(who.handle))
    who.handle = CU_STREAM_LEGACY, who.per_thread = false;
  const auto get_id = who.per_thread ? real.table.cuStreamGetId_ptsz_ : real.table.cuStreamGetId_;
  {
    // To ask a capturing stream breaks the capture (measured on driver 580): none begins meanwhile.
    const CaptureGate gate;
    if (gate.is_open(nullptr)) {
      const Lock lock(captures_mutex());
      const bool own = who.per_thread && !who.handle;
      if (is_counted(own ? CU_STREAM_PER_THREAD : who.handle, who.current) ||
          is_capturing(real, who.handle, who.per_thread))
        return false;
    }
    if (get_id(who.handle, &id) != CUDA_SUCCESS) return false;
  }
  auto& origin = who.caller.origin;
  origin.stream_id = id;
  const bool per_thread =
      who.handle == CU_STREAM_PER_THREAD || (who.per_thread && who.handle == nullptr);
  origin.stream = per_thread ? CU_STREAM_PER_THREAD : who.handle;
  // Of a stream that was created nobody would tell us the end.
  origin.thread_bound = per_thread || (!is_default(who.handle) && !Process::get().in_front());
  origin.context = who.current;
  who.caller.device = caller_cache.host.device;
  using Kind = stats::StreamName::Kind;
  origin.kind = per_thread               ? Kind::per_thread
                : is_default(who.handle) ? Kind::legacy
                                         : Kind::created;
  origin.blocking =
      origin.kind != Kind::created || !Process::get().streams().is_non_blocking(who.handle);
  if (per_thread && !thread_has_ended) (void)guarded([&] { mine.add(origin); });
  stream_used(who.handle, who.per_thread);
  if (is_default(who.handle)) return true;
  CUcontext own = nullptr;
  if (real.table.cuStreamGetCtx_(who.handle, &own) == CUDA_SUCCESS && own && own != who.current) {
    // A stream of another context, perhaps of another device: memory comes from the stream's
    // device.
    CUdevice device = 0;
    CUcontext popped = nullptr;
    if (real.table.cuCtxPushCurrent_v2_(own) != CUDA_SUCCESS) return false;
    const bool known = real.table.cuCtxGetDevice_(&device) == CUDA_SUCCESS;
    (void)real.table.cuCtxPopCurrent_v2_(&popped);
    if (!known) return false;
    origin.context = own;
    who.caller.device = device;
  }
  // However it was made.
  if (Process::get().driver_door())
    second_stream(static_cast<CUcontext>(origin.context), "a stream is used");
  return true;
}

}  // namespace

CUresult current_becomes(CUcontext context, CUresult result) {
  if (result == CUDA_SUCCESS && (!context || context != caller_cache.host.origin.context))
    caller_cache.current = false;
  return result;
}
void forget_identities() {
  if (!GMLAKE_FAULT(recycled_handle)) caller_generation.fetch_add(1, std::memory_order_acq_rel);
}
void context_made() {
  if (known_contexts.exchange(Contexts::several) != Contexts::several) forget_identities();
}

std::optional<Caller> host_caller(const RealDriver& real, Entry entry) {
  if (!real.complete) return {};
  refresh_cache();
  CUcontext context = nullptr;
  int device = 0;
  const bool known = caller_cache.current && entry == Entry::runtime && one_context(real);
  if (!known && !device_of_current(real, context, device)) return {};
  return caller_cache.host;
}

// Kept out of the way of the many that are in the cache.
[[gnu::noinline]] static std::optional<Caller> find_stream_caller(const RealDriver& real,
                                                                  CUstream stream,
                                                                  bool per_thread_default,
                                                                  Entry entry) {
  if (!real.complete) return {};
  refresh_cache();
  auto& known = place_of(stream);
  const bool may_cache = Process::get().driver_door();
  (void)one_context(real);  // which may not have been asked for yet
  if (may_cache && is_enough(known, stream, per_thread_default, entry)) return known.caller;
  const bool capture = capture_under_way();
  CUcontext context = nullptr;
  int device = 0;
  // A stream that was created needs none to be current.
  if (!device_of_current(real, context, device)) {
    if (is_default(stream)) return {};
    context = nullptr;
  }
  const bool is_known =
      may_cache && known.valid && known.handle == stream &&
      (!is_default(stream) || (known.current == context && known.per_thread == per_thread_default));
  if (is_known && !capture) return known.caller;

  // Without the driver door captures go unseen: then the driver is asked each time. Before anything
  // else: to ask a capturing stream for its id breaks the capture (measured on driver 580).
  const bool own = per_thread_default && !stream;
  if ((capture && captures_silently(own ? CU_STREAM_PER_THREAD : stream)) ||
      ((capture || !may_cache) && is_capturing(real, stream, per_thread_default))) {
    Caller caller;
    caller.device = device;
    caller.origin.context = context;
    caller.origin.stream = stream;
    caller.capturing = true;
    return caller;
  }
  if (!is_known) {
    Identity who{stream, context, per_thread_default, true, {}};
    if (!identify(real, who)) return {};
    known = who;
  }
  return known.caller;
}

std::optional<Caller> stream_caller(const RealDriver& real, CUstream stream,
                                    bool per_thread_default, Entry entry) {
  const auto& known = caller_cache.place_of(stream);
  if (is_cache_true() && Process::get().driver_door() &&
      is_enough(known, stream, per_thread_default, entry)) [[likely]]
    return known.caller;
  return find_stream_caller(real, stream, per_thread_default, entry);
}

}  // namespace gmlake::hooks
