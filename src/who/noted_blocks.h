// The blocks that are noted, by address: an open-addressing table, as each noted request looks into
// it once and each noted free, and nothing else of them may cost more than some nanoseconds.
//
// At most half full; what is found moves when anything is inserted or erased. 40 bytes a slot.
// Not thread-safe. Inserting throws std::bad_alloc and leaves all as it was.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace gmlake::who {

template <typename Block>
class NotedBlocks {
 public:
  Block* find(std::uint64_t address) {
    if (slots_.empty()) return nullptr;
    auto& slot = slots_[place_of(address)];
    return slot.address == address ? &slot.block : nullptr;
  }
  // The address is not 0 and has none.
  Block& insert(std::uint64_t address) {
    if (2 * (count_ + 1) > slots_.size()) grow();
    ++count_;
    auto& slot = slots_[place_of(address)];
    slot.address = address;
    return slot.block;
  }
  // The address has one.
  void erase(std::uint64_t address) {
    const auto mask = slots_.size() - 1;
    auto hole = place_of(address);
    // What comes behind and belongs at the hole or before moves up, so that no search ends early.
    for (auto i = next(hole); slots_[i].address != 0; i = next(i))
      if (((i - home_of(slots_[i].address)) & mask) >= ((i - hole) & mask)) {
        slots_[hole] = slots_[i];
        hole = i;
      }
    slots_[hole].address = 0;
    --count_;
  }
  // For a walk: the first one at or behind slot `at`, which moves there; null: there is none. One
  // that is erased on the way may leave another one in its slot, to be seen next.
  Block* seek(std::size_t& at, std::uint64_t& address) {
    while (at < slots_.size() && slots_[at].address == 0) ++at;
    if (at == slots_.size()) return nullptr;
    address = slots_[at].address;
    return &slots_[at].block;
  }
  template <typename Visit>
  void each(Visit visit) const {
    for (const auto& slot : slots_)
      if (slot.address != 0) visit(slot.block);
  }

 private:
  static constexpr std::size_t kFirst = 1024;
  struct Slot {
    std::uint64_t address = 0;  // none
    Block block{};
  };

  std::size_t home_of(std::uint64_t address) const {
    return static_cast<std::size_t>(((address >> 9) * 0x9e3779b97f4a7c15) >> 32) &
           (slots_.size() - 1);
  }
  // Where it is, or would be.
  std::size_t place_of(std::uint64_t address) const {
    auto i = home_of(address);
    while (slots_[i].address != 0 && slots_[i].address != address) i = next(i);
    return i;
  }
  std::size_t next(std::size_t i) const { return (i + 1) & (slots_.size() - 1); }
  void grow() {
    std::vector<Slot> more(slots_.empty() ? kFirst : 2 * slots_.size());
    more.swap(slots_);
    for (const auto& slot : more)
      if (slot.address != 0) slots_[place_of(slot.address)] = slot;
  }

  std::vector<Slot> slots_;
  std::size_t count_ = 0;
};

}  // namespace gmlake::who
