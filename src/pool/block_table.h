// Address to block, read without a lock: for each MiB of the home range a place for a block that
// starts there, which is all that blocks above a MiB need; for the others, and for those that are
// seen through windows, an open-addressing hash table.
//
// Writers hold the pool's lock. A reader beside one may miss a block that is being moved, or be
// told of another one: what it finds it must check (Region::live), and what it does not find it
// must look for again under the lock. Tables that were outgrown are kept, since a reader may still
// be in one: as much memory again as the last at most.
//
// O(1), in one cache line nearly always, and no block is touched. 16 bytes a MiB of home; of the
// hash table, at most half full, 32 to 64 bytes a block, twice that with the outgrown ones.
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

  // Once, when the home range is there.
  void open(std::uint64_t home, Bytes size) {
    direct_ = std::make_unique<Direct>(home, size);
    opened_.store(direct_.get(), std::memory_order_release);
  }

  memory::Region* find(std::uint64_t address) const {
    if (const Direct* direct = opened_.load(std::memory_order_acquire))
      if (const Slot* slot = direct->of(address);
          slot && slot->address.load(std::memory_order_acquire) == address)
        return slot->block.load(std::memory_order_acquire);
    const auto& table = *table_.load(std::memory_order_acquire);
    for (auto i = home_of(address, table.mask);; i = (i + 1) & table.mask) {
      const auto& slot = table.slots[i];
      const auto there = slot.address.load(std::memory_order_acquire);
      if (there == address) return slot.block.load(std::memory_order_acquire);
      if (there == 0) return nullptr;
    }
  }

  // The address is not 0 and not in the table.
  void insert(std::uint64_t address, memory::Region* block) {
    if (Slot* slot = direct_ ? direct_->of(address) : nullptr; slot && address_in(*slot) == 0)
      return fill(*slot, address, block);
    if (2 * ++count_ > table_.load(std::memory_order_relaxed)->mask) grow();
    place(*table_.load(std::memory_order_relaxed), address, block);
  }

  // The address is in the table.
  void erase(std::uint64_t address) {
    if (Slot* slot = direct_ ? direct_->of(address) : nullptr; slot && address_in(*slot) == address)
      return slot->address.store(0, std::memory_order_release);
    auto& table = *table_.load(std::memory_order_relaxed);
    auto hole = home_of(address, table.mask);
    while (address_in(table.slots[hole]) != address) hole = (hole + 1) & table.mask;
    // What comes behind and belongs at the hole or before moves up, so that no search ends early.
    for (auto i = (hole + 1) & table.mask;; i = (i + 1) & table.mask) {
      const auto next = address_in(table.slots[i]);
      if (next == 0) break;
      const auto home = home_of(next, table.mask);
      if (((i - home) & table.mask) < ((i - hole) & table.mask)) continue;
      fill(table.slots[hole], next, table.slots[i].block.load(std::memory_order_relaxed));
      hole = i;
    }
    fill(table.slots[hole], 0, nullptr);
    --count_;
  }

 private:
  struct Slot {
    std::atomic<std::uint64_t> address{0};  // 0: none
    std::atomic<memory::Region*> block{nullptr};
  };
  struct Direct {
    Direct(std::uint64_t home, Bytes size)
        : base(home), count(size / MiB), slots(std::make_unique<Slot[]>(count)) {}
    Slot* of(std::uint64_t address) const {
      const auto i = (address - base) / MiB;
      return i < count ? &slots[i] : nullptr;
    }
    std::uint64_t base;
    std::size_t count;
    std::unique_ptr<Slot[]> slots;
  };
  struct Table {
    explicit Table(std::size_t size) : mask(size - 1), slots(std::make_unique<Slot[]>(size)) {}
    std::size_t mask;
    std::unique_ptr<Slot[]> slots;
  };

  static std::uint64_t address_in(const Slot& slot) {
    return slot.address.load(std::memory_order_relaxed);
  }
  static void fill(Slot& slot, std::uint64_t address, memory::Region* block) {
    slot.block.store(block, std::memory_order_release);
    slot.address.store(address, std::memory_order_release);
  }
  static std::size_t home_of(std::uint64_t address, std::size_t mask) {
    // Addresses are multiples of 512: the upper half of the product depends on all other bits.
    return static_cast<std::size_t>(((address >> 9) * 0x9e3779b97f4a7c15) >> 32) & mask;
  }
  static void place(Table& table, std::uint64_t address, memory::Region* block) {
    auto i = home_of(address, table.mask);
    while (address_in(table.slots[i]) != 0) i = (i + 1) & table.mask;
    fill(table.slots[i], address, block);
  }
  void grow() {
    constexpr std::size_t kFirst = 1024;
    const Table* old = table_.load(std::memory_order_relaxed);
    tables_.push_back(std::make_unique<Table>(old ? 2 * (old->mask + 1) : kFirst));
    if (old)
      for (std::size_t i = 0; i <= old->mask; ++i)
        if (const auto address = address_in(old->slots[i]); address != 0)
          place(*tables_.back(), address, old->slots[i].block.load(std::memory_order_relaxed));
    table_.store(tables_.back().get(), std::memory_order_release);
  }

  std::unique_ptr<Direct> direct_;
  std::atomic<const Direct*> opened_{nullptr};  // the same, for readers
  std::atomic<Table*> table_{nullptr};
  std::size_t count_ = 0;
  std::vector<std::unique_ptr<Table>> tables_;  // the last is in use
};

}  // namespace gmlake::pool
