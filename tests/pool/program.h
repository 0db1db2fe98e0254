// A program against the pool as plain data: settings and a list of operations, which can be
// printed, read back, generated from a seed and cut down.
//
// Every program means something: an operation that does not apply (a free with nothing live) does
// nothing, so that any part of a program is a program too.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

#include "support/units.h"

namespace gmlake::testing {

constexpr std::uint64_t kStreams = 4;  // streams 1 to 4; 0 is the host
constexpr std::uint64_t kEvents = 4;

// X(kind, what a and b are)
#define GMLAKE_OPERATIONS(X)                                                              \
  X(nothing)                                                                              \
  X(allocate)    /* a bytes for stream b */                                               \
  X(free)        /* the a-th live block, on stream b */                                   \
  X(submit)      /* work to stream a */                                                   \
  X(complete)    /* b pieces of work of stream a are done */                              \
  X(synchronise) /* all work is done */                                                   \
  X(retire)      /* stream a is destroyed, another made */                                \
  X(forget)      /* the context is destroyed, another made */                             \
  X(fault)       /* function a / 64 fails after a % 64 more calls, b times (0: always) */ \
  X(heal)        /* no function fails any more */                                         \
  X(trim)        /* the pool is to keep a bytes */                                        \
  X(use)         /* the a-th live block, by record, on stream b (0: on one not known) */  \
  X(record)      /* event a on stream b */                                                \
  X(await)       /* stream b waits for event a */                                         \
  X(wait)        /* the host waits for event a, or with b odd for stream a */             \
  X(second)      /* the context gets its second stream */                                 \
  X(open)        /* the a-th live block is opened to device b */                          \
  X(open_all)    /* all memory is opened to device a (b = 1), or closed (b = 0) */

enum class Kind : unsigned {
#define X(name) name,
  GMLAKE_OPERATIONS(X)
#undef X
      kCount
};

// The functions a fault names, as FakeDevice counts them.
inline constexpr const char* kFunctions[] = {
    "cuMemAddressReserve", "cuMemCreate",        "cuMemMap",         "cuMemSetAccess",
    "cuMemUnmap",          "cuMemRelease",       "cuMemAddressFree", "cuMemGetInfo",
    "cuEventCreate",       "cuEventDestroy",     "cuEventRecord",    "cuCtxRecordEvent",
    "cuEventQuery",        "cuEventSynchronize", "cuCtxSynchronize", "cuStreamWaitEvent"};
inline constexpr std::uint64_t kFunctionCount = sizeof kFunctions / sizeof *kFunctions;

struct Operation {
  Kind kind = Kind::nothing;
  std::uint64_t a = 0;
  std::uint64_t b = 0;
};

struct Settings {
  Bytes memory = 64 * MiB;
  Bytes limit = 0;  // pool.max_bytes
  std::uint64_t windows = 16384;
  bool stitch = true;
  bool reuse_completed = true;
  bool synchronous = false;
  Bytes largest = 32 * MiB;     // pool.largest_chunk
  std::uint64_t pieces = 1024;  // stitch.max_pieces
  bool unhurried = true;        // stitch.time_budget: 1 or 0, which do not look at the clock
  Bytes worth = MiB;            // stitch.worth
  bool context_events = true;   // the driver has cuCtxRecordEvent
  bool single = false;          // streams.single_stream: the host's frees are in order, at first
  bool loans = false;           // streams.lend_after: 0 or never
  // For the harness's own test: the model takes a stream's own order for none, which is wrong.
  bool planted = false;
};

struct Program {
  Settings settings;
  std::vector<Operation> operations;
};

Program generate(std::uint32_t seed, std::size_t steps);
std::string to_text(const Program& program);
std::optional<Program> parse(std::istream& text);  // nothing if a line is not understood

}  // namespace gmlake::testing
