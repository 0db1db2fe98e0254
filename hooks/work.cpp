#include "hooks/work.h"

#include "hooks/caller.h"
#include "hooks/recording.h"
#include "hooks/single_stream.h"

namespace gmlake::hooks {

void before_work(const RealDriver& real, CUstream stream, bool zero_is_per_thread) {
  stream_used(stream, zero_is_per_thread);
  auto& process = Process::get();
  if (!process.driver_door() || !process.has_pools() || !process.serving()) return;
  const auto caller = stream_caller(real, stream, zero_is_per_thread);
  if (!caller || caller->capturing) return;
  (void)each_pool([&](pool::DevicePool& pool) {
    if (pool.before_work(caller->origin)) note(Action::work, caller->origin, pool.ordinal(), 0);
  });
}

}  // namespace gmlake::hooks
