#include "hooks/peers.h"

#include <algorithm>
#include <vector>

#include "driver/current_context.h"
#include "hooks/program_pools.h"
#include "hooks/single_stream.h"
#include "support/lasting.h"
#include "support/log.h"

namespace gmlake::hooks {

std::atomic<bool> several_devices{false};

namespace {

std::atomic<int> first_device{-1};

bool watched(const RealDriver& real) {
  return real.complete && Process::get().driver_door() && Process::get().serving();
}

// What the program has enabled, an entry each: a context for another one's memory, or (no contexts)
// a device for the memory of a memory pool on another one. Handles hold memory of both kinds, so
// that kernels reach all of it then; copies and sets are told apart.
struct Enabled {
  CUcontext by = nullptr;
  CUcontext of = nullptr;
  CUmemoryPool pool = nullptr;
  int reader = 0;
  int owner = 0;
  bool operator==(const Enabled&) const = default;
};

// Held while access is changed, so that what holds last is what was said last. Found by nobody on
// the way of a hit.
class Enablings {
 public:
  void add(const Enabled& one) {
    const Lock lock(mutex_);
    if (std::find(all_.begin(), all_.end(), one) == all_.end()) all_.push_back(one);
  }
  void remove(const Enabled& one) {
    const Lock lock(mutex_);
    std::erase(all_, one);
  }
  // Those for which `which` holds; gives them.
  template <typename Which>
  std::vector<Enabled> remove_all(Which which) {
    const Lock lock(mutex_);
    std::vector<Enabled> gone;
    for (const auto& one : all_)
      if (which(one)) gone.push_back(one);
    std::erase_if(all_, which);
    return gone;
  }
  bool holds(int reader, int owner) {
    const Lock lock(mutex_);
    return std::any_of(all_.begin(), all_.end(),
                       [&](const auto& one) { return one.reader == reader && one.owner == owner; });
  }
  // The same for memory of that pool, or (null) of no stream.
  bool holds(int reader, int owner, CUmemoryPool pool) {
    const Lock lock(mutex_);
    return std::any_of(all_.begin(), all_.end(), [&](const auto& one) {
      return one.reader == reader && one.owner == owner && one.pool == pool;
    });
  }

