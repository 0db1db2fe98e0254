// Work that the program gives to its streams.
#pragma once

#include "hooks/real.h"

namespace gmlake::hooks {

// A stream is about to be given work, or to wait for another's: what the program freed in it is
// followed by an event first, so that nobody who waits for that memory waits for this work. Costs a
// look where nothing is to be followed.
void before_work(const RealDriver& real, CUstream stream, bool zero_is_per_thread);

}  // namespace gmlake::hooks
