// What the memory calls tell the checks of order (order.h): where memory begins and where it ends.
// Takes memory's and the scheduler's lock, one after the other: call it with neither.
#pragma once

#include <vector>

#include "context.h"
#include "memory.h"
#include "order.h"

namespace gmlake::simcuda::watch {

// [at, at + size) is given to the program: at once, or in a stream's order.
void memory_begins(Address at, Bytes size);
void memory_begins(Address at, Bytes size, const StreamRef& stream);
// New physical memory, not mapped yet.
void memory_begins(const Extents& extents, unsigned space);

// The mappings or allocations that begin at those addresses are taken from the program: at once, or
// in a stream's order. `how` says it in the finding: "unmaps".
void memory_ends(const std::vector<Address>& owners, const char* how,
                 order::Taken taken = order::Taken::all);
void memory_ends(Address owner, const char* how, const StreamRef& stream);

// The program itself reads or writes memory, now.
void host_touches(Address at, Bytes size, bool write);

}  // namespace gmlake::simcuda::watch
