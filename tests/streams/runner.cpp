#include "streams/runner.h"

#include <cuda.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <semaphore>
#include <thread>
#include <utility>
#include <vector>

#include "simcuda.h"
#include "streams/kernels.h"

// gmlake's own, where it is in front.
extern "C" __attribute__((weak)) std::size_t gmlake_trim(int device, std::size_t keep_bytes);
extern "C" __attribute__((weak)) void gmlake_record_use(void* ptr, CUstream stream);
// The flavour for which the stream 0 is the thread's own.
extern "C" {
CUresult cuMemAllocAsync_ptsz(CUdeviceptr*, std::size_t, CUstream);
CUresult cuMemFreeAsync_ptsz(CUdeviceptr, CUstream);
CUresult cuMemsetD32Async_ptsz(CUdeviceptr, unsigned, std::size_t, CUstream);
CUresult cuEventRecord_ptsz(CUevent, CUstream);
CUresult cuStreamWaitEvent_ptsz(CUstream, CUevent, unsigned);
CUresult cuStreamSynchronize_ptsz(CUstream);
CUresult cuStreamQuery_ptsz(CUstream);
}

namespace gmlake::streams {
namespace {

class Run;
thread_local Run* running = nullptr;  // a call that others may happen beside
bool natively = false;                // the driver was asked for memory
void watch(const char* function, int returns);

// A call that waits for a host function which waits for the program never returns.
std::atomic<std::size_t> operation{0};  // that is under way
std::atomic<std::uint64_t> begun{0};    // of all programs
void find_hangs() {
  constexpr auto kHung = std::chrono::seconds(5);
  for (;;) {
    const auto before = begun.load();
    std::this_thread::sleep_for(kHung);
    if (begun != before) continue;
    std::printf("fails: operation %zu hangs\n", operation.load());
    std::fflush(stdout);
    std::_Exit(1);
  }
}

const char* function_of(Kind kind) {
  switch (kind) {
    case Kind::record:
      return "cuEventRecord";
    case Kind::wait:
      return "cuStreamWaitEvent";
    case Kind::sync_event:
      return "cuEventSynchronize";
    case Kind::sync_stream:
      return "cuStreamSynchronize";
    case Kind::sync_context:
      return "cuCtxSynchronize";
    case Kind::query_event:
    case Kind::poll_event:
      return "cuEventQuery";
    default:
      return "cuStreamQuery";
  }
}

class Run {
 public:
  explicit Run(const Program& program) : program_(program) {}

  std::string run() {
    if (cuCtxCreate(&context_, nullptr, 0, 0) != CUDA_SUCCESS) return "no context";
    kernels_.emplace();
    std::vector<std::thread> threads;
    threads.reserve(kThreads);
    for (unsigned thread = 0; thread < kThreads; ++thread)
      threads.emplace_back([this, thread] { take_turns(thread); });
    pass_on();
    for (auto& thread : threads) thread.join();
    clean_up();
    return wrong_;
  }

  void watched(const char* function, bool returns) {
    const auto& o = program_[outer_at_];
    if ((o.overlap == Overlap::after_effect) != returns) return;
    if (std::strncmp(function, function_of(o.kind), std::strlen(function_of(o.kind))) != 0) return;
    let_others();
  }

 private:
  // It is one thread's turn at a time; the others wait for their semaphore.
  void take_turns(unsigned thread) {
    turn_[thread].acquire();
    for (CUcontext current = nullptr;;) {
      if (current != context_) check("cuCtxSetCurrent", cuCtxSetCurrent(context_));
      current = context_;
      while (!over() && !outer_goes_on() && program_[next_].thread == thread) step();
      const bool ends = over() && !outer_;  // as long as it is this thread's turn
      pass_on();
      if (ends) return;
      turn_[thread].acquire();
    }
  }
  bool over() const { return !wrong_.empty() || next_ == program_.size(); }
  bool outer_goes_on() const { return outer_ && (over() || next_ == outer_end_); }
  void pass_on() {
    if (outer_goes_on())
      turn_[*outer_].release();
    else if (!over())
      turn_[program_[next_].thread].release();
    else
      for (auto& turn : turn_) turn.release();
  }
  void step() {
    const auto& o = program_[next_++];
    if (!outer_) {
      outer_at_ = next_ - 1;
      if (o.overlap != Overlap::none) running = this;
    }
    execute(o);
    if (running) let_others();  // it never came to the driver
  }
  // The operations that happen beside the call of this thread.
  void let_others() {
    running = nullptr;
    const auto thread = program_[outer_at_].thread;
    outer_ = thread;
    outer_end_ = std::min(outer_at_ + 1 + program_[outer_at_].inner, program_.size());
    if (!outer_goes_on()) {
      pass_on();
      turn_[thread].acquire();
    }
    outer_.reset();
  }

