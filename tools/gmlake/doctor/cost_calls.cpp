// Times of the calls a hit or a free may make: identities, events, capture state.
#include <atomic>

#include "doctor/costs.h"

namespace gmlake::tool::doctor {
namespace {

constexpr int kTimes = 2000;

// A stream that waits for the host: what is recorded behind it stays pending.
class Gate {
 public:
  static void CUDA_CB wait(void* self) { static_cast<Gate*>(self)->open_.wait(false); }
  void open() {
    open_ = true;
    open_.notify_all();
  }

 private:
  std::atomic<bool> open_{false};
};

}  // namespace

Status time_calls(const Driver& driver, CUcontext context, Samples& samples) {
  const auto& cuda = driver.table;
  CUresult failed = CUDA_SUCCESS;
  const char* what = "";
  const auto time = [&](const char* name, int times, auto call) {
    for (int i = 0; i < times && failed == CUDA_SUCCESS; ++i) {
      failed = samples.time(name, call);
      if (failed != CUDA_SUCCESS) what = name;
    }
  };
  const auto must = [&](const char* name, CUresult code) {
    if (failed == CUDA_SUCCESS && code != CUDA_SUCCESS) {
      failed = code;
      what = name;
    }
  };

  time("the clock itself", kTimes, [] { return CUDA_SUCCESS; });
  CUstream stream = nullptr;
  CUstream other = nullptr;
  must("cuStreamCreate", driver.cuStreamCreate_(&stream, CU_STREAM_NON_BLOCKING));
  must("cuStreamCreate", driver.cuStreamCreate_(&other, CU_STREAM_NON_BLOCKING));

  time("cuCtxGetCurrent", kTimes, [&] {
    CUcontext current = nullptr;
    return cuda.cuCtxGetCurrent_(&current);
  });
  time("cuCtxGetDevice", kTimes, [&] {
    CUdevice device = 0;
    return cuda.cuCtxGetDevice_(&device);
  });
  time("cuStreamGetId", kTimes, [&] {
    unsigned long long id = 0;
    return cuda.cuStreamGetId_(stream, &id);
  });
  time("cuStreamGetId, legacy stream", kTimes, [&] {
    unsigned long long id = 0;
    return cuda.cuStreamGetId_(nullptr, &id);
  });
  time("cuStreamIsCapturing", kTimes, [&] {
    CUstreamCaptureStatus status{};
    return cuda.cuStreamIsCapturing_(stream, &status);
  });
  if (cuda.cuThreadExchangeStreamCaptureMode_ != nullptr) {
    CUstreamCaptureMode mode = CU_STREAM_CAPTURE_MODE_RELAXED;
    time("cuThreadExchangeStreamCaptureMode", kTimes & ~1,
         [&] { return cuda.cuThreadExchangeStreamCaptureMode_(&mode); });
  }
  time("cuMemGetInfo", 200, [&] {
    std::size_t free = 0;
    std::size_t total = 0;
    return cuda.cuMemGetInfo_v2_(&free, &total);
  });

  std::vector<CUevent> events(kTimes);
  std::size_t next = 0;
  time("cuEventCreate", kTimes,
       [&] { return cuda.cuEventCreate_(&events[next++], CU_EVENT_DISABLE_TIMING); });
  const CUevent event = events[0];
  time("cuEventRecord", kTimes, [&] { return cuda.cuEventRecord_(event, stream); });
  must("cuStreamSynchronize", driver.cuStreamSynchronize_(stream));
  time("cuEventQuery, complete", kTimes, [&] { return cuda.cuEventQuery_(event); });
  time("cuEventSynchronize, complete", kTimes, [&] { return cuda.cuEventSynchronize_(event); });
  time("cuStreamWaitEvent, complete", kTimes,
       [&] { return driver.cuStreamWaitEvent_(other, event, 0); });
  if (cuda.cuCtxRecordEvent_ != nullptr)
    time("cuCtxRecordEvent", kTimes, [&] { return cuda.cuCtxRecordEvent_(context, event); });
  must("cuCtxSynchronize", cuda.cuCtxSynchronize_());
  time("cuStreamSynchronize, idle", kTimes, [&] { return driver.cuStreamSynchronize_(stream); });
  time("cuCtxSynchronize, idle", 200, [&] { return cuda.cuCtxSynchronize_(); });

  Gate gate;
  must("cuLaunchHostFunc", driver.cuLaunchHostFunc_(stream, Gate::wait, &gate));
  must("cuEventRecord", cuda.cuEventRecord_(events[1], stream));
  time("cuEventQuery, pending", kTimes, [&] {
    const CUresult code = cuda.cuEventQuery_(events[1]);
    return code == CUDA_ERROR_NOT_READY ? CUDA_SUCCESS : code;
  });
  time("cuStreamWaitEvent, pending", 200,
       [&] { return driver.cuStreamWaitEvent_(other, events[1], 0); });
  gate.open();
  must("cuStreamSynchronize", driver.cuStreamSynchronize_(stream));
  must("cuStreamSynchronize", driver.cuStreamSynchronize_(other));

  next = 0;
  time("cuEventDestroy", kTimes, [&] { return cuda.cuEventDestroy_v2_(events[next++]); });
  must("cuStreamDestroy", driver.cuStreamDestroy_v2_(stream));
  must("cuStreamDestroy", driver.cuStreamDestroy_v2_(other));
  if (failed != CUDA_SUCCESS) return fail(failed, what);
  return {};
}

}  // namespace gmlake::tool::doctor
