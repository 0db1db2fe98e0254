// Fills the pool, frees everything, and then needs that memory elsewhere: what it does is its first
// argument, a call and its result are one line each. Memory that the device itself has free is
// asked of the driver, whose answer is native with the driver door off.
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <thread>
#include <vector>

#include <cuda.h>
#include <cuda_runtime_api.h>
#include <dlfcn.h>

// By its own name: which one cuCtxCreate is depends on the header.
extern "C" CUresult cuCtxCreate_v2(CUcontext* context, unsigned flags, CUdevice device);

namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;

void say(const char* what, unsigned long long value) {
  std::printf("%s %llu\n", what, value);
}

unsigned long long device_free() {
  std::size_t free = 0, total = 0;
  (void)cuMemGetInfo(&free, &total);
  return free;
}

int wait_for_all() {
  return cudaDeviceSynchronize();
}

int wait_for_event() {
  cudaEvent_t event = nullptr;
  if (const auto error = cudaEventCreate(&event)) return error;
  if (const auto error = cudaEventRecord(event, nullptr)) return error;
  if (const auto error = cudaEventSynchronize(event)) return error;
  return cudaEventDestroy(event);
}

// `count` blocks of 8 MiB, written and freed.
int use(int count, int (*wait)() = wait_for_all) {
  std::vector<void*> blocks(static_cast<std::size_t>(count));
  for (auto& block : blocks) {
    if (const auto error = cudaMalloc(&block, 8 * kMiB)) return error;
    if (const auto error = cudaMemset(block, 1, 8 * kMiB)) return error;
  }
  for (auto* block : blocks)
    if (const auto error = cudaFree(block)) return error;
  return wait();
}

void trim(bool through_api) {
  say("free", device_free());
  if (through_api) {
    using Trim = std::size_t (*)(int, std::size_t);
    const auto function = reinterpret_cast<Trim>(dlsym(RTLD_DEFAULT, "gmlake_trim"));
    say("given", function ? function(0, 16 * kMiB) : 0);
    say("no such device", function ? function(1000, 0) + function(-1, 0) : 1);
  } else {
    cudaMemPool_t pool = nullptr;
    say("pool", cudaDeviceGetDefaultMemPool(&pool, 0));
    say("trim", cudaMemPoolTrimTo(pool, 16 * kMiB));
    say("trim of no pool", cudaMemPoolTrimTo(nullptr, 0));
  }
  say("free", device_free());
}

