// Memory asked for and given back by a thread that has no current context, or a dead one: by the
// runtime, which makes the primary context current unless a stream that was created has one, and by
// the driver, which does not. Prints what every call answers, and what is current then.
#include <cstdio>
#include <thread>

#include <cuda.h>
#include <cuda_runtime_api.h>

namespace {

constexpr std::size_t kBytes = std::size_t{1} << 20;

cudaStream_t stream = nullptr;

void say(const char* what, int result) {
  CUcontext now = nullptr;
  (void)cuCtxGetCurrent(&now);
  std::printf("%s: %d, %s\n", what, result, now ? "current" : "none");
}

// What no call says any more; each is a block that the pool has had before.
void leave() {
  say("none current", cuCtxSetCurrent(nullptr));
}

// The calls of the runtime, each as the first one after that.
void by_runtime() {
  void* at = nullptr;
  const auto use = [&] { say("fill", cuMemsetD8(reinterpret_cast<CUdeviceptr>(at), 1, kBytes)); };
  say("allocate", cudaMalloc(&at, kBytes));
  use();
  leave();
  say("free", cudaFree(at));
  leave();
  say("allocate", cudaMalloc(&at, kBytes));
  use();
  say("free", cudaFree(at));
  leave();
  for (auto* const where : {stream, cudaStream_t{nullptr}, cudaStreamPerThread}) {
    say("allocate on a stream", cudaMallocAsync(&at, kBytes, where));
    use();
    leave();
    say("free on a stream", cudaFreeAsync(at, where));
    leave();
  }
  std::size_t free = 0;
  say("memory", cudaMemGetInfo(&free, &free));
}

void by_driver() {
  CUdeviceptr plain = 0, ordered = 0, at = 0;
  say("allocate", cuMemAlloc(&plain, kBytes));
  say("allocate on a stream", cuMemAllocAsync(&ordered, kBytes, stream));
  leave();
  say("allocate", cuMemAlloc(&at, kBytes));
  say("allocate nothing", cuMemAlloc(&at, 0));
  for (auto* const where : {CUstream{nullptr}, CU_STREAM_LEGACY, CU_STREAM_PER_THREAD}) {
    say("allocate on a default stream", cuMemAllocAsync(&at, kBytes, where));
    say("free on a default stream", cuMemFreeAsync(ordered, where));
  }
  say("allocate on a stream", cuMemAllocAsync(&at, kBytes, stream));
  say("free on a stream", cuMemFreeAsync(at, stream));
  say("free on a stream", cuMemFreeAsync(ordered, stream));
  say("free on a stream again", cuMemFreeAsync(ordered, stream));
  say("free", cuMemFree(plain));
  say("free again", cuMemFree(plain));
}

}  // namespace

int main() {
  CUcontext primary = nullptr, popped = nullptr;
  say("start", cudaFree(nullptr));
  say("stream", cudaStreamCreate(&stream));
  (void)cuCtxGetCurrent(&primary);
  by_runtime();
  by_driver();
  std::thread(by_runtime).join();
  std::thread([&] {
    say("push", cuCtxPushCurrent(primary));
    by_driver();
    say("pop", cuCtxPopCurrent(&popped));
    say("push", cuCtxPushCurrent(primary));
    say("pop", cuCtxPopCurrent(&popped));
    by_runtime();
  }).join();

  // It stays current where it was, and is dead; the runtime makes it anew.
  void* at = nullptr;
  say("allocate", cudaMalloc(&at, kBytes));
  say("free", cudaFree(at));
  say("reset", cuDevicePrimaryCtxReset(0));
  CUdeviceptr dead = 0;
  say("allocate", cuMemAlloc(&dead, kBytes));
  say("allocate on a default stream", cuMemAllocAsync(&dead, kBytes, nullptr));
  say("reset", cudaDeviceReset());
  say("allocate", cudaMalloc(&at, kBytes));
  say("fill", cuMemsetD8(reinterpret_cast<CUdeviceptr>(at), 1, kBytes));
  say("free", cudaFree(at));
  return 0;
}
