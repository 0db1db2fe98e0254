// Objects behind opaque handles: a wrong, stale or foreign handle is found instead of dereferenced.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

namespace gmlake::simcuda {

// What becomes of a handle's value once its object is gone. The real driver hands out the same
// stream pointers again, so streams recycle; where a stale handle should be recognised as such, it
// never returns.
enum class Reuse { recycle, never };

// Not thread-safe: guarded by whoever owns it.
template <typename T, std::uint16_t Tag, Reuse Policy>
class HandleTable {
 public:
  std::uint64_t add(std::shared_ptr<T> object) {
    std::uint32_t slot = 0;
    if (free_.empty()) {
      slot = static_cast<std::uint32_t>(slots_.size());
      slots_.emplace_back();
    } else {
      slot = free_.back();
      free_.pop_back();
    }
    slots_[slot].object = std::move(object);
    return handle(slot);
  }
  // Null for a handle that names nothing.
  T* find(std::uint64_t value) const {
    const Slot* slot = at(value);
    return slot != nullptr ? slot->object.get() : nullptr;
  }
  std::shared_ptr<T> share(std::uint64_t value) const {
    const Slot* slot = at(value);
    return slot != nullptr ? slot->object : nullptr;
  }
  std::shared_ptr<T> remove(std::uint64_t value) {
    const std::uint32_t slot = slot_of(value);
    auto object = std::move(slots_[slot].object);
    if (Policy == Reuse::never && !recycles_)
      slots_[slot].generation = (slots_[slot].generation + 1) & kGenerations;
    free_.push_back(slot);
    return object;
  }
  template <typename Which>
  void remove_if(Which which) {
    for (std::size_t slot = 0; slot < slots_.size(); ++slot)
      if (slots_[slot].object != nullptr && which(*slots_[slot].object))
        (void)remove(handle(static_cast<std::uint32_t>(slot)));
  }
  template <typename Visit>
  void for_each(Visit visit) const {
    for (const Slot& slot : slots_)
      if (slot.object != nullptr) visit(*slot.object);
  }
  // From now on handles come back, whatever the policy.
  void recycle() { recycles_ = true; }
  std::size_t live() const { return slots_.size() - free_.size(); }

 private:
  // tag:12 | generation:16 | slot:28 | 0000, which looks enough like a pointer to be printed as
  // one.
  static constexpr std::uint64_t kGenerations = 0xffff;
  struct Slot {
    std::shared_ptr<T> object;
    std::uint64_t generation = 0;
  };
  std::uint64_t handle(std::uint32_t slot) const {
    return (std::uint64_t{Tag} << 48) | (slots_[slot].generation << 32) |
           ((std::uint64_t{slot} + 1) << 4);
  }
  static std::uint32_t slot_of(std::uint64_t value) {
    return static_cast<std::uint32_t>((value & 0xffffffff) >> 4) - 1;
  }
  const Slot* at(std::uint64_t value) const {
    const std::uint32_t slot = slot_of(value);
    if (slot >= slots_.size() || slots_[slot].object == nullptr || handle(slot) != value)
      return nullptr;
    return &slots_[slot];
  }

  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_;
  bool recycles_ = false;
};

}  // namespace gmlake::simcuda
