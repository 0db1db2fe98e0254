// Free ranges of a line of numbers (addresses, or offsets of physical memory), found by size and
// merged with their neighbours when given back. Not thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "support/units.h"

namespace gmlake::simcuda {

class FreeSpace {
 public:
  FreeSpace() = default;
  FreeSpace(std::uint64_t begin, Bytes size) { give(begin, size); }

  // The smallest range that holds it, lowest first. `alignment` is a power of two.
  std::optional<std::uint64_t> take(Bytes size, Bytes alignment);
  bool take_at(std::uint64_t begin, Bytes size);
  // The largest range, or the first `limit` bytes of it: begin and size. The space must not be
  // empty.
  std::pair<std::uint64_t, Bytes> take_largest(Bytes limit);
  void give(std::uint64_t begin, Bytes size);

 private:
  void insert(std::uint64_t begin, Bytes size);
  void remove(std::map<std::uint64_t, Bytes>::iterator range);
  // Cuts [begin, begin + size) out of a range that contains it.
  void cut(std::map<std::uint64_t, Bytes>::iterator range, std::uint64_t begin, Bytes size);

  std::map<std::uint64_t, Bytes> by_begin_;
  std::set<std::pair<Bytes, std::uint64_t>> by_size_;
};

}  // namespace gmlake::simcuda
