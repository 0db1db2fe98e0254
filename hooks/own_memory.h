// Memory of a device that the program has past the pool: native allocations, and physical memory
// and virtual ranges of its own making (cuMemCreate, cuMemMap). None of it is served; it is
// counted, and part of pool.max_bytes and pool.max_share.
//
// Physical memory lives until it has neither a handle nor a mapping. What a call takes is counted
// before the call, so that threads can not go past a limit together; what a call ends is forgotten
// before it, since the handle or address may come back at once, and known again if it fails.
// Thread-safe.
#pragma once

#include <map>
#include <memory>
#include <unordered_map>
#include <vector>

#include "hooks/process.h"

namespace gmlake::hooks {

// The program is about to take memory past the pool. False: a limit forbids it.
bool claim_beside(pool::DevicePool& pool, Bytes bytes);

// Bytes that a pool's books count for the program: claimed at first, and had once the call has been
// made. They leave the books with the last who holds this.
class Taken {
 public:
  // Null: a limit forbids it. Throws where there is no host memory.
  static std::shared_ptr<Taken> claim(pool::DevicePool& pool, stats::Gauge what, Bytes bytes);
  ~Taken();
  void note();
  Taken(const Taken&) = delete;
  Taken& operator=(const Taken&) = delete;

 private:
  Taken(pool::DevicePool& pool, stats::Gauge what, Bytes bytes)
      : pool_(pool), what_(what), bytes_(bytes) {}

  pool::DevicePool& pool_;
  const stats::Gauge what_;
  const Bytes bytes_;
  bool noted_ = false;
};

class OwnMemory {
 public:
  using Share = std::shared_ptr<Taken>;
  using Handle = CUmemGenericAllocationHandle;
  struct Block {
    void* context = nullptr;
    Share share;
  };
  struct Owned {  // a handle; the program may hold it more than once
    Share share;
    unsigned references = 0;
  };
  using Unmapped = std::vector<std::pair<CUdeviceptr, std::pair<Bytes, Share>>>;

  void add_block(CUdeviceptr at, Block block);
  Block remove_block(CUdeviceptr at);
  void forget_context(const void* context);

  void add_handle(Handle handle, Share share);
  // One reference less; what to add again if the release fails.
  Share remove_handle(Handle handle);
  void map(CUdeviceptr at, Bytes size, Handle handle);
  Unmapped unmap(CUdeviceptr at, Bytes size);
  void map_again(const Unmapped& mappings);
  // The memory behind an address has got one reference more, by this handle.
  void retain(CUdeviceptr at, Handle handle);

 private:
  RankedMutex<Rank::registry> mutex_;  // the pools' books may be taken under it
  std::unordered_map<CUdeviceptr, Block> blocks_ GMLAKE_GUARDED_BY(mutex_);
  std::unordered_map<Handle, Owned> handles_ GMLAKE_GUARDED_BY(mutex_);
  std::map<CUdeviceptr, std::pair<Bytes, Share>> mappings_ GMLAKE_GUARDED_BY(mutex_);
};
OwnMemory& own_memory();
// The program has asked for the handle behind an address, and got a reference to it.
void own_handle_retained(CUdeviceptr at, CUmemGenericAllocationHandle handle);

// Native calls that make or take back a block of device memory which is no stream's.
template <typename Native>
CUresult allocate_past(pool::DevicePool& pool, const CUdeviceptr* out, Bytes bytes, void* context,
                       Native native) {
  OwnMemory::Share share;
  const bool asked = guarded(
      [&] { share = Taken::claim(pool, &stats::DeviceCounters::native_live_bytes, bytes); });
  if (asked && !share) return CUDA_ERROR_OUT_OF_MEMORY;
  const CUresult result = native();
  if (result == CUDA_SUCCESS && share)
    (void)guarded([&] {
      share->note();
      own_memory().add_block(*out, {context, share});
    });
  return result;
}
template <typename Native>
auto free_past(CUdeviceptr at, Native native) {
  auto block = own_memory().remove_block(at);
  const auto result = native();
  if (static_cast<int>(result) != 0 && block.share)
    (void)guarded([&] { own_memory().add_block(at, std::move(block)); });
  return result;
}

}  // namespace gmlake::hooks
