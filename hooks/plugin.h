// What the hooks owe the C API for allocator plug-ins (plugin.cpp).
#pragma once

#include <cuda.h>

namespace gmlake::hooks {

// The context is gone: it is no device's primary context any more.
void forget_primary(CUcontext context);

}  // namespace gmlake::hooks
