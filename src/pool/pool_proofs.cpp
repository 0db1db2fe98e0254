// What the program's own events and waits prove: which frees its streams come after, without an
// event or a query of the pool's. A stream that never had memory here and never waited for one that
// had leaves no trace.
#include "pool/device_pool.h"
#include "support/fault.h"

namespace gmlake::pool {

// What the front's stream, or its context's frees without one, come after and have done so far. Its
// parked blocks were freed before.
void DevicePool::append_given(Front& front, stream::Snapshot& out) {
  unpark(front);
  const auto own = timelines_.cut(front.timeline);
  clocks_.append(front.timeline, own, timelines_.all_passed(), out);
}

void DevicePool::comes_after(Front& front, const stream::Snapshot& snapshot) {
  clocks_.merge(front.timeline, snapshot, timelines_.all_passed());
  front.clock = clocks_.of(front.timeline);
}

bool DevicePool::recording(driver::Event event, const Origin& origin, stream::Recording number) {
  if (!follows_events()) return false;
  Front* front = known_front(origin);
  if (!front) {
    const std::lock_guard lock(mutex_);
    clocks_.begin_recording(event, number);
    return true;
  }
  const std::lock_guard own(front->lock);
  const std::lock_guard lock(mutex_);
  append_given(*front, clocks_.begin_recording(event, number));
  return true;
}

void DevicePool::recorded(driver::Event event, stream::Recording number, bool done) {
  const std::lock_guard lock(mutex_);
  clocks_.end_recording(event, number, done);
}

void DevicePool::forget_event(driver::Event event) {
  if (!follows_events()) return;
  const std::lock_guard lock(mutex_);
  clocks_.forget_event(event);
}

void DevicePool::forget_events() {
  const std::lock_guard lock(mutex_);
  clocks_.forget_events();
}

stream::Recording DevicePool::recording_of(driver::Event event) {
  if (!follows_events()) return 0;
  const std::lock_guard lock(mutex_);
  return clocks_.recording_of(event);
}

void DevicePool::waits(const Origin& origin, driver::Event event, stream::Recording number) {
  Front* front = known_front(origin);
  if (!front) {
    {
      const std::lock_guard lock(mutex_);
      const auto* before = clocks_.before(event, number);
      if (!before || before->empty()) return;
    }
    front = &front_of(origin);
  }
  const std::lock_guard lock(mutex_);
  if (GMLAKE_FAULT(wait_of_another)) front = &fronts_.of(0);
  if (const auto* before = clocks_.before(event, number)) comes_after(*front, *before);
}

void DevicePool::happened(driver::Event event, stream::Recording number) {
  const std::lock_guard lock(mutex_);
  const auto* before = clocks_.before(event, number);
  if (!before) return;
  for (const auto& point : *before) passed(point.timeline, point.value);
}

stream::Snapshot DevicePool::given(const Origin& origin) {
  stream::Snapshot snapshot;
  if (!follows_events()) return snapshot;
  std::vector<Front*> fronts;
  if (origin.stream_id != 0) {
    if (Front* front = known_front(origin)) fronts.push_back(front);
  } else {
    const std::lock_guard lock(mutex_);
    timelines_.each_of_context(origin.context, [&](stream::Timeline timeline) {
      fronts.push_back(&fronts_.of(timeline));
    });
  }
  for (Front* front : fronts) {
    const std::lock_guard own(front->lock);
    const std::lock_guard lock(mutex_);
    append_given(*front, snapshot);
  }
  return snapshot;
}

void DevicePool::happened(const stream::Snapshot& snapshot) {
  if (snapshot.empty()) return;
  const std::lock_guard lock(mutex_);
  for (const auto& point : snapshot) passed(point.timeline, point.value);
}

}  // namespace gmlake::pool
