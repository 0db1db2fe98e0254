// An allocator plug-in's view of libgmlake.so: opened by path, called by name, with nothing linked
// to it or to CUDA. The first argument is the library, the second what to do; a fact and its value
// are one line each.
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <thread>

#include <cuda.h>
#include <dlfcn.h>

#include "hooks/gmlake.h"

namespace {

constexpr std::size_t kBytes = std::size_t{64} << 20;

void say(const char* what, long long value) {
  std::printf("%s %lld\n", what, value);
}

template <typename Function>
Function find(void* library, const char* name) {
  void* at = library ? dlsym(library, name) : nullptr;
  if (!at) {
    std::fprintf(stderr, "plugin: no %s\n", name);
    std::exit(1);
  }
  return reinterpret_cast<Function>(at);
}

struct Plugin {
  explicit Plugin(const char* path) : library(dlopen(path, RTLD_NOW)) {}
  void* library;
  decltype(&gmlake_malloc) take = find<decltype(take)>(library, "gmlake_malloc");
  decltype(&gmlake_free) give = find<decltype(give)>(library, "gmlake_free");
  decltype(&gmlake_record_use) used = find<decltype(used)>(library, "gmlake_record_use");
};

// The driver, opened by the program for itself.
struct Driver {
  void* library = dlopen("libcuda.so.1", RTLD_NOW);
#define CALL(name, symbol) decltype(&::name) name##_ = find<decltype(name##_)>(library, symbol)
  CALL(cuInit, "cuInit");
  CALL(cuDevicePrimaryCtxRetain, "cuDevicePrimaryCtxRetain");
  CALL(cuCtxGetCurrent, "cuCtxGetCurrent");
  CALL(cuCtxSetCurrent, "cuCtxSetCurrent");
  CALL(cuCtxSynchronize, "cuCtxSynchronize");
  CALL(cuStreamCreate, "cuStreamCreate");
  CALL(cuStreamDestroy, "cuStreamDestroy_v2");
  CALL(cuStreamSynchronize, "cuStreamSynchronize");
  CALL(cuStreamWaitEvent, "cuStreamWaitEvent");
  CALL(cuStreamBeginCapture, "cuStreamBeginCapture_v2");
  CALL(cuStreamEndCapture, "cuStreamEndCapture");
  CALL(cuGraphGetNodes, "cuGraphGetNodes");
  CALL(cuGraphInstantiateWithFlags, "cuGraphInstantiateWithFlags");
  CALL(cuGraphLaunch, "cuGraphLaunch");
  CALL(cuEventCreate, "cuEventCreate");
  CALL(cuEventRecord, "cuEventRecord");
  CALL(cuLaunchHostFunc, "cuLaunchHostFunc");
  CALL(cuMemsetD8Async, "cuMemsetD8Async");
  CALL(cuMemAllocAsync, "cuMemAllocAsync");
  CALL(cuMemFreeAsync, "cuMemFreeAsync");
#undef CALL

