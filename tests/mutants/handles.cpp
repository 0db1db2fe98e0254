// Handles of what is gone.
#include "device.h"
#include "pair.h"

namespace gmlake::mutants {
namespace {

void destroyed_stream(Twin twin) {
  Device device;
  Stream a;
  const CUstream handle = a;
  if (twin == Twin::wrong) a.destroy();
  (void)cuStreamSynchronize(handle);
}

void stream_destroyed_twice(Twin twin) {
  Device device;
  Stream a;
  const CUstream handle = a;
  a.destroy();
  if (twin == Twin::wrong) (void)cuStreamDestroy(handle);
}

void destroyed_event(Twin twin) {
  Device device;
  Stream a;
  Event event;
  const CUevent handle = event;
  if (twin == Twin::wrong) event.destroy();
  (void)cuEventRecord(handle, a);
}

void event_destroyed_twice(Twin twin) {
  Device device;
  Event event;
  const CUevent handle = event;
  event.destroy();
  if (twin == Twin::wrong) (void)cuEventDestroy(handle);
}

void destroyed_context(Twin twin) {
  Device device;
  CUcontext context = nullptr;
  check(cuCtxCreate(&context, nullptr, 0, 0));
  if (twin == Twin::wrong) check(cuCtxDestroy(context));
  (void)cuCtxSetCurrent(context);
  if (twin == Twin::correct) check(cuCtxDestroy(context));
}

void stream_of_a_destroyed_context(Twin twin) {
  Device device;
  CUcontext context = nullptr;
  check(cuCtxCreate(&context, nullptr, 0, 0));
  CUstream stream = nullptr;
  check(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
  if (twin == Twin::correct) check(cuStreamDestroy(stream));
  check(cuCtxDestroy(context));
  if (twin == Twin::wrong) (void)cuStreamDestroy(stream);
}

void unloaded_module(Twin twin) {
  Device device;
  CUmodule module = nullptr;
  CUfunction function = nullptr;
  check(cuModuleLoadData(&module, "kernels"));
  if (twin == Twin::wrong) check(cuModuleUnload(module));
  (void)cuModuleGetFunction(&function, module, "read");
  if (twin == Twin::correct) check(cuModuleUnload(module));
}

// A new stream may have the handle of one that is destroyed, and does not have its work.
void recycled_stream(Twin twin) {
  Device device;
  Stream a;
  Buffer buffer;
  const CUstream last_user = a;
  unsigned long long last_user_id = 0;
  check(cuStreamGetId(a, &last_user_id));
  Event used;
  device.write(buffer, a);
  check(cuEventRecord(used, a));
  a.destroy();

  Stream b;
  unsigned long long id = 0;
  check(cuStreamGetId(b, &id));
  const bool the_same = twin == Twin::wrong ? b == last_user : id == last_user_id;
  if (!the_same) check(cuStreamWaitEvent(b, used, 0));
  device.write(buffer, b);
}

}  // namespace

Pairs handle_pairs() {
  return {
      {"handles.destroyed_stream", "a destroyed stream is waited for",
       "[handles] cuStreamSynchronize", destroyed_stream},
      {"handles.stream_destroyed_twice", "cuStreamDestroy twice", "[handles] cuStreamDestroy",
       stream_destroyed_twice},
      {"handles.destroyed_event", "a destroyed event is recorded", "[handles] cuEventRecord",
       destroyed_event},
      {"handles.event_destroyed_twice", "cuEventDestroy twice", "[handles] cuEventDestroy",
       event_destroyed_twice},
      {"handles.destroyed_context", "a destroyed context is made current",
       "[handles] cuCtxSetCurrent", destroyed_context},
      {"handles.stream_of_a_destroyed_context", "a stream is destroyed after its context",
       "[handles] cuStreamDestroy", stream_of_a_destroyed_context},
      {"handles.unloaded_module", "a function of an unloaded module",
       "[handles] cuModuleGetFunction", unloaded_module},
      {"handles.recycled_stream", "a new stream with an old one's handle is taken for the old one",
       "[order] no order between cuLaunchKernel", recycled_stream},
  };
}

}  // namespace gmlake::mutants
