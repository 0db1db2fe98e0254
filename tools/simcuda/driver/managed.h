// What is known of managed memory beyond its place.
#pragma once

#include "memory.h"

namespace gmlake::simcuda {

// The end of a managed block. Called with memory's lock held.
void forget_advice(Address at, Bytes size);

}  // namespace gmlake::simcuda
