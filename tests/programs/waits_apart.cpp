// One thread waits for the GPU, which is held up by a host function: natively in cudaFree, with a
// pool wherever that has to wait. Meanwhile other threads, each with a stream of its own, make
// calls that have nothing to do with it. The GPU goes on when they are through; whoever is not
// until then is named.
//
//   waits_apart WAY [deferred] [unbounded]
//
// WAY        what the thread that waits does last: malloc, async, create or evict
// deferred   cudaFree of other threads is to go on too, which natively waits
// unbounded  cudaMalloc of other threads is not held to a limit on pending frees
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <cuda.h>
#include <cuda_runtime_api.h>
#include <dlfcn.h>

namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;
constexpr std::size_t kFreed = 192 * kMiB;
constexpr std::size_t kWanted = 208 * kMiB;
constexpr std::size_t kSmall = 64 << 10;
constexpr auto kInside = std::chrono::milliseconds(200);  // time enough to begin to wait
constexpr auto kBlocked = std::chrono::seconds(10);

void check(const char* what, int result) {
  if (result == 0) return;
  std::printf("%s: %d\n", what, result);
  std::fflush(stdout);
  std::_Exit(1);
}
#define CHECK(call) check(#call, call)

cudaStream_t make(unsigned flags = cudaStreamNonBlocking) {
  cudaStream_t stream = nullptr;
  CHECK(cudaStreamCreateWithFlags(&stream, flags));
  return stream;
}
void* take(std::size_t bytes) {
  void* block = nullptr;
  CHECK(cudaMalloc(&block, bytes));
  return block;
}
void* take(std::size_t bytes, cudaStream_t stream) {
  void* block = nullptr;
  CHECK(cudaMallocAsync(&block, bytes, stream));
  return block;
}

