// The one list of statistics. Structure, merging, text, JSON and documentation are generated from
// it.
//
// X(name, kind, unit, help). Kinds: `count` only rises; `gauge` is a level now; `peak` is the
// highest level seen. Merging devices adds all of them. Units: bytes, calls, blocks, times.
// kVersion rises when a name changes its meaning or goes away; adding one does not change it.
//
// Ownership: a DeviceCounters belongs to one pool and is written under its lock; readers take a
// copy.
#pragma once

#include <cstdint>

#include "stats/unproved.h"

#define GMLAKE_COUNTERS(X)                                                                         \
  /* what the program asked for */                                                                 \
  X(allocations, count, calls, "allocations served by the pool")                                   \
  X(frees, count, calls, "frees of pool memory")                                                   \
  X(allocated_bytes, count, bytes, "bytes requested, summed over the pool's allocations")          \
  X(live_bytes, gauge, bytes, "requested bytes in blocks not yet freed")                           \
  X(peak_live_bytes, peak, bytes, "highest live_bytes")                                            \
  X(live_blocks, gauge, blocks, "blocks not yet freed")                                            \
  /* what it cost in memory */                                                                     \
  X(physical_bytes, gauge, bytes, "physical memory the pool owns")                                 \
  X(peak_physical_bytes, peak, bytes, "highest physical_bytes")                                    \
  X(native_live_bytes, gauge, bytes,                                                               \
    "device memory past the pool: allocations the driver's own allocator served, not yet freed")   \
  X(own_handle_bytes, gauge, bytes,                                                                \
    "device memory past the pool: physical memory the program made itself (cuMemCreate)")          \
  X(own_pool_bytes, gauge, bytes,                                                                  \
    "device memory past the pool: what memory pools of the driver own")                            \
  X(peak_beside_bytes, peak, bytes, "highest sum of these three")                                  \
  X(peak_taken_bytes, peak, bytes, "highest sum of these three and physical_bytes")                \
  X(windows, gauge, blocks, "stitched virtual ranges kept for reuse or in use")                    \
  X(window_bytes, gauge, bytes, "virtual bytes of those ranges")                                   \
  /* how each allocation was served; these add up to allocations */                                \
  X(hits_exact, count, calls, "served where a block of that size had been, or by an exact span")   \
  X(hits_window, count, calls, "served by an earlier stitch, no driver call")                      \
  X(hits_split, count, calls, "served from a larger free span")                                    \
  X(hits_small, count, calls, "small requests served from their own chunks")                       \
  X(stitches, count, calls, "served by mapping scattered spans side by side")                      \
  X(growths, count, calls, "served after creating physical memory, without a stitch")              \
  /* across streams: how memory freed elsewhere was found safe to reuse */                         \
  X(reuse_own_stream, count, calls, "allocations whose memory was last freed on the same stream")  \
  X(reuse_own_stream_bytes, count, bytes, "bytes requested in those allocations")                  \
  X(reuse_completed, count, calls,                                                                 \
    "allocations of memory whose last work elsewhere had completed")                               \
  X(reuse_completed_bytes, count, bytes, "bytes requested in those allocations")                   \
  X(reuse_proved, count, calls,                                                                    \
    "allocations of memory whose last work elsewhere the program has ordered before")              \
  X(reuse_proved_bytes, count, bytes, "bytes requested in those allocations")                      \
  X(reuse_new, count, calls, "allocations of memory not used before")                              \
  X(reuse_new_bytes, count, bytes, "bytes requested in those allocations")                         \
  X(unproved, count, calls,                                                                        \
    "requests that could not have free memory, as nothing proved its last work elsewhere over")    \
  X(unproved_bytes, count, bytes, "bytes of that memory, for each request at most its own")        \
  X(fences, count, calls, "events recorded to follow freed memory, one per batch of frees")        \
  X(fences_captured, count, calls,                                                                 \
    "events that could not be recorded yet, since a stream was being captured")                    \
  X(fence_queries, count, calls, "queries of such events")                                         \
  X(fence_waits, count, calls, "host waits for such events, out of memory otherwise")              \
  X(deferred_frees, count, calls, "frees that would have synchronised natively and did not")       \
  /* keeping windows and memory in bounds */                                                       \
  X(windows_evicted, count, calls, "stitched ranges unmapped to stay within their limits")         \
  X(cuts, count, times, "times a large handle was replaced by smaller ones, to be stitched")       \
  X(loans, count, times, "times memory was lent to a stream that met others in the pool")          \
  X(trims, count, times, "times free memory was given back to the device")                         \
  X(trimmed_bytes, count, bytes, "bytes given back to the device")                                 \
  X(unwanted_bytes, count, bytes, "bytes of those that nothing had wanted for pool.release_after") \
  X(wished_bytes, count, bytes, "bytes of those that another process had asked for")               \
  /* out of memory: each rung of the ladder, then its end */                                       \
  X(ladder_harvests, count, calls, "out of memory: looked for completed work on other streams")    \
  X(ladder_inserted_waits, count, calls,                                                           \
    "out of memory: made the asking stream wait for work of another")                              \
  X(ladder_waits, count, calls, "out of memory: waited for pending frees")                         \
  X(ladder_evictions, count, calls, "out of memory: gave stitched ranges back")                    \
  X(ladder_trims, count, calls, "out of memory: gave free memory back, to have it in other shape") \
  X(ladder_head_rooms, count, calls, "out of memory: went into the head room")                     \
  X(ladder_natives, count, calls, "out of memory: asked the driver's own allocator")               \
  X(out_of_memory, count, calls, "allocations that failed")                                        \
  X(limit_refusals, count, calls,                                                                  \
    "calls of the program past the pool that pool.max_bytes or pool.max_share did not allow")      \
  X(native_retries, count, calls,                                                                  \
    "calls of the program that ran out of memory and were tried again after giving some back")     \
  /* between processes */                                                                          \
  X(ipc_exports, count, calls, "handles for other processes given for blocks of the pool")         \
  X(ipc_opens, count, calls, "blocks of other processes' pools opened here")                       \
  X(ipc_refused, count, calls, "such blocks that could not be opened")                             \
  /* what went past the pool, and why */                                                           \
  X(native_allocations, count, calls, "allocations the driver's own allocator served")             \
  X(native_bytes, count, bytes, "bytes of those allocations")                                      \
  X(native_frees, count, calls, "frees passed to the driver")                                      \
  X(bypass_capture, count, calls, "passed to the driver: the stream was being captured")           \
  X(bypass_off, count, calls, "passed to the driver: the pool is switched off")                    \
  X(bypass_ipc, count, calls, "passed to the driver: memory of that size is for other processes")  \
  X(bypass_pool, count, calls,                                                                     \
    "passed to the driver: memory of one of the program's pools that is not served")

