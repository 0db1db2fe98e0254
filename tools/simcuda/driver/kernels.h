// What other files may ask of the kernels that launch.cpp knows.
#pragma once

namespace gmlake::simcuda {

// The name of the kernel behind a CUfunction or a CUkernel, for the life of the process; null if
// the handle is neither.
const char* kernel_name(const void* handle);

}  // namespace gmlake::simcuda
