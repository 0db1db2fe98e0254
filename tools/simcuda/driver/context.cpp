// Contexts, their streams, and which is current: what the cuCtx* and cuDevicePrimaryCtx* calls are
// made of.
#include "context.h"

#include <algorithm>

#include "capture.h"
#include "config.h"
#include "findings.h"
#include "memory.h"
#include "order.h"
#include "pool.h"

namespace gmlake::simcuda {
namespace {

constinit thread_local ContextStack stack __attribute__((tls_model("initial-exec"))){};
constinit thread_local std::uint64_t thread_key = 0;
constinit std::atomic<std::uint64_t> next_thread_key{1};

struct Registry {
  std::vector<Context*> contexts;
  Context* primaries[kMaxDevices] = {};
  unsigned long long next_context_id = 1;
  std::uint64_t next_stream_id = 1;
};
Registry& registry() {
  static Registry* registry = new Registry;
  return *registry;
}

StreamRef per_thread_stream(Context& context) {
  if (thread_key == 0) thread_key = next_thread_key.fetch_add(1);
  StreamRef& stream = context.per_thread[thread_key];
  if (stream == nullptr) stream = add_stream(context, CU_STREAM_DEFAULT, 0);
  return stream;
}

}  // namespace

ContextStack& context_stack() {
  return stack;
}

void activate(Context& context) {
  context.id = registry().next_context_id++;
  context.legacy = add_stream(context, CU_STREAM_DEFAULT, 0);
  context.legacy->legacy = true;
  context.broken = CUDA_SUCCESS;
  context.alive = true;
}

Context* new_context(CUdevice device, unsigned flags, bool primary) {
  auto* context = new Context;
  context->device = device;
  context->flags = flags;
  context->primary = primary;
  registry().contexts.push_back(context);
  return context;
}

void deactivate(Context& context) {
  wait_context(context);
  release_unused_pages();
  std::vector<StreamRef> gone;
  {
    const SchedulerLock lock = lock_scheduler();
    if (!context.alive.exchange(false)) return;
    for (const StreamRef& stream : context.streams) {
      stream->destroyed = true;
      order::stream_ends(*stream);
    }
    gone.swap(context.streams);
    forget_handles(context);
    if (context.waits != nullptr) order::stream_ends(*context.waits);
    context.waits.reset();
    context.waited_for = {};
    context.per_thread.clear();
    context.peers.clear();
    for (Context* other : registry().contexts) std::erase(other->peers, &context);
  }
  for (const StreamRef& stream : gone) leave_capture(stream);
  free_context_memory(context);
}

Context* primary_of(CUdevice device) {
  Context*& primary = registry().primaries[device];
  if (primary == nullptr) primary = new_context(device, 0, true);
  return primary;
}

bool flags_are_valid(unsigned flags) {
  const unsigned schedule = flags & CU_CTX_SCHED_MASK;
  return (flags & ~unsigned{CU_CTX_FLAGS_MASK}) == 0 &&
         (schedule == 0 || (schedule & (schedule - 1)) == 0);
}

CUresult check_device(CUdevice device) {
  return device >= 0 && static_cast<unsigned>(device) < config().devices
             ? CUDA_SUCCESS
             : CUDA_ERROR_INVALID_DEVICE;
}

CUresult current_context(Context*& context) {
  context = stack.top();
  if (context == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
  if (!context->alive)
    return misuse(CUDA_ERROR_CONTEXT_IS_DESTROYED, "the current context is destroyed", context->id);
  return context->broken;
}

std::size_t live_contexts() {
  const auto& all = registry().contexts;
  return static_cast<std::size_t>(std::count_if(all.begin(), all.end(), [](const Context* one) {
    return one->primary ? one->retained != 0 : one->alive.load();
  }));
}

CUresult find_context(CUcontext handle, Context*& context) {
  const SchedulerLock lock = lock_scheduler();
  const auto& all = registry().contexts;
  if (std::find(all.begin(), all.end(), from_handle(handle)) == all.end())
    return misuse(CUDA_ERROR_INVALID_CONTEXT, "no context", reinterpret_cast<Address>(handle));
  context = from_handle(handle);
  return context->alive ? CUDA_SUCCESS
                        : misuse(CUDA_ERROR_CONTEXT_IS_DESTROYED, "destroyed context",
                                 reinterpret_cast<Address>(handle));
}

StreamRef add_stream(Context& context, unsigned flags, int priority) {
  auto stream = std::make_shared<Stream>();
  stream->id = registry().next_stream_id++;
  stream->context = &context;
  stream->flags = flags;
  stream->priority = priority;
  stream->blocking = (flags & CU_STREAM_NON_BLOCKING) == 0;
  context.streams.push_back(stream);
  return stream;
}

StreamRef branch_stream(Context& context) {
  const SchedulerLock lock = lock_scheduler();
  auto stream = std::make_shared<Stream>();
  stream->id = registry().next_stream_id++;
  stream->context = &context;
  stream->blocking = false;
  return stream;
}

void end_branch_stream(Stream& stream) {
  const SchedulerLock lock = lock_scheduler();
  order::stream_ends(stream);
}

void forget_stream(Stream& stream) {
  order::stream_ends(stream);
  std::erase_if(stream.context->streams,
                [&](const StreamRef& other) { return other.get() == &stream; });
}

CUresult implicit_stream(Implicit implicit, StreamRef& stream) {
  Context* context = nullptr;
  if (const CUresult bad = current_context(context)) return bad;
  const SchedulerLock lock = lock_scheduler();
  stream = implicit == Implicit::legacy ? context->legacy : per_thread_stream(*context);
  return CUDA_SUCCESS;
}

}  // namespace gmlake::simcuda
