// The calls that led here, as addresses: what an exception would go through. No name is looked up,
// no lock of ours is held and no memory is taken for it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace gmlake::who {

// Where on the calling thread's stack the return addresses of its calls lie, from a frame on. To go
// through the unwind tables takes microseconds; the calls that led to a frame are the same again
// where it is at the same place and each return address is where it was. They are looked at from
// the innermost on, so that each is of a frame that the calls so far have told the size of.
class Chain {
 public:
  bool leads_to(const void* frame) const {
    if (frame != frame_) return false;
    for (std::size_t i = 0; i < count_; ++i)
      if (value_at(slots_[i]) != values_[i]) return false;
    return true;
  }

 private:
  friend struct Stack;
  static constexpr std::size_t kMost = 48;  // this library's own calls are among them
  __attribute__((no_sanitize("address", "thread"))) static std::uintptr_t value_at(
      std::uintptr_t slot) {
    return *reinterpret_cast<const volatile std::uintptr_t*>(slot);
  }

  const void* frame_ = nullptr;  // null: leads nowhere
  std::size_t count_ = 0;
  std::array<std::uintptr_t, kMost> slots_;
  std::array<std::uintptr_t, kMost> values_;
};

struct Stack {
  static constexpr std::size_t kMost = 32;  // the innermost ones; what is further out is left out

  std::array<std::uintptr_t, kMost> frames;  // in the instruction that calls, innermost first
  std::size_t depth = 0;

  // Of the calling thread, without this library's own frames. Ends where code has no unwind tables.
  // `frame` is the caller's (__builtin_frame_address(0)), to which `chain` leads then, if that can
  // be told.
  static Stack here(const void* frame, Chain& chain);

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

// What is loaded at a moment. Names files only ("library+0x12ab"), but takes hardly any time for
// each address, and is right however soon a library goes: place_of reads names that go with it.
class Loaded {
 public:
  Loaded();  // throws std::bad_alloc
  Place place_of(std::uintptr_t address) const;
  // The code that it is among: of one library, as a rule all of it. Nothing where there is none.
  struct Range {
    std::uintptr_t begin = 0, end = 0;
    bool has(std::uintptr_t address) const { return address >= begin && address < end; }
  };
  Range code_around(std::uintptr_t address) const;

 private:
  struct Object {
    std::uintptr_t begin, end, base;
    std::string name;
  };
  const Object* object_of(std::uintptr_t address) const;
  std::vector<Object> objects_;  // by address; those that code is in
};

}  // namespace gmlake::who
