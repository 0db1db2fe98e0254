// Which calls wait for work that runs on the device, and what becomes of work whose memory is taken
// away under it. Times are in microseconds beside a kernel of 300 ms.
#include "block.h"
#include "probe.h"
#include "spin.h"

namespace gpu {
namespace {

constexpr double kSeconds = 0.3;

// A kernel at work on `word`'s memory, and how to see whether it still is.
class Running {
 public:
  explicit Running(CUdeviceptr word) {
    GPU(cuStreamCreate_(&stream_, CU_STREAM_NON_BLOCKING));
    spin_.launch(word, 0, stream_);  // loaded before it is timed
    GPU(cuStreamSynchronize_(stream_));
    spin_.launch(word, kSeconds, stream_);
  }
  ~Running() {
    (void)driver().cuStreamSynchronize_(stream_);
    (void)driver().cuStreamDestroy_v2_(stream_);
  }
  bool still() const { return driver().cuStreamQuery_(stream_) == CUDA_ERROR_NOT_READY; }
  CUresult finish() const { return driver().cuStreamSynchronize_(stream_); }
  CUstream stream() const { return stream_; }

 private:
  Spin spin_;
  CUstream stream_ = nullptr;
};

// Makes the call while a kernel works on memory of its own.
template <typename Make>
void ask(const char* probe, Make make) {
  CUdeviceptr word = 0;
  GPU(cuMemAlloc_v2_(&word, kChunk));
  {
    Running running(word);
    if (!running.still()) {
      answer(probe, "not_asked", "the kernel did not run");
      return;
    }
    CUresult code = CUDA_SUCCESS;
    const double time = microseconds([&] { code = make(); });
    const bool still = running.still();
    answer(probe, code == CUDA_SUCCESS ? still ? "does_not_wait" : "waits" : name(code),
           text(time) + " us");
  }
  GPU(cuMemFree_v2_(word));
}

void waits() {
  const auto& cuda = driver();
  Handles handles(2, kChunk);
  Range range(2 * kChunk);
  ask("waits/cuMemCreate+cuMemRelease", [] {
    CUmemGenericAllocationHandle made = 0;
    const CUresult code = create(&made, kChunk);
    return code == CUDA_SUCCESS ? driver().cuMemRelease_(made) : code;
  });
  ask("waits/cuMemMap",
      [&] { return cuda.cuMemMap_(range.at(), kChunk, 0, handles.list()[0], 0); });
  ask("waits/cuMemSetAccess", [&] { return set_access(range.at(), kChunk); });
  ask("waits/cuMemUnmap", [&] { return cuda.cuMemUnmap_(range.at(), kChunk); });
  CUdeviceptr at = 0;
  ask("waits/cuMemAlloc", [&] { return cuda.cuMemAlloc_v2_(&at, 64 << 20); });
  ask("waits/cuMemFree", [&] { return cuda.cuMemFree_v2_(at); });
  ask("waits/cuMemAlloc small", [&] { return cuda.cuMemAlloc_v2_(&at, 512); });
  ask("waits/cuMemFree small", [&] { return cuda.cuMemFree_v2_(at); });
  CUevent event = nullptr;
  ask("waits/cuEventCreate", [&] { return cuda.cuEventCreate_(&event, CU_EVENT_DISABLE_TIMING); });
  ask("waits/cuEventRecord", [&] { return cuda.cuEventRecord_(event, nullptr); });
  ask("waits/cuCtxRecordEvent", [&] {
    CUcontext context = nullptr;
    (void)driver().cuCtxGetCurrent_(&context);
    return cuda.cuCtxRecordEvent_(context, event);
  });
  ask("waits/cuEventDestroy", [&] { return cuda.cuEventDestroy_v2_(event); });
}

// Does an event recorded on the context cover a non-blocking stream's work?
void context_event() {
  CUdeviceptr word = 0;
  CUevent event = nullptr;
  CUcontext context = nullptr;
  GPU(cuMemAlloc_v2_(&word, kChunk));
  GPU(cuEventCreate_(&event, CU_EVENT_DISABLE_TIMING));
  GPU(cuCtxGetCurrent_(&context));
  Running running(word);
  GPU(cuCtxRecordEvent_(context, event));
  const CUresult early = driver().cuEventQuery_(event);
  const CUresult finished = running.finish();
  (void)driver().cuCtxSynchronize_();
  answer("context_event_covers_streams", early == CUDA_ERROR_NOT_READY ? "yes" : name(early),
         "while a kernel ran; afterwards " + name(driver().cuEventQuery_(event)) + ", kernel " +
             name(finished));
}

// Another mapping of the bytes that the kernel works on goes away.
void unmap_other_view() {
  open_device();
  Block block(1);
  Range window = block.window();
  window.forget_mappings();
  CUresult code = CUDA_SUCCESS;
  double time = 0;
  bool still = false;
  CUresult finished = CUDA_SUCCESS;
  {
    Running running(block.at());
    time = microseconds([&] { code = driver().cuMemUnmap_(window.at(), kChunk); });
    still = running.still();
    finished = running.finish();
  }
  answer("unmap_other_view", code,
         text(time) + " us, " + (still ? "did not wait" : "waited") + ", kernel " + name(finished));
}

void unmap_under_kernel() {
  open_device();
  Handles handle(1, kChunk);
  Range range(kChunk);
  range.map_all(handle);
  check(set_access(range.at(), kChunk), "cuMemSetAccess");
  range.forget_mappings();
  Running running(range.at());
  CUresult code = CUDA_SUCCESS;
  const double time = microseconds([&] { code = driver().cuMemUnmap_(range.at(), kChunk); });
  const bool still = running.still();
  const CUresult finished = running.finish();
  answer("unmap_under_kernel", code,
         text(time) + " us, " + (still ? "did not wait" : "waited") + ", kernel " + name(finished) +
             ", cuCtxSynchronize " + name(driver().cuCtxSynchronize_()));
}

void free_under_kernel() {
  open_device();
  CUdeviceptr word = 0;
  GPU(cuMemAlloc_v2_(&word, 64 << 20));
  Running running(word);
  CUresult code = CUDA_SUCCESS;
  const double time = microseconds([&] { code = driver().cuMemFree_v2_(word); });
  const bool still = running.still();
  answer("free_under_kernel", code,
         text(time) + " us, " + (still ? "did not wait" : "waited") + ", kernel " +
             name(running.finish()));
}

// The window is replaced under other work: the pool's remapping while kernels run elsewhere.
void remap_beside_kernel() {
  Block busy(1);
  Handles handles(8, kChunk);
  CUresult code = CUDA_SUCCESS;
  CUresult finished = CUDA_SUCCESS;
  int rounds = 0;
  {
    Running running(busy.at());
    while (running.still() && code == CUDA_SUCCESS) {
      Range window(8 * kChunk);
      window.map_all(handles);
      code = set_access(window.at(), window.bytes());
      ++rounds;
    }
    finished = running.finish();
  }
  answer("remap_beside_kernel", code,
         std::to_string(rounds) +
             " windows of 8 handles made and unmapped while a kernel of 300 ms "
             "ran; kernel " +
             name(finished));
}

}  // namespace

std::vector<Probe> order_probes() {
  return {{"waits", waits},
          {"context_event", context_event},
          {"unmap_other_view", unmap_other_view, true},
          {"remap_beside_kernel", remap_beside_kernel},
          {"unmap_under_kernel", unmap_under_kernel, true},
          {"free_under_kernel", free_under_kernel, true}};
}

}  // namespace gpu
