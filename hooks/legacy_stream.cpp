#include "hooks/legacy_stream.h"

#include <utility>
#include <vector>

#include "driver/current_context.h"
#include "hooks/work.h"
#include "support/fault.h"
#include "support/lasting.h"

namespace gmlake::hooks {
namespace {

// The event that is recorded to stand between streams: one for each context. Nobody waits for it.
class Barriers {
 public:
  // Null if there can be none. The context is current.
  CUevent of(const RealDriver& real, CUcontext context) {
    const Lock lock(mutex_);
    for (const auto& [of, event] : events_)
      if (of == context) return event;
    CUevent event = nullptr;
    if (real.table.cuEventCreate_(&event, CU_EVENT_DISABLE_TIMING) != CUDA_SUCCESS) return nullptr;
    events_.emplace_back(context, event);
    return event;
  }
  void forget(CUcontext context) {
    const Lock lock(mutex_);
    std::erase_if(events_, [&](const auto& one) { return one.first == context; });
  }

 private:
  RankedMutex<Rank::streams> mutex_;
  std::vector<std::pair<CUcontext, CUevent>> events_ GMLAKE_GUARDED_BY(mutex_);
};
Barriers& barriers() {
  return lasting<Barriers>();
}

}  // namespace

void note_blocking_stream() {
  if (!has_seen_blocking_stream()) seen_blocking_stream.store(true);
}
bool stand_between_blocking(const Caller& caller) {
  if (GMLAKE_FAULT(legacy_free_is_no_work)) return true;
  const auto* real = real_driver();
  if (!real) return false;
  // The context need not be current yet: cudart makes it so only when a call comes there.
  auto* const context = static_cast<CUcontext>(caller.origin.context);
  const driver::CurrentContext current(real->table, context);
  auto* const event = current.result() == CUDA_SUCCESS ? barriers().of(*real, context) : nullptr;
  if (!event) return false;
  before_work(*real, CU_STREAM_LEGACY, false);
  return real->table.cuEventRecord_(event, CU_STREAM_LEGACY) == CUDA_SUCCESS;
}
void forget_barrier(CUcontext context) {
  barriers().forget(context);
}

}  // namespace gmlake::hooks
