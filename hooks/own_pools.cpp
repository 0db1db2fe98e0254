#include "hooks/own_pools.h"

#include "support/lasting.h"

namespace gmlake::hooks {

OwnPools& own_pools() {
  return lasting<OwnPools>();
}

void OwnPools::add(CUmemoryPool pool, int device) {
  const Lock lock(mutex_);
  pools_[pool] = {device, 0, 0};
}

void OwnPools::add_if_new(CUmemoryPool pool, int device) {
  const Lock lock(mutex_);
  pools_.try_emplace(pool, Known{device, 0, 0});
}

OwnPools::All::node_type OwnPools::take(CUmemoryPool pool) {
  const Lock lock(mutex_);
  return pools_.extract(pool);
}

// cuda.h, cuMemPoolDestroy: its memory goes when the last allocation is freed, which is not seen.
void OwnPools::settle(All::node_type is, bool gone) {
  if (is.empty()) return;
  if (!gone) {
    const Lock lock(mutex_);
    pools_.insert(std::move(is));
  } else if (auto* books = Process::get().pool_if_any(is.mapped().device)) {
    (void)guarded(
        [&] { books->leave_beside(&stats::DeviceCounters::own_pool_bytes, is.mapped().owns); });
  }
}

pool::DevicePool* OwnPools::books_of(const RealDriver& real, CUmemoryPool pool, Bytes bytes) {
  int device = 0;
  {
    const Lock lock(mutex_);
    const auto known = pools_.find(pool);
    if (known == pools_.end() || !real.table.cuMemPoolGetAttribute_) return nullptr;
    if (known->second.left >= bytes) {
      known->second.left -= bytes;
      return nullptr;
    }
    device = known->second.device;
  }
  return Process::get().pool(device, real.table);
}

void OwnPools::ask_all(const RealDriver& real, pool::DevicePool& books) {
  std::vector<CUmemoryPool> pools;
  {
    const Lock lock(mutex_);
    for (const auto& [pool, known] : pools_)
      if (known.device == books.ordinal() && known.owns != 0) pools.push_back(pool);
  }
  for (auto* const pool : pools) ask(real, pool, books);
}

void OwnPools::ask(const RealDriver& real, CUmemoryPool pool, pool::DevicePool& books) {
  cuuint64_t owns = 0;
  cuuint64_t used = 0;
  const auto get = real.table.cuMemPoolGetAttribute_;
  if (get(pool, CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT, &owns) != CUDA_SUCCESS ||
      get(pool, CU_MEMPOOL_ATTR_USED_MEM_CURRENT, &used) != CUDA_SUCCESS)
    return;
  const Lock lock(mutex_);
  const auto known = pools_.find(pool);
  if (known == pools_.end()) return;
  books.leave_beside(&stats::DeviceCounters::own_pool_bytes, known->second.owns);
  books.note_beside(&stats::DeviceCounters::own_pool_bytes, owns);
  known->second.owns = owns;
  known->second.left = owns - std::min(owns, used);
}

}  // namespace gmlake::hooks
