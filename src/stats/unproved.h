// Free memory that requests could not have, because nothing proved its last work over: who wanted
// it, who had freed it, and what was done instead. The answer to "why was my memory not reused?";
// docs/streams.md explains it.
//
// X(name, unit, help), as in counters.h: what is kept of each pair of streams.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#define GMLAKE_UNPROVED(X)                                                                       \
  X(requests, calls, "requests of the one that could not have what the other had freed")         \
  X(bytes, bytes, "bytes the other had free then, for each request at most what it asked for")   \
  X(new_bytes, bytes, "of them, what was created anew instead")                                  \
  X(host_waits, calls, "of these requests, those that made the host wait for the GPU")           \
  X(stream_waits, calls, "of these requests, those that made the asking stream wait for others") \
  X(failures, calls, "of these requests, those that the pool could not serve")

namespace gmlake::stats {

// A stream, or a context's calls without one.
struct StreamName {
  enum class Kind { created, legacy, per_thread, host };
  Kind kind = Kind::created;
  std::uint64_t id = 0;  // cuStreamGetId's, also of a stream that is gone
  const void* context = nullptr;
  friend bool operator==(const StreamName&, const StreamName&) = default;
};

struct UnprovedCost {
#define X(name, unit, help) std::uint64_t name = 0;
  GMLAKE_UNPROVED(X)
#undef X
  UnprovedCost& operator+=(const UnprovedCost& more) {
#define X(name, unit, help) name += more.name;
    GMLAKE_UNPROVED(X)
#undef X
    return *this;
  }
};

struct UnprovedPair {
  StreamName wanted_by;
  StreamName freed_by;
  UnprovedCost cost;
};

struct Unproved {
  std::vector<UnprovedPair> pairs;  // those with the most bytes first
  UnprovedCost others;              // all pairs that are not among them
};

inline void sort(Unproved& unproved) {
  std::stable_sort(unproved.pairs.begin(), unproved.pairs.end(),
                   [](const auto& a, const auto& b) { return a.cost.bytes > b.cost.bytes; });
}

}  // namespace gmlake::stats
