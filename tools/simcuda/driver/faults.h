// Calls that go wrong on purpose: SIMCUDA_FAULTS, and simcuda_arm_faults from within a test.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "cuda_api.h"

namespace gmlake::simcuda {

// Replaces the armed faults; "nth" counts calls from now on. Empty if all is well, else one line
// that says what is wrong and what would be right.
std::string arm_faults(std::string_view text);

// What the call that has just been counted is to answer; limits and delays have taken effect by
// then. Cheap while nothing is armed.
CUresult injected_fault(unsigned function, std::uint64_t call);
bool have_faults();

// The most mappings of cuMemMap there may be at a time, and the capacity of every device: changed
// by faults, read at each use.
std::uint64_t mapping_limit();
std::uint64_t capacity_limit();

}  // namespace gmlake::simcuda
