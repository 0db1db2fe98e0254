// What is still there when the process ends.
#include "device.h"
#include "pair.h"

namespace gmlake::mutants {
namespace {

// One of a kind, forgotten by the wrong program.
template <typename Kind>
void forgotten(Twin twin) {
  Device device;
  Kind kind;
  if (twin == Twin::wrong) (void)kind.release();
}

void window(Twin twin) {
  Device device;
  Window window;
  if (twin == Twin::wrong) window.forget();
}

void mapping(Twin twin) {
  Device device;
  Physical physical;
  Window window(physical);
  if (twin == Twin::wrong) window.forget();
}

void retained_handle(Twin twin) {
  Device device;
  Physical physical;
  Window window(physical);
  CUmemGenericAllocationHandle again = 0;
  check(cuMemRetainAllocationHandle(&again, reinterpret_cast<void*>(CUdeviceptr{window})));
  if (twin == Twin::correct) check(cuMemRelease(again));
}

void async_allocation(Twin twin) {
  Device device;
  Stream a;
  CUdeviceptr at = 0;
  check(cuMemAllocAsync(&at, kSize, a));
  if (twin == Twin::correct) check(cuMemFreeAsync(at, a));
}

void context(Twin twin) {
  Device device;
  CUcontext context = nullptr;
  check(cuCtxCreate(&context, nullptr, 0, 0));
  if (twin == Twin::correct) check(cuCtxDestroy(context));
}

void primary_context(Twin twin) {
  Device device;
  CUcontext again = nullptr;
  check(cuDevicePrimaryCtxRetain(&again, 0));
  if (twin == Twin::correct) check(cuDevicePrimaryCtxRelease(0));
}

}  // namespace

Pairs leak_pairs() {
  return {
      {"leaks.stream", "a stream is left", "[leaks] at exit: 1 streams", forgotten<Stream>},
      {"leaks.event", "an event is left", "[leaks] at exit: 1 events", forgotten<Event>},
      {"leaks.allocation", "an allocation of a context is left",
       "[leaks] cuDevicePrimaryCtxRelease_v2", forgotten<Buffer>},
      {"leaks.pinned", "pinned memory is left", "[leaks] at exit: 1 host allocations",
       forgotten<Pinned>},
      {"leaks.physical", "a physical handle is left", "[leaks] at exit: 1 physical handles",
       forgotten<Physical>},
      {"leaks.reservation", "reserved addresses are left",
       "[leaks] at exit: 1 address reservations", window},
      {"leaks.mapping", "a mapping is left", "[leaks] at exit: 1 mappings", mapping},
      {"leaks.retained_handle", "a retained handle is not released",
       "[leaks] at exit: 1 physical handles", retained_handle},
      {"leaks.async_allocation", "an async allocation is left",
       "[leaks] at exit: 1 device allocations", async_allocation},
      {"leaks.context", "a context is left", "[leaks] at exit: 1 contexts", context},
      {"leaks.primary_context", "a primary context is retained once too often",
       "[leaks] at exit: 1 contexts", primary_context},
  };
}

}  // namespace gmlake::mutants