std::atomic<bool> let_go{false};
void hold(void*) {
  while (!let_go) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

// Mapping fails twice, as when there are too many mappings: a pool then does without one of its
// own.
void no_more_mappings() {
  const auto arm =
      reinterpret_cast<const char* (*)(const char*)>(dlsym(RTLD_DEFAULT, "simcuda_arm_faults"));
  if (arm) check("simcuda_arm_faults", arm("cuMemMap:1=2,cuMemMap:2=2") ? 1 : 0);
}

// The thread that waits. `about` is set before the first call that may.
std::atomic<bool> about{false}, over{false};
void wait_for_the_gpu(const std::string& way, cudaStream_t held, cudaStream_t asking) {
  std::vector<void*> pieces;
  const bool evict = way == "evict";
  for (int i = 0; evict && i < 8; ++i) pieces.push_back(take(2 * kMiB));
  for (std::size_t i = 0; i < pieces.size(); i += 2) CHECK(cudaFree(pieces[i]));
  CHECK(cudaDeviceSynchronize());
  const std::size_t bytes = evict ? 8 * kMiB : kFreed;  // a pool puts it together from the pieces
  void* block = way == "async" ? take(bytes, held) : take(bytes);
  CHECK(cudaMemsetAsync(block, 1, kSmall, held));
  CHECK(cudaLaunchHostFunc(held, hold, nullptr));
  about = true;
  if (way == "async") {
    CHECK(cudaFreeAsync(block, held));
    block = take(kWanted, asking);
    CHECK(cudaMemsetAsync(block, 1, kSmall, asking));
    CHECK(cudaStreamSynchronize(asking));  // natively the stream waits
  } else {
    CHECK(cudaFree(block));
    if (way == "create") {
      CUmemAllocationProp properties{};
      properties.type = CU_MEM_ALLOCATION_TYPE_PINNED;
      properties.location.type = CU_MEM_LOCATION_TYPE_DEVICE;
      CUmemGenericAllocationHandle handle = 0;
      CHECK(cuMemCreate(&handle, kWanted, &properties, 0));
      CHECK(cuMemRelease(handle));
    } else {
      if (evict) no_more_mappings();
      block = take(kWanted);
    }
  }
  over = true;
}

void capture(cudaStream_t stream, cudaStreamCaptureMode mode, void* block) {
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t program = nullptr;
  CHECK(cudaStreamBeginCapture(stream, mode));
  CHECK(cudaMemsetAsync(block, 1, kSmall, stream));
  CHECK(cudaStreamEndCapture(stream, &graph));
  CHECK(cudaGraphInstantiate(&program, graph, 0));
  CHECK(cudaGraphLaunch(program, stream));
  CHECK(cudaStreamSynchronize(stream));
  CHECK(cudaGraphExecDestroy(program));
  CHECK(cudaGraphDestroy(graph));
}

// What another thread does, with a stream and a block of its own.
struct Call {
  const char* name;
  std::function<void(cudaStream_t, void*)> make_it;
};

std::vector<Call> calls(bool deferred, bool unbounded) {
  std::vector<Call> all = {
      {"allocation that hits",
       [](auto stream, auto) {
         for (int i = 0; i < 100; ++i) CHECK(cudaFreeAsync(take(kSmall, stream), stream));
       }},
      {"allocation that misses", [](auto stream, auto) { take(2 * kMiB, stream); }},
      {"free on a stream", [](auto stream, auto block) { CHECK(cudaFreeAsync(block, stream)); }},
      {"work",
       [](auto stream, auto block) {
         CHECK(cudaMemsetAsync(block, 1, kSmall, stream));
         CHECK(cudaStreamSynchronize(stream));
       }},
      {"wait for an idle stream", [](auto stream, auto) { CHECK(cudaStreamSynchronize(stream)); }},
      {"query of an idle stream", [](auto stream, auto) { CHECK(cudaStreamQuery(stream)); }},
      {"stream that comes and goes",
       [](auto, auto) {
         const auto stream = make();
         CHECK(cudaFreeAsync(take(kSmall, stream), stream));
         CHECK(cudaStreamDestroy(stream));
       }},
      {"end of a stream", [](auto stream, auto) { CHECK(cudaStreamDestroy(stream)); }},
      {"events",
       [](auto stream, auto) {
         cudaEvent_t event = nullptr;
         const auto other = make();
         CHECK(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
         CHECK(cudaEventRecord(event, stream));
         CHECK(cudaStreamWaitEvent(other, event, 0));
         CHECK(cudaEventSynchronize(event));
         CHECK(cudaEventQuery(event));
         CHECK(cudaEventDestroy(event));
       }},
      {"question for free memory",
       [](auto, auto) {
         std::size_t free = 0, total = 0;
         CHECK(cudaMemGetInfo(&free, &total));
       }},
      {"thread-local capture",
       [](auto stream, auto block) { capture(stream, cudaStreamCaptureModeThreadLocal, block); }},
      {"relaxed capture",
       [](auto stream, auto block) { capture(stream, cudaStreamCaptureModeRelaxed, block); }},
      {"capture of a blocking stream", [](auto, auto block) {
         capture(make(cudaStreamDefault), cudaStreamCaptureModeThreadLocal, block);
       }}};
  if (unbounded) all.push_back({"cudaMalloc", [](auto, auto) { take(kSmall), take(2 * kMiB); }});
  if (deferred)
    all.push_back(
        {"cudaFree of a stream's block", [](auto, auto block) { CHECK(cudaFree(block)); }});
  if (deferred && unbounded)
    all.push_back({"cudaMalloc and cudaFree", [](auto, auto) { CHECK(cudaFree(take(kSmall))); }});
  return all;
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
  const auto todo = calls(said("deferred"), said("unbounded"));
  std::vector<std::pair<cudaStream_t, void*>> own;
  for (std::size_t i = 0; i < todo.size(); ++i) {
    const auto stream = make();
    own.emplace_back(stream, take(kSmall, stream));
    CHECK(cudaFreeAsync(take(kSmall, stream), stream));
    CHECK(cudaStreamSynchronize(stream));
  }
  std::thread waiting(wait_for_the_gpu, words.at(0), make(), make());
  while (!about) std::this_thread::yield();
  std::this_thread::sleep_for(kInside);

  std::mutex mutex;
  std::condition_variable changed;
  std::set<std::string> under_way;
  std::vector<std::thread> others;
  for (const auto& call : todo) under_way.insert(call.name);
  for (std::size_t i = 0; i < todo.size(); ++i)
    others.emplace_back([&, i] {
      todo[i].make_it(own[i].first, own[i].second);
      const std::lock_guard lock(mutex);
      under_way.erase(todo[i].name);
      changed.notify_one();
    });
  std::unique_lock lock(mutex);
  const bool through = changed.wait_for(lock, kBlocked, [&] { return under_way.empty(); });
  for (const auto& name : under_way) std::printf("blocked: %s\n", name.c_str());
  lock.unlock();
  std::printf("waited %d\n", over ? 0 : 1);
  let_go = true;
  for (auto& other : others) other.join();
  waiting.join();
  std::printf("served\n");
  return through ? 0 : 1;
}