  void check(const char* what, CUresult result) {
    if (result == CUDA_SUCCESS || !wrong_.empty()) return;
    const char* name = "";
    (void)cuGetErrorName(result, &name);
    wrong_ = std::string(what) + " answers " + name;
  }

  CUstream handle(unsigned slot) const {
    if (slot == kLegacy) return next_ % 2 == 0 ? nullptr : CU_STREAM_LEGACY;
    return is_per_thread(slot) ? CU_STREAM_PER_THREAD : streams_[slot];
  }
  bool by_flavour(unsigned slot) const { return is_per_thread(slot) && next_ % 2 == 0; }

  void execute(const Operation& o);
  CUresult order(const Operation& o);
  CUresult allocate(const Operation& o);
  CUresult memory(const Operation& o);
  CUresult end_capture(const Operation& o);
  CUresult hold(const Operation& o);
  void let_go(unsigned slot);
  CUresult destroy_stream(const Operation& o);
  CUresult renew_context(const Operation& o);
  void clean_up();

  struct Block {
    CUdeviceptr at = 0;
    std::size_t size = 0;
    std::uint64_t number = 0;
    bool live = false;
    bool ordered = false;   // by a stream
    bool native = false;    // the driver's own memory
    bool recorded = false;  // has recorded uses
  };

  const Program& program_;
  std::string wrong_;
  CUcontext context_ = nullptr;
  std::optional<Kernels> kernels_;
  std::array<CUstream, kStreams> streams_{};
  std::array<CUevent, kEvents> events_{};
  std::array<CUgraphExec, kGraphs> graphs_{};
  std::array<Block, kBlocks> blocks_{};
  std::array<void*, kHolds> holds_{};  // the keys of those that wait
  std::uint64_t numbers_ = 0;

