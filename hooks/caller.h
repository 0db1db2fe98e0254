// Who is calling: the device and stream a call is about, as the pool wants to know them.
//
// The context is asked of the driver at every call (a thread-local read there; anything else could
// be stale), unless there can only be one, and it is known to be current; what follows from it is
// cached per thread. Stream identity
// is cuStreamGetId's, because handles are recycled; ids are cached per thread while we see every
// handle die, which takes the driver door.
#pragma once

#include <optional>

#include "hooks/process.h"
#include "hooks/real.h"

namespace gmlake::hooks {

struct Caller {
  int device = 0;
  pool::Origin origin;
  bool capturing = false;  // the stream itself is being captured; its id is then not known
  bool legacy() const { return origin.kind == stats::StreamName::Kind::legacy; }
};

// Whose call it is: cudart makes the primary context of the thread's device current if none is, or
// if that is one that was reset; so that with one device and no other context it can only be that
// one, once it has been current and no call has changed that.
enum class Entry { driver, runtime };

// For calls without a stream. Nothing if the thread has no current context.
std::optional<Caller> host_caller(const RealDriver& real, Entry entry = Entry::driver);

// For calls with one. `per_thread_default`: the _ptsz flavour, where 0 is the per-thread stream.
// Nothing if the driver can not say which stream this is.
std::optional<Caller> stream_caller(const RealDriver& real, CUstream stream,
                                    bool per_thread_default, Entry entry = Entry::driver);

// The calling thread's current context is another now, or none: null where it is not known which.
// Gives `result`, the driver's answer to the call that did it.
CUresult current_becomes(CUcontext context, CUresult result);
// A stream handle or a context has died, or is about to: cached identities are void.
void forget_identities();
// A context besides the primary ones is about to be there.
void context_made();

}  // namespace gmlake::hooks
