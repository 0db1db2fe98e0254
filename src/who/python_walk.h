// The way through a thread's Python frames, from the innermost one outwards: with plain reads, or
// with looks that may fail where it is not known yet whether they lie as expected.
#pragma once

#include <cstddef>
#include <cstdint>

#include "who/own_memory.h"
#include "who/python.h"
#include "who/python_layout.h"

namespace gmlake::who {

// Both ways to read: as it lies there, and with a look that may fail.
struct Plainly {
  template <typename T>
  __attribute__((no_sanitize("address", "thread"))) bool operator()(std::uintptr_t from,
                                                                    T& to) const {
    __builtin_memcpy(&to, reinterpret_cast<const void*>(from), sizeof to);
    return true;
  }
};
struct Carefully {
  template <typename T>
  bool operator()(std::uintptr_t from, T& to) const {
    return look_at(from, to);
  }
};

// Of what a code object says of itself, so much as is different where another one has taken its
// place: the hash of its name (which the interpreter has looked up by it), and of its file's name
// the address and the end.
template <typename Read>
bool fingerprint_of(const PythonLayout& layout, Read read, std::uintptr_t code,
                    std::uint64_t& fingerprint) {
  std::uintptr_t name = 0, file = 0;
  std::uint64_t hash = 0, end = 0, length = 0;
  std::uint32_t line = 0, state = 0;
  if (!read(code + layout.name, name) || !read(code + layout.file, file) ||
      !read(code + layout.first_line, line))
    return false;
  if (name != 0 && !read(name + kPythonHash, hash)) return false;
  if (file != 0) {
    if (!read(file + kPythonLength, length) || !read(file + kPythonState, state)) return false;
    const auto head = (state >> 6 & 1) != 0 ? layout.ascii_text : layout.compact_text;
    if (!read(file + head + length * (state >> 2 & 7) - sizeof end, end)) return false;
  }
  fingerprint = (end << 17 | end >> 47) + (hash << 31 | hash >> 33) + file + (length << 40) + line;
  return true;
}

template <typename Read>
bool walk(const PythonLayout& layout, Read read, std::uintptr_t thread, PythonStack& stack) {
  constexpr std::size_t kMostMarks = 32;
  constexpr std::uintptr_t kAligned = sizeof(void*) - 1;
  std::uintptr_t frame = 0;
  if (!read(thread + layout.thread_frame, frame)) return false;
  if (layout.cframe_frame != kNone && (frame == 0 || !read(frame + layout.cframe_frame, frame)))
    return frame == 0;
  for (std::size_t seen = 0; frame != 0 && stack.depth < PythonStack::kMost; ++seen) {
    if ((frame & kAligned) != 0) return false;
    unsigned char owner = 0;
    if (layout.owner != kNone && !read(frame + layout.owner, owner)) return false;
    if (owner < kFirstOwnerOfMarks) {
      auto& one = stack.frames[stack.depth];
      std::int32_t number = 0;
      if (!read(frame + layout.code, one.code) || one.code == 0 || (one.code & kAligned) != 0)
        return false;
      if (layout.bytecode == kNone) {
        if (!read(frame + layout.instruction, number)) return false;
        one.instruction = static_cast<std::uintptr_t>(number);
      } else if (!read(frame + layout.instruction, one.instruction)) {
        return false;
      }
      if (!fingerprint_of(layout, read, one.code, one.fingerprint)) return false;
      ++stack.depth;
    } else if (seen == kMostMarks) {
      break;
    }
    if (!read(frame + layout.previous, frame)) return false;
  }
  return true;
}

}  // namespace gmlake::who
