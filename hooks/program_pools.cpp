#include "hooks/program_pools.h"

#include "hooks/serve.h"
#include "support/lasting.h"

namespace gmlake::hooks {

constinit std::array<std::atomic<pool::PoolTag>, Process::kMostDevices> current_pools{};

namespace {

using pool::kDefaultPool;
using pool::PoolTag;

struct Served {
  pool::DevicePool* by = nullptr;  // null: the driver
  PoolTag tag = kDefaultPool;
  explicit operator bool() const { return by != nullptr; }
};

// A pool that the program has made and that is served. Written with the lock of all; `handle` is
// written last, and gone before the rest changes.
struct Known {
  std::atomic<CUmemoryPool> handle{nullptr};
  std::atomic<pool::DevicePool*> by{nullptr};
  std::atomic<PoolTag> tag{0};
};

// The last handles that were destroyed; written with the lock of all.
struct Gone {
  std::array<std::atomic<CUmemoryPool>, 256> handles{};
  std::atomic<std::size_t> next{0};
  std::atomic<bool> any{false};

  std::atomic<CUmemoryPool>* find(CUmemoryPool pool) {
    if (!pool || !any.load(std::memory_order_acquire)) return nullptr;
    for (auto& handle : handles)
      if (handle.load(std::memory_order_relaxed) == pool) return &handle;
    return nullptr;
  }
  void add(CUmemoryPool pool) {
    if (!pool || find(pool)) return;
    handles[next++ % handles.size()].store(pool, std::memory_order_relaxed);
    any.store(true, std::memory_order_release);
  }
};

struct Pools {
  static constexpr std::size_t kNone = ~std::size_t{0};

  RankedMutex<Rank::streams> mutex;
  std::array<Known, pool::kMostPools> known;
  std::atomic<std::size_t> count{0};  // places that have been used are below
  Gone gone;
  std::array<std::atomic<CUmemoryPool>, Process::kMostDevices> defaults{};
  std::array<std::atomic<CUmemoryPool>, Process::kMostDevices> current{};  // null: the default one

