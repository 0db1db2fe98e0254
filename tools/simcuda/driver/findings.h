// What the checks found: written to stderr as it is found, counted, and at the end of the process
// its exit status (SIMCUDA_CHECKS, SIMCUDA_EXIT_STATUS). Thread-safe.
#pragma once

#include <cstdint>
#include <string>

#include "cuda_api.h"

namespace gmlake::simcuda {

// What is looked for; SIMCUDA_CHECKS names them.
enum class Check : unsigned {
  order,    // work on the same bytes without order between it; memory taken away under work
  memory,   // work on addresses that are not mapped, freed, or not accessible
  handles,  // calls refused because they name what is destroyed, freed or never was
  leaks,    // what is left at exit
};
inline constexpr unsigned kChecks = 4;

bool checking(Check check);
// Whether anything is looked for that needs to know every call.
bool checking_calls();

// A call as a finding names it.
struct Caller {
  unsigned function = 0;     // index in kFunctionNames
  std::uint64_t number = 0;  // counted over all calls; 0: not known
  std::uint64_t stream = 0;  // the stream's id; 0: none
};
std::string describe(const Caller& caller);

// Reports, unless that check is off. The same `kind` from the same pair of functions is reported a
// few times only, and counted always.
void found(Check check, const std::string& kind, const std::string& text);

// A call refused because of what it named: reported if that is looked for. Returns `code`.
CUresult misuse(CUresult code, const char* what, std::uint64_t value);

// The calling thread's current call.
Caller current_caller();

}  // namespace gmlake::simcuda
