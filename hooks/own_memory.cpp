#include "hooks/own_memory.h"

#include "hooks/own_pools.h"

#include "support/lasting.h"

namespace gmlake::hooks {

OwnMemory& own_memory() {
  return lasting<OwnMemory>();
}

// The driver's pools may have given memory back since they were asked.
bool claim_beside(pool::DevicePool& pool, Bytes bytes) {
  if (pool.claim_beside(bytes)) return true;
  if (const auto* real = real_driver()) own_pools().ask_all(*real, pool);
  if (pool.claim_beside(bytes)) return true;
  pool.count([](stats::DeviceCounters& counters) { ++counters.limit_refusals; });
  return false;
}

std::shared_ptr<Taken> Taken::claim(pool::DevicePool& pool, stats::Gauge what, Bytes bytes) {
  if (!claim_beside(pool, bytes)) return nullptr;
  return std::shared_ptr<Taken>(new Taken(pool, what, bytes));
}

void Taken::note() {
  pool_.unclaim_beside(bytes_);
  pool_.note_beside(what_, bytes_);
  noted_ = true;
}

Taken::~Taken() {
  if (Process::get().has_given_up()) return;
  (void)guarded([&] { noted_ ? pool_.leave_beside(what_, bytes_) : pool_.unclaim_beside(bytes_); });
}

void OwnMemory::add_block(CUdeviceptr at, Block block) {
  const Lock lock(mutex_);
  std::swap(blocks_[at], block);
}

OwnMemory::Block OwnMemory::remove_block(CUdeviceptr at) {
  const Lock lock(mutex_);
  const auto known = blocks_.find(at);
  if (known == blocks_.end()) return {};
  Block block = std::move(known->second);
  blocks_.erase(known);
  return block;
}

void OwnMemory::forget_context(const void* context) {
  std::vector<Block> gone;
  const Lock lock(mutex_);
  for (auto at = blocks_.begin(); at != blocks_.end();) {
    if (at->second.context != context) {
      ++at;
      continue;
    }
    gone.push_back(std::move(at->second));
    at = blocks_.erase(at);
  }
}

void OwnMemory::add_handle(Handle handle, Share share) {
  const Lock lock(mutex_);
  auto& owned = handles_[handle];
  owned.share.swap(share);
  ++owned.references;
}

OwnMemory::Share OwnMemory::remove_handle(Handle handle) {
  const Lock lock(mutex_);
  const auto known = handles_.find(handle);
  if (known == handles_.end()) return nullptr;
  Share share = known->second.share;
  if (--known->second.references == 0) handles_.erase(known);
  return share;
}

void OwnMemory::map(CUdeviceptr at, Bytes size, Handle handle) {
  const Lock lock(mutex_);
  const auto known = handles_.find(handle);
  if (known != handles_.end()) mappings_.insert_or_assign(at, std::pair{size, known->second.share});
}

OwnMemory::Unmapped OwnMemory::unmap(CUdeviceptr at, Bytes size) {
  Unmapped gone;
  const Lock lock(mutex_);
  const auto first = mappings_.lower_bound(at);
  auto last = first;
  for (; last != mappings_.end() && last->first - at < size; ++last) gone.emplace_back(*last);
  mappings_.erase(first, last);
  return gone;
}

void OwnMemory::map_again(const Unmapped& mappings) {
  const Lock lock(mutex_);
  mappings_.insert(mappings.begin(), mappings.end());
}

void OwnMemory::retain(CUdeviceptr at, Handle handle) {
  const Lock lock(mutex_);
  auto behind = mappings_.upper_bound(at);
  if (behind == mappings_.begin()) return;
  --behind;
  if (at - behind->first >= behind->second.first) return;
  auto& owned = handles_[handle];
  owned.share = behind->second.second;
  ++owned.references;
}

}  // namespace gmlake::hooks
