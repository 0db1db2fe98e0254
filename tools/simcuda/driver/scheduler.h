// Streams as the device sees them: operations with dependencies, run by a few threads when their
// turn comes.
//
// An operation depends on the one before it in its stream, on what it was told to wait for, and on
// the other side of the legacy default stream's rule (cuda.h, CU_STREAM_NON_BLOCKING; CUDA driver
// API, "Stream synchronization behavior"): work in the legacy stream follows the last work of every
// blocking stream of the context, work in a blocking stream follows the last work of the legacy
// stream.
//
// Two modes. Threads: device threads run what is ready, truly beside the program. Deterministic
// (SIMCUDA_SEED): nothing runs by itself; whenever the program gives work, asks or waits, the
// schedule (schedule.h) chooses which ready operations run. The same calls give the same run, as
// long as the program's threads make them in the same order and its host functions do not wait for
// the program.
//
// Thread-safe. One lock for everything here and for contexts, streams, events and the checks of
// order; it is never held while an operation runs. No thread starts before the first operation that
// can not complete at once.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "findings.h"

namespace gmlake::simcuda {

struct Context;
struct Stream;
struct StreamCapture;  // capture.h
struct Clock;          // clocks.h; null where order is not checked

// Bytes an operation reads or writes: device addresses, or those of host memory.
struct Access {
  std::uint64_t at = 0;
  std::uint64_t size = 0;
  bool write = false;
};

// How an operation may be run.
enum class Run {
  marker,     // nothing to do: complete when its turn comes, at once if that is now
  brief,      // the caller may run it itself if its turn is now
  device,     // a device thread runs it
  kernel,     // the same, for code of a test that stands for a kernel
  host_code,  // a thread of its own runs it: it may take as long as it likes, and tell the program
};

struct Operation {
  Run run = Run::marker;
  std::function<void()> body;  // empty: a marker
  std::vector<Access> accesses;
  Caller caller;  // the call that gave it
  std::vector<std::shared_ptr<Operation>> followers;
  unsigned unfinished = 0;  // operations this one still waits for
  bool done = false;
  std::vector<std::shared_ptr<Operation>> before;  // what it waits for; deterministic mode only
  std::shared_ptr<const Clock> clock;
  std::int64_t finished_ns = 0;
  std::shared_ptr<Stream> stream;  // null: not in a stream
};
using OperationRef = std::shared_ptr<Operation>;

// A place in the order of work: passed when the operation is complete, or at once if there is none.
struct Point {
  OperationRef operation;
  std::shared_ptr<const Clock> clock;
};

struct Stream {
  std::uint64_t id = 0;  // never given out twice
  Context* context = nullptr;
  unsigned flags = 0;
  int priority = 0;
  bool legacy = false;
  bool blocking = true;  // takes part in the legacy stream's rule
  bool destroyed = false;
  OperationRef last;  // null when idle
  // Of the checks of order: 0 and null until there is work.
  std::uint32_t timeline = 0;
  std::shared_ptr<const Clock> clock;      // of the last work
  std::shared_ptr<StreamCapture> capture;  // null when not capturing; under the lock of graphs
};
using StreamRef = std::shared_ptr<Stream>;

// What a call gives to a stream. A graph keeps one and gives it at every launch, so the body may be
// called again.
struct Work {
  Run run = Run::marker;
  std::function<void()> body{};
  std::vector<Access> accesses{};
  std::vector<Point> after{};  // further places to wait for
};

using SchedulerLock = std::unique_lock<std::mutex>;
SchedulerLock lock_scheduler();

// Appends to the stream, and says where that is.
Point submit(const StreamRef& stream, Work work);
// The same, in no stream, after all work given to the context so far.
Point submit_after_context(Context& context);

// Who learns that work is complete: what the program does afterwards is ordered behind it, what the
// driver keeps to itself orders nothing.
enum class Tell { program, nobody };

bool passed(const Point& point, Tell tell = Tell::program);
void wait(const Point& point, Tell tell = Tell::program);
void wait_stream(const StreamRef& stream);
void wait_context(Context& context);
bool idle(const StreamRef& stream);
// Whether whatever is given to the stream from now on comes after the point, which is not passed
// yet. Tells the host nothing.
bool follows(const StreamRef& stream, const Point& point);

// The host function that the calling thread is running; null in the program's own threads.
const Operation* host_code_running();

// Steady; in the deterministic mode a clock of its own that moves with the operations.
std::int64_t now_ns();

}  // namespace gmlake::simcuda
