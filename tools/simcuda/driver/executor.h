// Runs operations that are ready: with device threads, or in the deterministic mode as the schedule
// chooses, on the program's own threads (scheduler.h tells of the two modes). What orders them is
// the scheduler's business.
//
// The lock that is handed in is the scheduler's, and held; it is let go while an operation runs.
#pragma once

#include "scheduler.h"

namespace gmlake::simcuda {

bool deterministic();

// Takes an operation over. It runs once it has nothing left to wait for. In the deterministic mode
// some that are ready may run before this returns.
void accept(const OperationRef& operation, SchedulerLock& lock);

// Returns when the operation is done.
void await(const OperationRef& operation, SchedulerLock& lock);

// The program has asked for something that is not done yet: in the deterministic mode it may get
// on.
void asked_in_vain(SchedulerLock& lock);

}  // namespace gmlake::simcuda
