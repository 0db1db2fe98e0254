#include "hooks/redirect.h"

#include <algorithm>

namespace gmlake::hooks {

void Redirections::add(const ElfObject& object, const char* name, const void* real,
                       const void* ours) {
  if (!real || count_ == kMost) return;
  all_[count_++] = {&object, name, reinterpret_cast<std::uintptr_t>(real),
                    reinterpret_cast<std::uintptr_t>(ours)};
}

// What could not be written stays as it was: its callers are served by the other door, or natively.
void Redirections::define() {
  for (std::size_t i = 0; i < count_; ++i) {
    const auto& one = all_[i];
    one.object->each_definition(one.name, [&](ElfW(Sym) & symbol) {
      if (reinterpret_cast<std::uintptr_t>(one.object->address(symbol)) == one.real)
        (void)one.object->store(&symbol.st_value, one.ours - one.object->map()->l_addr);
    });
    lowest_ = std::min(lowest_, one.real);
    highest_ = std::max(highest_, one.real);
  }
}

void Redirections::rebind(const ElfObject& object) const {
  object.each_bound_word([&](std::uintptr_t* word) {
    const auto value = __atomic_load_n(word, __ATOMIC_ACQUIRE);
    if (value < lowest_ || value > highest_) return;
    for (std::size_t i = 0; i < count_; ++i) {
      const auto& one = all_[i];
      if (one.real != value) continue;
      // A library's calls of its own functions are its own.
      if (one.object->map() != object.map()) (void)object.store(word, one.ours);
      return;
    }
  });
}

}  // namespace gmlake::hooks
