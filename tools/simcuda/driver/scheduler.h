// Streams as the device sees them: operations with dependencies, run by a few threads when their
// turn comes.
//
// An operation depends on the one before it in its stream, on what it was told to wait for, and on
// the other side of the legacy default stream's rule (cuda.h, CU_STREAM_NON_BLOCKING; CUDA driver
// API, "Stream synchronization behavior"): work in the legacy stream follows the last work of every
// blocking stream of the context, work in a blocking stream follows the last work of the legacy
// stream.
//
// Thread-safe. One lock for everything here and for contexts, streams and events; it is never held
// while an operation runs. Nothing starts before the first operation that can not complete at once.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

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

struct Operation {
  std::function<void()> body;  // empty: a marker
  std::vector<std::shared_ptr<Operation>> followers;
  unsigned unfinished = 0;  // operations this one still waits for
  bool done = false;
  bool runs_host_code = false;
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
  OperationRef last;                       // null when idle
  std::shared_ptr<StreamCapture> capture;  // null when not capturing; under the lock of graphs
};
using StreamRef = std::shared_ptr<Stream>;

// How an operation may be run.
enum class Run {
  marker,     // nothing to do: complete when its turn comes, at once if that is now
  brief,      // the caller may run it itself if its turn is now
  device,     // a device thread runs it
  host_code,  // a device thread runs it, and it may take as long as it likes
};

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

// Both tell the host that the point is passed: what it does from then on is ordered behind it.
bool passed(const Point& point);
void wait(const Point& point);
void wait_stream(const StreamRef& stream);
void wait_context(Context& context);
bool idle(const StreamRef& stream);

std::int64_t now_ns();

}  // namespace gmlake::simcuda
