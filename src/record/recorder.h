// A recording of this process, from its beginning to its end: whoever does something notes it in
// the ring (`note`), and a thread of ours writes what is there to the file.
//
// The thread makes no call of CUDA, has all signals blocked and takes no lock that a noting thread
// could hold; what it writes is on its way to the file within a second. Where the file can not be
// written any more the recording ends with one message, and the program goes on. A forked child
// records nothing until it begins for itself.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "record/clock.h"
#include "record/ring.h"
#include "support/units.h"

namespace gmlake::record {

// Whether anything is to be noted. Looked at by every call of the program's.
inline constinit std::atomic<Ring*> ring_in_use{nullptr};
inline bool is_on() {
  return ring_in_use.load(std::memory_order_acquire) != nullptr;
}

// Notes it, with the time and the thread it is.
void note(Entry entry);

struct Recording {
  std::string path;
  std::string own_path;  // where another process writes under `path`
  Bytes most = 0;
  std::string process;  // what it is of, in words without a comma
};

// Begins one. 0, or errno with a message on the log: EALREADY while there is one.
int begin(const Recording& what);
// Ends it, once all that has been noted is in the file, or after some seconds. Whether there was
// one.
bool end();
// In a forked child.
void after_fork();

}  // namespace gmlake::record
