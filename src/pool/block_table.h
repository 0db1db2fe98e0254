// Address to block, read without a lock: for each MiB of the home range a place for a block that
// starts there, which is all that blocks above a MiB need; for the others, and for those that are
// seen through windows, an open-addressing hash table.
//
// Writers hold the pool's lock, but for what begins in a front's loan: there each block has a MiB
// of its own and the front's lock is enough. A reader beside one may miss a block that is being
// moved, or be told of another one: what it finds it must check (Region::live), and what it does
// not find it must look for again under the lock. Tables that were outgrown are kept, since a
// reader may still be in one: as much memory again as the last at most.
//
// A table that is outgrown is not copied at once, which takes long where there are many blocks:
// until all of it has moved, a few with each block that comes or goes, both are looked in.
//
// O(1), in one cache line nearly always, and no block is touched. 16 bytes a MiB of home; of the
// hash table, at most half full, 32 to 64 bytes a block, twice that with the outgrown ones.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
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
      if (const Slot* slot = direct->of(address); slot && slot->get_address() == address)
        return slot->get_block();
    if (auto* block = table_.load(std::memory_order_acquire)->find(address)) return block;
    const Table* old = old_.load(std::memory_order_acquire);
    return old ? old->find(address) : nullptr;
  }

  // A block that begins in a loan, and is found as that. Constant, as it is the loan's owner's
  // part of the table and changes nothing else.
  void insert_in_loan(std::uint64_t address, memory::Region* loan) const {
    fill(*direct_->of(address), address, loan);
  }
  void erase_in_loan(std::uint64_t address) const { direct_->of(address)->set_address(0); }

  // The address is not 0 and not in the table.
  void insert(std::uint64_t address, memory::Region* block) {
    if (Slot* slot = direct_ ? direct_->of(address) : nullptr; slot && address_in(*slot) == 0)
      return fill(*slot, address, block);
    move_some();
    if (2 * ++count_ > table_.load(std::memory_order_relaxed)->mask) grow();
    place(*table_.load(std::memory_order_relaxed), address, block);
  }

  // The address is in the table.
  void erase(std::uint64_t address) {
    if (Slot* slot = direct_ ? direct_->of(address) : nullptr; slot && address_in(*slot) == address)
      return slot->set_address(0);
    move_some();
    --count_;
    // Nothing moves up in one that is left: what has been moved already would be moved again.
    if (const Table* old = old_.load(std::memory_order_relaxed))
      if (Slot* slot = old->slot_of(address)) fill(*slot, kGone, nullptr);
    auto& table = *table_.load(std::memory_order_relaxed);
    Slot* found = table.slot_of(address);
    if (!found) return;
    auto hole = static_cast<std::size_t>(found - table.slots.get());
    // What comes behind and belongs at the hole or before moves up, so that no search ends early.
    for (auto i = (hole + 1) & table.mask;; i = (i + 1) & table.mask) {
      const auto next = address_in(table.slots[i]);
      if (next == 0) break;
      const auto home = home_of(next, table.mask);
      if (((i - home) & table.mask) < ((i - hole) & table.mask)) continue;
      fill(table.slots[hole], next, table.slots[i].get_block());
      hole = i;
    }
    fill(table.slots[hole], 0, nullptr);
  }

 private:
  static constexpr std::uint64_t kGone = 1;  // no address of a block

  // Plain, so that a table of them can be had from the system as it gives memory, all 0: a page of
  // it costs nothing before it is used.
  struct Slot {
    std::uint64_t address;  // 0: none
    memory::Region* block;
    std::uint64_t get_address() const {
      return std::atomic_ref(const_cast<std::uint64_t&>(address)).load(std::memory_order_acquire);
    }
    memory::Region* get_block() const {
      return std::atomic_ref(const_cast<memory::Region*&>(block)).load(std::memory_order_acquire);
    }
    void set_address(std::uint64_t to) {
      std::atomic_ref(address).store(to, std::memory_order_release);
    }
    void set_block(memory::Region* to) {
      std::atomic_ref(block).store(to, std::memory_order_release);
    }
  };
  struct Free {
    void operator()(Slot* slots) const { std::free(slots); }
  };
  using Slots = std::unique_ptr<Slot[], Free>;
  static Slots slots_of(std::size_t count) {
    auto* slots = static_cast<Slot*>(std::calloc(count, sizeof(Slot)));
    if (!slots && count != 0) throw std::bad_alloc();
    return Slots(slots);
  }
  struct Direct {
    Direct(std::uint64_t home, Bytes size)
        : base(home), count(size / MiB), slots(slots_of(count)) {}
    Slot* of(std::uint64_t address) const {
      const auto i = (address - base) / MiB;
      return i < count ? &slots[i] : nullptr;
    }
    std::uint64_t base;
    std::size_t count;
    Slots slots;
  };
  struct Table {
    explicit Table(std::size_t size) : mask(size - 1), slots(slots_of(size)) {}
    Slot* slot_of(std::uint64_t address) const {
      for (auto i = home_of(address, mask);; i = (i + 1) & mask) {
        const auto there = slots[i].get_address();
        if (there == address) return &slots[i];
        if (there == 0) return nullptr;
      }
    }
    memory::Region* find(std::uint64_t address) const {
      const Slot* slot = slot_of(address);
      return slot ? slot->get_block() : nullptr;
    }
    std::size_t mask;
    Slots slots;
  };

  static std::uint64_t address_in(const Slot& slot) { return slot.get_address(); }
  static void fill(Slot& slot, std::uint64_t address, memory::Region* block) {
    slot.set_block(block);
    slot.set_address(address);
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
    Table* outgrown = table_.load(std::memory_order_relaxed);
    while (old_.load(std::memory_order_relaxed)) move_some();
    tables_.push_back(std::make_unique<Table>(outgrown ? 2 * (outgrown->mask + 1) : kFirst));
    moved_ = 0;
    // A reader finds an address in one of them at any time.
    old_.store(outgrown, std::memory_order_release);
    table_.store(tables_.back().get(), std::memory_order_release);
  }
  // All of a table has moved long before half as many blocks have come as make the next one grow.
  void move_some() {
    constexpr std::size_t kSlots = 16;
    const Table* old = old_.load(std::memory_order_relaxed);
    if (!old) return;
    const auto end = std::min(moved_ + kSlots, old->mask + 1);
    for (; moved_ != end; ++moved_) {
      const auto& slot = old->slots[moved_];
      if (const auto address = address_in(slot); address != 0 && address != kGone)
        place(*table_.load(std::memory_order_relaxed), address, slot.get_block());
    }
    if (end == old->mask + 1) old_.store(nullptr, std::memory_order_release);
  }

  alignas(64) std::unique_ptr<Direct> direct_;
  std::atomic<const Direct*> opened_{nullptr};  // the same, for readers
  std::atomic<Table*> table_{nullptr};
  std::atomic<const Table*> old_{nullptr};  // some of it has yet to move
  alignas(64) std::size_t moved_ = 0;       // slots of it; from here on for writers alone
  std::size_t count_ = 0;
  std::vector<std::unique_ptr<Table>> tables_;  // the last is in use
};

}  // namespace gmlake::pool
