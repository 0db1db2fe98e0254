// The calls that led here, as addresses: what an exception would go through. No name is looked up,
// no lock of ours is held and no memory is taken for it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace gmlake::who {

struct Stack {
  static constexpr std::size_t kMost = 32;  // the innermost ones; what is further out is left out

  std::array<std::uintptr_t, kMost> frames;  // in the instruction that calls, innermost first
  std::size_t depth = 0;

  // Of the calling thread, without this library's own frames. Ends where code has no unwind tables.
  static Stack here();

  bool operator==(const Stack& other) const {
    if (depth != other.depth) return false;
    for (std::size_t i = 0; i < depth; ++i)
      if (frames[i] != other.frames[i]) return false;
    return true;
  }
  std::size_t hash() const {
    std::size_t mixed = depth;
    for (std::size_t i = 0; i < depth; ++i) mixed = (mixed ^ frames[i]) * 0x9e3779b97f4a7c15;
    return mixed ^ mixed >> 32;
  }
};

// For people, of addresses in this process while what is loaded has not changed.
struct Place {
  std::string library;  // the file's name without its folder; "": none, as of code made at run time
  std::string text;     // "function (library)", or "library+0x12ab" where no symbol is exported
  bool between = false;  // CUDA's own, or ours: not the program's doing
};
Place place_of(std::uintptr_t address);

}  // namespace gmlake::who