  std::size_t find(CUmemoryPool pool) const {
    if (!pool) return kNone;
    for (std::size_t i = 0, n = count.load(std::memory_order_acquire); i < n; ++i)
      if (known[i].handle.load(std::memory_order_acquire) == pool) return i;
    return kNone;
  }
};
Pools& pools() {
  return lasting<Pools>();
}

bool serving() {
  auto& process = Process::get();
  return process.serving() && process.config().pool_enabled;
}

CUmemoryPool default_pool(const RealDriver& real, int device) {
  auto& kept = pools().defaults[static_cast<unsigned>(device)];
  if (auto* known = kept.load(std::memory_order_acquire)) return known;
  CUmemoryPool pool = nullptr;
  if (!real.table.cuDeviceGetDefaultMemPool_ ||
      real.table.cuDeviceGetDefaultMemPool_(&pool, device) != CUDA_SUCCESS)
    return nullptr;
  kept.store(pool, std::memory_order_release);
  return pool;
}

Served find(const RealDriver& real, CUmemoryPool pool) {
  if (!pool || !real.complete || !serving()) return {};
  auto& all = pools();
  if (const auto i = all.find(pool); i != Pools::kNone)
    return {all.known[i].by.load(std::memory_order_acquire),
            all.known[i].tag.load(std::memory_order_acquire)};
  int devices = 0;
  if (real.table.cuDeviceGetCount_(&devices) != CUDA_SUCCESS) return {};
  for (int device = 0; device < std::min(devices, Process::kMostDevices); ++device)
    if (default_pool(real, device) == pool)
      return {Process::get().pool(device, real.table), kDefaultPool};
  return {};
}

// Memory of the device that stays in this process.
bool is_plain(const CUmemPoolProps& properties) {
  return properties.allocType == CU_MEM_ALLOCATION_TYPE_PINNED &&
         properties.handleTypes == CU_MEM_HANDLE_TYPE_NONE &&
         properties.location.type == CU_MEM_LOCATION_TYPE_DEVICE && properties.usage == 0;
}

}  // namespace

pool::DevicePool* server_of(const RealDriver& real, CUmemoryPool pool) {
  return find(real, pool).by;
}

void use_pool(const RealDriver& real, std::optional<Caller>& caller, CUmemoryPool pool) {
  if (!caller) return;
  const auto served = find(real, pool);
  const bool here = served && served.by->ordinal() == caller->device;
  caller->origin.pool = here ? served.tag : kNativePool;
}

CUmemoryPool pool_of_block(const RealDriver& real, pool::DevicePool& owner, CUdeviceptr at) {
  std::optional<PoolTag> tag;
  if (!Process::get().has_given_up()) (void)guarded([&] { tag = owner.pool_at(at); });
  if (!tag) return nullptr;
  if (*tag == kDefaultPool) return default_pool(real, owner.ordinal());
  return static_cast<CUmemoryPool>(owner.account(*tag).handle.load());
}

CUmemoryPool current_pool(const RealDriver& real, int device) {
  auto* const own = default_pool(real, device);
  auto* current = pools().current[static_cast<unsigned>(device)].load();
  // What the program calls past a shut door is asked for.
  if (!Process::get().driver_door() &&
      (!real.table.cuDeviceGetMemPool_ ||
       real.table.cuDeviceGetMemPool_(&current, device) != CUDA_SUCCESS))
    return nullptr;
  if (!current) current = own;
  // The device's own is not seen to be created.
  if (own && own == current) (void)guarded([&] { own_pools().add_if_new(own, device); });
  return current;
}

void pool_made(const RealDriver& real, CUmemoryPool pool, const CUmemPoolProps& properties) {
  if (!is_plain(properties) || !real.complete || !serving()) return;
  auto* by = Process::get().pool(properties.location.id, real.table);
  if (!by) return;
  (void)guarded([&] {
    const auto tag = by->open_account(pool, properties.maxSize);
    if (!tag) return;
    auto& all = pools();
    const Lock lock(all.mutex);
    const auto count = all.count.load(std::memory_order_relaxed);
    std::size_t place = 0;
    while (place < count && all.known[place].handle.load() != nullptr) ++place;
    if (place == all.known.size()) return by->close_account(*tag);
    auto& known = all.known[place];
    known.by = by;
    known.tag = *tag;
    known.handle.store(pool, std::memory_order_release);
    if (place == count) all.count.store(count + 1, std::memory_order_release);
  });
}

void pool_is_there(CUmemoryPool pool) {
  auto& all = pools();
  if (!all.gone.find(pool)) return;
  const Lock lock(all.mutex);
  if (auto* const was = all.gone.find(pool)) was->store(nullptr, std::memory_order_relaxed);
}

bool pool_is_gone(CUmemoryPool pool) {
  return pools().gone.find(pool) != nullptr;
}

// Gone from here on: another thread may get the handle before the driver has answered this one.
PoolEnds::PoolEnds(CUmemoryPool pool) : pool_(pool), place_(pools().find(pool)) {
  if (place_ != Pools::kNone) pools().known[place_].handle = nullptr;
  const Lock lock(pools().mutex);
  pools().gone.add(pool);
}

void PoolEnds::settle(bool succeeded) {
  auto& all = pools();
  Known* known = place_ == Pools::kNone ? nullptr : &all.known[place_];
  if (!succeeded) {
    pool_is_there(pool_);
    if (known) known->handle.store(pool_, std::memory_order_release);
    return;
  }
  // cuda.h, cuMemPoolDestroy: the default pool is then the current one.
  for (std::size_t device = 0; device < all.current.size(); ++device) {
    auto* current = pool_;
    if (pool_ && all.current[device].compare_exchange_strong(current, nullptr))
      current_pools[device].store(kDefaultPool);
  }
  if (known && serving()) (void)guarded([&] { known->by.load()->close_account(known->tag); });
}

void pool_is_current(const RealDriver& real, int device, CUmemoryPool pool) {
  if (device < 0 || device >= Process::kMostDevices || !serving()) return;
  const auto at = static_cast<unsigned>(device);
  const auto served = find(real, pool);
  const bool is_default = served && served.tag == kDefaultPool;
  const Lock lock(pools().mutex);
  pools().current[at].store(is_default ? nullptr : pool);
  current_pools[at].store(served ? served.tag : kNativePool);
}

void attribute_set(const RealDriver& real, CUmemoryPool pool, CUmemPool_attribute which,
                   const void* value) {
  const auto served = find(real, pool);
  if (!served) return;
  auto& account = served.by->account(served.tag);
  const auto on = [&] { return *static_cast<const int*>(value) != 0; };
  (void)guarded([&] {
    switch (which) {
      case CU_MEMPOOL_ATTR_REUSE_FOLLOW_EVENT_DEPENDENCIES:
        return account.follows_events.store(on());
      case CU_MEMPOOL_ATTR_REUSE_ALLOW_OPPORTUNISTIC:
        return account.takes_completed.store(on());
      case CU_MEMPOOL_ATTR_REUSE_ALLOW_INTERNAL_DEPENDENCIES:
        return account.inserts_waits.store(on());
      case CU_MEMPOOL_ATTR_RELEASE_THRESHOLD:
        account.threshold = *static_cast<const cuuint64_t*>(value);
        account.has_threshold = true;
        return account.mark();
      case CU_MEMPOOL_ATTR_USED_MEM_HIGH:
        return served.by->reset_used_high(served.tag);
      case CU_MEMPOOL_ATTR_RESERVED_MEM_HIGH:
        return served.by->reset_reserved_high(served.tag);
      default:
        return;
    }
  });
}

// The driver has counted what it has allocated itself.
void attribute_got(const RealDriver& real, CUmemoryPool pool, CUmemPool_attribute which,
                   void* value) {
  const auto member = [&]() -> Bytes pool::Books::Figures::* {
    switch (which) {
      case CU_MEMPOOL_ATTR_USED_MEM_CURRENT:
        return &pool::Books::Figures::used;
      case CU_MEMPOOL_ATTR_USED_MEM_HIGH:
        return &pool::Books::Figures::used_high;
      case CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT:
        return &pool::Books::Figures::reserved;
      case CU_MEMPOOL_ATTR_RESERVED_MEM_HIGH:
        return &pool::Books::Figures::reserved_high;
      default:
        return nullptr;
    }
  }();
  const auto served = member ? find(real, pool) : Served{};
  if (!served) return;
  (void)guarded(
      [&] { *static_cast<cuuint64_t*>(value) += served.by->figures(served.tag).*member; });
}

void trim_with(const RealDriver& real, CUmemoryPool pool, std::size_t keep) {
  if (const auto served = find(real, pool))
    (void)guarded([&] { served.by->trim_account(served.tag, keep); });
}

}  // namespace gmlake::hooks
