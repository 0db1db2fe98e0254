// cudaMalloc beside cudaFree in a context that has its legacy default stream only
// (streams.single_stream): both are in that stream's order, as a stream's own requests and frees
// are in its. It ends, for good, when the context gets another stream.
//
// Work of the one stream may then still be pending on bytes that have been given out since, and
// nothing orders another stream behind it: so the host waits for the context, once, before the
// other stream can be given any work.
#include <vector>

#include "pool/device_pool.h"
#include "support/fault.h"

namespace gmlake::pool {

// The front can be found by now: whoever says that there is another stream either finds it, or has
// said so before it is asked here.
void DevicePool::begin_one_stream(Front& front) {
  if (!device_.only_legacy_stream(front.context)) return;
  const std::lock_guard own(front.lock);
  const std::lock_guard lock(mutex_);
  if (front.one_stream == Front::OneStream::not_known) front.one_stream = Front::OneStream::so_far;
}

// The growth lock is held to the end: no miss is between its choice of memory and giving it out.
bool DevicePool::end_one_stream(driver::Context context) {
  const std::lock_guard growing(growth_);
  std::vector<Front*> fronts;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& front : fronts_.all())
      if (front->host && (!context || front->context == context)) fronts.push_back(front.get());
  }
  bool any = false;
  for (Front* front : fronts) {
    std::uint64_t freed = 0;
    {
      const std::lock_guard own(front->lock);
      const std::lock_guard lock(mutex_);
      const bool pending = front->in_order() && front->took_back;
      front->one_stream = Front::OneStream::over;
      if (!pending || GMLAKE_FAULT(one_stream_unawaited)) continue;
      unpark(*front);
      freed = timelines_.cut(front->timeline);
    }
    if (!device_.wait_context(front->context)) continue;  // it is beyond work
    waited({front->timeline, freed});
    any = true;
  }
  return any;
}

}  // namespace gmlake::pool
