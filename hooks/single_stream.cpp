#include "hooks/single_stream.h"

#include "hooks/caller.h"
#include "hooks/legacy_stream.h"
#include "support/fault.h"
#include "support/log.h"

namespace gmlake::hooks {
namespace {

std::atomic<CUcontext> told{nullptr};  // the last one of which they do

}  // namespace

void second_stream(CUcontext context, const char* how) {
  if (context && told.load(std::memory_order_acquire) == context) return;
  auto& process = Process::get();
  if (!process.serving()) return;
  (void)guarded([&] {
    // Whoever comes meanwhile tells the pools as well, and so waits as long.
    process.streams().add_to_legacy(context);
    if (process.config().streams_single_stream) {
      bool waited = false;
      process.each_pool(
          [&](pool::DevicePool& pool) { waited = pool.end_one_stream(context) || waited; });
      log::info("streams.single_stream ends for context {}: {}; the GPU {} waited for",
                static_cast<void*>(context), how, waited ? "was" : "did not have to be");
    }
    told.store(context, std::memory_order_release);
  });
}

void per_thread_stream_used() {
  note_blocking_stream();
  Process::get().streams().use_per_thread();
  auto& process = Process::get();
  const auto* real = real_driver();
  CUcontext context = nullptr;
  if (!process.driver_door() || !process.config().streams_single_stream || !real) return;
  if (GMLAKE_FAULT(per_thread_unseen)) return;
  if (real->complete && real->table.cuCtxGetCurrent_(&context) == CUDA_SUCCESS && context)
    second_stream(context, "a thread's default stream is used");
}

}  // namespace gmlake::hooks
