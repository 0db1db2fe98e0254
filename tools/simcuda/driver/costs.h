// Modelled time: what a call takes on a real device, from a table (costs.def, or SIMCUDA_COSTS). It
// slows nothing down; it is added up beside the counts, so that two ways of doing the same work can
// be compared without a GPU.
#pragma once

#include <cstdint>
#include <string>

namespace gmlake::simcuda {

// Units beyond the call itself, for functions whose cost grows: handles for cuMemSetAccess and
// cuMemUnmap, MiB for cuMemAlloc. Cheap; any thread.
void charge(unsigned function, std::uint64_t units);

// Nanoseconds of all calls of the function so far.
std::uint64_t modelled_ns(unsigned function);
std::uint64_t modelled_ns();

// Reads a table {"cuMemMap": {"call_ns": 550, "unit_ns": 0}, ...}, which is laid over the built-in
// one. Empty if all is well, else one line that says what is wrong.
std::string load_costs(const std::string& path);

}  // namespace gmlake::simcuda
