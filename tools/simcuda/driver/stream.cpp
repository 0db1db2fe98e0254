// cuStream* and host functions. Handles of destroyed streams come back for new ones, as with the
// real driver; ids never do.
#include "../simcuda.h"
#include "capture.h"
#include "entry.h"
#include "findings.h"
#include "pool.h"

namespace gmlake::simcuda {
namespace {

using StreamTable = HandleTable<Stream, 0x57a, Reuse::recycle>;

// Guarded by the scheduler's lock.
StreamTable& streams() {
  static StreamTable* table = new StreamTable;
  return *table;
}
bool recycles_with_context = false;
std::uint64_t value_of(CUstream handle) {
  return reinterpret_cast<std::uint64_t>(handle);
}

CUresult create(CUstream* result, unsigned flags, int priority) {
  if (result == nullptr || (flags & ~unsigned{CU_STREAM_NON_BLOCKING}) != 0)
    return CUDA_ERROR_INVALID_VALUE;
  Context* context = nullptr;
  if (const CUresult bad = current_context(context)) return bad;
  *result = new_stream(*context, flags, priority);
  return CUDA_SUCCESS;
}

CUresult query(CUstream handle, Implicit implicit) {
  StreamRef stream;
  if (const CUresult bad = find_stream(handle, implicit, stream)) return bad;
  if (const CUresult bad = check_stream(*stream)) return bad;
  if (const CUresult bad = check_unsafe()) return bad;
  return idle(stream) ? CUDA_SUCCESS : CUDA_ERROR_NOT_READY;
}

CUresult synchronize(CUstream handle, Implicit implicit) {
  StreamRef stream;
  if (const CUresult bad = find_stream(handle, implicit, stream)) return bad;
  if (const CUresult bad = check_stream(*stream)) return bad;
  if (const CUresult bad = check_unsafe()) return bad;
  wait_stream(stream);
  release_unused_pages();
  return stream->context->broken;  // by what it waited for
}

// One attribute of a stream: `take` stores it.
template <typename T, typename Take>
CUresult get(CUstream handle, Implicit implicit, T* result, Take take) {
  StreamRef stream;
  if (const CUresult bad = find_stream(handle, implicit, stream)) return bad;
  if (result == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *result = take(*stream);
  return CUDA_SUCCESS;
}

// Unlike the others it breaks a capture of the stream (measured on driver 580).
CUresult get_id(CUstream handle, Implicit implicit, unsigned long long* id) {
  StreamRef stream;
  if (const CUresult bad = find_stream(handle, implicit, stream)) return bad;
  if (capturing(*stream))
    if (const CUresult bad = check_stream(*stream)) return bad;
  return get(handle, implicit, id, [](const Stream& s) { return s.id; });
}

CUresult launch(CUstream handle, Implicit implicit, CUhostFn function, void* data) {
  if (function == nullptr) return CUDA_ERROR_INVALID_VALUE;
  StreamRef stream;
  if (const CUresult bad = find_stream(handle, implicit, stream)) return bad;
  if (capturing(*stream)) {
    NodeParams params;
    params.what.type = CU_GRAPH_NODE_TYPE_HOST;
    params.what.host = {function, data};
    return capture(stream, std::move(params));
  }
  // cuda.h: "the function will not be called in the event of an error in the CUDA context."
  return enqueue(stream, {Run::host_code, [=, context = stream->context] {
                            if (context->broken == CUDA_SUCCESS) function(data);
                          }});
}

CUresult add_callback(CUstream handle, Implicit implicit, CUstreamCallback callback, void* data,
                      unsigned flags) {
  if (callback == nullptr || flags != 0) return CUDA_ERROR_INVALID_VALUE;
  StreamRef stream;
  if (const CUresult bad = find_stream(handle, implicit, stream)) return bad;
  // cuda.h: "In the event of a device error, all subsequently executed callbacks will receive an
  // appropriate CUresult."
  return enqueue(stream, {Run::host_code, [=, context = stream->context] {
                            callback(handle, context->broken, data);
                          }});
}

}  // namespace

CUresult find_stream(CUstream handle, Implicit implicit, StreamRef& stream) {
  if (handle == nullptr) return implicit_stream(implicit, stream);
  if (handle == CU_STREAM_LEGACY) return implicit_stream(Implicit::legacy, stream);
  if (handle == CU_STREAM_PER_THREAD) return implicit_stream(Implicit::per_thread, stream);
  const SchedulerLock lock = lock_scheduler();
  stream = streams().share(value_of(handle));
  if (stream == nullptr)
    return misuse(CUDA_ERROR_INVALID_HANDLE, "destroyed stream, or none", value_of(handle));
  if (stream->destroyed)
    return misuse(CUDA_ERROR_CONTEXT_IS_DESTROYED, "stream of a destroyed context",
                  value_of(handle));
  return stream->context->broken;
}

CUstream new_stream(Context& context, unsigned flags, int priority) {
  const SchedulerLock lock = lock_scheduler();
  return reinterpret_cast<CUstream>(streams().add(add_stream(context, flags, priority)));
}

void forget_handles(const Context& context) {
  if (recycles_with_context)
    streams().remove_if([&](const Stream& stream) { return stream.context == &context; });
}

std::size_t live_streams() {
  return streams().live();
}

CUresult enqueue(const StreamRef& stream, Work work, Point* point) {
  // What a capture can take it has taken before; the rest is refused.
  if (const CUresult bad = check_stream(*stream)) return bad;
  const Point given = submit(stream, std::move(work));
  if (point != nullptr) *point = given;
  return CUDA_SUCCESS;
}

}  // namespace gmlake::simcuda

using namespace gmlake::simcuda;

void simcuda_recycle_streams(void) {
  const SchedulerLock lock = lock_scheduler();
  recycles_with_context = true;
}

CUresult cuStreamCreate(CUstream* result, unsigned flags) {
  SIM_ENTER();
  return create(result, flags, 0);
}
CUresult cuStreamCreateWithPriority(CUstream* result, unsigned flags, int priority) {
  SIM_ENTER();
  return create(result, flags, priority < -5 ? -5 : priority > 0 ? 0 : priority);
}
CUresult cuStreamDestroy_v2(CUstream handle) {
  SIM_ENTER();
  StreamRef stream;
  {
    const SchedulerLock lock = lock_scheduler();
    if (streams().find(value_of(handle)) == nullptr)
      return misuse(CUDA_ERROR_INVALID_HANDLE, "destroyed stream, or none", value_of(handle));
    stream = streams().remove(value_of(handle));
    if (stream->destroyed)
      return misuse(CUDA_ERROR_CONTEXT_IS_DESTROYED, "stream of a destroyed context",
                    value_of(handle));
  }
  leave_capture(stream);
  const SchedulerLock lock = lock_scheduler();
  // cuda.h, cuStreamDestroy: returns immediately; work still in the stream completes first.
  stream->destroyed = true;
  if (stream->last == nullptr) forget_stream(*stream);
  return CUDA_SUCCESS;
}

SIM_PTSZ(cuStreamQuery, (CUstream stream), query(stream, implicit))
SIM_PTSZ(cuStreamSynchronize, (CUstream stream), synchronize(stream, implicit))
SIM_PTSZ(cuStreamGetId, (CUstream stream, unsigned long long* id), get_id(stream, implicit, id))
SIM_PTSZ(cuStreamGetCtx, (CUstream stream, CUcontext* context),
         get(stream, implicit, context,
             [](const Stream& s) { return reinterpret_cast<CUcontext>(s.context); }))
SIM_PTSZ(cuStreamGetCtx_v2, (CUstream stream, CUcontext* context, CUgreenCtx* green),
         get(stream, implicit, context, [green](const Stream& s) {
           const bool of_green = s.context->part_of != nullptr;
           if (green != nullptr)
             *green = of_green ? reinterpret_cast<CUgreenCtx>(s.context) : nullptr;
           return to_handle(&whole(*s.context));
         }))
SIM_PTSZ(cuStreamGetFlags, (CUstream stream, unsigned* flags),
         get(stream, implicit, flags, [](const Stream& s) { return s.flags; }))
SIM_PTSZ(cuStreamGetPriority, (CUstream stream, int* priority),
         get(stream, implicit, priority, [](const Stream& s) { return s.priority; }))
SIM_PTSZ(cuStreamGetDevice, (CUstream stream, CUdevice* device),
         get(stream, implicit, device, [](const Stream& s) { return s.context->device; }))
SIM_PTSZ(cuLaunchHostFunc, (CUstream stream, CUhostFn function, void* data),
         launch(stream, implicit, function, data))
// How the host's thread waits for its turn makes no difference here.
SIM_PTSZ(cuLaunchHostFunc_v2, (CUstream stream, CUhostFn function, void* data, unsigned mode),
         mode <= 1 ? launch(stream, implicit, function, data) : CUDA_ERROR_INVALID_VALUE)
SIM_PTSZ(cuStreamAddCallback,
         (CUstream stream, CUstreamCallback callback, void* data, unsigned flags),
         add_callback(stream, implicit, callback, data, flags))
