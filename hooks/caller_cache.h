// Who calls, as far as the calling thread has found it out before (hooks/caller.h): what each hit
// looks at, and nothing that a hit does not need.
#pragma once

#include <array>
#include <atomic>

#include "hooks/caller.h"
#include "hooks/captures.h"

namespace gmlake::hooks {

// Of identities: rises when one dies.
extern std::atomic<std::uint64_t> caller_generation;
// Whether all of a runtime's calls are about one context: known once a context has been asked for.
enum class Contexts { unknown, one, several };
extern std::atomic<Contexts> known_contexts;

// Who calls on a stream, as found out before.
struct Identity {
  CUstream handle = nullptr;
  // The context that was current: it gives the default streams their meaning.
  CUcontext current = nullptr;
  bool per_thread = false;
  bool valid = false;
  Caller caller;
};

struct CallerCache {
  std::uint64_t generation = 0;
  // The host of the current context: ready to be copied, as what has just been written in parts
  // stalls when it is read as a whole.
  Caller host;
  bool current = false;  // that context is, as far as the thread's calls say
  std::array<Identity, 8> streams{};

  Identity& place_of(CUstream stream) {
    const auto bits = reinterpret_cast<std::uintptr_t>(stream);
    return streams[(bits >> 4 ^ bits) % streams.size()];
  }
};
// The loader gives a preloaded library its place beside the thread pointer. There is not room for
// much.
extern constinit thread_local CallerCache caller_cache __attribute__((tls_model("initial-exec")));

inline bool is_default(CUstream stream) {
  return stream == nullptr || stream == CU_STREAM_LEGACY || stream == CU_STREAM_PER_THREAD;
}

// What a runtime's call without a stream is about is known: the one context that there is.
inline bool knows_context() {
  return caller_cache.current && known_contexts.load(std::memory_order_acquire) == Contexts::one;
}
// Whether what is known of the stream is all that there is to know, the driver door being open. One
// that was created is the same whatever context is current, if any; only the default ones get their
// meaning from that.
inline bool is_enough(const Identity& known, CUstream stream, bool per_thread_default,
                      Entry entry) {
  return known.valid && known.handle == stream && !capture_under_way() &&
         (!is_default(stream) ||
          (entry == Entry::runtime && knows_context() && known.per_thread == per_thread_default));
}
inline bool is_cache_true() {
  return caller_cache.generation == caller_generation.load(std::memory_order_acquire);
}

// A runtime's caller, where the driver door is open, if it is known without asking anybody: null
// where it is not. Good until the thread asks for another one.
inline const Caller* known_host_caller() {
  return is_cache_true() && knows_context() ? &caller_cache.host : nullptr;
}
inline const Caller* known_stream_caller(CUstream stream, bool per_thread_default) {
  const auto& known = caller_cache.place_of(stream);
  return is_cache_true() && is_enough(known, stream, per_thread_default, Entry::runtime)
             ? &known.caller
             : nullptr;
}

}  // namespace gmlake::hooks
