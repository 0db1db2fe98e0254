// Faults that are built into the library on purpose, for one test: it shows that the random
// programs of tests/streams find each of them. Only libgmlake_faulty.so has any, one at a time, by
// FAULTY_GMLAKE in its environment; elsewhere GMLAKE_FAULT(name) is false and leaves no code.
//
// X(name, what is wrong): all of them; docs/streams.md has the same list.
#pragma once

// clang-format off
#define GMLAKE_FAULTS(X)                                                                                  \
  /* stream/clocks */                                                                                     \
  X(overlapping_recordings, "two recordings of one event that overlap prove something")                   \
  X(recorded_again, "a wait proves what the event's latest recording does, whichever it was for")         \
  X(event_outlives_unseen, "an event recorded where it is not seen keeps its proof")                      \
  /* stream/timelines */                                                                                  \
  X(batch_stays_open, "frees after a batch's event still belong to the batch")                            \
  X(cut_leaves_open, "frees after the program's recording count as before it")                            \
  X(passes_one_more, "the batch after the one that has passed counts as passed")                          \
  X(retired_has_passed, "frees of a destroyed stream count as passed")                                    \
  X(retired_by_handle, "a destroyed stream's frees are followed by its old handle")                       \
  X(replaced_under_work, "a new stream goes on in an ended one's place while that one's work is pending") \
  /* stream/fences */                                                                                     \
  X(asked_before_recorded, "a fence's event is asked before it is recorded")                              \
  X(fence_elsewhere, "a fence's event is recorded on the legacy stream")                                  \
  X(not_ready_is_done, "a fence that has not fired counts as fired")                                      \
  X(wait_not_inserted, "a stream that should wait for a fence is not made to")                            \
  X(late_is_in_time, "an event recorded after later work is waited for")                                    \
  X(followed_late, "frees are followed only when a miss wants the memory")                                  \
  /* memory */                                                                                            \
  X(earlier_fence_kept, "spans that join keep the earlier fence of the two")                              \
  X(window_fence_dropped, "a freed stitch leaves its pieces with no fence")                               \
  /* pool */                                                                                              \
  X(recorded_use_ignored, "gmlake_record_use does nothing")                                               \
  X(host_frees_own, "cudaMalloc takes what cudaFree freed as its own")                                    \
  X(host_parks, "cudaMalloc takes back the block that cudaFree freed last")                               \
  X(one_stream_unawaited, "a context's second stream begins before what cudaMalloc took back is over")     \
  X(host_free_settles, "cudaFree of a stream's block ends the stream's earlier work on its bytes")        \
  X(window_at_work, "a stitch is unmapped before its last work is over")                                  \
  X(wait_of_another, "a wait is credited to another stream")                                              \
  X(loan_settles, "what was freed in a loan is anybody's at once when that is taken back")             \
  X(trim_at_work, "memory is given back before its last work is over")                                    \
  /* hooks */                                                                                             \
  X(snapshot_after_record, "what comes before an event is looked at after it was recorded")               \
  X(latest_recording_waited, "which recording a wait is for is looked at after the wait")                 \
  X(captured_record, "an event keeps its proof when it is recorded in a capture")                         \
  X(graph_records_unseen, "an event that a graph records still proves something")                         \
  X(event_outlives_destroy, "an event's handle that comes back as another event keeps its proof")         \
  X(failure_is_success, "a query that says no counts as yes")                                             \
  X(given_after_wait, "frees made while the host waits count as waited for")                              \
  X(stream_wait_for_all, "waiting for one stream counts as waiting for the context")                      \
  X(legacy_wait_for_all, "the legacy stream is taken to wait for non-blocking streams")                   \
  X(legacy_free_is_no_work, "a free in the legacy stream does not stand between blocking streams")        \
  X(memory_outlives_context, "memory of cudaMalloc is still there when its context is gone")              \
  X(failed_end_is_end, "a stream that could not be destroyed counts as gone")                             \
  X(recycled_handle, "a new stream with an old one's handle is taken for the old one")                    \
  X(per_thread_is_legacy, "the per-thread stream is taken for the legacy one")                            \
  X(per_thread_unseen, "a thread's own default stream does not count as a context's second stream")       \
  X(fill_unseen, "a copy or a fill on a thread's own default stream does not count as its use")           \
  X(capture_ignored, "events are recorded and queried while a stream captures")
// clang-format on

namespace gmlake {

enum class Fault {
  none,
#define X(name, what) name,
  GMLAKE_FAULTS(X)
#undef X
};

#ifdef GMLAKE_FAULTY
bool is_faulty(Fault fault);
#define GMLAKE_FAULT(name) (::gmlake::is_faulty(::gmlake::Fault::name))
#else
#define GMLAKE_FAULT(name) (static_cast<void>(::gmlake::Fault::name), false)
#endif

}  // namespace gmlake
