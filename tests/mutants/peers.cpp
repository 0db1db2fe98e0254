// One device and the memory of another.
#include "device.h"
#include "pair.h"

namespace gmlake::mutants {
namespace {

void access_not_enabled(Twin twin) {
  Device first(0);
  Buffer buffer;
  Device second(1);
  Stream a;
  if (twin == Twin::correct) check(cuCtxEnablePeerAccess(first.context, 0));
  second.write(buffer, a);
  check(cuStreamSynchronize(a));
}

void access_for_the_owner_only(Twin twin) {
  Device first(0);
  Physical physical;
  Window window(physical);
  Device second(1);
  Stream a;
  if (twin == Twin::correct) set_access(window, kChunk, CU_MEM_ACCESS_FLAGS_PROT_READWRITE, 1);
  second.write(window, a, kChunk);
  check(cuStreamSynchronize(a));
}

// Each device has a context and streams of its own, and waits for these only.
void waits_for_the_wrong_context(Twin twin) {
  Device first(0);
  Stream a;
  Buffer buffer;
  Device second(1);
  check(cuCtxEnablePeerAccess(first.context, 0));
  Stream b;
  first.write(buffer, a);
  if (twin == Twin::correct) check(cuCtxSetCurrent(first.context));
  check(cuCtxSynchronize());
  second.read(buffer, b);
  check(cuStreamSynchronize(b));
}

}  // namespace

Pairs peer_pairs() {
  return {
      {"peers.access_not_enabled", "a kernel on another device's memory, without peer access",
       "[memory] cuLaunchKernel", access_not_enabled},
      {"peers.access_for_the_owner_only", "the same, where cuMemSetAccess names the owner only",
       "[memory] cuLaunchKernel", access_for_the_owner_only},
      {"peers.waits_for_the_wrong_context", "the current context is waited for, not the writer's",
       "[order] no order between cuLaunchKernel", waits_for_the_wrong_context},
  };
}

}  // namespace gmlake::mutants
