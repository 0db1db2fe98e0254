// The places in the pool's sources that call the device, as "mappings.cpp:58".
#pragma once

#include <set>
#include <string>

namespace gmlake::testing {

// As the sources have them. The device's own count of calls is none.
std::set<std::string> call_places();

// Of the call that returns to this address of the program. addr2line tells; it needs the pool's
// line numbers (-g1).
std::string place_of(const void* behind_call);

}  // namespace gmlake::testing
