// A context ends with memory of it live and pending, in the way that is asked for: destroy, detach
// (the last reference), release, reset, detach_primary. Before that come the calls that fail, or
// take one reference of several away, and end nothing. Prints what every call answers.
#include <cstdio>
#include <string_view>

#include <cuda.h>

namespace {

constexpr std::size_t kBytes = std::size_t{4} << 20;
constexpr std::size_t kMost = std::size_t{48} << 20;  // of 64 MiB

void say(const char* what, int result) {
  std::printf("%s: %d\n", what, result);
}

CUcontext create() {
  CUcontext context = nullptr;
  CUctxCreateParams none{};
  say("create", cuCtxCreate(&context, &none, 0, 0));
  return context;
}

CUcontext current() {
  CUcontext now = nullptr;
  (void)cuCtxGetCurrent(&now);
  return now;
}

class Round {
 public:
  explicit Round(std::string_view way) : way_(way) {}

  void run() {
    begin();
    use();
    go_on();
    say("what is current ends", end());
    // A context that was popped is not current any more; a primary one is, and dead.
    say("still current", current() == context_);
    if (current()) say("use of the dead", cuMemAlloc(&at_, kBytes));
    (void)cuCtxSetCurrent(nullptr);
    look_back();
  }

 private:
  bool primary() const { return way_ == "release" || way_ == "reset" || way_ == "detach_primary"; }

  void begin() {
    if (!primary()) {
      context_ = create();
      return;
    }
    say("retain", cuDevicePrimaryCtxRetain(&context_, 0));
    say("set current", cuCtxSetCurrent(context_));
  }

  void use() {
    say("stream", cuStreamCreate(&stream_, CU_STREAM_NON_BLOCKING));
    say("stream", cuStreamCreate(&other_, CU_STREAM_NON_BLOCKING));
    say("allocate", cuMemAlloc(&plain_, kBytes));
    say("allocate on the stream", cuMemAllocAsync(&ordered_, kBytes, stream_));
    for (int i = 0; i < 3; ++i) {
      say("allocate", cuMemAlloc(&at_, kBytes));
      say("fill", cuMemsetD8Async(at_, 1, kBytes, stream_));
      say("free", cuMemFree(at_));
      say("allocate on the stream", cuMemAllocAsync(&at_, kBytes, stream_));
      say("fill", cuMemsetD8Async(at_, 1, kBytes, stream_));
      say("free on the stream", cuMemFreeAsync(at_, stream_));
    }
  }

  // Ends that end nothing.
  void go_on() {
    CUcontext again = nullptr;
    if (primary()) {
      say("destroy", cuCtxDestroy(context_));
      say("retain", cuDevicePrimaryCtxRetain(&again, 0));
      say("release",
          way_ == "detach_primary" ? cuCtxDetach(context_) : cuDevicePrimaryCtxRelease(0));
    } else {
      say("attach", cuCtxAttach(&again, 0));
      say("the same", again == context_);
      say("detach", cuCtxDetach(context_));
    }
    say("destroy of the default stream", cuStreamDestroy(nullptr) != CUDA_SUCCESS);
    say("still current", current() == context_);
    say("fill", cuMemsetD8Async(plain_, 2, kBytes, stream_));
    say("free", cuMemFree(plain_));
    say("allocate", cuMemAlloc(&plain_, kBytes));
    say("fill", cuMemsetD8Async(plain_, 3, kBytes, stream_));
  }

  int end() {
    if (way_ == "destroy") return cuCtxDestroy(context_);
    if (way_.starts_with("detach")) return cuCtxDetach(context_);
    const int result = way_ == "reset" ? cuDevicePrimaryCtxReset(0) : 0;
    return result != 0 ? result : cuDevicePrimaryCtxRelease(0);
  }

  void look_back() {
    auto* const next = create();
    say("free of what is gone", cuMemFree(plain_));
    say("free of what is not", cuMemFree(ordered_));
    say("free again", cuMemFree(ordered_));
    say("allocate most", cuMemAlloc(&at_, kMost));
    say("fill", cuMemsetD8(at_, 4, kMost));
    say("free", cuMemFree(at_));
    say("destroy", cuCtxDestroy(next));
    say("destroy again", cuCtxDestroy(next) != CUDA_SUCCESS);
  }

  std::string_view way_;
  CUcontext context_ = nullptr;
  CUstream stream_ = nullptr, other_ = nullptr;
  CUdeviceptr plain_ = 0, ordered_ = 0, at_ = 0;
};

}  // namespace

int main(int count, char** words) {
  if (count != 2) return 2;
  say("init", cuInit(0));
  for (int i = 0; i < 3; ++i) Round(words[1]).run();
  return 0;
}
