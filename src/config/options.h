// The one table of options. Structure, JSON reader, environment names, schema, `gmlake config show`
// and the documentation are generated from it.
//
// OPTION(section, key, kind, default, minimum, maximum, help). Kinds: flag, size (bytes, or text
// such as "512MiB"), count, ratio, text, list (of text), and one enumeration kind per choice.
// minimum and maximum hold for size, count and ratio. The environment name is
// GMLAKE_<SECTION>_<KEY>.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "support/log.h"
#include "support/units.h"

// clang-format off
#define GMLAKE_OPTIONS(OPTION)                                                                                                    \
  OPTION(hooks, driver, flag, true, 0, 0,                                                                                         \
         "intercept the driver API: cuGetProcAddress and the cuMem functions; reaches programs with a static cudart")      \
  OPTION(hooks, runtime, flag, true, 0, 0,                                                                                        \
         "intercept the runtime API of a shared cudart: cudaMalloc and its relatives; the shorter way to a hit")                  \
  OPTION(processes, include, list, {"*"}, 0, 0, "programs to serve: names of executables, * and ? match")                         \
  OPTION(processes, exclude, list, {}, 0, 0, "programs to leave alone even when included")                                        \
  OPTION(processes, tools, tool_policy, ToolPolicy::aside, 0, 0,                                                                  \
         "a program that compute-sanitizer watches: aside leaves it on native memory, which is all that the tool can check")      \
  OPTION(pool, enabled, flag, true, 0, 0, "serve allocations from the pool; false forwards and counts them only")                 \
  OPTION(pool, chunk_size, size, 2 * MiB, 2 * MiB, GiB,                                                                           \
         "least bytes of one physical handle; a power of two, at least the device's granularity (2MiB)")                          \
  OPTION(pool, largest_chunk, size, 256 * MiB, 2 * MiB, GiB,                                                                      \
         "most bytes of one physical handle: larger ones grow with fewer driver calls, smaller ones stitch more freely")          \
  OPTION(pool, small_limit, size, MiB, 0, GiB,                                                                                    \
         "requests up to this size share chunks of their own; at most chunk_size")                                                \
  OPTION(pool, max_bytes, size, 0, 0, 1024 * TiB, "most memory the process may take of a device, what is not the pool's included; 0: no limit")               \
  OPTION(pool, max_share, ratio, 1, 0, 1, "the same as a share of the device's memory: 0.9 is 90 %; the smaller limit holds")         \
  OPTION(pool, head_room, size, 256 * MiB, 0, TiB,                                                                                \
         "memory of the device that growth leaves to others, at most a 256th of it; used only before an allocation fails")         \
  OPTION(pool, release_threshold, size, kNoThreshold, 0, 1024 * TiB,                                                              \
         "free memory is given back when the host waits for the GPU while the pool owns more than this")                          \
  OPTION(pool, release_after, ratio, 10, 0, 1000000,                                                                              \
         "seconds after which free memory that nothing has wanted goes back to the device; 0: never")                             \
  OPTION(pool, ask_others, flag, true, 0, 0,                                                                                      \
         "ask the user's other processes for free memory before an allocation fails, and give them what is free when they ask")   \
  OPTION(pool, native_fallback, flag, true, 0, 0, "ask the driver's own allocator before an allocation fails")                    \
  OPTION(pool, ipc, ipc_mode, IpcMode::emulate, 0, 0,                                                                             \
         "cudaMalloc memory for other processes (cudaIpcGetMemHandle): emulate shares the pool's with those that run with "       \
         "gmlake too, native leaves cudaMalloc to the driver, off shares none of the pool's")                                     \
  OPTION(stitch, enabled, flag, true, 0, 0, "serve a request from scattered free spans by mapping them side by side")             \
  OPTION(stitch, min_request, size, 2 * MiB, 0, 1024 * TiB,                                                                       \
         "smallest request that may be stitched (GMLake: fragLimit)")                                                             \
  OPTION(stitch, growth_slack, ratio, 0.002, 0, 1,                                                                                \
         "grow rather than stitch while physical memory stays within (1 + this) x peak live memory (GMLake: defragLevel)")        \
  OPTION(stitch, max_pieces, count, 1024, 1, 1000000, "most pieces of one stitch; a request that needs more grows")               \
  OPTION(stitch, time_budget, ratio, 0.2, 0, 1,                                                                                   \
         "share of each second that may go into stitching while the pool can grow instead; 1: no bound")                          \
  OPTION(stitch, worth, size, MiB, 0, TiB,                                                                                        \
         "bytes of physical memory that one millisecond of driver time for stitching must save, or the pool grows instead")       \
  OPTION(stitch, max_windows, count, 16384, 0, 1000000,                                                                           \
         "stitched ranges kept for reuse, the least recently used leave first")                                                   \
  OPTION(stitch, max_window_bytes, size, 4 * TiB, 0, 1024 * TiB,                                                                  \
         "virtual bytes of stitched ranges kept for reuse (GMLake: autoGC)")                                                      \
  OPTION(streams, free, free_policy, FreePolicy::deferred, 0, 0,                                                                  \
         "what a free without a stream does (cudaFree): deferred follows it with an event, synchronous waits as natively")        \
  OPTION(streams, reuse_completed, flag, true, 0, 0,                                                                              \
         "reuse memory freed on another stream once the work there has completed")                                                \
  OPTION(streams, follow_events, flag, true, 0, 0,                                                                                \
         "reuse memory freed on another stream where the program's own events and waits put it in order")                         \
  OPTION(streams, insert_waits, flag, true, 0, 0,                                                                                 \
         "when memory has run out, make a stream wait for another's work rather than the host")                                   \
  OPTION(streams, single_stream, flag, false, 0, 0,                                                                               \
         "cudaMalloc reuses what cudaFree freed at once while a context has its legacy default stream only;"                      \
         " you assert what docs/streams.md says")                                                                                 \
  OPTION(streams, lend_after, count, 8, 0, 1000000,                                                                              \
         "how often, lately, a stream has met others in the pool before memory is lent to it alone; 0: at once; 1000000: never") \
  OPTION(streams, ask_again, ratio, 0.125, 0, 100,                                                                                \
         "an event that has not fired is asked again before the pool grows if its stream was waited for this share longer")       \
  OPTION(streams, pending_bytes, size, 256 * MiB, 0, 1024 * TiB,                                                                  \
         "how far memory freed without a stream may let the pool grow past peak live memory before cudaMalloc waits for it")      \
  OPTION(streams, pending_share, ratio, 0.02, 0, 1,                                                                               \
         "the same as a share of the device's memory; the smaller limit holds")                                                   \
  OPTION(stats, report, report_kind, ReportKind::text, 0, 0, "the report at exit, to stderr or stats.file: text says whether it helped, full all")                       \
  OPTION(stats, file, text, "", 0, 0,                                                                                             \
         "file for the text report; empty: stderr. %p process, %h host, %r rank, %l local rank, %e executable, %t time, %% percent") \
  OPTION(stats, json_file, text, "", 0, 0, "file for the report as JSON, same % names; empty: none")                              \
  OPTION(stats, oom_file, text, "", 0, 0,                                                                                         \
         "file for the pool's whole picture as JSON when an allocation fails, same % names; empty: none")                         \
  OPTION(stats, live, flag, true, 0, 0,                                                                                           \
         "count in a page that gmlake stats, top and run read, also when the process has ended without a report")                 \
  OPTION(stats, interval, ratio, 0, 0, 1000000,                                                                                    \
         "seconds after which gmlake run writes stats.file and stats.json_file again while the program runs; 0: at the end only")   \
  OPTION(stats, live_folder, text, "", 0, 0, "folder for that page; empty: one of the user's own in /dev/shm or XDG_RUNTIME_DIR") \
  OPTION(stats, sample_bytes, size, 0, 0, 1024 * TiB,                                                                              \
         "note who asked for memory: of each block of so many bytes, and of smaller ones one in so many; 0: of none")              \
  OPTION(trace, file, text, "", 0, 0,                                                                                            \
         "file for a recording of every allocation, free and event that gmlake replay reads, compressed, same % names as stats.file; empty: none") \
  OPTION(trace, max_bytes, size, GiB, 4 * MiB, 1024 * TiB,                                                                        \
         "most bytes of that file: its oldest part goes, and what is left can be replayed")                                       \
  OPTION(live, control, flag, false, 0, 0,                                                                                        \
         "do what gmlake trim, limit and dump of the same user ask of the process while it runs")                                 \
  OPTION(log, level, log_level, log::Level::warning, 0, 0, "least severe message shown")                                          \
  OPTION(log, file, text, "", 0, 0, "file for messages, same % names as stats.file; empty: stderr")
// clang-format on

namespace gmlake::config {

// pool.release_threshold: nothing is given back.
inline constexpr std::uint64_t kNoThreshold = 1024 * TiB;

enum class FreePolicy { deferred, synchronous };
enum class ReportKind { none, text, full };
enum class IpcMode { emulate, native, off };
enum class ToolPolicy { aside, serve };

}  // namespace gmlake::config
