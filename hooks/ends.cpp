#include "hooks/ends.h"

#include <algorithm>
#include <utility>

#include "driver/current_context.h"
#include "hooks/captures.h"
#include "hooks/ipc.h"
#include "hooks/legacy_stream.h"
#include "hooks/own_memory.h"
#include "hooks/peers.h"
#include "hooks/plugin.h"
#include "hooks/recording.h"
#include "support/fault.h"
#include "support/lasting.h"

namespace gmlake::hooks {
namespace {

// Held while contexts end, which may take as long as their work does, and shared by calls that make
// one. Natively these wait for each other as well. Nothing else ever waits for it. It guards no
// data, and where it is taken at all depends on what the call may end: no case for the compiler.
std::shared_mutex& gate() {
  return lasting<std::shared_mutex>();
}

// References to contexts besides their creation, one entry each. Hardly a program has any.
class References {
 public:
  void add(CUcontext context) {
    const Lock lock(mutex_);
    references_.push_back(context);
  }
  bool has(CUcontext context) const {
    const Lock lock(mutex_);
    return std::find(references_.begin(), references_.end(), context) != references_.end();
  }
  // Takes one away. False if there is none.
  bool remove(CUcontext context) {
    const Lock lock(mutex_);
    const auto found = std::find(references_.begin(), references_.end(), context);
    if (found == references_.end()) return false;
    references_.erase(found);
    return true;
  }
  void remove_all(CUcontext context) {
    const Lock lock(mutex_);
    std::erase(references_, context);
  }

