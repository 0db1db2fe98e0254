// A loaded object as the dynamic linker sees it: what it defines, by name, and the words that the
// linker has bound or will bind for it. Read from the object's own tables in memory; nothing is
// opened, allocated or looked up. Valid as long as the object stays loaded.
#pragma once

#include <dlfcn.h>
#include <link.h>

#include <cstddef>
#include <cstdint>

namespace gmlake::hooks {

class ElfObject {
 public:
  ElfObject() = default;
  explicit ElfObject(const link_map& map);

  // The address a definition has for who binds to it.
  void* address(const ElfW(Sym) & symbol) const {
    return reinterpret_cast<void*>(map_->l_addr + symbol.st_value);
  }
  // Calls visit(symbol) for each function of that name that the object defines, one for each
  // version of it, in memory: what is written there is what the linker finds from then on.
  template <typename Visit>
  void each_definition(const char* name, Visit visit) const {
    for (auto index = first_of(name); index != 0; index = next_of(name, index))
      visit(symbols_[index]);
  }
  // The address of the function, of its first version; null if the object does not define it.
  void* find(const char* name) const {
    const auto index = first_of(name);
    return index == 0 ? nullptr : address(symbols_[index]);
  }
  // Calls visit(name, address) for each function that the object defines.
  template <typename Visit>
  void each_function(Visit visit) const {
    const auto range = defined();
    for (auto index = range.first; index < range.end; ++index)
      if (is_function(index)) visit(strings_ + symbols_[index].st_name, address(symbols_[index]));
  }
  // The version node under which it is defined; null if it has none.
  const char* version_of(const char* name) const;

  // Calls visit(word) for each word that holds, or will hold, the address of a function or variable
  // that was looked up by name.
  template <typename Visit>
  void each_bound_word(Visit visit) const {
    for (const auto& table : relocations_)
      for (std::size_t i = 0; i < table.count; ++i)
        if (binds(table.first[i].r_info))
          visit(reinterpret_cast<std::uintptr_t*>(map_->l_addr + table.first[i].r_offset));
  }

  // Writes a word of the object, also where its page is protected. False if that can not be done.
  bool store(const void* at, std::uintptr_t value) const;

  const link_map* map() const { return map_; }
  // Its name for the dynamic linker; null if it has none but its file's.
  const char* soname() const { return strings_ && soname_ ? strings_ + soname_ : nullptr; }
  // The dynamic linker's namespace that it is in.
  Lmid_t space() const;

 private:
  struct Relocations {
    const ElfW(Rela) * first = nullptr;
    std::size_t count = 0;
  };

  struct Range {
    std::uint32_t first = 0, end = 0;
  };

  static bool binds(std::uint64_t info);
  bool is_function(std::uint32_t index) const;
  bool is(const char* name, std::uint32_t index) const;
  // The symbols that the GNU hash table has: those that are defined, and may be some that are not.
  Range defined() const;
  // By the GNU hash table. 0: there is none.
  std::uint32_t first_of(const char* name) const;
  std::uint32_t next_of(const char* name, std::uint32_t index) const;
  int protection(std::uintptr_t at) const;

  const link_map* map_ = nullptr;
  mutable const char* header_ = nullptr;  // in memory, once it has been asked for
  ElfW(Sym) * symbols_ = nullptr;
  const char* strings_ = nullptr;
  std::size_t soname_ = 0;
  const std::uint32_t* hash_ = nullptr;
  const ElfW(Half) * versions_ = nullptr;
  const ElfW(Verdef) * nodes_ = nullptr;
  Relocations relocations_[2];  // bound at load, bound at the first call
};

}  // namespace gmlake::hooks
