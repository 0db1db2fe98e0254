#include "places.h"

#include <algorithm>

namespace gmlake::simcuda {
namespace {

constexpr unsigned kSpaceShift = 44;  // bytes of one memory; 1 TiB is the most there is
constexpr Place kHostPlaces = Place{1} << 63;

// Appends what of `extents`, mapped at `begin`, lies in [at, end).
void append(const Extents& extents, unsigned space, Address begin, Address at, Address end,
            Pieces& pieces) {
  Address next = begin;
  for (const Extent& extent : extents) {
    const Address from = std::max(at, next);
    const Address to = std::min(end, next + extent.size);
    if (from < to)
      pieces.push_back(
          {(Place{space} << kSpaceShift) + extent.offset + (from - next), to - from, from, begin});
    next += extent.size;
  }
}

bool find(Address at, Address end, Pieces& pieces) {
  Memory& m = memory();
  if (!m.owns(at)) {
    const auto block = containing(m.host, at);
    pieces.push_back({kHostPlaces | at, end - at, at, block != m.host.end() ? block->first : 0});
    return true;
  }
  if (const auto block = containing(m.allocations, at); block != m.allocations.end()) {
    // A graph's is there as long as a launch that uses it is under way.
    const bool gone = block->second.freeing && block->second.graph == nullptr;
    if (gone || end > block->first + block->second.pages) return false;
    append(block->second.extents, space_of(block->second, block->second.device), block->first, at,
           end, pieces);
    return true;
  }
  for (auto mapping = containing(m.mappings, at); at < end; ++mapping) {
    if (mapping == m.mappings.end() || mapping->first > at) return false;
    const PhysicalHandle& handle = *mapping->second.handle;
    append(handle.extents, space_of(handle, handle.properties.location.id), mapping->first, at, end,
           pieces);
    at = mapping->first + mapping->second.size;
  }
  return true;
}

}  // namespace

Pieces places_of(const Extents& extents, unsigned space) {
  Pieces pieces;
  for (const Extent& extent : extents)
    pieces.push_back({(Place{space} << kSpaceShift) + extent.offset, extent.size, 0, 0});
  return pieces;
}

bool find_places(Address at, Bytes size, Pieces& pieces) {
  const std::lock_guard lock(memory().mutex);
  const auto before = pieces.size();
  if (find(at, at + size, pieces)) return true;
  pieces.resize(before);
  return false;
}

}  // namespace gmlake::simcuda