 private:
  mutable RankedMutex<Rank::registry> mutex_;
  std::vector<CUcontext> references_ GMLAKE_GUARDED_BY(mutex_);
};
References& references() {
  return lasting<References>();
}

bool is_active(const RealDriver& real, CUdevice device) {
  unsigned flags = 0;
  int now = 0;
  return real.table.cuDevicePrimaryCtxGetState_(device, &flags, &now) == CUDA_SUCCESS && now != 0;
}

// The device's primary context, if it is alive. Retained for a moment to learn which one it is.
CUcontext primary_of(const RealDriver& real, CUdevice device) {
  CUcontext context = nullptr;
  if (is_active(real, device) &&
      real.table.cuDevicePrimaryCtxRetain_(&context, device) == CUDA_SUCCESS)
    (void)real.table.cuDevicePrimaryCtxRelease_v2_(device);
  return context;
}

void context_is_gone(CUcontext context, bool takes_memory) {
  references().remove_all(context);
  forget_primary(context);
  forget_barrier(context);
  forget_peers(context);
  captures_end(context);
  shared_context_ends(context);
  Process::get().streams().remove_context(context);
  if (takes_memory) note(Action::context_ends, {}, 0, handle_number(context));
  (void)each_pool([&](pool::DevicePool& pool) { pool.forget_context(context, takes_memory); });
  if (takes_memory) (void)guarded([&] { own_memory().forget_context(context); });
}

}  // namespace

void context_attached(CUcontext context) {
  (void)guarded([&] { references().add(context); });
}

ContextBegins::ContextBegins() {
  if (auto* process = Process::get_if_made(); process && process->driver_door())
    gate_ = std::shared_lock(gate());
}

Ends::Ends(const RealDriver& real, const Ending& what) : real_(real), what_(what) {
  auto* process = Process::get_if_made();
  const bool any = what_.stream || what_.context || what_.reference || what_.green ||
                   what_.primary_of != Ending::kNoDevice;
  watched_ = any && process && process->serving() && real.complete;
  if (!watched_) return;
  if (what_.stream)
    stream_ends();
  else
    contexts_end();
  forget_identities();
}

Ends::~Ends() {
  if (!settled_) settle(false);  // the thread was cancelled in the call
}

void Ends::settle(bool succeeded) {
  settled_ = true;
  if (what_.stream) {
    if (watched_) stream_ended(succeeded || GMLAKE_FAULT(failed_end_is_end));
    if (succeeded) captures_end(what_.stream);
  } else if (watched_) {
    contexts_ended(succeeded);
  } else if (succeeded && what_.context) {
    captures_end(what_.context);
  }
}

// A fence can not be taken of a stream once it is gone, and an event is not to be recorded on what
// its handle may be by then.
void Ends::stream_ends() {
  auto& process = Process::get();
  if (process.has_pools()) caller_ = stream_caller(real_, what_.stream, false);
  if (caller_) note(Action::stream_ends, caller_->origin, caller_->device, 0);
  if (caller_) (void)each_pool([&](pool::DevicePool& pool) { pool.stream_ends(caller_->origin); });
  known_ = process.streams().find(what_.stream);
  if (!known_) return;
  if (process.has_pools() && (capture_under_way() || !process.streams().has_recorded_contexts()))
    (void)guarded([&] { follow_end(); });
  process.streams().remove(what_.stream);
}

// Work that it has ahead may use memory that is freed without a stream. Those that have ended are
// asked for only here, where nothing waits for the answer.
void Ends::follow_end() {
  auto& streams = Process::get().streams();
  const RelaxedCapture relaxed(real_.table);
  CUevent event = nullptr;
  if (caller_ && !caller_->capturing) {
    const driver::CurrentContext current(real_.table,
                                         static_cast<CUcontext>(caller_->origin.context));
    if (current.result() != CUDA_SUCCESS ||
        real_.table.cuEventCreate_(&event, CU_EVENT_DISABLE_TIMING) != CUDA_SUCCESS)
      event = nullptr;
    if (event && real_.table.cuEventRecord_(event, what_.stream) != CUDA_SUCCESS)
      (void)real_.table.cuEventDestroy_v2_(std::exchange(event, nullptr));
  }
  streams.remove_ends([&](driver::Event end) {
    auto* const over = static_cast<CUevent>(end);
    return real_.table.cuEventQuery_(over) == CUDA_SUCCESS &&
           real_.table.cuEventDestroy_v2_(over) == CUDA_SUCCESS;
  });
  streams.add_end(known_->context, event);
}

void Ends::stream_ended(bool gone) {
  if (!gone && known_)
    (void)guarded(
        [&] { Process::get().streams().add(known_->context, what_.stream, known_->blocking); });
  if (caller_)
    (void)each_pool([&](pool::DevicePool& pool) { pool.stream_ended(caller_->origin, gone); });
}

// No more is to be done before: a context that is gone has no work left, so what its events prove
// is true until they are forgotten.
void Ends::contexts_end() {
  gate_ = std::unique_lock(gate());
  if (what_.green) green_ends();
  if (what_.reference) primary_is_detached();
  const bool any = what_.primary_of == Ending::kAnyDevice || what_.green;
  for (CUdevice device = 0; device < Process::kMostDevices; ++device)
    if (any || device == what_.primary_of)
      primaries_[static_cast<unsigned>(device)] = primary_of(real_, device);
  leave(what_.context);
  if (!references().has(what_.reference)) leave(what_.reference);
  // A release ends a primary context only if it is the last, and natively waits for nothing if not.
  int device = what_.reset ? what_.primary_of : Ending::kNoDevice;
  if (device == Ending::kAnyDevice && real_.table.cuCtxGetDevice_(&device) != CUDA_SUCCESS)
    device = Ending::kNoDevice;
  if (device >= 0 && device < Process::kMostDevices)
    leave(primaries_[static_cast<unsigned>(device)]);
}

// Nothing of ours is to go away under a thread that is calling the driver about it. What it may be
// waiting for is work that the end of the context waits for too.
void Ends::leave(CUcontext context) {
  if (!context) return;
  (void)guarded([&] { left_.push_back(context); });
  (void)each_pool([&](pool::DevicePool& pool) { pool.leave_context(context); });
}

void Ends::gone(CUcontext context, bool takes_memory) {
  std::erase(left_, context);
  context_is_gone(context, takes_memory);
}

void Ends::contexts_ended(bool succeeded) {
  if (succeeded && what_.reference && detached()) what_.context = what_.reference;
  if (succeeded && what_.context) gone(what_.context, !what_.green);
  for (CUdevice device = 0; device < Process::kMostDevices; ++device) {
    auto* const primary = primaries_[static_cast<unsigned>(device)];
    if (primary && !is_active(real_, device)) gone(primary, true);
  }
  for (auto* const context : left_)
    (void)each_pool([&](pool::DevicePool& pool) { pool.stay_in_context(context); });
  if (succeeded)
    for (auto* const stream : green_streams_) {
      captures_end(stream);
      Process::get().streams().remove(stream);
    }
  // A thread may have it current still.
  forget_identities();
}

// A detach of a primary context succeeds (measured on driver 580): whether it has ended that is
// asked as after a release.
void Ends::primary_is_detached() {
  CUdevice device = 0;
  if (real_.table.cuCtxGetDevice_(&device) != CUDA_SUCCESS ||
      primary_of(real_, device) != what_.reference)
    return;
  (void)references().remove(std::exchange(what_.reference, nullptr));
  what_.primary_of = device;
}

// cuda.h, cuCtxDetach: the context was current to the thread, and is destroyed with its last
// reference. Then it is popped, or, where the thread has it twice, dead.
bool Ends::detached() const {
  if (references().remove(what_.reference)) return false;
  CUcontext current = nullptr;
  std::size_t free = 0;
  std::size_t total = 0;
  return real_.table.cuCtxGetCurrent_(&current) == CUDA_SUCCESS &&
         (current != what_.reference ||
          real_.table.cuMemGetInfo_v2_(&free, &total) != CUDA_SUCCESS);
}

// cuda.h, cuGreenCtxDestroy: its streams are no more to be used then, whether they were destroyed
// or not, and its device's primary context is released. Not that the work there is over: so that is
// waited for. Nor that memory is gone with it: so that stays, and is as good as any.
void Ends::green_ends() {
  if (!real_.ctx_from_green || real_.ctx_from_green(&what_.context, what_.green) != CUDA_SUCCESS) {
    what_.context = nullptr;
    return;
  }
  (void)guarded([&] {
    Process::get().streams().each(what_.context, [&](driver::Stream known, bool) {
      auto* const stream = static_cast<CUstream>(known);
      CUcontext own = nullptr;
      if (real_.table.cuStreamGetCtx_(stream, &own) == CUDA_SUCCESS && own == what_.context)
        green_streams_.push_back(stream);
      return true;
    });
  });
  const RelaxedCapture relaxed(real_.table);
  const driver::CurrentContext current(real_.table, what_.context);
  if (current.result() == CUDA_SUCCESS && !capture_under_way())
    (void)real_.table.cuCtxSynchronize_();
}

}  // namespace gmlake::hooks
