// From the addresses an operation names to the bytes behind them. Takes memory's lock; call it
// without the scheduler's.
#pragma once

#include <vector>

#include "memory.h"
#include "shadow.h"

namespace gmlake::simcuda {

// A piece of an access: `size` bytes from `place` on, at address `at`.
struct Piece {
  Place place = 0;
  Bytes size = 0;
  Address at = 0;
  Address owner = 0;  // where the mapping or allocation begins that makes it accessible; 0: none
};
using Pieces = std::vector<Piece>;

// Appends the pieces of [at, at + size). False if a part of it is a device address behind which
// there is nothing; then nothing is appended.
bool find_places(Address at, Bytes size, Pieces& pieces);
// The pieces of physical memory without an address. `space` is the device's number, or that of
// memory of its own.
Pieces places_of(const Extents& extents, unsigned space);

}  // namespace gmlake::simcuda
