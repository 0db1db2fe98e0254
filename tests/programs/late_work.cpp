// Frees memory, gives the GPU work that ends only when the host says so, and then asks for more
// memory than is left without what was freed. Whoever waits for the late work waits for ever: what
// was freed has nothing to do with it.
//
//   late_work FREED LATER WANTED [many] [busy] [fresh]
//
// FREED   how the memory was allocated and freed
// LATER   where the late work is
// WANTED  who asks: malloc, async (on another stream) or create (the program's own cuMemCreate)
// many    it was many small blocks; otherwise one
// busy    work from before the free is still running, for a while: that may be waited for
// fresh   the stream that asks is made only after all of that
//
// Says "served"; the exit status is 3 when the request or the work on its memory hangs.
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include <cuda.h>
#include <cuda_runtime_api.h>
#include <dlfcn.h>

namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;
constexpr std::size_t kFreed = 48 * kMiB;
constexpr std::size_t kWanted = 56 * kMiB;
constexpr std::size_t kSmall = 64 << 10;
constexpr std::size_t kTouched = 4 << 10;  // of each MiB
constexpr auto kHung = std::chrono::seconds(10);
constexpr auto kBusy = std::chrono::milliseconds(50);

void check(const char* what, int result) {
  if (result == 0) return;
  std::printf("%s: %d\n", what, result);
  std::fflush(stdout);
  std::_Exit(1);
}
#define CHECK(call) check(#call, call)

template <typename Function>
Function gmlake(const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_DEFAULT, name));
}

cudaStream_t make(unsigned flags = cudaStreamNonBlocking) {
  cudaStream_t stream = nullptr;
  CHECK(cudaStreamCreateWithFlags(&stream, flags));
  return stream;
}

void order(cudaStream_t first, cudaStream_t second) {
  cudaEvent_t event = nullptr;
  CHECK(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
  CHECK(cudaEventRecord(event, first));
  CHECK(cudaStreamWaitEvent(second, event, 0));
  CHECK(cudaEventDestroy(event));
}

// Some of each of its MiB.
void touch(void* block, std::size_t bytes, cudaStream_t stream) {
  if (bytes < kMiB) {
    CHECK(cudaMemsetAsync(block, 1, kTouched, stream));
  } else {
    CHECK(cudaMemset2DAsync(block, kMiB, 1, kTouched, bytes / kMiB, stream));
  }
}

// Where memory comes from, who uses it, and where it goes.
struct Freed {
  std::string how;
  cudaStream_t allocated = nullptr, used = nullptr, freed = nullptr;

  explicit Freed(const std::string& name) : how(name) {
    if (how == "legacy") return;
    allocated = how == "per_thread" ? cudaStreamPerThread : make();
    used = freed = allocated;
    if (how == "elsewhere") used = freed = make();
    if (how == "recorded") used = make();
  }
  bool without_stream() const { return how == "free" || how == "free_by_thread"; }

  void* allocate(std::size_t bytes) const {
    void* block = nullptr;
    const auto ours = gmlake<void* (*)(std::size_t, int, cudaStream_t)>("gmlake_malloc");
    if (without_stream()) {
      CHECK(cudaMalloc(&block, bytes));
    } else if (how == "recorded" && ours) {
      if (!(block = ours(bytes, 0, allocated))) check("gmlake_malloc", 2);
    } else {
      CHECK(cudaMallocAsync(&block, bytes, allocated));
    }
    return block;
  }
  void release(void* block) const {
    if (without_stream() || how == "free_of_async") {
      CHECK(cudaFree(block));
    } else if (const auto ours =
                   gmlake<void (*)(void*, std::size_t, int, cudaStream_t)>("gmlake_free");
               how == "recorded" && ours) {
      gmlake<void (*)(void*, cudaStream_t)>("gmlake_record_use")(block, used);
      ours(block, 0, 0, freed);
    } else {
      CHECK(cudaFreeAsync(block, freed));
    }
  }
};

cudaStream_t place(const std::string& name, const Freed& freed) {
  if (name == "same") return freed.without_stream() ? freed.used : freed.freed;
  if (name == "legacy") return nullptr;
  if (name == "per_thread") return cudaStreamPerThread;
  if (name == "blocking") return make(cudaStreamDefault);
  return make();
}

void ask(const std::string& wanted, cudaStream_t stream) {
  void* block = nullptr;
  if (wanted == "create") {
    CUmemAllocationProp properties{};
    properties.type = CU_MEM_ALLOCATION_TYPE_PINNED;
    properties.location.type = CU_MEM_LOCATION_TYPE_DEVICE;
    CUmemGenericAllocationHandle handle = 0;
    CHECK(cuMemCreate(&handle, kWanted, &properties, 0));
    CHECK(cuMemRelease(handle));
    return;
  }
  CHECK(wanted == "async" ? cudaMallocAsync(&block, kWanted, stream) : cudaMalloc(&block, kWanted));
  touch(block, kWanted, stream);
  CHECK(cudaStreamSynchronize(stream));
}

std::atomic<bool> let_go{false};
void hold(void*) {
  while (!let_go) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}
void work(void*) {
  std::this_thread::sleep_for(kBusy);
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  const auto said = [&](const char* word) {
    for (const auto& one : words)
      if (one == word) return true;
    return false;
  };
  CHECK(cudaSetDevice(0));
  const Freed freed(words.at(0));
  const cudaStream_t later = place(words.at(1), freed);
  cudaStream_t asking = nullptr;
  const auto begin_asking = [&] {
    void* block = nullptr;
    asking = make();
    CHECK(cudaMallocAsync(&block, kSmall, asking));
    CHECK(cudaFreeAsync(block, asking));
    CHECK(cudaStreamSynchronize(asking));
  };
  if (!said("fresh")) begin_asking();

  std::vector<void*> blocks(said("many") ? kFreed / kSmall : 1);
  const std::size_t bytes = kFreed / blocks.size();
  for (auto& block : blocks) block = freed.allocate(bytes);
  order(freed.allocated, freed.used);
  for (auto* block : blocks) touch(block, bytes, freed.used);
  if (said("busy"))
    CHECK(cudaLaunchHostFunc(freed.used, work, nullptr));
  else
    CHECK(cudaStreamSynchronize(freed.used));
  // Natively recorded uses are an order of the program's.
  if (!gmlake<void*>("gmlake_free")) order(freed.used, freed.freed);
  const auto release = [&] {
    for (auto* block : blocks) freed.release(block);
  };
  if (freed.how == "free_by_thread")
    std::thread(release).join();
  else
    release();

  std::thread([] {
    std::this_thread::sleep_for(kHung);
    std::printf("hangs\n");
    std::fflush(stdout);
    std::_Exit(3);
  }).detach();
  CHECK(cudaLaunchHostFunc(later, hold, nullptr));
  if (said("fresh")) begin_asking();
  ask(words.at(2), asking);
  std::printf("served\n");
  let_go = true;
  CHECK(cudaDeviceSynchronize());
  return 0;
}
