// An allocation trace of one device in memory: what happened, in order, ready to be replayed by
// array index.
//
// Readers (csv_reader.h, snapshot_reader.h) and the generator make it; info, the writer and replay
// use it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "support/units.h"

namespace gmlake::trace {

// What a person can act on: the place, the reason and the remedy, ready to print.
template <typename T>
using Expected = tl::expected<T, std::string>;

enum class Kind : std::uint8_t { allocate, free };

// 24 bytes: a day of training is tens of millions of these.
struct Event {
  Bytes bytes;              // requested, at the free too
  std::uint64_t time : 63;  // microseconds, from whatever the recorder counts from
  std::uint64_t freed : 1;
  std::uint32_t block;   // the ordinal of the allocation: 0 .. Trace::allocations - 1
  std::uint16_t stream;  // index into Trace::streams
  std::uint16_t thread;  // index into Trace::threads

  Kind kind() const { return freed ? Kind::free : Kind::allocate; }
};
static_assert(sizeof(Event) == 24);

struct Trace {
  std::vector<Event> events;           // each free comes after its allocation, none comes twice
  std::uint32_t allocations = 0;       // blocks named by the events
  std::vector<std::uint64_t> streams;  // as the recorder named them, in order of appearance
  std::vector<std::uint64_t> threads;
  int device = 0;

  // Rows that are not events of this trace.
  std::uint64_t initial_blocks = 0;  // of a snapshot: alive before the recording began
  std::uint64_t unknown_frees = 0;   // of blocks allocated before the recording began
  std::uint64_t allocation_failures = 0;
  std::uint64_t other_devices = 0;  // events of devices not asked for
};

}  // namespace gmlake::trace
