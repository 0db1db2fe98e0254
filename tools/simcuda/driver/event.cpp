// cuEvent*, cuStreamWaitEvent, and the events of whole contexts and of green ones.
#include "event.h"

#include "../simcuda.h"
#include "capture.h"
#include "entry.h"
#include "findings.h"
#include "pool.h"
#include "shared_event.h"

namespace gmlake::simcuda {
namespace {

using EventTable = HandleTable<Event, 0xe7e, Reuse::never>;

EventTable& events() {
  static EventTable* table = new EventTable;
  return *table;
}
std::uint64_t value_of(CUevent handle) {
  return reinterpret_cast<std::uint64_t>(handle);
}

}  // namespace

CUevent add_event(EventRef event) {
  const SchedulerLock lock = lock_scheduler();
  return reinterpret_cast<CUevent>(events().add(std::move(event)));
}

CUresult find_event(CUevent handle, EventRef& event) {
  const SchedulerLock lock = lock_scheduler();
  event = events().share(value_of(handle));
  return event != nullptr
             ? CUDA_SUCCESS
             : misuse(CUDA_ERROR_INVALID_HANDLE, "destroyed event, or none", value_of(handle));
}

Point captured_by(const EventRef& event) {
  const SchedulerLock lock = lock_scheduler();
  return event->captured;
}

void record_at(const EventRef& event, Point point) {
  const SchedulerLock lock = lock_scheduler();
  const std::int64_t now = point.operation == nullptr ? now_ns() : 0;
  event->captured = std::move(point);
  event->recorded = true;
  event->recorded_ns = now;
}

namespace {

CUresult record(CUevent handle, CUstream stream_handle, unsigned flags, Implicit implicit) {
  EventRef event;
  StreamRef stream;
  if (const CUresult bad = find_event(handle, event)) return bad;
  if (const CUresult bad = find_stream(stream_handle, implicit, stream)) return bad;
  if (flags != CU_EVENT_RECORD_DEFAULT && flags != CU_EVENT_RECORD_EXTERNAL)
    return CUDA_ERROR_INVALID_VALUE;
  // cuda.h, cuEventRecord: "hEvent and hStream must be from the same context".
  if (&whole(*event->context) != &whole(*stream->context)) return CUDA_ERROR_INVALID_HANDLE;
  bool taken = false;
  if (const CUresult bad = capture_record(stream, event, handle, flags, taken)) return bad;
  if (taken) return CUDA_SUCCESS;
  // cuda.h, CU_EVENT_RECORD_EXTERNAL: "This flag is invalid when used outside of capture."
  if (flags == CU_EVENT_RECORD_EXTERNAL) return CUDA_ERROR_ILLEGAL_STATE;
  Work work;
  if (event->shared != nullptr) {  // other processes learn of it as well
    const std::uint64_t number = event->shared->begin_record();
    work = {Run::brief, [shared = event->shared, number] { shared->complete(number); }};
    const SchedulerLock lock = lock_scheduler();
    event->own_record = number;
  }
  Point point;
  if (const CUresult bad = enqueue(stream, std::move(work), &point)) return bad;
  record_at(event, point);
  return CUDA_SUCCESS;
}

// The last record of an event between processes, if it is another process's and pending; else 0.
std::uint64_t pending_elsewhere(const EventRef& event) {
  if (event->shared == nullptr) return 0;
  const std::uint64_t last = event->shared->last_record();
  const SchedulerLock lock = lock_scheduler();
  return last == event->own_record || event->shared->passed(last) ? 0 : last;
}

CUresult wait_event(CUstream stream_handle, CUevent handle, unsigned flags, Implicit implicit) {
  EventRef event;
  StreamRef stream;
  if (const CUresult bad = find_stream(stream_handle, implicit, stream)) return bad;
  if (const CUresult bad = find_event(handle, event)) return bad;
  if (flags != CU_EVENT_WAIT_DEFAULT && flags != CU_EVENT_WAIT_EXTERNAL)
    return CUDA_ERROR_INVALID_VALUE;
  if (const CUresult bad = check_legacy(*stream)) return bad;
  bool taken = false;
  if (const CUresult bad = capture_wait(stream, event, handle, flags, taken)) return bad;
  if (taken) return CUDA_SUCCESS;
  // CU_EVENT_WAIT_EXTERNAL: only during capture, as above.
  if (flags == CU_EVENT_WAIT_EXTERNAL) return CUDA_ERROR_ILLEGAL_STATE;
  // The event as it is now: a later record does not move the wait. Never recorded: nothing to wait
  // for.
  if (const std::uint64_t record = pending_elsewhere(event))
    return enqueue(stream, {Run::host_code, [=] { event->shared->wait(record); }});
  return enqueue(stream, {Run::marker, {}, {}, {captured_by(event)}});
}

CUresult elapsed(float* milliseconds, CUevent first, CUevent second) {
  if (milliseconds == nullptr) return CUDA_ERROR_INVALID_VALUE;
  std::int64_t at[2] = {};
  const CUevent handles[2] = {first, second};
  for (int i = 0; i < 2; ++i) {
    EventRef event;
    if (const CUresult bad = find_event(handles[i], event)) return bad;
    if (const CUresult bad = check_event(*event)) return bad;
    const SchedulerLock lock = lock_scheduler();
    // cuda.h, cuEventElapsedTime: INVALID_HANDLE for an event not recorded or without timing.
    if (!event->recorded || (event->flags & CU_EVENT_DISABLE_TIMING) != 0)
      return CUDA_ERROR_INVALID_HANDLE;
    const OperationRef& operation = event->captured.operation;
    if (operation != nullptr && !operation->done) return CUDA_ERROR_NOT_READY;
    at[i] = operation != nullptr ? operation->finished_ns : event->recorded_ns;
  }
  *milliseconds = static_cast<float>(static_cast<double>(at[1] - at[0]) / 1e6);
  return CUDA_SUCCESS;
}

// cuda.h: "Makes all future work submitted to context hCtx wait for all work captured in hEvent."
CUresult context_waits(CUcontext context_handle, CUevent handle) {
  Context* context = nullptr;
  EventRef event;
  if (const CUresult bad = find_context(context_handle, context)) return bad;
  if (const CUresult bad = find_event(handle, event)) return bad;
  if (const CUresult bad = check_context(*context)) return bad;
  // "and invalidate the capture if the specified event hEvent is part of an ongoing capture
  // sequence".
  if (const CUresult bad = check_event(*event))
    return bad == CUDA_ERROR_CAPTURED_EVENT ? CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED : bad;
  const StreamRef fresh = branch_stream(*context);
  StreamRef waits;
  {
    const SchedulerLock lock = lock_scheduler();
    if (context->waits == nullptr) context->waits = fresh;
    waits = context->waits;
  }
  Point point = submit(waits, {Run::marker, {}, {}, {captured_by(event)}});
  const SchedulerLock lock = lock_scheduler();
  context->waited_for = std::move(point);
  return CUDA_SUCCESS;
}
CUresult record_context(CUcontext context_handle, CUevent handle) {
  Context* context = nullptr;
  EventRef event;
  if (const CUresult bad = find_context(context_handle, context)) return bad;
  if (const CUresult bad = find_event(handle, event)) return bad;
  // cuda.h, cuCtxRecordEvent: event and context must match, else INVALID_HANDLE.
  if (&whole(*event->context) != &whole(*context)) return CUDA_ERROR_INVALID_HANDLE;
  if (event->shared != nullptr) return CUDA_ERROR_NOT_SUPPORTED;  // not simulated
  if (const CUresult bad = check_context(*context)) return bad;
  record_at(event, submit_after_context(*context));
  forget_capture(event);
  return CUDA_SUCCESS;
}
CUresult find_green(CUgreenCtx handle, CUcontext& context) {
  context = reinterpret_cast<CUcontext>(handle);
  Context* green = nullptr;
  if (const CUresult bad = find_context(context, green)) return bad;
  return green->part_of != nullptr ? CUDA_SUCCESS : CUDA_ERROR_INVALID_CONTEXT;
}

}  // namespace

std::size_t live_events() {
  return events().live();
}
CUresult record_event(CUevent event, CUstream stream, unsigned flags, Implicit implicit) {
  return record(event, stream, flags, implicit);
}

}  // namespace gmlake::simcuda

