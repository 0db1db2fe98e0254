// What a program is handed when it looks a driver function up: ours for exactly the functions of
// the hook table, a stand-in (stand_ins.h) for one that is not there and whose name says that
// something may go unseen by it, and else what the driver has.
#pragma once

#include "hooks/real.h"

namespace gmlake::hooks {

// For what the driver has under `name`, a symbol or a base name. Costs a look where the function
// has been asked for before.
void* substitute_driver(void* found, const char* name);

// The stand-in for a function of the driver that the hook table lacks; null where none is needed,
// or left. Reads no configuration: a library of CUDA's may be loaded long before CUDA is used.
void* stand_in_of(const RealDriver& real, void* found, const char* name);

// In a forked child: another thread may have been looking for the first time.
void handing_out_after_fork();

}  // namespace gmlake::hooks
