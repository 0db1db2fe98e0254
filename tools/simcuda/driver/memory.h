// All memory of all simulated devices: who owns which physical pages and which addresses. One lock;
// nothing here waits for a stream while holding it. vmm_*.cpp, native_memory.cpp, host_memory.cpp
// and pointer.cpp are the four ways in.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "config.h"
#include "context.h"
#include "handles.h"
#include "page_table.h"
#include "shared_file.h"

namespace gmlake::simcuda {

// What cuMemCreate made. Lives until the last handle reference and the last mapping are gone.
struct PhysicalHandle {
  Bytes size = 0;
  CUmemAllocationProp properties{};
  Extents extents;
  CUmemGenericAllocationHandle value = 0;
  unsigned references = 0;
  unsigned mappings = 0;
  FileRef file;           // of memory that can be exported, or is imported; else null
  bool imported = false;  // and so not taken from the device
};

struct Mapping {
  Bytes size = 0;
  PhysicalHandle* handle = nullptr;
  unsigned char access[kMaxDevices] = {};  // CUmemAccess_flags of each device
};

struct GraphBlock;  // graph_memory.h
struct Pool;
using PoolRef = std::shared_ptr<Pool>;
struct Sharing;  // ipc.cpp; null for a block that no cuIpc call has named

// What cuMemAlloc and its relatives gave out.
struct Allocation {
  Bytes size = 0;   // as requested
  Bytes pages = 0;  // as taken: whole pages
  CUdevice device = 0;
  Context* context = nullptr;  // null for stream-ordered memory, which belongs to its pool
  PoolRef pool;                // null for the other
  Extents extents;
  std::uint64_t id = 0;  // set by Memory::place
  FileRef file;          // where the pages are, if not in the device's memory
  std::shared_ptr<Sharing> sharing;
  unsigned sync_memops = 0;  // CU_POINTER_ATTRIBUTE_SYNC_MEMOPS
  Point begun;               // of stream-ordered memory: its allocation's turn
  bool freeing = false;      // its stream-ordered free has been given and has not had its turn
  std::shared_ptr<GraphBlock> graph;  // set for memory of a graph, which keeps its addresses
};

// A free that is under way.
struct Freeing {
  Address at = 0;
  std::uint64_t id = 0;
  Context* owner = nullptr;
  PoolRef pool;
};
// The free of any allocation. Its beginning is refused for anything but the start of a live one;
// `stream` is 0 if no stream orders it. Its end, once nothing uses the addresses any more, is the
// end of them. They take memory's lock.
CUresult begin_free(Address at, std::uint64_t stream, Freeing& freeing);
void cancel_free(const Freeing& freeing);
void end_free(const Freeing& freeing);

// Memory of another process, which cuIpcCloseMemHandle ends.
bool opened_by_ipc(const Allocation& block);

enum class HostKind { pinned, managed, registered };
struct HostAllocation {
  Bytes size = 0;
  HostKind kind = HostKind::pinned;
  Context* context = nullptr;
  unsigned flags = 0;
};

using PhysicalTable = HandleTable<PhysicalHandle, 0x3e3, Reuse::never>;
using PoolTable = HandleTable<Pool, 0x900, Reuse::never>;

struct Memory {
  std::mutex mutex;
  bool backed = true;
  Address base = 0;  // every device address lies in [base, base + size)
  Bytes size = 0;
  Physical devices[kMaxDevices];
  PageTable pages;
  FreeSpace reservable;  // upper half of the addresses: cuMemAddressReserve
  FreeSpace native;      // lower half: cuMemAlloc
  std::map<Address, Bytes> reservations;
  std::map<Address, Mapping> mappings;
  std::map<Address, Allocation> allocations;
  std::map<Address, HostAllocation> host;
  PhysicalTable handles;
  PoolTable pools;
  std::vector<PoolRef> live_pools;
  PoolRef default_pools[kMaxDevices];
  PoolRef current_pools[kMaxDevices];
  std::uint64_t next_allocation_id = 1;
  std::uint64_t peak_physical = 0;
  std::uint64_t mapping_count = 0;
  std::uint64_t peak_mapping_count = 0;

  // What a device still has, under the limit a fault may have set.
  Bytes available(CUdevice device) const;
  bool owns(Address at) const { return at - base < size; }
  Bytes physical_bytes() const;
  // Takes pages of a device and keeps the peak.
  bool take_pages(CUdevice device, Bytes bytes, Extents& extents);
  // The same for pages in a file of their own.
  bool count_pages(CUdevice device, Bytes bytes);
  // Gives a block addresses over its pages; 0 if there are none, or no mappings. Its end: the pages
  // are the caller's again.
  Address place(Allocation& block);
  void remove(std::map<Address, Allocation>::iterator block);
};

// Which memory the bytes are in, for the checks of order; and the descriptor that maps them.
template <typename Owner>
unsigned space_of(const Owner& owner, CUdevice device) {
  return owner.file != nullptr ? owner.file->space : static_cast<unsigned>(device);
}
template <typename Owner>
int fd_of(const Owner& owner, const Physical& device) {
  return owner.file != nullptr ? owner.file->fd : device.fd();
}

// Sets memory up as config() says. Once, by cuInit; false if the system does not give what is
// needed.
bool open_memory();
Memory& memory();  // leaked; only after open_memory succeeded
bool memory_is_open();

std::uint64_t peak_mappings();
void free_context_memory(const Context& context);  // what a context's end frees

// The element of a map of ranges that contains `at`, or end().
template <typename Map>
auto containing(Map& ranges, Address at) {
  auto range = ranges.upper_bound(at);
  if (range == ranges.begin()) return ranges.end();
  --range;
  using Value = std::decay_t<decltype(range->second)>;
  if constexpr (std::is_same_v<Value, Bytes>)
    return at - range->first < range->second ? range : ranges.end();
  else
    return at - range->first < range->second.size ? range : ranges.end();
}

// Whether a copy may touch [at, at + size): host memory, or device memory that is live and
// accessible.
bool accessible(Address at, Bytes size, bool write);
// The same for an operation whose turn has come: memory that is being freed behind it is still
// there.
bool still_accessible(Address at, Bytes size, bool write);
// Whether `at` is pageable host memory: neither a device address nor pinned nor managed.
bool pageable(Address at);

}  // namespace gmlake::simcuda