using namespace gmlake::simcuda;

void simcuda_recycle_events(void) {
  const SchedulerLock lock = lock_scheduler();
  events().recycle();
}

CUresult cuEventCreate(CUevent* result, unsigned flags) {
  SIM_ENTER();
  constexpr unsigned kKnown =
      CU_EVENT_BLOCKING_SYNC | CU_EVENT_DISABLE_TIMING | CU_EVENT_INTERPROCESS;
  if (result == nullptr || (flags & ~kKnown) != 0) return CUDA_ERROR_INVALID_VALUE;
  // cuda.h, CU_EVENT_INTERPROCESS: "CU_EVENT_DISABLE_TIMING must be set".
  if ((flags & CU_EVENT_INTERPROCESS) != 0 && (flags & CU_EVENT_DISABLE_TIMING) == 0)
    return CUDA_ERROR_INVALID_VALUE;
  auto event = std::make_shared<Event>();
  if (const CUresult bad = current_context(event->context)) return bad;
  event->flags = flags;
  if ((flags & CU_EVENT_INTERPROCESS) != 0) {
    event->shared = SharedEvent::make();
    if (event->shared == nullptr) return CUDA_ERROR_OUT_OF_MEMORY;
  }
  *result = add_event(std::move(event));
  return CUDA_SUCCESS;
}
CUresult cuEventDestroy_v2(CUevent handle) {
  SIM_ENTER();
  const SchedulerLock lock = lock_scheduler();
  if (events().find(value_of(handle)) == nullptr)
    return misuse(CUDA_ERROR_INVALID_HANDLE, "destroyed event, or none", value_of(handle));
  events().remove(value_of(handle));
  return CUDA_SUCCESS;
}
CUresult cuEventQuery(CUevent handle) {
  SIM_ENTER();
  EventRef event;
  if (const CUresult bad = find_event(handle, event)) return bad;
  if (const CUresult bad = check_event(*event)) return bad;
  if (const CUresult bad = check_unsafe()) return bad;
  if (pending_elsewhere(event) != 0) return CUDA_ERROR_NOT_READY;
  return passed(captured_by(event)) ? CUDA_SUCCESS : CUDA_ERROR_NOT_READY;
}
CUresult cuEventSynchronize(CUevent handle) {
  SIM_ENTER();
  EventRef event;
  if (const CUresult bad = find_event(handle, event)) return bad;
  if (const CUresult bad = check_event(*event)) return bad;
  if (const CUresult bad = check_unsafe()) return bad;
  if (const std::uint64_t record = pending_elsewhere(event)) event->shared->wait(record);
  wait(captured_by(event));
  release_unused_pages();
  return event->context->broken;  // by what it waited for
}
CUresult cuEventElapsedTime(float* milliseconds, CUevent first, CUevent second) {
  SIM_ENTER();
  return elapsed(milliseconds, first, second);
}
CUresult cuEventElapsedTime_v2(float* milliseconds, CUevent first, CUevent second) {
  SIM_ENTER();
  return elapsed(milliseconds, first, second);
}

SIM_PTSZ(cuEventRecord, (CUevent event, CUstream stream), record(event, stream, 0, implicit))
SIM_PTSZ(cuEventRecordWithFlags, (CUevent event, CUstream stream, unsigned flags),
         record(event, stream, flags, implicit))
SIM_PTSZ(cuStreamWaitEvent, (CUstream stream, CUevent event, unsigned flags),
         wait_event(stream, event, flags, implicit))

CUresult cuCtxWaitEvent(CUcontext context, CUevent event) {
  SIM_ENTER();
  return context_waits(context, event);
}
CUresult cuCtxRecordEvent(CUcontext context, CUevent event) {
  SIM_ENTER();
  return record_context(context, event);
}
CUresult cuGreenCtxWaitEvent(CUgreenCtx green, CUevent event) {
  SIM_ENTER();
  CUcontext context = nullptr;
  if (const CUresult bad = find_green(green, context)) return bad;
  return context_waits(context, event);
}
CUresult cuGreenCtxRecordEvent(CUgreenCtx green, CUevent event) {
  SIM_ENTER();
  CUcontext context = nullptr;
  if (const CUresult bad = find_green(green, context)) return bad;
  return record_context(context, event);
}
