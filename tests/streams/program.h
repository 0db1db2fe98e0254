// A program of several threads and streams as plain data: a list of driver calls, which can be
// printed, read back, generated from a seed, checked for order (model.h), run (runner.h) and cut
// down.
//
// Its threads take turns in the order of the list, so the same list is the same run. A call may be
// told that the next few operations, of other threads, happen while it is under way: after it has
// entered the driver and before it does anything there, or after it has done it and before it
// returns.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

namespace gmlake::streams {

constexpr unsigned kThreads = 4;
// Streams by slot: the legacy one, the threads' own, and those that are created.
constexpr unsigned kLegacy = 0;
constexpr unsigned kCreated = 1 + kThreads;
constexpr unsigned kStreams = kCreated + 8;
constexpr unsigned kEvents = 8;
constexpr unsigned kBlocks = 24;
constexpr unsigned kGraphs = 3;
constexpr unsigned kHolds = 2;
inline bool is_per_thread(unsigned stream) {
  return stream > kLegacy && stream < kCreated;
}

// X(kind, what a, b and c are)
#define GMLAKE_STREAMS_OPERATIONS(X)                                                      \
  X(create_stream)  /* b; c: non-blocking */                                              \
  X(destroy_stream) /* b; c: the driver fails to */                                       \
  X(create_event)   /* a */                                                               \
  X(destroy_event)  /* a */                                                               \
  X(allocate_async) /* block a on stream b, c bytes */                                    \
  X(free_async)     /* block a on stream b */                                             \
  X(allocate)       /* block a, c bytes */                                                \
  X(free)           /* block a */                                                         \
  X(write)          /* a kernel on stream b fills block a; c: the driver's fills do */    \
  X(read)           /* a kernel on stream b checks what block a was filled with */        \
  X(record_use)     /* gmlake_record_use of block a on stream b */                        \
  X(record)         /* event a on stream b; c: as a node of the graph that is captured */ \
  X(wait)           /* stream b waits for event a */                                      \
  X(sync_event)     /* the host waits for event a */                                      \
  X(sync_stream)    /* the host waits for stream b */                                     \
  X(sync_context)   /* the host waits for everything */                                   \
  X(query_event)    /* asks, whatever the answer */                                       \
  X(query_stream)                                                                         \
  X(poll_event) /* asks until the answer is yes */                                        \
  X(poll_stream)                                                                          \
  X(begin_capture) /* of graph a on stream b, in mode c */                                \
  X(end_capture)   /* of graph a on stream b */                                           \
  X(launch)        /* graph a on stream b */                                              \
  X(destroy_graph) /* a */                                                                \
  X(renew_context) /* it ends with all that is in it; c: by a detach; another begins */   \
  X(trim)          /* the device's memory pool is to keep nothing */                      \
  X(hold)          /* a host function on stream b that goes on at the next let_go of a */ \
  X(let_go)        /* a */

enum class Kind : unsigned {
#define X(name) name,
  GMLAKE_STREAMS_OPERATIONS(X)
#undef X
      kCount
};

// The operations that come next, of other threads, happen while this one is under way.
enum class Overlap : unsigned { none, before_effect, after_effect };

struct Operation {
  Kind kind = Kind::trim;
  unsigned thread = 0;
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  Overlap overlap = Overlap::none;
  unsigned inner = 0;  // how many of them
};

using Program = std::vector<Operation>;

std::string to_text(const Operation& operation);
std::string to_text(const Program& program);
std::optional<Program> parse(std::istream& text);  // nothing if a line is not understood

}  // namespace gmlake::streams
