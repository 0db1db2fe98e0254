// Contexts and who has which current. A context object lives for the life of the process, so that a
// handle of a destroyed one is recognised; its streams and its memory go when it is destroyed.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "cuda_api.h"
#include "scheduler.h"

namespace gmlake::simcuda {

struct Context {
  CUdevice device = 0;
  unsigned long long id = 0;
  bool primary = false;
  Context* part_of = nullptr;  // of a green context: the primary one
  std::atomic<unsigned> flags{0};
  std::atomic<bool> alive{false};
  // Once device code has gone wrong every call answers this, until the context is gone.
  std::atomic<CUresult> broken{CUDA_SUCCESS};
  // Guarded by the scheduler's lock.
  unsigned retained = 0;        // primary contexts only
  unsigned attached = 0;        // by cuCtxAttach, beyond the creation
  std::vector<Context*> peers;  // whose memory its device may use directly
  StreamRef legacy;
  // cuCtxWaitEvent: a line of waits, whose end all work given from now on comes after.
  StreamRef waits;
  Point waited_for;
  std::unordered_map<std::uint64_t, StreamRef> per_thread;
  std::vector<StreamRef> streams;  // all of them; destroyed ones until they are idle
  // Of the checks of order: the last work of streams that are gone, and of the blocking among them.
  std::shared_ptr<const Clock> ended;
  std::shared_ptr<const Clock> ended_blocking;
};

// Whose memory and events they are.
inline Context& whole(Context& context) {
  return context.part_of != nullptr ? *context.part_of : context;
}
inline Context* from_handle(CUcontext handle) {
  return reinterpret_cast<Context*>(handle);
}
inline CUcontext to_handle(Context* context) {
  return reinterpret_cast<CUcontext>(context);
}

// The calling thread's contexts, the current one last. Trivially destructible, so that it may be
// used until the very end of a thread.
struct ContextStack {
  static constexpr unsigned kLimit = 64;
  Context* contexts[kLimit];
  unsigned depth;

  Context* top() const { return depth > 0 ? contexts[depth - 1] : nullptr; }
  bool has_room() const { return depth < kLimit; }
  void push(Context* context) { contexts[depth++] = context; }
  Context* pop() { return contexts[--depth]; }
};
ContextStack& context_stack();

// The life of a context; all but deactivate are called with the scheduler's lock held. deactivate
// waits for the context's work, then frees what belongs to it. cuda.h, cuCtxDestroy: memory from
// cuMemCreate and cuMemAllocAsync stays.
Context* new_context(CUdevice device, unsigned flags, bool primary);
Context* primary_of(CUdevice device);
void activate(Context& context);
void deactivate(Context& context);
Context& retain_primary(CUdevice device);
bool flags_are_valid(unsigned flags);
// Takes the lock itself.
CUresult release_primary(CUdevice device);

// Which stream the handle 0 means.
enum class Implicit { legacy, per_thread };
// Whether the caller of a copy or set is to wait for it.
enum class Wait { no, yes };

// The calling thread's current context; an error if there is none or it has been destroyed.
CUresult current_context(Context*& context);
// The live context behind a handle a program passed.
CUresult find_context(CUcontext handle, Context*& context);
// The stream behind a handle a program passed. Needs a current context for the implicit streams
// only.
CUresult find_stream(CUstream handle, Implicit implicit, StreamRef& stream);
CUresult implicit_stream(Implicit implicit, StreamRef& stream);
CUresult check_device(CUdevice device);

// For the report of leaks; with the scheduler's lock held.
std::size_t live_contexts();
std::size_t live_streams();
std::size_t live_events();

// Gives work to a stream for the program: every call whose work belongs to a stream comes through
// here, unless a capture has taken it (capture.h). `point`, if wanted, is where in the order it is.
CUresult enqueue(const StreamRef& stream, Work work, Point* point = nullptr);

// Streams of a context, called with the scheduler's lock held.
StreamRef add_stream(Context& context, unsigned flags, int priority);
// A stream of its own, outside every rule that relates streams: its work waits for what it is told
// to wait for. They take the scheduler's lock; the second says that there will be no more work.
StreamRef branch_stream(Context& context);
void end_branch_stream(Stream& stream);
void forget_stream(Stream& stream);
// With a handle; takes the lock itself.
CUstream new_stream(Context& context, unsigned flags, int priority);
// The context has ended. Its streams' handles come back if that is wanted (simcuda.h).
void forget_handles(const Context& context);

}  // namespace gmlake::simcuda