 private:
  RankedMutex<Rank::last> mutex_;
  std::vector<Enabled> all_ GMLAKE_GUARDED_BY(mutex_);
};
Enablings& enablings() {
  return lasting<Enablings>();
}

// The pool's memory as the program wants it. The driver's own answer if that can not be had.
CUresult settle(pool::DevicePool& pool, int reader) {
  Status done;
  const bool held = guarded([&] {
    done = pool.open_all_to(reader, [&] { return enablings().holds(reader, pool.ordinal()); });
  });
  if (held && done) return CUDA_SUCCESS;
  return held ? result_of(done.error()) : CUDA_ERROR_OUT_OF_MEMORY;
}
CUresult settle(int owner, int reader) {
  auto* const pool = Process::get().pool_if_any(owner);
  return pool && owner != reader ? settle(*pool, reader) : CUDA_SUCCESS;
}

bool device_of(const RealDriver& real, CUcontext context, int& device) {
  const driver::CurrentContext current(real.table, context);
  return current.result() == CUDA_SUCCESS && real.table.cuCtxGetDevice_(&device) == CUDA_SUCCESS;
}

// The current context for the memory of that one.
bool between(const RealDriver& real, CUcontext of, Enabled& out) {
  out.of = of;
  return real.table.cuCtxGetCurrent_(&out.by) == CUDA_SUCCESS && out.by &&
         real.table.cuCtxGetDevice_(&out.reader) == CUDA_SUCCESS && device_of(real, of, out.owner);
}

}  // namespace

void device_is_used(CUdevice device) {
  int none = -1;
  if (!first_device.compare_exchange_strong(none, device) && none != device)
    several_devices.store(true, std::memory_order_relaxed);
}

std::optional<Caller> toucher(const RealDriver& real, CUstream stream, bool zero_is_per_thread,
                              Touch how) {
  auto caller = stream_caller(real, stream, zero_is_per_thread);
  if (!caller || how != Touch::copy) return caller;
  if (const auto current = host_caller(real)) caller->device = current->device;
  return caller;
}

CUresult touch(const RealDriver& real, const Caller& caller, CUdeviceptr at, Touch how,
               bool& apart) {
  auto& process = Process::get();
  if (!process.driver_door() || !process.serving()) return CUDA_SUCCESS;
  const int device = caller.device;
  auto* const owner = process.owner(at);
  if (!owner || owner->ordinal() == device) return CUDA_SUCCESS;
  bool refused = false;
  (void)guarded([&] {
    const auto block = owner->view(at);
    if (!block) return;
    // Of a stream that captures only the current device is known, which may be another.
    const bool needs = how == Touch::set || (how == Touch::copy && block->of_stream);
    refused =
        needs && !caller.capturing &&
        !enablings().holds(device, owner->ordinal(),
                           block->of_stream ? pool_of_block(real, *owner, block->start) : nullptr);
    if (refused || how == Touch::set || owner->reaches_all(device)) return;
    const auto opened = owner->open_to(device, *block);
    if (opened) return;
    apart = apart || (how == Touch::copy && opened.error().kind == ErrorKind::unsupported);
    if (!apart)
      log::info("memory of device {} is not opened to device {}: {} (error {})", owner->ordinal(),
                device, opened.error().what, opened.error().code);
  });
  return refused ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
}

void pool_is_made(pool::DevicePool& pool) {
  for (int reader = 0; reader < Process::kMostDevices; ++reader)
    if (enablings().holds(reader, pool.ordinal())) (void)settle(pool, reader);
}

namespace {
template <typename Which>
void forget(Which which) {
  if (!several_devices.load(std::memory_order_relaxed)) return;
  std::vector<Enabled> gone;
  (void)guarded([&] { gone = enablings().remove_all(which); });
  for (const auto& one : gone) (void)settle(one.owner, one.reader);
}
}  // namespace

void forget_peers(CUcontext context) {
  if (context) forget([&](const auto& one) { return one.by == context || one.of == context; });
}
void forget_peers_of(CUmemoryPool pool) {
  if (pool) forget([&](const auto& one) { return one.pool == pool; });
}

CUresult ctx_enable_peer_access(CUcontext peer, unsigned flags) {
  GMLAKE_REAL(ctx_enable_peer_access);
  if (Process::get().driver_door() && peer)
    second_stream(peer, "another context may access its memory");
  const CUresult result = real->ctx_enable_peer_access(peer, flags);
  Enabled one;
  if (result != CUDA_SUCCESS || !watched(*real) || !between(*real, peer, one)) return result;
  (void)guarded([&] { enablings().add(one); });
  const CUresult opened = settle(one.owner, one.reader);
  if (opened == CUDA_SUCCESS) return result;
  // All or nothing.
  enablings().remove(one);
  (void)real->ctx_disable_peer_access(peer);
  return opened;
}

CUresult ctx_disable_peer_access(CUcontext peer) {
  GMLAKE_REAL(ctx_disable_peer_access);
  const CUresult result = real->ctx_disable_peer_access(peer);
  Enabled one;
  if (result != CUDA_SUCCESS || !watched(*real) || !between(*real, peer, one)) return result;
  enablings().remove(one);
  (void)settle(one.owner, one.reader);
  return result;
}

CUresult mem_pool_set_access(CUmemoryPool memory_pool, const CUmemAccessDesc* access,
                             std::size_t count) {
  GMLAKE_REAL(mem_pool_set_access);
  const CUresult result = real->mem_pool_set_access(memory_pool, access, count);
  const auto* const served =
      result == CUDA_SUCCESS && watched(*real) ? server_of(*real, memory_pool) : nullptr;
  if (!served) return result;
  const int owner = served->ordinal();
  for (std::size_t i = 0; i < count; ++i) {
    const auto& [location, flags] = access[i];
    if (location.type != CU_MEM_LOCATION_TYPE_DEVICE || location.id == owner) continue;
    const Enabled one{nullptr, nullptr, memory_pool, location.id, owner};
    if (flags == CU_MEM_ACCESS_FLAGS_PROT_NONE)
      enablings().remove(one);
    else
      (void)guarded([&] { enablings().add(one); });
    if (const CUresult bad = settle(owner, location.id)) return bad;
  }
  return result;
}

}  // namespace gmlake::hooks
