// Address to block: an open-addressing hash table that is read without a lock.
//
// Writers hold the pool's lock. A reader may miss a block that a writer is moving at that moment,
// never find a wrong one: who finds nothing looks again under the lock. Tables that were outgrown
// are kept, since a reader may still be in one: twice the memory of the last at most.
//
// O(1); at most a quarter full, so that looking for one block seldom touches another: 32 to 64
// bytes a block, twice that with the outgrown tables.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "memory/region.h"

namespace gmlake::pool {

class BlockTable {
 public:
  BlockTable() { grow(); }

  memory::Region* find(std::uint64_t address) const {
    const auto& table = *table_.load(std::memory_order_acquire);
    for (auto i = home_of(address, table.mask);; i = (i + 1) & table.mask) {
      memory::Region* block = table.slots[i].load(std::memory_order_acquire);
      if (!block || block->address.load(std::memory_order_relaxed) == address) return block;
    }
  }

  // The block's address is set and not in the table.
  void insert(memory::Region* block) {
    if (4 * ++count_ > table_.load(std::memory_order_relaxed)->mask) grow();
    place(*table_.load(std::memory_order_relaxed), block);
  }

  void erase(memory::Region* block) {
    auto& table = *table_.load(std::memory_order_relaxed);
    auto hole = home_of(block->address.load(std::memory_order_relaxed), table.mask);
    while (table.slots[hole].load(std::memory_order_relaxed) != block)
      hole = (hole + 1) & table.mask;
    // What comes behind and belongs at the hole or before moves up, so that no search ends early.
    for (auto i = (hole + 1) & table.mask;; i = (i + 1) & table.mask) {
      memory::Region* next = table.slots[i].load(std::memory_order_relaxed);
      if (!next) break;
      const auto home = home_of(next->address.load(std::memory_order_relaxed), table.mask);
      if (((i - home) & table.mask) < ((i - hole) & table.mask)) continue;
      table.slots[hole].store(next, std::memory_order_release);
      hole = i;
    }
    table.slots[hole].store(nullptr, std::memory_order_release);
    --count_;
  }

  // Every block; the pool's lock is held.
  template <typename Each>
  void each(Each visit) const {
    const auto& table = *table_.load(std::memory_order_relaxed);
    for (std::size_t i = 0; i <= table.mask; ++i)
      if (memory::Region* block = table.slots[i].load(std::memory_order_relaxed)) visit(block);
  }

 private:
  struct Table {
    explicit Table(std::size_t size)
        : mask(size - 1), slots(std::make_unique<std::atomic<memory::Region*>[]>(size)) {}
    std::size_t mask;
    std::unique_ptr<std::atomic<memory::Region*>[]> slots;
  };

  static std::size_t home_of(std::uint64_t address, std::size_t mask) {
    // Addresses are multiples of 512: the upper half of the product depends on all other bits.
    return static_cast<std::size_t>(((address >> 9) * 0x9e3779b97f4a7c15) >> 32) & mask;
  }
  static void place(Table& table, memory::Region* block) {
    auto i = home_of(block->address.load(std::memory_order_relaxed), table.mask);
    while (table.slots[i].load(std::memory_order_relaxed)) i = (i + 1) & table.mask;
    table.slots[i].store(block, std::memory_order_release);
  }
  void grow() {
    constexpr std::size_t kFirst = 1024;
    const Table* old = table_.load(std::memory_order_relaxed);
    tables_.push_back(std::make_unique<Table>(old ? 2 * (old->mask + 1) : kFirst));
    if (old)
      for (std::size_t i = 0; i <= old->mask; ++i)
        if (memory::Region* block = old->slots[i].load(std::memory_order_relaxed))
          place(*tables_.back(), block);
    table_.store(tables_.back().get(), std::memory_order_release);
  }

  std::atomic<Table*> table_{nullptr};
  std::size_t count_ = 0;
  std::vector<std::unique_ptr<Table>> tables_;  // the last is in use
};

}  // namespace gmlake::pool
