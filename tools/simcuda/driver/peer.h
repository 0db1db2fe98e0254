// Which device may touch which memory.
#pragma once

#include "memory.h"

namespace gmlake::simcuda {

enum class Reach {
  copy,    // by the copy engines: native memory of another device is staged, if need be
  direct,  // by the device itself: fills and kernels
};

// Whether the device of that context may read or write [at, at + size), as far as access between
// devices is concerned. Host memory is every device's.
bool reachable(const Context& by, Address at, Bytes size, bool write, Reach reach);

}  // namespace gmlake::simcuda
