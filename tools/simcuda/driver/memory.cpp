#include "memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <atomic>

#include "../simcuda.h"
#include "faults.h"
#include "findings.h"
#include "pool.h"

namespace gmlake::simcuda {
namespace {

constinit std::atomic<Memory*> opened{nullptr};

constexpr Bytes kMostAddresses = 64 * TiB;
constexpr Bytes kFewestAddresses = 256 * GiB;

// One reservation of addresses for everything, as large as the system gives.
bool reserve_addresses(Memory& memory) {
  for (Bytes size = kMostAddresses; size >= kFewestAddresses; size /= 2) {
    void* at = mmap(nullptr, size + kGranularity, PROT_NONE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED) continue;
    memory.base = round_up(reinterpret_cast<Address>(at), kGranularity);
    memory.size = size;
    return true;
  }
  return false;
}

}  // namespace

Bytes Memory::physical_bytes() const {
  Bytes sum = 0;
  for (const Physical& device : devices) sum += device.used();
  return sum;
}

Bytes Memory::available(CUdevice device) const {
  const Bytes limit = std::min(devices[device].capacity(), capacity_limit());
  return limit - std::min(limit, devices[device].used());
}

bool Memory::take_pages(CUdevice device, Bytes bytes, Extents& extents) {
  if (bytes > available(device) || !devices[device].take(bytes, extents)) return false;
  peak_physical = std::max(peak_physical, physical_bytes());
  return true;
}

bool Memory::count_pages(CUdevice device, Bytes bytes) {
  if (bytes > available(device)) return false;
  devices[device].count(bytes);
  peak_physical = std::max(peak_physical, physical_bytes());
  return true;
}

Address Memory::place(Allocation& block) {
  const auto at = native.take(block.pages, kPage);
  if (!at) return 0;
  if (!pages.map(*at, fd_of(block, devices[block.device]), block.extents, PROT_READ | PROT_WRITE)) {
    native.give(*at, block.pages);
    return 0;
  }
  block.id = next_allocation_id++;
  allocations.emplace(*at, std::move(block));
  return *at;
}

void Memory::remove(std::map<Address, Allocation>::iterator block) {
  pages.unmap(block->first, block->second.pages);
  native.give(block->first, block->second.pages);
  allocations.erase(block);
}

bool open_memory() {
  auto memory = std::make_unique<Memory>();
  memory->backed = config().backed;
  if (!reserve_addresses(*memory)) return false;
  const bool places = memory->backed || checking(Check::order);
  for (unsigned device = 0; device < config().devices; ++device) {
    if (!memory->devices[device].open(config().memory, memory->backed, places)) return false;
    open_default_pool(*memory, static_cast<CUdevice>(device));
  }
  memory->pages.open(memory->backed);
  memory->native.give(memory->base, memory->size / 2);
  memory->reservable.give(memory->base + memory->size / 2, memory->size / 2);
  opened.store(memory.release(), std::memory_order_release);
  return true;
}

Memory& memory() {
  return *opened.load(std::memory_order_acquire);
}
bool memory_is_open() {
  return opened.load(std::memory_order_acquire) != nullptr;
}

namespace {

bool accessible(Address at, Bytes size, bool write, bool freeing_too) {
  Memory& m = memory();
  if (!m.owns(at)) return true;
  const std::lock_guard lock(m.mutex);
  if (const auto block = containing(m.allocations, at); block != m.allocations.end())
    return (freeing_too || !block->second.freeing) &&
           at + size <= block->first + block->second.size;
  const Address end = at + size;
  for (auto mapping = containing(m.mappings, at); at < end; ++mapping) {
    if (mapping == m.mappings.end() || mapping->first > at) return false;
    const auto* access = mapping->second.access;
    const auto wanted = write ? CU_MEM_ACCESS_FLAGS_PROT_READWRITE : CU_MEM_ACCESS_FLAGS_PROT_READ;
    if (std::all_of(access, access + kMaxDevices,
                    [&](unsigned char flags) { return flags < wanted; }))
      return false;
    at = mapping->first + mapping->second.size;
  }
  return true;
}

}  // namespace

bool accessible(Address at, Bytes size, bool write) {
  return accessible(at, size, write, false);
}
bool still_accessible(Address at, Bytes size, bool write) {
  return accessible(at, size, write, true);
}

bool pageable(Address at) {
  Memory& m = memory();
  if (m.owns(at)) return false;
  const std::lock_guard lock(m.mutex);
  return containing(m.host, at) == m.host.end();
}

std::uint64_t peak_mappings() {
  if (!memory_is_open()) return 0;
  const std::lock_guard lock(memory().mutex);
  return memory().peak_mapping_count;
}

}  // namespace gmlake::simcuda

using namespace gmlake::simcuda;

unsigned long long simcuda_physical_bytes() {
  if (!memory_is_open()) return 0;
  const std::lock_guard lock(memory().mutex);
  return memory().physical_bytes();
}
unsigned long long simcuda_peak_physical_bytes() {
  if (!memory_is_open()) return 0;
  const std::lock_guard lock(memory().mutex);
  return memory().peak_physical;
}
unsigned long long simcuda_mappings() {
  if (!memory_is_open()) return 0;
  const std::lock_guard lock(memory().mutex);
  return memory().mapping_count;
}
