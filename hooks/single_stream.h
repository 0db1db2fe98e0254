// Contexts that get another stream than their legacy default one: what ends streams.single_stream.
#pragma once

#include "hooks/real.h"

namespace gmlake::hooks {

// The context (null: each) is about to be given work elsewhere: to be called before it can. `how`
// is for the log. Costs little where it is known.
void second_stream(CUcontext context, const char* how);
// A stream is about to be used. A thread's own default one is a blocking stream, and no call makes
// it.
void per_thread_stream_used();
inline void stream_used(CUstream stream, bool zero_is_per_thread) {
  if (stream == CU_STREAM_PER_THREAD || (!stream && zero_is_per_thread)) per_thread_stream_used();
}

}  // namespace gmlake::hooks
