// Whoever binds to a function of a CUDA library gets ours instead: by the library's own symbol
// table, which is what the dynamic linker reads, and by the words that it has bound already. So the
// linker alone chooses, by its own rules, whose function a caller gets.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "hooks/elf_object.h"

namespace gmlake::hooks {

class Redirections {
 public:
  // `real` of the object, which may be null, becomes `ours`.
  void add(const ElfObject& object, const char* name, const void* real, const void* ours);
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
  static constexpr std::size_t kMost = 512;
  std::array<One, kMost> all_;
  std::size_t count_ = 0;
  std::uintptr_t lowest_ = UINTPTR_MAX, highest_ = 0;
};

}  // namespace gmlake::hooks
