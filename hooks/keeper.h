// A thread of ours, one in a process that has a pool: it looks from time to time at what nothing
// has wanted, and gives that back to the device (pool.release_after). Calls of the program could
// not do it: a program that has freed its memory and waits for something else makes none, and one
// that makes them would pay for the unmapping. It also does at once what others ask of the process
// (hooks/control.h), gives back what they lack (hooks/neighbours.h), and shows them who holds the
// memory (hooks/holders.h).
//
// It holds a lock of its own while it works, a part at a time, and takes no other that is held for
// long. At exit() that lock is taken for good: no CUDA is called after. A forked child has no such
// thread.
#pragma once

namespace gmlake::hooks {

// Once for a process; where no thread can be had nothing is given back by time. `asked`: others
// may ask.
void begin_keeping(double release_after, bool asked);
// exit() has begun: returns when the thread has finished its part, or does not within a second.
void end_keeping();

}  // namespace gmlake::hooks
