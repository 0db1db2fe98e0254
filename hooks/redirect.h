// Whoever binds to a function of a CUDA library gets ours instead: by the library's own symbol
// table, which is what the dynamic linker reads, and by the words that it has bound already. So the
// linker alone chooses, by its own rules, whose function a caller gets.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "hooks/elf_object.h"

namespace gmlake::hooks {

class Redirections {
 public:
  // `real` of the object, which may be null, becomes `ours`.
  void add(const ElfObject& object, const char* name, const void* real, const void* ours);
  void clear() {
    count_ = 0;
    lowest_ = UINTPTR_MAX;
    highest_ = 0;
  }
  bool empty() const { return count_ == 0; }
  // From now on the linker finds ours.
  void define();
  // And whoever has been bound has ours.
  void rebind(const ElfObject& object) const;

 private:
  struct One {
    const ElfObject* object = nullptr;
    const char* name = nullptr;
    std::uintptr_t real = 0, ours = 0;
  };
  static constexpr std::size_t kMost = 1024;
  std::array<One, kMost> all_;
  std::size_t count_ = 0;
  std::uintptr_t lowest_ = UINTPTR_MAX, highest_ = 0;
};

// Gives each of these objects, all of their kind that are loaded, one of `kPlaces` sets of
// functions of ours, as far as there are any left. One that was closed has left its place to
// others. is_at(object, place): whether it has that one; take(object, place): it is to have it.
template <std::size_t kPlaces, typename IsAt, typename Take>
void take_places(std::span<const ElfObject> objects, IsAt is_at, Take take) {
  std::array<bool, kPlaces> is_taken{};
  const auto place_of = [&](const ElfObject& object) {
    std::size_t place = 0;
    while (place < kPlaces && !is_at(object, place)) ++place;
    return place;
  };
  for (const auto& object : objects)
    if (const auto place = place_of(object); place < kPlaces) is_taken[place] = true;
  std::size_t next = 0;
  for (const auto& object : objects) {
    if (place_of(object) < kPlaces) continue;
    while (next < kPlaces && is_taken[next]) ++next;
    if (next == kPlaces) return;
    take(object, next);
    is_taken[next] = true;
  }
}

}  // namespace gmlake::hooks
