// Which calls a stream capture tolerates: in each capture mode, made by the capturing thread and by
// another, as they are and with the thread's capture interaction mode set to relaxed.
//
// Each answer is the call's own result; its detail says whether the capture ended well after it.
#include <thread>

#include "block.h"
#include "probe.h"

namespace gpu {
namespace {

// What the calls work on, made before any capture begins.
struct Scene {
  CUcontext context = nullptr;
  CUstream captured = nullptr;  // set once it is
  CUstream other = nullptr;
  CUevent recorded = nullptr;
  CUdeviceptr block = 0;
  CUdeviceptr async = 0;
  CUdeviceptr reserved = 0;
  CUmemGenericAllocationHandle handle = 0;

  explicit Scene(CUcontext current) : context(current) {
    GPU(cuStreamCreate_(&other, CU_STREAM_NON_BLOCKING));
    GPU(cuEventCreate_(&recorded, CU_EVENT_DISABLE_TIMING));
    GPU(cuEventRecord_(recorded, other));
    GPU(cuMemAlloc_v2_(&block, kChunk));
    GPU(cuMemAlloc_v2_(&async, kChunk));
    GPU(cuMemAddressReserve_(&reserved, 2 * kChunk, 0, 0, 0));
    check(create(&handle, kChunk), "cuMemCreate");
    GPU(cuMemMap_(reserved, kChunk, 0, handle, 0));
    check(set_access(reserved, kChunk), "cuMemSetAccess");
    GPU(cuCtxSynchronize_());
  }
  ~Scene() {
    const auto& cuda = driver();
    (void)cuda.cuCtxSynchronize_();
    (void)cuda.cuMemUnmap_(reserved, kChunk);
    (void)cuda.cuMemUnmap_(reserved + kChunk, kChunk);
    (void)cuda.cuMemRelease_(handle);
    (void)cuda.cuMemAddressFree_(reserved, 2 * kChunk);
    if (block != 0) (void)cuda.cuMemFree_v2_(block);
    (void)cuda.cuMemFree_v2_(async);
    (void)cuda.cuEventDestroy_v2_(recorded);
    (void)cuda.cuStreamDestroy_v2_(other);
  }
};

struct Call {
  const char* name;
  CUresult (*make)(Scene&);
};

const Call kCalls[] = {
    {"cuMemGetInfo",
     [](Scene&) {
       std::size_t free = 0;
       std::size_t total = 0;
       return driver().cuMemGetInfo_v2_(&free, &total);
     }},
    {"cuMemAddressReserve",
     [](Scene&) {
       CUdeviceptr at = 0;
       const CUresult code = driver().cuMemAddressReserve_(&at, kChunk, 0, 0, 0);
       if (code == CUDA_SUCCESS) (void)driver().cuMemAddressFree_(at, kChunk);
       return code;
     }},
    {"cuMemCreate",
     [](Scene&) {
       CUmemGenericAllocationHandle made = 0;
       return create(&made, kChunk);  // left alone: releasing it is another call
     }},
    {"cuMemMap",
     [](Scene& s) { return driver().cuMemMap_(s.reserved + kChunk, kChunk, 0, s.handle, 0); }},
    {"cuMemMap+cuMemSetAccess",
     [](Scene& s) {
       const CUresult code = driver().cuMemMap_(s.reserved + kChunk, kChunk, 0, s.handle, 0);
       return code == CUDA_SUCCESS ? set_access(s.reserved + kChunk, kChunk) : code;
     }},
    {"cuMemUnmap", [](Scene& s) { return driver().cuMemUnmap_(s.reserved, kChunk); }},
    {"cuMemRelease", [](Scene& s) { return driver().cuMemRelease_(s.handle); }},
    {"cuMemAlloc",
     [](Scene&) {
       CUdeviceptr at = 0;
       return driver().cuMemAlloc_v2_(&at, kChunk);
     }},
    {"cuMemFree",
     [](Scene& s) {
       const CUresult code = driver().cuMemFree_v2_(s.block);
       if (code == CUDA_SUCCESS) s.block = 0;
       return code;
     }},
    {"cuMemAllocAsync, other stream",
     [](Scene& s) {
       CUdeviceptr at = 0;
       const CUresult code = driver().cuMemAllocAsync_(&at, kChunk, s.other);
       if (code == CUDA_SUCCESS) (void)driver().cuMemFreeAsync_(at, s.other);
       return code;
     }},
    {"cuEventCreate",
     [](Scene&) {
       CUevent event = nullptr;
       return driver().cuEventCreate_(&event, CU_EVENT_DISABLE_TIMING);
     }},
    {"cuEventRecord, other stream",
     [](Scene& s) { return driver().cuEventRecord_(s.recorded, s.other); }},
    {"cuEventQuery", [](Scene& s) { return driver().cuEventQuery_(s.recorded); }},
    {"cuEventSynchronize", [](Scene& s) { return driver().cuEventSynchronize_(s.recorded); }},
    {"cuCtxRecordEvent",
     [](Scene& s) { return driver().cuCtxRecordEvent_(s.context, s.recorded); }},
    {"cuCtxSynchronize", [](Scene&) { return driver().cuCtxSynchronize_(); }},
    {"cuStreamGetId, other stream",
     [](Scene& s) {
       unsigned long long id = 0;
       return driver().cuStreamGetId_(s.other, &id);
     }},
    {"cuStreamGetId, the capturing stream",
     [](Scene& s) {
       unsigned long long id = 0;
       return driver().cuStreamGetId_(s.captured, &id);
     }},
    {"cuStreamQuery, other stream", [](Scene& s) { return driver().cuStreamQuery_(s.other); }},
    {"cuStreamSynchronize, other stream",
     [](Scene& s) { return driver().cuStreamSynchronize_(s.other); }},
    {"cuStreamIsCapturing, legacy stream",
     [](Scene&) {
       CUstreamCaptureStatus status{};
       return driver().cuStreamIsCapturing_(nullptr, &status);
     }},
};

CUresult relaxed(const Call& call, Scene& scene) {
  CUstreamCaptureMode mode = CU_STREAM_CAPTURE_MODE_RELAXED;
  if (const CUresult code = driver().cuThreadExchangeStreamCaptureMode_(&mode);
      code != CUDA_SUCCESS)
    return code;
  const CUresult code = call.make(scene);
  (void)driver().cuThreadExchangeStreamCaptureMode_(&mode);
  return code;
}

void ask(const std::string& where, CUstreamCaptureMode mode, bool same_thread, bool guarded,
         const Call& call) {
  CUcontext context = nullptr;
  GPU(cuCtxGetCurrent_(&context));
  Scene scene(context);
  CUdeviceptr target = 0;
  GPU(cuMemAlloc_v2_(&target, kChunk));
  CUstream stream = nullptr;
  GPU(cuStreamCreate_(&stream, CU_STREAM_DEFAULT));  // the legacy stream waits for it
  GPU(cuStreamBeginCapture_v2_(stream, mode));
  scene.captured = stream;
  GPU(cuMemsetD32Async_(target, 1, kChunk / 4, stream));
  CUresult code = CUDA_ERROR_UNKNOWN;
  const auto make = [&] { code = guarded ? relaxed(call, scene) : call.make(scene); };
  if (same_thread) {
    make();
  } else {
    std::thread([&] {
      (void)driver().cuCtxSetCurrent_(context);
      make();
    }).join();
  }
  const CUresult more = driver().cuMemsetD32Async_(target, 2, kChunk / 4, stream);
  CUgraph graph = nullptr;
  const CUresult ended = driver().cuStreamEndCapture_(stream, &graph);
  const bool survived = more == CUDA_SUCCESS && ended == CUDA_SUCCESS && graph != nullptr;
  if (graph != nullptr) (void)driver().cuGraphDestroy_(graph);
  (void)driver().cuStreamDestroy_v2_(stream);
  (void)driver().cuMemFree_v2_(target);
  answer("capture/" + where + "/" + call.name, code,
         survived ? "capture survives" : "capture broken: " + name(ended));
}

void all(const char* mode_name, CUstreamCaptureMode mode) {
  for (bool same_thread : {true, false}) {
    for (bool guarded : {false, true}) {
      const std::string where =
          std::string(mode_name) + (same_thread ? "/same" : "/other") + (guarded ? "/guarded" : "");
      for (const Call& call : kCalls) ask(where, mode, same_thread, guarded, call);
    }
  }
}

}  // namespace

std::vector<Probe> capture_probes() {
  return {
      {"capture_global", [] { all("global", CU_STREAM_CAPTURE_MODE_GLOBAL); }},
      {"capture_thread_local", [] { all("thread_local", CU_STREAM_CAPTURE_MODE_THREAD_LOCAL); }},
      {"capture_relaxed", [] { all("relaxed", CU_STREAM_CAPTURE_MODE_RELAXED); }}};
}

}  // namespace gpu