// The driver functions the pool itself calls, with how often and how long.
#define GMLAKE_DRIVER_CALLS(X) \
  X(cuMemAddressReserve)       \
  X(cuMemAddressFree)          \
  X(cuMemCreate)               \
  X(cuMemRelease)              \
  X(cuMemMap)                  \
  X(cuMemUnmap)                \
  X(cuMemSetAccess)            \
  X(cuMemGetInfo_v2)           \
  X(cuEventCreate)             \
  X(cuEventDestroy_v2)         \
  X(cuEventRecord)             \
  X(cuCtxRecordEvent)          \
  X(cuEventQuery)              \
  X(cuStreamWaitEvent)         \
  X(cuStreamCreate)            \
  X(cuStreamDestroy_v2)        \
  X(cuEventSynchronize)        \
  X(cuCtxSynchronize)

namespace gmlake::stats {

inline constexpr int kVersion = 1;

enum class DriverCall : unsigned {
#define X(name) name,
  GMLAKE_DRIVER_CALLS(X)
#undef X
      kCount
};
inline constexpr unsigned kDriverCalls = static_cast<unsigned>(DriverCall::kCount);

struct DriverCallCount {
  std::uint64_t calls = 0;
  std::uint64_t nanoseconds = 0;
  std::uint64_t failures = 0;
};

struct DeviceCounters {
#define X(name, kind, unit, help) std::uint64_t name = 0;
  GMLAKE_COUNTERS(X)
#undef X
};

// One of them.
using Gauge = std::uint64_t DeviceCounters::*;

// One device's part of a report: a copy, owned by whoever holds it.
struct DeviceReport {
  int device = 0;
  DeviceCounters counters;
  DriverCallCount driver[kDriverCalls];
  Unproved unproved;
};

}  // namespace gmlake::stats