// A capture under way keeps no memory. One ends with its stream or its context too, and by an end
// call that fails.
void abandon() {
  CUdevice device = 0;
  CUcontext primary = nullptr, other = nullptr;
  CUstream stream = nullptr;
  CUgraph graph = nullptr;
  const auto begin = [&] {
    say("stream", cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
    say("begin", cuStreamBeginCapture(stream, CU_STREAM_CAPTURE_MODE_GLOBAL));
  };
  begin();
  trim(true);
  say("destroy stream", cuStreamDestroy(stream));

  say("current", cuCtxGetCurrent(&primary));
  say("device", cuCtxGetDevice(&device));
  say("context", cuCtxCreate_v2(&other, 0, device));
  begin();
  say("destroy context", cuCtxDestroy(other));
  say("current", cuCtxSetCurrent(primary));

  begin();
  std::thread([&] {
    (void)cuCtxSetCurrent(primary);
    say("wrong thread", cuStreamEndCapture(stream, &graph));
  }).join();
  say("end again", cuStreamEndCapture(stream, &graph));
  say("destroy stream", cuStreamDestroy(stream));
  trim(true);
}

void create(std::size_t bytes) {
  CUmemAllocationProp properties{};
  properties.type = CU_MEM_ALLOCATION_TYPE_PINNED;
  properties.location.type = CU_MEM_LOCATION_TYPE_DEVICE;
  CUmemGenericAllocationHandle handle = 0;
  say("create", cuMemCreate(&handle, bytes, &properties, 0));
  if (handle != 0) say("release", cuMemRelease(handle));
}

// As a kernel that is loaded by its first launch.
void launch() {
  CUmodule module = nullptr;
  CUfunction kernel = nullptr;
  say("load", cuModuleLoadData(&module, "any"));
  say("get", cuModuleGetFunction(&kernel, module, "kernel"));
  const CUlaunchConfig one{1, 1, 1, 1, 1, 1, 0, nullptr, nullptr, 0};
  say("launch", cuLaunchKernel(kernel, 1, 1, 1, 1, 1, 1, 0, nullptr, nullptr, nullptr));
  say("launch", cuLaunchKernelEx(&one, kernel, nullptr, nullptr));
  say("launch", cuLaunchCooperativeKernel(kernel, 1, 1, 1, 1, 1, 1, 0, nullptr, nullptr));
}

// What takes some of the device's memory when it is made.
void make_more() {
  CUstream stream = nullptr;
  CUcontext primary = nullptr, other = nullptr;
  CUdevice device = 0;
  say("current", cuCtxGetCurrent(&primary));
  say("device", cuCtxGetDevice(&device));
  say("stream", cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
  say("stream", cuStreamCreateWithPriority(&stream, CU_STREAM_DEFAULT, 0));
  say("context", cuCtxCreate_v2(&other, 0, device));
  say("destroy", cuCtxDestroy(other));
  say("retain", cuDevicePrimaryCtxRetain(&other, device));
  say("release", cuDevicePrimaryCtxRelease(device));
  say("current", cuCtxSetCurrent(primary));
}

// A graph with memory of its own: the driver takes it when the graph is instantiated or launched.
void graph_memory() {
  CUstream stream = nullptr;
  CUgraph graph = nullptr;
  CUgraphExec program = nullptr;
  CUdeviceptr at = 0;
  say("stream", cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
  say("begin", cuStreamBeginCapture(stream, CU_STREAM_CAPTURE_MODE_RELAXED));
  say("allocate", cuMemAllocAsync(&at, 768 * kMiB, stream));
  say("fill", cuMemsetD8Async(at, 1, 768 * kMiB, stream));
  say("free", cuMemFreeAsync(at, stream));
  say("end", cuStreamEndCapture(stream, &graph));
  CUDA_GRAPH_INSTANTIATE_PARAMS how{};
  say("instantiate", cuGraphInstantiateWithParams(&program, graph, &how));
  say("destroy", cuGraphExecDestroy(program));
  say("instantiate", cuGraphInstantiate(&program, graph, 0));
  say("upload", cuGraphUpload(program, stream));
  say("launch", cuGraphLaunch(program, stream));
  say("wait", cuStreamSynchronize(stream));
  say("destroy", cuGraphExecDestroy(program));
}

}  // namespace

int main(int, char** arguments) {
  const char* what = arguments[1] ? arguments[1] : "";
  say("use", use(64));
  if (std::strcmp(what, "pool") == 0 || std::strcmp(what, "api") == 0) {
    trim(std::strcmp(what, "api") == 0);
  } else if (std::strcmp(what, "create") == 0) {
    create(768 * kMiB);
    create(2048 * kMiB);
  } else if (std::strcmp(what, "pitch") == 0) {
    CUdeviceptr at = 0;
    std::size_t pitch = 0;
    say("pitch", cuMemAllocPitch(&at, &pitch, kMiB, 768, 4));
    say("free", cuMemFree(at));
  } else if (std::strcmp(what, "launch") == 0) {
    launch();
  } else if (std::strcmp(what, "more") == 0) {
    make_more();
  } else if (std::strcmp(what, "abandon") == 0) {
    abandon();
  } else if (std::strcmp(what, "graph") == 0) {
    graph_memory();
  } else if (std::strcmp(what, "event") == 0) {
    say("use", use(64, wait_for_event));
    return 0;
  } else if (std::strcmp(what, "exhaust") == 0) {
    void* block = nullptr;
    int error = 0, count = 0;
    for (; count < 1000 && (error = cudaMalloc(&block, 100 * kMiB)) == 0;) ++count;
    say("blocks", static_cast<unsigned long long>(count));
    say("error", static_cast<unsigned long long>(error));
    // Each asks for more than the one before.
    const auto more = std::strtoull(arguments[2] ? arguments[2] : "0", nullptr, 10);
    for (std::size_t i = 1; i <= more; ++i)
      if (cudaMalloc(&block, 100 * kMiB + i * kMiB) != cudaErrorMemoryAllocation) say("got", i);
    return 0;
  }
  say("use", use(8));
  return 0;
}
