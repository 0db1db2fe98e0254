// One thing that the program did, as it is noted on its way: plain data, written in one go.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace gmlake::record {

enum class Action : std::uint8_t {
  allocate,
  free,
  allocate_natively,  // past the pool
  free_natively,
  failure,  // an allocation that was refused
  record,   // of a CUDA event of the program's
  wait,     // of a stream, for one
  synchronize,
  query,
  forget,  // the event is gone, or is recorded where that is not seen
  synchronize_stream,
  query_stream,
  synchronize_context,
  fence,  // an event of the pool's own is recorded behind frees
  fence_passed,
  fence_pending,
  fence_awaited,
  work,  // the stream is given some, for the first time since memory was freed there
  pace,  // what a miss goes by (driver::Pace)
  pace_spent,
  stream,  // there is this one
  stream_ends,
  context_ends,  // with what cudaMalloc gave there
};
inline constexpr std::size_t kActions = static_cast<std::size_t>(Action::context_ends) + 1;
// As they are called in the file.
inline constexpr std::array<std::string_view, kActions> kActionNames{"allocate",
                                                                     "free",
                                                                     "allocate natively",
                                                                     "free natively",
                                                                     "allocate failure",
                                                                     "record",
                                                                     "wait",
                                                                     "synchronize",
                                                                     "query",
                                                                     "forget",
                                                                     "synchronize stream",
                                                                     "query stream",
                                                                     "synchronize context",
                                                                     "fence",
                                                                     "fence passed",
                                                                     "fence pending",
                                                                     "fence awaited",
                                                                     "work",
                                                                     "pace",
                                                                     "pace spent",
                                                                     "stream",
                                                                     "stream ends",
                                                                     "context ends"};

// What `Entry::stream` is.
enum class Lane : std::uint8_t { host, legacy, per_thread, created, handle };

struct Entry {
  std::uint64_t ticks = 0;    // of the processor's counter (clock.h)
  std::uint64_t pointer = 0;  // a block, an event, a context
  std::uint64_t amount = 0;   // bytes; of a query, whether it was over
  std::uint64_t stream = 0;   // its id, or (Lane::handle) its handle alone
  std::uint64_t handle = 0;   // of a stream; of the host, its context
  std::uint64_t caller = 0;   // where in the program
  std::uint32_t thread = 0;
  Action action = Action::allocate;
  Lane lane = Lane::host;
  std::uint8_t device = 0;
  bool blocking = false;  // the legacy stream waits for this one
};
static_assert(sizeof(Entry) == 56);

}  // namespace gmlake::record
