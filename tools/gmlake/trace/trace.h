// An allocation trace of one device in memory: what happened, in order, ready to be replayed by
// array index.
//
// Readers (csv_reader.h, snapshot_reader.h) and the generator make it; info, the writer and replay
// use it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <tl/expected.hpp>

#include "support/units.h"
#include "trace/stacks.h"

namespace gmlake::trace {

// What a person can act on: the place, the reason and the remedy, ready to print.
template <typename T>
using Expected = tl::expected<T, std::string>;

// Memory comes and goes, or the program puts its streams in order: a CUDA event is recorded on a
// stream, the stream waits for it, or the host does; or the host waits for all that a stream has
// been given (complete). Where the recorder had a pool of its own: an event of that pool follows
// what a stream was given (fence), and is asked whether it has passed, or waited for,
// and is told that a stream is given work.
enum class Kind : std::uint8_t {
  allocate,
  free,
  record,
  wait,
  synchronize,
  complete,
  fence,
  asked,
  awaited,
  work
};
inline constexpr std::array<std::string_view, 5> kActions{"allocate", "free", "record", "wait",
                                                          "synchronize"};  // as logs name them

// 24 bytes: a day of training is tens of millions of these.
struct Event {
  Bytes bytes;  // requested, at the free too; of an answer, 1 if it was yes; otherwise 0
  std::uint64_t time : 60;  // microseconds, from whatever the recorder counts from
  std::uint64_t what : 4;   // a Kind
  // The ordinal of the allocation: 0 .. Trace::allocations - 1; or of the CUDA event:
  // 0 .. Trace::cuda_events - 1; or of the fence: 0 .. Trace::fences - 1.
  std::uint32_t block;
  std::uint16_t stream;  // index into Trace::streams
  std::uint16_t thread;  // index into Trace::threads

  Kind kind() const { return static_cast<Kind>(what); }
  bool of_memory() const { return kind() <= Kind::free; }
  bool of_pool() const { return kind() >= Kind::fence; }
};
static_assert(sizeof(Event) == 24);

// CU_STREAM_PER_THREAD: each thread's own default stream, by one name.
inline constexpr std::uint64_t kPerThread = 2;
// Not a stream: what names none, as cudaMalloc and cudaFree do.
inline constexpr std::uint64_t kHost = ~std::uint64_t{0};

// What the recorder's pool went by from the event `before` on: nanoseconds for each handle it maps
// and creates, and whether it might put memory together.
struct Pace {
  std::size_t before;
  std::uint64_t map_ns, create_ns;
  bool may_stitch;
};

// From the event `before` on: what the recorded allocator had taken from the device.
struct Level {
  std::size_t before;
  std::uint64_t time;
  Bytes bytes;
};

// An allocation that failed, before the event `before`.
struct Failure {
  std::size_t before;
  std::uint64_t time;
  Bytes bytes;
  Bytes device_free;
};

struct Trace {
  std::vector<Event> events;           // each free comes after its allocation, none comes twice
  std::uint32_t allocations = 0;       // blocks named by the events
  std::uint32_t cuda_events = 0;       // and CUDA events
  std::uint32_t fences = 0;            // and events of the recorder's own pool
  std::vector<std::uint64_t> streams;  // as the recorder named them, in order of appearance
  std::vector<std::uint64_t> threads;
  // Of the streams that are named kPerThread: whose they are, by index into `streams`.
  std::map<std::uint16_t, std::uint64_t> stream_threads;
  std::set<std::uint16_t> blocking;  // by index: those that the legacy stream waits for
  std::vector<Pace> paces;
  int device = 0;

  // Rows that are not events of this trace.
  std::uint64_t initial_blocks = 0;  // alive before what the file has begins
  std::uint64_t unknown_frees = 0;   // of blocks allocated before the recording began
  std::uint64_t allocation_failures = 0;
  std::uint64_t other_devices = 0;  // events of devices not asked for
  std::uint64_t native = 0;         // of memory that was no pool's
  std::uint64_t lost = 0;           // events that the recorder had no time for
  std::uint64_t cut_rows = 0;       // the last, of a file that was cut in it
  bool cut = false;                 // the file's end is missing

  // For pictures and exports, which show what a replay does not need.
  std::vector<std::uint64_t> addresses;  // of each allocation, by its ordinal
  Stacks stacks;                         // only if they were asked for and recorded
  std::vector<Level> reserved;           // only in snapshots
  std::vector<Failure> failures;         // only in snapshots
};

}  // namespace gmlake::trace