  CUstream stream() const {
    CUstream made = nullptr;
    say("stream", cuStreamCreate_(&made, CU_STREAM_NON_BLOCKING));
    return made;
  }
  void enter(int device) const {
    CUcontext context = nullptr;
    say("init", cuInit_(0));
    say("retain", cuDevicePrimaryCtxRetain_(&context, device));
    say("enter", cuCtxSetCurrent_(context));
  }
  void write(void* at, CUstream on) const {
    say("write", cuMemsetD8Async_(reinterpret_cast<CUdeviceptr>(at), 1, kBytes, on));
  }
  // `later` goes on only behind what `earlier` has been given.
  void order(CUstream earlier, CUstream later) const {
    CUevent event = nullptr;
    say("event", cuEventCreate_(&event, CU_EVENT_DISABLE_TIMING));
    say("record", cuEventRecord_(event, earlier));
    say("wait", cuStreamWaitEvent_(later, event, 0));
  }
};

// Keeps a stream busy until it is opened.
struct Gate {
  Gate(const Driver& driver, CUstream stream) {
    say("gate", driver.cuLaunchHostFunc_(stream, &Gate::pass, this));
  }
  void open() { opened = true; }
  static void pass(void* gate) {
    while (!static_cast<Gate*>(gate)->opened) std::this_thread::yield();
  }
  std::atomic<bool> opened{false};
};

void without_a_context(const Plugin& gmlake) {
  void* block = gmlake.take(kBytes, 0, nullptr);  // the first thing that this process asks of CUDA
  say("block", block != nullptr);
  const Driver driver;
  CUcontext current = nullptr;
  say("ask", driver.cuCtxGetCurrent_(&current));
  say("left current", current != nullptr);
  driver.enter(0);
  driver.write(block, nullptr);
  std::thread([&] { gmlake.give(block, kBytes, 0, nullptr); }).join();
  say("same", gmlake.take(kBytes, 0, nullptr) == block);
}

void streams(const Plugin& gmlake) {
  const Driver driver;
  driver.enter(0);
  auto *const a = driver.stream(), *const b = driver.stream();
  void* first = gmlake.take(kBytes, 0, a);
  driver.write(first, a);
  gmlake.give(first, kBytes, 0, a);
  say("own stream at once", gmlake.take(kBytes, 0, a) == first);
  Gate gate(driver, a);
  driver.write(first, a);
  gmlake.give(first, kBytes, 0, a);
  void* second = gmlake.take(kBytes, 0, b);
  driver.write(second, b);
  say("other stream at once", second == first);
  gate.open();
  say("synchronise", driver.cuStreamSynchronize_(a));
  void* third = gmlake.take(kBytes, 0, b);
  driver.write(third, b);
  say("other stream when done", third == first);
}

void record(const Plugin& gmlake, bool forget) {
  const Driver driver;
  driver.enter(0);
  auto *const a = driver.stream(), *const b = driver.stream();
  void* first = gmlake.take(kBytes, 0, a);
  driver.write(first, a);
  driver.order(a, b);
  Gate gate(driver, b);
  driver.write(first, b);
  if (!forget) gmlake.used(first, b);
  gmlake.give(first, kBytes, 0, a);
  void* second = gmlake.take(kBytes, 0, a);
  driver.write(second, a);
  say("reused under work", second == first);
  gate.open();
  say("synchronise", driver.cuCtxSynchronize_());
  void* third = gmlake.take(kBytes, 0, a);
  driver.write(third, a);
  say("reused when done", third == first);
}

// Where a free may wait, so that the other stream's work must come to its end by itself.
void record_unhindered(const Plugin& gmlake) {
  const Driver driver;
  driver.enter(0);
  auto *const a = driver.stream(), *const b = driver.stream();
  for (int i = 0; i < 8; ++i) {
    void* block = gmlake.take(kBytes, 0, a);
    driver.write(block, a);
    driver.order(a, b);
    driver.write(block, b);
    gmlake.used(block, b);
    gmlake.give(block, kBytes, 0, a);
  }
}

// A stream that ends with its memory's work unfinished, and another that may get its handle.
void ended_stream(const Plugin& gmlake) {
  const Driver driver;
  driver.enter(0);
  auto* const a = driver.stream();
  void* first = gmlake.take(kBytes, 0, a);
  Gate gate(driver, a);
  driver.write(first, a);
  gmlake.give(first, kBytes, 0, a);
  say("destroy", driver.cuStreamDestroy_(a));
  auto* const b = driver.stream();
  void* second = gmlake.take(kBytes, 0, b);
  driver.write(second, b);
  say("reused under work", second == first);
  gate.open();
  say("synchronise", driver.cuCtxSynchronize_());
  say("reused when done", gmlake.take(kBytes, 0, b) == first);
}

void misuse(const Plugin& gmlake) {
  const Driver driver;
  driver.enter(0);
  auto* const a = driver.stream();
  void* block = gmlake.take(kBytes, 0, a);
  say("nothing", gmlake.take(0, 0, a) != nullptr);
  say("no such device", gmlake.take(kBytes, 7, nullptr) != nullptr);
  say("no device at all", gmlake.take(kBytes, -1, nullptr) != nullptr);
  say("too much", gmlake.take(~std::size_t{0}, 0, a) != nullptr);
  say("half the world", gmlake.take(std::size_t{1} << 46, 0, a) != nullptr);
  gmlake.give(nullptr, 0, 0, a);
  gmlake.give(static_cast<char*>(block) + 512, kBytes, 0, a);
  gmlake.used(nullptr, a);
  gmlake.used(&block, a);
  gmlake.used(static_cast<char*>(block) + 512, a);
  gmlake.give(block, 1, 0, a);  // its size is not looked at
  gmlake.give(block, kBytes, 0, a);
  say("alive", gmlake.take(kBytes, 0, a) == block);
}

void capture(const Plugin& gmlake) {
  const Driver driver;
  driver.enter(0);
  auto *const a = driver.stream(), *const b = driver.stream();
  void* before = gmlake.take(kBytes, 0, a);
  void* shared = gmlake.take(2 * kBytes, 0, b);
  void* early = gmlake.take(kBytes, 0, a);
  Gate gate(driver, a);
  driver.write(early, a);
  gmlake.give(early, kBytes, 0, a);
  say("reused under work", gmlake.take(kBytes, 0, b) == early);  // there is an event to ask now
  driver.write(before, a);
  say("begin", driver.cuStreamBeginCapture_(a, CU_STREAM_CAPTURE_MODE_GLOBAL));
  say("beside", gmlake.take(3 * kBytes, 0, b) != nullptr);
  void* inside = gmlake.take(kBytes, 0, a);
  driver.write(inside, a);
  gmlake.give(before, kBytes, 0, a);
  gmlake.give(inside, kBytes, 0, a);
  gmlake.used(shared, a);
  gmlake.give(shared, 2 * kBytes, 0, b);
  CUgraph graph = nullptr;
  say("end", driver.cuStreamEndCapture_(a, &graph));
  void* other = gmlake.take(kBytes, 0, b);
  driver.write(other, b);
  say("reused under work", other == before);
  say("reused under work", gmlake.take(2 * kBytes, 0, b) == shared);
  gate.open();
  std::size_t nodes = 0;
  say("count", driver.cuGraphGetNodes_(graph, nullptr, &nodes));
  say("nodes", static_cast<long long>(nodes));
  CUgraphExec program = nullptr;
  say("instantiate", driver.cuGraphInstantiateWithFlags_(&program, graph, 0));
  say("launch", driver.cuGraphLaunch_(program, a));
  say("launch", driver.cuGraphLaunch_(program, a));
  say("synchronise", driver.cuCtxSynchronize_());
  int found = 0;
  for (int i = 0; i < 4; ++i) found += gmlake.take(kBytes, 0, b) == before;
  say("given back", found);
}

// Memory that a graph allocates and the program frees, while the graph is still at work.
void graph_memory(const Plugin& gmlake) {
  const Driver driver;
  driver.enter(0);
  auto* const a = driver.stream();
  say("begin", driver.cuStreamBeginCapture_(a, CU_STREAM_CAPTURE_MODE_GLOBAL));
  void* block = gmlake.take(kBytes, 0, a);
  driver.write(block, a);
  CUgraph graph = nullptr;
  CUgraphExec program = nullptr;
  say("end", driver.cuStreamEndCapture_(a, &graph));
  say("instantiate", driver.cuGraphInstantiateWithFlags_(&program, graph, 0));
  say("launch", driver.cuGraphLaunch_(program, a));
  driver.write(block, a);
  gmlake.give(block, kBytes, 0, a);
}

void devices(const Plugin& gmlake) {
  const Driver driver;
  driver.enter(1);
  auto* const far = driver.stream();
  driver.enter(0);
  CUcontext before = nullptr, after = nullptr;
  say("ask", driver.cuCtxGetCurrent_(&before));
  void* block = gmlake.take(kBytes, 1, far);
  driver.write(block, far);
  void* on_default = gmlake.take(kBytes, 1, nullptr);
  say("blocks", (block != nullptr) + (on_default != nullptr));
  say("of another device's stream", gmlake.take(kBytes, 0, far) != nullptr);
  gmlake.give(block, kBytes, 1, far);
  gmlake.give(on_default, kBytes, 1, nullptr);
  say("same", gmlake.take(kBytes, 1, far) == block);
  say("ask", driver.cuCtxGetCurrent_(&after));
  say("context changed", before != after);
}

// Memory that crosses between the doors, when there are others.
void mixed(const Plugin& gmlake) {
  const Driver driver;
  driver.enter(0);
  auto* const a = driver.stream();
  CUdeviceptr first = 0, third = 0;
  say("allocate", driver.cuMemAllocAsync_(&first, kBytes, a));
  gmlake.give(reinterpret_cast<void*>(first), kBytes, 0, a);
  void* second = gmlake.take(kBytes, 0, a);
  say("same", second == reinterpret_cast<void*>(first));
  say("free", driver.cuMemFreeAsync_(reinterpret_cast<CUdeviceptr>(second), a));
  say("allocate", driver.cuMemAllocAsync_(&third, kBytes, a));
  say("same", third == first);
}

}  // namespace

int main(int, char** arguments) {
  const Plugin gmlake(arguments[1]);
  const std::string_view what = arguments[2];
  if (what == "without_a_context") without_a_context(gmlake);
  if (what == "streams") streams(gmlake);
  if (what == "record") record(gmlake, false);
  if (what == "forget") record(gmlake, true);
  if (what == "record_unhindered") record_unhindered(gmlake);
  if (what == "ended_stream") ended_stream(gmlake);
  if (what == "misuse") misuse(gmlake);
  if (what == "capture") capture(gmlake);
  if (what == "graph_memory") graph_memory(gmlake);
  if (what == "devices") devices(gmlake);
  if (what == "mixed") mixed(gmlake);
  return 0;
}
