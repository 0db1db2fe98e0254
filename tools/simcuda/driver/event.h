// Events: an event refers to the operation it last captured and stays valid when its stream is
// destroyed. Lock: the scheduler's, but for `in_capture`.
#pragma once

#include "context.h"

namespace gmlake::simcuda {

struct CapturedPoint;  // capture.h
class SharedEvent;     // shared_event.h

struct Event {
  Context* context = nullptr;
  unsigned flags = 0;
  bool recorded = false;
  Point captured;                // without an operation: complete when recorded, at recorded_ns
  std::int64_t recorded_ns = 0;  // only then
  // Set if the last record was in a capturing stream; under the lock of graphs.
  std::shared_ptr<CapturedPoint> in_capture;
  // Set for events between processes; the number of the last record of this process.
  std::shared_ptr<SharedEvent> shared;
  std::uint64_t own_record = 0;
};
using EventRef = std::shared_ptr<Event>;

CUevent add_event(EventRef event);
CUresult find_event(CUevent handle, EventRef& event);
Point captured_by(const EventRef& event);
// The event is recorded, at that point.
void record_at(const EventRef& event, Point point);
// As cuEventRecordWithFlags.
CUresult record_event(CUevent event, CUstream stream, unsigned flags, Implicit implicit);

}  // namespace gmlake::simcuda
