// The happens-before checks: every operation gets a clock when it is given to its stream, and what
// it touches is compared with what was touched before. Because the clocks follow from the order of
// the calls and not from when work happens to run, a missing order is found in every run in which
// the calls come in that order, under any schedule.
//
// What orders work (CUDA programming guide, "Asynchronous Concurrent Execution" and "Stream
// synchronization behavior" of the driver API): the order of a stream; an event between record and
// wait; the legacy stream's rule; the host, between what it has seen complete and what it gives
// afterwards. A host function that runs tells the host, as it may signal the program; what it
// touches itself is its operation's.
//
// Everything here is called with the scheduler's lock held, and does nothing with the checks off.
#pragma once

#include <memory>

#include "clocks.h"
#include "places.h"
#include "scheduler.h"

namespace gmlake::simcuda::order {

using ClockRef = std::shared_ptr<const Clock>;

// An operation's accesses with the bytes behind them.
struct Placed {
  Access access;
  Pieces pieces;
};

bool enabled();

// The clock of an operation that is being given to `stream`; its accesses are checked.
ClockRef give(Stream& stream, const std::vector<Point>& after, const std::vector<Placed>& placed);
// The clock of a moment behind all work of the context.
ClockRef behind_context(const Context& context);

// The host is behind that moment from now on.
void host_saw(const ClockRef& clock);
void host_saw_stream(const Stream& stream);

// A stream no one can give work to any more and that is idle.
void stream_ends(Stream& stream);

// The host itself touches memory, in the program or in a host function.
void host_touches(const Placed& placed);

// Memory begins: by the host at once, or in a stream's order, behind which its users must be.
void begins(const Pieces& pieces);
void begins_in(Stream& stream, const Pieces& pieces);
// Memory ends for whoever used it through the mapping or allocation at `owner`: by the host, which
// must be behind that use, or in a stream's order. `how` is the verb of the finding: "unmaps".
// Taken::writing is for memory that may still be read.
enum class Taken { all, writing };
void ends(Address owner, const char* how, Taken taken = Taken::all);
void ends_in(const Stream& stream, Address owner, const char* how);

}  // namespace gmlake::simcuda::order
