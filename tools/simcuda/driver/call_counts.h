// How often each function was called. Every thread counts its own calls, so that a call costs no
// atomic exchange and threads do not wait for each other's counts; what a total says while others
// call is what has arrived so far.
#pragma once

#include <cstdint>

namespace gmlake::simcuda {

// Of the calling thread.
void count_call(unsigned function);
// Counts it too and gives its number among the calls of all threads, for faults that are due at
// the nth: no two calls get the same one while all are counted so.
std::uint64_t count_call_in_turn(unsigned function);
std::uint64_t call_count(unsigned function);

}  // namespace gmlake::simcuda
