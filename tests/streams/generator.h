// Random programs that are correct on native CUDA: whatever a program does to a block is put in
// order first, by events and waits, by the host, or by way of a third stream, and only where it is
// not in order already. All that is drawn follows from the seed.
#pragma once

#include <cstdint>

#include "streams/program.h"

namespace gmlake::streams {

Program generate(std::uint64_t seed);

}  // namespace gmlake::streams
