// Calls driver functions that are looked up by name and version, as newer programs do, and that the
// library may know or not: what they do must not be lost to it.
//
//     unknown_calls getproc|dlsym STEP NAME VERSION
//
// By dlsym NAME is the symbol, and VERSION says nothing. Each step prints what it found, the same
// with and without the library; an order that is missing is simcuda's to find.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <string_view>

#include <cuda.h>
#include <dlfcn.h>

// Streams' handles come back at once, as on a GPU.
extern "C" __attribute__((weak)) void simcuda_recycle_streams(void);

namespace {

constexpr std::size_t kBytes = std::size_t{8} << 20;

void check(const char* what, int result) {
  if (result == 0) return;
  std::printf("%s: %d\n", what, result);
  std::exit(1);
}
#define CHECK(call) check(#call, call)

void* function = nullptr;
template <typename... Args>
CUresult call(Args... args) {
  return reinterpret_cast<CUresult (*)(Args...)>(function)(args...);
}

CUstream make_stream() {
  CUstream stream = nullptr;
  CHECK(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
  return stream;
}
CUevent make_event() {
  CUevent event = nullptr;
  CHECK(cuEventCreate(&event, CU_EVENT_DISABLE_TIMING));
  return event;
}
// Memory of the stream's that is free again.
void leave_memory(CUstream stream, std::size_t bytes) {
  CUdeviceptr at = 0;
  CHECK(cuMemAllocAsync(&at, bytes, stream));
  CHECK(cuMemFreeAsync(at, stream));
}

// A graph that has memory of its own, beside the program's other memory.
template <typename Begin>
int capture(Begin begin) {
  auto* const stream = make_stream();
  CUdeviceptr own = 0;
  CUdeviceptr other = 0;
  CUgraph graph = nullptr;
  CUgraphExec program = nullptr;
  std::size_t nodes = 0;
  leave_memory(stream, kBytes);
  CHECK(cuStreamSynchronize(stream));
  begin(stream);
  CHECK(cuMemAllocAsync(&own, kBytes, stream));
  CHECK(cuMemsetD8Async(own, 0xab, kBytes, stream));
  CHECK(cuMemFreeAsync(own, stream));
  CHECK(cuStreamEndCapture(stream, &graph));
  CHECK(cuGraphGetNodes(graph, nullptr, &nodes));
  CHECK(cuMemAllocAsync(&other, kBytes, stream));
  CHECK(cuMemsetD8Async(other, 0x11, kBytes, stream));
  CHECK(cuStreamSynchronize(stream));
  CHECK(cuGraphInstantiateWithFlags(&program, graph, 0));
  CHECK(cuGraphLaunch(program, stream));
  CHECK(cuStreamSynchronize(stream));
  unsigned char first = 0;
  CHECK(cuMemcpyDtoH(&first, other, 1));
  CHECK(cuMemFree(other));
  std::printf("%zu nodes, %02x\n", nodes, first);
  return 0;
}

// The event is recorded behind a free, and then once more by `again`, behind something else: who
// waits for it has not waited for the free.
template <typename Before, typename Again>
int recorded_again(Before before, Again again) {
  auto* const from = make_stream();
  auto* const to = make_stream();
  auto* const event = make_event();
  CUdeviceptr at = 0;
  before(event);
  for (auto* stream : {from, to}) leave_memory(stream, std::size_t{1} << 20);
  CHECK(cuCtxSynchronize());
  CHECK(cuMemAllocAsync(&at, kBytes, from));
  CHECK(cuMemsetD8Async(at, 1, kBytes, from));
  CHECK(cuMemFreeAsync(at, from));
  CHECK(cuEventRecord(event, from));
  again(event);
  CHECK(cuStreamWaitEvent(to, event, 0));
  CHECK(cuMemAllocAsync(&at, kBytes, to));
  CHECK(cuMemsetD8Async(at, 2, kBytes, to));
  CHECK(cuCtxSynchronize());
  std::printf("done\n");
  return 0;
}

int record_node() {
  CUgraphExec program = nullptr;
  auto* const stream = make_stream();
  return recorded_again(
      [&](CUevent event) {
        CUgraph graph = nullptr;
        CUgraphNode node = nullptr;
        CUgraphNodeParams parameters;
        std::memset(&parameters, 0, sizeof parameters);
        parameters.type = CU_GRAPH_NODE_TYPE_EVENT_RECORD;
        parameters.eventRecord.event = event;
        CHECK(cuGraphCreate(&graph, 0));
        CHECK(call(&node, graph, static_cast<const CUgraphNode*>(nullptr),
                   static_cast<const CUgraphEdgeData*>(nullptr), std::size_t{0}, &parameters));
        CHECK(cuGraphInstantiateWithFlags(&program, graph, 0));
      },
      [&](CUevent) { CHECK(cuGraphLaunch(program, stream)); });
}

int record_green() {
  CUdevResource whole{};
  CUdevResourceDesc described = nullptr;
  CUgreenCtx green = nullptr;
  CHECK(cuDeviceGetDevResource(0, &whole, CU_DEV_RESOURCE_TYPE_SM));
  CHECK(cuDevResourceGenerateDesc(&described, &whole, 1));
  CHECK(cuGreenCtxCreate(&green, described, 0, CU_GREEN_CTX_DEFAULT_STREAM));
  return recorded_again([](CUevent) {}, [&](CUevent event) { CHECK(call(green, event)); });
}

// A kernel that has begun, on a stream of its own.
int record_launch() {
  CUmodule module = nullptr;
  CUfunction kernel = nullptr;
  CHECK(cuModuleLoadData(&module,
                         "\x7f"
                         "ELF"));
  CHECK(cuModuleGetFunction(&kernel, module, "kernel"));
  CUlaunchAttribute attribute{};
  attribute.id = CU_LAUNCH_ATTRIBUTE_LAUNCH_COMPLETION_EVENT;
  CUlaunchConfig how{};
  how.gridDimX = how.gridDimY = how.gridDimZ = 1;
  how.blockDimX = how.blockDimY = how.blockDimZ = 1;
  how.hStream = make_stream();
  how.attrs = &attribute;
  how.numAttrs = 1;
  return recorded_again(
      [](CUevent) {},
      [&](CUevent event) {
        attribute.value.launchCompletionEvent.event = event;
        CHECK(call(&how, kernel, static_cast<void**>(nullptr), static_cast<void**>(nullptr)));
      });
}

// A context of device 1 ends, and its stream's handle comes back for one of device 0: where is the
// memory of that? The other context's memory is there as before.
int destroy() {
  CUcontext own = nullptr;
  CUctxCreateParams none{};
  CUdeviceptr live = 0;
  CUdeviceptr at = 0;
  int device = -1;
  if (simcuda_recycle_streams) simcuda_recycle_streams();
  CHECK(cuMemAlloc(&live, kBytes));
  CHECK(cuCtxCreate_v4(&own, &none, 0, 1));
  auto* const stream = make_stream();
  leave_memory(stream, kBytes);
  CHECK(cuStreamSynchronize(stream));
  CHECK(call(own));
  auto* const next = make_stream();
  CHECK(cuMemAllocAsync(&at, kBytes, next));
  CHECK(cuPointerGetAttribute(&device, CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL, at));
  CHECK(cuMemFreeAsync(at, next));
  CHECK(cuMemsetD8(live, 1, kBytes));
  CHECK(cuMemFree(live));
  CHECK(cuCtxSynchronize());
  std::printf("%s, device %d\n", next == stream ? "came back" : "is another", device);
  return 0;
}

// As many arguments as no register holds, twice: the first call is not as the later ones.
int arguments() {
  for (int i = 0; i < 3; ++i) {
    double sum = 0;
    CHECK(call(CUstream{}, 1, 2, 4, 8, 16, 32, 64, 0.5 + i, static_cast<void*>(&sum)));
    std::printf("%.1f\n", sum);
  }
  return 0;
}

}  // namespace

int main(int count, char** words) {
  if (count != 5) return 2;
  const std::string_view how = words[1];
  const std::string_view step = words[2];
  CUcontext context = nullptr;
  CHECK(cuInit(0));
  CHECK(cuDevicePrimaryCtxRetain(&context, 0));
  CHECK(cuCtxSetCurrent(context));
  if (how == "dlsym")
    function = dlsym(dlopen("libcuda.so.1", RTLD_NOW), words[3]);
  else
    CHECK(cuGetProcAddress(words[3], &function, std::atoi(words[4]), 0, nullptr));
  CHECK(function == nullptr);

  if (step == "capture")
    return capture([](CUstream stream) { CHECK(call(stream, CU_STREAM_CAPTURE_MODE_RELAXED)); });
  if (step == "recapture")
    return capture([](CUstream stream) {
      CUgraph graph = nullptr;
      CHECK(cuGraphCreate(&graph, 0));
      CHECK(call(stream, CU_STREAM_CAPTURE_MODE_RELAXED, graph, static_cast<void*>(nullptr),
                 static_cast<void*>(nullptr)));
    });
  if (step == "record_node") return record_node();
  if (step == "record") {
    auto* const stream = make_stream();
    return recorded_again([](CUevent) {}, [&](CUevent event) { CHECK(call(event, stream)); });
  }
  if (step == "record_green") return record_green();
  if (step == "record_launch") return record_launch();
  if (step == "destroy") return destroy();
  if (step == "arguments") return arguments();
  if (step == "lookup") return std::printf("found\n") < 0;
  return 2;
}
