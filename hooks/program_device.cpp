#include "hooks/program_device.h"

#include <algorithm>

#include "driver/current_context.h"
#include "hooks/captures.h"
#include "hooks/ipc.h"
#include "support/this_thread.h"

namespace gmlake::hooks {

using stats::DriverCall;

Result<std::unique_ptr<ProgramDevice>> ProgramDevice::open(const driver::DriverTable& table,
                                                           int ordinal, bool in_front,
                                                           const KnownStreams* streams) {
  std::unique_ptr<ProgramDevice> device(new ProgramDevice(table, ordinal, in_front, streams));
  if (const auto ready = device->prepare(); !ready) return fail(ready.error());
  return device;
}

bool ProgramDevice::captures() const {
  return capture_under_way();
}

bool ProgramDevice::only_legacy_stream(driver::Context context) const {
  return streams_ && streams_->only_legacy(context);
}

// Other processes that have it keep it no longer than they use it.
Status ProgramDevice::release(driver::Handle handle) {
  shared_handle_leaves(handle);
  return CudaDevice::release(handle);
}

// An error means the legacy stream while a blocking stream captures: as good as captured.
bool ProgramDevice::is_capturing(CUstream stream) const {
  auto status = CU_STREAM_CAPTURE_STATUS_NONE;
  return driver_.cuStreamIsCapturing_(stream, &status) != CUDA_SUCCESS ||
         status != CU_STREAM_CAPTURE_STATUS_NONE;
}

// The pool's own events are part of a recording, so that what is replayed knows what was over when.
void ProgramDevice::note_fence(Action action, driver::Event event, driver::Context context,
                               std::optional<driver::Stream> stream) const {
  if (!record::is_on()) return;
  record::Entry entry;
  entry.action = action;
  entry.pointer = handle_number(event);
  entry.device = static_cast<std::uint8_t>(ordinal_);
  entry.handle = handle_number(stream ? *stream : context);
  if (stream) entry.lane = record::Lane::handle;
  record::note(entry);
}

// Time is not the same twice: what was planned by it is planned so again with what it was.
void ProgramDevice::pace(driver::Pace& measured) {
  if (!record::is_on()) return;
  record::Entry entry;
  entry.action = measured.may_stitch ? Action::pace : Action::pace_spent;
  entry.pointer = measured.map_ns;
  entry.amount = measured.create_ns;
  entry.device = static_cast<std::uint8_t>(ordinal_);
  record::note(entry);
}

Status ProgramDevice::record_event(driver::Event event, driver::Context context,
                                   driver::Stream stream) {
  auto recorded = record_on_stream(event, context, stream);
  if (recorded) note_fence(Action::fence, event, context, stream);
  return recorded;
}

Status ProgramDevice::record_context(driver::Event event, driver::Context context, bool may_order) {
  auto recorded = record_on_context(event, context, may_order);
  if (recorded) note_fence(Action::fence, event, context, {});
  return recorded;
}

// A capture that is counted may begin at any moment: so it counts as begun.
Status ProgramDevice::record_on_stream(driver::Event event, driver::Context context,
                                       driver::Stream stream) {
  const CaptureGate gate;
  if (!gate.is_open(nullptr)) return CudaDevice::record_event(event, context, stream);
  const Lock lock(captures_mutex());
  const driver::CurrentContext current(driver_, static_cast<CUcontext>(context));
  if (current.result() != CUDA_SUCCESS ||
      is_counted(static_cast<CUstream>(stream), static_cast<CUcontext>(context)) ||
      is_capturing(static_cast<CUstream>(stream)))
    return fail(ErrorKind::captured, "cuEventRecord");
  return CudaDevice::record_event(event, context, stream);
}

Status ProgramDevice::record_on_context(driver::Event event, driver::Context context,
                                        bool may_order) {
  if (CapturingCall::under_way()) return fail(ErrorKind::captured, "cuCtxRecordEvent");
  const CaptureGate gate;
  if (!gate.is_open(static_cast<CUcontext>(context))) {
    const auto recorded = CudaDevice::record_context(event, context, may_order);
    if (recorded && streams_) streams_->context_is_recorded();
    if (recorded || recorded.error().kind != ErrorKind::unsupported || !streams_) return recorded;
  }
  return streams_ && may_order ? record_beside(event, context)
                               : Status(fail(ErrorKind::captured, "cuCtxRecordEvent"));
}

Status ProgramDevice::record_beside(driver::Event event, driver::Context of) {
  auto* const context = static_cast<CUcontext>(of);
  const driver::CurrentContext current(driver_, context);
  if (const auto pushed = current.result()) return fail(pushed, "cuCtxPushCurrent");
  CUstream join = nullptr;
  if (const auto result = call(DriverCall::cuStreamCreate, driver_.cuStreamCreate_, &join,
                               unsigned{CU_STREAM_NON_BLOCKING}))
    return fail(result, "cuStreamCreate");
  auto recorded = come_behind_all(static_cast<CUevent>(event), context, join);
  if (recorded) recorded = CudaDevice::record_event(event, context, join);
  (void)call(DriverCall::cuStreamDestroy_v2, driver_.cuStreamDestroy_v2_, join);
  return recorded;
}

// cuda.h, cuStreamWaitEvent: a wait is for what the event had captured then, so it may be recorded
// again at once.
bool ProgramDevice::come_behind(CUevent event, CUstream stream, CUstream join) {
  return call(DriverCall::cuEventRecord, driver_.cuEventRecord_, event, stream) == CUDA_SUCCESS &&
         call(DriverCall::cuStreamWaitEvent, driver_.cuStreamWaitEvent_, join, event, 0U) ==
             CUDA_SUCCESS;
}

Status ProgramDevice::come_behind_all(CUevent event, CUcontext context, CUstream join) {
  const auto refused = [] {
    return Status(
        fail(ErrorKind::captured, "a stream is out of an event's reach while one captures"));
  };
  const Lock lock(captures_mutex());
  const OpenCapture* first_blocking = nullptr;
  std::vector<CUstream> capturing;
  bool of_context = false;
  unsigned others_capturing = 0;  // on their own streams
  for (const auto& open : open_captures()) {
    if (open.context && open.context != context) continue;
    // What is captured is not given; what was given before is behind this event.
    if (!open.before || call(DriverCall::cuStreamWaitEvent, driver_.cuStreamWaitEvent_, join,
                             open.before, 0U) != CUDA_SUCCESS)
      return refused();
    capturing.push_back(open.stream);
    of_context = of_context || open.of_context;
    if (open.blocking && !first_blocking) first_blocking = &open;
    others_capturing += open.thread && open.thread != this_thread() ? 1 : 0;
  }
  // Streams that were destroyed: those before the first of these captures are behind its event.
  if (!capturing.empty() && streams_->has_recorded_contexts() && !of_context) return refused();
  const bool ends = streams_->each_end(context, [&](driver::Event end) {
    return call(DriverCall::cuStreamWaitEvent, driver_.cuStreamWaitEvent_, join,
                static_cast<CUevent>(end), 0U) == CUDA_SUCCESS;
  });
  if (!ends) return refused();
  const bool legacy = !is_counted(CU_STREAM_LEGACY, context) && !is_capturing(CU_STREAM_LEGACY);
  if (legacy) {
    if (!come_behind(event, CU_STREAM_LEGACY, join)) return refused();
  } else {
    // It has had no work since the capture began, and its event stands for what it had before; the
    // streams that it would follow are followed one by one, but for other threads' own.
    if (!first_blocking || !first_blocking->of_context ||
        streams_->other_per_thread_users() > others_capturing)
      return refused();
    if (streams_->per_thread_used() && !is_counted(CU_STREAM_PER_THREAD, context) &&
        !is_capturing(CU_STREAM_PER_THREAD) && !come_behind(event, CU_STREAM_PER_THREAD, join))
      return refused();
  }
  const bool all = streams_->each(context, [&](driver::Stream known, bool blocking) {
    auto* const stream = static_cast<CUstream>(known);
    if (blocking && legacy) return true;
    if (std::find(capturing.begin(), capturing.end(), stream) != capturing.end()) return true;
    return !is_capturing(stream) && come_behind(event, stream, join);
  });
  return all ? Status{} : refused();
}

Result<bool> ProgramDevice::query(driver::Event event) {
  const RelaxedCapture relaxed(driver_);
  auto over = CudaDevice::query(event);
  if (over) note_fence(*over ? Action::fence_passed : Action::fence_pending, event, nullptr, {});
  return over;
}

Status ProgramDevice::wait(driver::Event event) {
  const RelaxedCapture relaxed(driver_);
  auto waited = CudaDevice::wait(event);
  if (waited) note_fence(Action::fence_awaited, event, nullptr, {});
  return waited;
}

Status ProgramDevice::wait_context(driver::Context context) {
  // It breaks a capture in any mode.
  if (capture_under_way()) return fail(ErrorKind::captured, "cuCtxSynchronize");
  const RelaxedCapture relaxed(driver_);
  auto waited = CudaDevice::wait_context(context);
  if (waited) note_fence(Action::synchronize_context, nullptr, context, {});
  return waited;
}

}  // namespace gmlake::hooks