  using Turn = std::counting_semaphore<64>;
  std::array<Turn, kThreads> turn_{Turn(0), Turn(0), Turn(0), Turn(0)};
  std::size_t next_ = 0;
  std::optional<unsigned> outer_;  // the thread of a call under way
  std::size_t outer_at_ = 0, outer_end_ = 0;
};

void watch(const char* function, int returns) {
  if (std::strncmp(function, "cuMemAlloc", 10) == 0) natively = true;
  if (running) running->watched(function, returns != 0);
}

CUresult Run::allocate(const Operation& o) {
  auto& block = blocks_[o.a];
  block = {0, o.c, ++numbers_, true, o.kind == Kind::allocate_async, false, false};
  natively = false;
  const CUresult result = o.kind == Kind::allocate ? cuMemAlloc(&block.at, block.size)
                          : by_flavour(o.b) ? cuMemAllocAsync_ptsz(&block.at, block.size, nullptr)
                                            : cuMemAllocAsync(&block.at, block.size, handle(o.b));
  block.native = natively;
  return result;
}

CUresult Run::memory(const Operation& o) {
  auto& block = blocks_[o.a];
  const CUstream stream = handle(o.b);
  switch (o.kind) {
    case Kind::allocate_async:
    case Kind::allocate:
      return allocate(o);
    case Kind::free_async:
    case Kind::free:
      block.live = false;
      // What gmlake does of itself for its own memory.
      if (block.recorded && block.native) check("cuCtxSynchronize", cuCtxSynchronize());
      if (o.kind == Kind::free) return cuMemFree(block.at);
      if (by_flavour(o.b)) return cuMemFreeAsync_ptsz(block.at, nullptr);
      return cuMemFreeAsync(block.at, stream);
    case Kind::write:
      if (o.c != 0)
        return by_flavour(o.b)
                   ? fill_by_halves(block.at, block.size, block.number, cuMemsetD32Async_ptsz,
                                    nullptr)
                   : fill_by_halves(block.at, block.size, block.number, cuMemsetD32Async, stream);
      return kernels_->fill(block.at, block.size, block.number, stream);
    case Kind::read:
      return kernels_->check(block.at, block.size, block.number, stream);
    default:
      block.recorded = true;
      if (gmlake_record_use) gmlake_record_use(reinterpret_cast<void*>(block.at), stream);
      return CUDA_SUCCESS;
  }
}

CUresult Run::order(const Operation& o) {
  const CUstream stream = handle(o.b);
  const CUevent event = events_[o.a];
  switch (o.kind) {
    case Kind::record:
      if (o.c != 0) return cuEventRecordWithFlags(event, stream, CU_EVENT_RECORD_EXTERNAL);
      if (by_flavour(o.b)) return cuEventRecord_ptsz(event, nullptr);
      return cuEventRecord(event, stream);
    case Kind::wait:
      if (by_flavour(o.b)) return cuStreamWaitEvent_ptsz(nullptr, event, 0);
      return cuStreamWaitEvent(stream, event, 0);
    case Kind::sync_event:
      return cuEventSynchronize(event);
    case Kind::sync_stream:
      return by_flavour(o.b) ? cuStreamSynchronize_ptsz(nullptr) : cuStreamSynchronize(stream);
    case Kind::sync_context:
      return cuCtxSynchronize();
    default:
      break;
  }
  const bool of_event = o.kind == Kind::query_event || o.kind == Kind::poll_event;
  const bool until_done = o.kind == Kind::poll_event || o.kind == Kind::poll_stream;
  for (;;) {
    const CUresult result = of_event          ? cuEventQuery(event)
                            : by_flavour(o.b) ? cuStreamQuery_ptsz(nullptr)
                                              : cuStreamQuery(stream);
    if (result != CUDA_ERROR_NOT_READY) return result;
    if (!until_done) return CUDA_SUCCESS;
  }
}

CUresult Run::end_capture(const Operation& o) {
  CUgraph graph = nullptr;
  CUresult result = cuStreamEndCapture(handle(o.b), &graph);
  if (result != CUDA_SUCCESS) return result;
  result = cuGraphInstantiate(&graphs_[o.a], graph, 0);
  check("cuGraphDestroy", cuGraphDestroy(graph));
  return result;
}

CUresult Run::hold(const Operation& o) {
  static std::uintptr_t keys = 0;
  holds_[o.a] = reinterpret_cast<void*>(++keys);
  return cuLaunchHostFunc(handle(o.b), simcuda_wait_for_program, holds_[o.a]);
}

void Run::let_go(unsigned slot) {
  if (void* key = std::exchange(holds_[slot], nullptr)) simcuda_let_go(key);
}

CUresult Run::destroy_stream(const Operation& o) {
  if (o.c == 0) return cuStreamDestroy(std::exchange(streams_[o.b], nullptr));
  const char* always = std::getenv("SIMCUDA_FAULTS");
  const std::string others = always ? std::string(",") + always : "";
  (void)simcuda_arm_faults(("cuStreamDestroy_v2:1=999" + others).c_str());
  const CUresult result = cuStreamDestroy(streams_[o.b]);
  (void)simcuda_arm_faults(always ? always : "");
  return result == CUDA_ERROR_UNKNOWN ? CUDA_SUCCESS : CUDA_ERROR_UNKNOWN;
}

// What is in the context goes with it. Memory that was not a stream's is refused from then on.
CUresult Run::renew_context(const Operation& o) {
  for (CUgraphExec& graph : graphs_)
    if (graph) (void)cuGraphExecDestroy(std::exchange(graph, nullptr));
  kernels_.reset();
  streams_ = {};
  events_ = {};
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  CUresult result = o.c != 0 ? cuCtxDetach(context_) : cuCtxDestroy(context_);
#pragma GCC diagnostic pop
  if (result == CUDA_SUCCESS) result = cuCtxCreate(&context_, nullptr, 0, 0);
  if (result != CUDA_SUCCESS) return result;
  kernels_.emplace();
  for (auto& block : blocks_) {
    if (!block.live || block.ordered) continue;
    block.live = false;
    if (gmlake_trim && !block.native && cuMemFree(block.at) != CUDA_ERROR_INVALID_VALUE)
      return CUDA_ERROR_ILLEGAL_STATE;
  }
  return CUDA_SUCCESS;
}

void Run::execute(const Operation& o) {
  const auto at = next_;
  operation = at - 1;
  ++begun;
  CUresult result = CUDA_SUCCESS;
  switch (o.kind) {
    case Kind::create_stream:
      result = cuStreamCreate(&streams_[o.b], o.c != 0 ? CU_STREAM_NON_BLOCKING : 0);
      break;
    case Kind::destroy_stream:
      result = destroy_stream(o);
      break;
    case Kind::create_event:
      result = cuEventCreate(&events_[o.a], CU_EVENT_DISABLE_TIMING);
      break;
    case Kind::destroy_event:
      result = cuEventDestroy(std::exchange(events_[o.a], nullptr));
      break;
    case Kind::begin_capture:
      result = cuStreamBeginCapture(handle(o.b), static_cast<CUstreamCaptureMode>(o.c));
      break;
    case Kind::end_capture:
      result = end_capture(o);
      break;
    case Kind::launch:
      result = cuGraphLaunch(graphs_[o.a], handle(o.b));
      break;
    case Kind::destroy_graph:
      result = cuGraphExecDestroy(std::exchange(graphs_[o.a], nullptr));
      break;
    case Kind::renew_context:
      result = renew_context(o);
      break;
    case Kind::trim: {
      CUmemoryPool pool = nullptr;
      result = cuDeviceGetDefaultMemPool(&pool, 0);
      if (result == CUDA_SUCCESS) result = cuMemPoolTrimTo(pool, 0);
      break;
    }
    case Kind::hold:
      result = hold(o);
      break;
    case Kind::let_go:
      let_go(o.a);
      break;
    default:
      result = o.kind < Kind::record ? memory(o) : order(o);
  }
  check(("operation " + std::to_string(at - 1) + ", " + to_text(o)).c_str(), result);
}

// What the program has left, and its context.
void Run::clean_up() {
  for (unsigned slot = 0; slot < kHolds; ++slot) let_go(slot);
  check("cuCtxSetCurrent", cuCtxSetCurrent(context_));
  for (const CUgraphExec graph : graphs_)
    if (graph) (void)cuGraphExecDestroy(graph);
  for (const CUevent event : events_)
    if (event) (void)cuEventDestroy(event);
  for (const CUstream stream : streams_)
    if (stream) (void)cuStreamDestroy(stream);
  check("cuCtxSynchronize", cuCtxSynchronize());
  for (const auto& block : blocks_)
    if (block.live) check("cuMemFree", cuMemFree(block.at));
  kernels_.reset();
  check("cuCtxDestroy", cuCtxDestroy(context_));
}

unsigned long long at_rest = 0;  // physical memory

// All memory goes back to the device.
void give_back() {
  CUmemoryPool pool = nullptr;
  if (cuDeviceGetDefaultMemPool(&pool, 0) == CUDA_SUCCESS) (void)cuMemPoolTrimTo(pool, 0);
  if (gmlake_trim) (void)gmlake_trim(0, 0);
}

}  // namespace

bool start() {
  CUcontext context = nullptr;
  if (cuInit(0) != CUDA_SUCCESS || cuDevicePrimaryCtxRetain(&context, 0) != CUDA_SUCCESS ||
      cuCtxPushCurrent(context) != CUDA_SUCCESS)
    return false;
  register_kernels();
  std::thread(find_hangs).detach();
  simcuda_watch_calls(watch);
  simcuda_recycle_events();
  simcuda_recycle_streams();
  at_rest = simcuda_physical_bytes();
  return true;
}

std::string run(const Program& program, std::uint64_t seed) {
  simcuda_reseed(seed);
  const auto findings = simcuda_findings();
  std::string wrong = Run(program).run();
  give_back();
  if (simcuda_findings() != findings) {
    char text[1024];
    (void)simcuda_finding(0, text, sizeof text);
    wrong = text;
  }
  if (auto mismatch = mismatches(); wrong.empty()) wrong = mismatch;
  if (wrong.empty() && simcuda_physical_bytes() != at_rest)
    wrong = std::to_string(simcuda_physical_bytes() - at_rest) + " bytes are left";
  return wrong;
}

}  // namespace gmlake::streams
