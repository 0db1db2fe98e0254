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
// stream, the stream waits for it, or the host does.
enum class Kind : std::uint8_t { allocate, free, record, wait, synchronize };
inline constexpr std::array<std::string_view, 5> kActions{"allocate", "free", "record", "wait",
                                                          "synchronize"};  // as logs name them

// 24 bytes: a day of training is tens of millions of these.
struct Event {
  Bytes bytes;              // requested, at the free too; 0 where no memory is concerned
  std::uint64_t time : 61;  // microseconds, from whatever the recorder counts from
  std::uint64_t what : 3;   // a Kind
  // The ordinal of the allocation: 0 .. Trace::allocations - 1; or of the CUDA event:
  // 0 .. Trace::cuda_events - 1.
  std::uint32_t block;
  std::uint16_t stream;  // index into Trace::streams
  std::uint16_t thread;  // index into Trace::threads

  Kind kind() const { return static_cast<Kind>(what); }
  bool of_memory() const { return kind() <= Kind::free; }
};
static_assert(sizeof(Event) == 24);

// CU_STREAM_PER_THREAD: each thread's own default stream, by one name.
inline constexpr std::uint64_t kPerThread = 2;

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
  std::vector<std::uint64_t> streams;  // as the recorder named them, in order of appearance
  std::vector<std::uint64_t> threads;
  // Of the streams that are named kPerThread: whose they are, by index into `streams`.
  std::map<std::uint16_t, std::uint64_t> stream_threads;
  int device = 0;

  // Rows that are not events of this trace.
  std::uint64_t initial_blocks = 0;  // of a snapshot: alive before the recording began
  std::uint64_t unknown_frees = 0;   // of blocks allocated before the recording began
  std::uint64_t allocation_failures = 0;
  std::uint64_t other_devices = 0;  // events of devices not asked for

  // For pictures and exports, which show what a replay does not need.
  std::vector<std::uint64_t> addresses;  // of each allocation, by its ordinal
  Stacks stacks;                         // only if they were asked for and recorded
  std::vector<Level> reserved;           // only in snapshots
  std::vector<Failure> failures;         // only in snapshots
};

}  // namespace gmlake::trace
