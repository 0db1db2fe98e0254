// A stream that could not be destroyed goes on as before: `order`: what it comes after by its waits
// is handed on to streams that wait for it; `work`: its work uses memory that is freed without a
// stream, on a driver without cuCtxRecordEvent. Prints what cudaStreamDestroy answers.
#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include <cuda_runtime_api.h>

namespace {

constexpr std::size_t kBytes = std::size_t{4} << 20;

void check(const char* what, int result) {
  if (result == 0) return;
  std::printf("%s: %d\n", what, result);
  std::exit(1);
}
#define CHECK(call) check(#call, call)

// The calls that fail on purpose, on simcuda.
void arm(const std::string& faults) {
  void* driver = dlopen("libcuda.so.1", RTLD_NOW);
  using Arm = const char* (*)(const char*);
  if (auto arm = reinterpret_cast<Arm>(dlsym(driver, "simcuda_arm_faults")))
    (void)arm(faults.c_str());
}

struct Stream {
  Stream() {
    CHECK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
    CHECK(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
  }
  void come_after(const Stream& other) const {
    CHECK(cudaEventRecord(other.event, other.stream));
    CHECK(cudaStreamWaitEvent(stream, other.event, 0));
  }
  void* get() const {
    void* block = nullptr;
    CHECK(cudaMallocAsync(&block, kBytes, stream));
    CHECK(cudaMemsetAsync(block, 1, kBytes, stream));
    return block;
  }
  cudaStream_t stream = nullptr;
  cudaEvent_t event = nullptr;
};

void fail_to_destroy(const Stream& stream, const std::string& always) {
  arm("cuStreamDestroy_v2:1=999" + (always.empty() ? "" : "," + always));
  std::printf("destroy: %d\n", cudaStreamDestroy(stream.stream));
  arm(always);
}

void order() {
  const Stream first;
  const Stream between;
  const Stream last;
  CHECK(cudaFreeAsync(between.get(), between.stream));
  CHECK(cudaFreeAsync(last.get(), last.stream));
  void* block = first.get();
  void* other = last.get();
  CHECK(cudaFreeAsync(block, first.stream));
  between.come_after(first);
  fail_to_destroy(between, "");
  last.come_after(between);
  CHECK(cudaFreeAsync(last.get(), last.stream));
  CHECK(cudaFreeAsync(other, last.stream));
}

void work() {
  const std::string always = "cuCtxRecordEvent:every=1=801";
  const Stream first;
  const Stream second;
  void *block = nullptr, *again = nullptr;
  arm(always);
  for (int i = 0; i < 20; ++i) {
    CHECK(cudaMalloc(&block, kBytes));
    CHECK(cudaMemsetAsync(block, 1, kBytes, first.stream));
    if (i == 0) fail_to_destroy(first, always);
    CHECK(cudaFree(block));
    CHECK(cudaMalloc(&again, kBytes));
    CHECK(cudaMemsetAsync(again, 2, kBytes, second.stream));
    CHECK(cudaFree(again));
  }
}

}  // namespace

int main(int count, char** words) {
  const std::string_view what = count == 2 ? words[1] : "";
  void* block = nullptr;
  CHECK(cudaMalloc(&block, kBytes));
  if (what == "order") order();
  if (what == "work") work();
  CHECK(cudaDeviceSynchronize());
  CHECK(cudaFree(block));
  return 0;
}
