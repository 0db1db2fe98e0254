// Runs programs on the driver that is there: natively, or with libgmlake.so in front of it.
#pragma once

#include <cstdint>
#include <string>

#include "streams/program.h"

namespace gmlake::streams {

// To be called first, once.
bool start();
// Runs it in a context and with threads of its own, and with that seed of simcuda's deterministic
// mode. Gives what went wrong: a call that failed, a finding of simcuda's, a block with another's
// content, memory that does not come back. Empty: nothing did.
std::string run(const Program& program, std::uint64_t seed);

}  // namespace gmlake::streams
