// The primary context goes away, by its last release and by a reset, while memory of it is live and
// pending, and comes back. Prints what every call answers.
#include <cstdio>

#include <cuda.h>

namespace {

constexpr std::size_t kBytes = std::size_t{4} << 20;

void say(const char* what, int result) {
  std::printf("%s: %d\n", what, result);
}

bool active() {
  unsigned flags = 0;
  int now = -1;
  (void)cuDevicePrimaryCtxGetState(0, &flags, &now);
  return now == 1;
}

CUcontext retain() {
  CUcontext context = nullptr;
  say("retain", cuDevicePrimaryCtxRetain(&context, 0));
  say("set current", cuCtxSetCurrent(context));
  return context;
}

// Leaves one block live; the others' frees are behind work.
CUdeviceptr use() {
  CUdeviceptr live = 0, at = 0;
  CUstream stream = nullptr;
  say("stream", cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
  say("allocate", cuMemAlloc(&live, kBytes));
  for (int i = 0; i < 4; ++i) {
    say("allocate", cuMemAlloc(&at, kBytes));
    say("fill", cuMemsetD8Async(at, 1, kBytes, stream));
    say("free", cuMemFree(at));
  }
  say("wait", cuStreamSynchronize(stream));
  say("destroy", cuStreamDestroy(stream));
  return live;
}

}  // namespace

int main() {
  say("init", cuInit(0));
  const CUcontext first = retain();
  CUdeviceptr live = use();
  retain();
  say("release", cuDevicePrimaryCtxRelease(0));
  say("active", active());
  say("free", cuMemFree(live));
  live = use();
  say("release", cuDevicePrimaryCtxRelease(0));
  say("active", active());

  say("the same", retain() == first);
  say("free of what is gone", cuMemFree(live));
  live = use();
  say("reset", cuDevicePrimaryCtxReset(0));
  say("active", active());
  say("reset again", cuDevicePrimaryCtxReset(0));
  say("active", active());
  say("release", cuDevicePrimaryCtxRelease(0));
  say("release again", cuDevicePrimaryCtxRelease(0));

  retain();
  say("free of what is gone", cuMemFree(live));
  say("free", cuMemFree(use()));
  say("release", cuDevicePrimaryCtxRelease(0));
  say("active", active());
  say("release of no device", cuDevicePrimaryCtxRelease(-1));
  say("reset of no device", cuDevicePrimaryCtxReset(-1));
  say("reset of no device", cuDevicePrimaryCtxReset(1000000));
  return 0;
}
