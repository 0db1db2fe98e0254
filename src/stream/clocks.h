// Logical clocks: what the program itself has ordered, by recording events and waiting for them.
//
// A stream's clock says, for each timeline, which of its frees all later work of the stream comes
// after. Recording an event keeps a snapshot of the clock, and of the stream's own timeline up to
// there; a wait merges the snapshot into the waiting stream's clock, so order is transitive. An
// event proves something only between the end of its one latest recording and the beginning of the
// next: recordings are numbered by the caller, and two that overlap prove nothing.
//
// Pure bookkeeping, guarded by the owner's lock; makes no driver call. A stream that never waits
// has no clock. Complexity: O(k) for a snapshot and a merge in the timelines k that the stream
// knows of and that are not known to have passed for everybody; the rest O(1).
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "stream/timelines.h"

namespace gmlake::stream {

// Everything on the timeline up to the value has happened.
struct Point {
  Timeline timeline = 0;
  std::uint64_t value = 0;
};
using Snapshot = std::vector<Point>;
using Recording = std::uint64_t;  // a number that no other recording of an event has; 0: none

class Clocks {
 public:
  // By timeline, as far as it goes: values that this stream's later work comes after. Null if it
  // never waited. The address stays valid until drop().
  const std::vector<std::uint64_t>* of(Timeline stream) const;

  // What comes before the stream's next work: `own` on its own timeline, and its clock. Without
  // what has passed for everybody.
  void append(Timeline stream, std::uint64_t own, const std::vector<std::uint64_t>& passed,
              Snapshot& out);
  // The stream's later work comes after this.
  void merge(Timeline stream, const Snapshot& snapshot, const std::vector<std::uint64_t>& passed);
  // The stream is gone.
  void drop(Timeline stream);

  // An event is about to be recorded, with this before it; and then it was, or was not. Every
  // begin has its end.
  Snapshot& begin_recording(void* event, Recording recording);
  void end_recording(void* event, Recording recording, bool recorded);
  // The latest recording of an event, if it proves anything now; else 0.
  Recording recording_of(void* event) const;
  // What came before that recording, while it is the latest; else null.
  const Snapshot* before(void* event, Recording recording) const;
  // The event is gone, or recorded where it is not seen.
  void forget_event(void* event);
  void forget_events();

 private:
  struct Clock {
    std::vector<std::uint64_t> values;  // by timeline
    std::vector<Timeline> known;        // those with a value
  };
  struct Event {
    Recording recording = 0;  // the latest that was begun
    unsigned under_way = 0;
    bool overlapped = false;  // some of those under way did
    bool proves = false;
    Snapshot before;
  };

  std::vector<std::unique_ptr<Clock>> clocks_;  // by timeline
  std::unordered_map<void*, Event> events_;
};

}  // namespace gmlake::stream
