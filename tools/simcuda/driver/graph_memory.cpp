#include "graph_memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <array>

#include "watch.h"

namespace gmlake::simcuda {
namespace {

// Innermost lock: blocks end wherever their last owner does.
struct Blocks {
  std::mutex mutex;
  std::map<Address, std::weak_ptr<GraphBlock>> by_address;
  std::vector<std::pair<Address, Bytes>> retired;  // addresses that nothing stands for any more
};
Blocks& blocks() {
  static Blocks* blocks = new Blocks;
  return *blocks;
}

CUresult begin_use(const GraphBlockRef& block, bool& fresh) {
  Memory& m = memory();
  const std::lock_guard lock(m.mutex);
  if (const auto found = m.allocations.find(block->at); found != m.allocations.end()) {
    if (!found->second.freeing) return CUDA_ERROR_INVALID_VALUE;
    found->second.freeing = false;
    ++block->uses;
    return CUDA_SUCCESS;
  }
  Allocation allocation;
  allocation.size = block->size;
  allocation.pages = round_up(block->size, kPage);
  allocation.device = block->device;
  allocation.graph = block;
  if (!m.take_pages(block->device, allocation.pages, allocation.extents))
    return CUDA_ERROR_OUT_OF_MEMORY;
  if (!m.pages.map(block->at, m.devices[block->device].fd(), allocation.extents,
                   PROT_READ | PROT_WRITE)) {
    m.devices[block->device].give(allocation.pages, allocation.extents);
    return CUDA_ERROR_OUT_OF_MEMORY;
  }
  allocation.id = m.next_allocation_id++;
  block->uses = 1;
  GraphMemory& counters = graph_memory(block->device);
  counters.used += allocation.pages;
  counters.used_high = std::max(counters.used_high, counters.used);
  counters.reserved_high = std::max(counters.reserved_high, counters.used);
  m.allocations.emplace(block->at, std::move(allocation));
  fresh = true;
  return CUDA_SUCCESS;
}

}  // namespace

GraphBlock::~GraphBlock() {
  if (at == 0) return;
  const std::lock_guard lock(blocks().mutex);
  blocks().by_address.erase(at);
  blocks().retired.emplace_back(at, round_up(size, kPage));
}

GraphBlockRef new_graph_block(CUdevice device, Bytes size) {
  auto block = std::make_shared<GraphBlock>();
  Memory& m = memory();
  const std::lock_guard lock(m.mutex);
  const std::lock_guard inner(blocks().mutex);
  for (const auto& [at, pages] : blocks().retired) m.native.give(at, pages);
  blocks().retired.clear();
  if (size > m.size) return nullptr;
  const auto at = m.native.take(round_up(size, kPage), kPage);
  if (!at) return nullptr;
  block->at = *at;
  block->size = size;
  block->device = device;
  blocks().by_address[*at] = block;
  return block;
}

GraphBlockRef find_graph_block(Address at) {
  const std::lock_guard lock(blocks().mutex);
  const auto found = blocks().by_address.find(at);
  return found != blocks().by_address.end() ? found->second.lock() : nullptr;
}

bool in_graph_block(Address at, Bytes size) {
  GraphBlockRef block;  // may be the last one's: ends without the lock
  {
    const std::lock_guard lock(blocks().mutex);
    auto found = blocks().by_address.upper_bound(at);
    if (found == blocks().by_address.begin()) return false;
    block = (--found)->second.lock();
  }
  return block != nullptr && at - block->at <= block->size &&
         size <= block->size - (at - block->at);
}

CUresult begin_graph_use(const GraphBlockRef& block) {
  bool fresh = false;
  if (const CUresult bad = begin_use(block, fresh)) return bad;
  if (fresh) watch::memory_begins(block->at, block->size);
  return CUDA_SUCCESS;
}

CUresult begin_graph_free(const GraphBlock& block) {
  Memory& m = memory();
  const std::lock_guard lock(m.mutex);
  const auto found = m.allocations.find(block.at);
  if (found == m.allocations.end() || found->second.freeing) return CUDA_ERROR_INVALID_VALUE;
  found->second.freeing = true;
  return CUDA_SUCCESS;
}

void end_graph_use(const GraphBlock& block) {
  const std::lock_guard lock(memory().mutex);
  give_back_graph_memory(memory().allocations.find(block.at));
}

bool graph_memory_is_live(const GraphBlock& block) {
  const std::lock_guard lock(memory().mutex);
  const auto found = memory().allocations.find(block.at);
  return found != memory().allocations.end() && !found->second.freeing;
}

void give_back_graph_memory(std::map<Address, Allocation>::iterator allocation) {
  Memory& m = memory();
  Allocation& used = allocation->second;
  if (--used.graph->uses != 0) return;
  m.pages.unmap(allocation->first, used.pages);
  m.devices[used.device].give(used.pages, used.extents);
  graph_memory(used.device).used -= used.pages;
  m.allocations.erase(allocation);
}

GraphMemory& graph_memory(CUdevice device) {
  static auto* all = new std::array<GraphMemory, kMaxDevices>{};
  return (*all)[static_cast<std::size_t>(device)];
}

}  // namespace gmlake::simcuda
