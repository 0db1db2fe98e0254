// What a trace holds: sizes, lifetimes, streams, peak. For `gmlake trace info`.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "trace/trace.h"

namespace gmlake::trace {

struct Info {
  struct Bucket {
    Bytes above = 0, up_to = 0;  // sizes in (above, up_to]; a power of two each
    std::uint64_t allocations = 0;
    Bytes bytes = 0;
  };
  struct Lane {  // a stream
    std::uint64_t stream = 0;
    std::optional<std::uint64_t> thread;  // whose default stream it is, of kPerThread
    std::uint64_t allocations = 0, frees = 0;
    Bytes bytes = 0;
    std::uint64_t records = 0, waits = 0;  // of CUDA events; waits by the stream
  };
  struct Lifetimes {  // in events between allocation and free, over freed blocks
    std::uint64_t median = 0, p90 = 0, longest = 0;
  };
  std::uint64_t allocations = 0, frees = 0, small_allocations = 0;  // small: up to 1 MiB
  std::uint64_t records = 0, waits = 0, synchronizations = 0;
  Bytes peak_live = 0, live_at_end = 0, allocated = 0;
  std::uint64_t peak_blocks = 0, never_freed = 0;
  std::uint64_t duration = 0;  // microseconds
  Lifetimes lifetimes;
  std::vector<Bucket> sizes;
  std::vector<Lane> streams;
};

Info summarize(const Trace& trace);
std::string info_text(const std::string& name, const Trace& trace, const Info& info);
std::string info_json(const std::string& name, const Trace& trace, const Info& info);

}  // namespace gmlake::trace
