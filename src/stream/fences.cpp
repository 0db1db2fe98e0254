#include "stream/fences.h"

namespace gmlake::stream {

Fences::~Fences() {
  for (const auto& fence : pending_) (void)device_.destroy_event(fence.event);
  for (const auto& [context, events] : idle_)
    for (auto* event : events) (void)device_.destroy_event(event);
}

void Fences::forget_context(driver::Context context) {
  pending_.remove_if([&](const Pending& fence) { return fence.context == context; });
  idle_.erase(context);
}

Status Fences::record(const Batch& batch) {
  auto& idle = idle_[batch.follow.context];
  if (idle.empty()) {
    auto event = device_.create_event(batch.follow.context);
    if (!event) return fail(event.error());
    idle.push_back(*event);
  }
  auto* event = idle.back();
  auto* const stream = GMLAKE_FAULT(fence_elsewhere) ? nullptr : batch.follow.stream;
  const auto recorded = GMLAKE_FAULT(asked_before_recorded) ? Status{}
                        : batch.follow.whole_context
                            ? device_.record_context(event, batch.follow.context)
                            : device_.record(event, batch.follow.context, stream);
  if (!recorded) return recorded;
  idle.pop_back();
  pending_.push_back({batch.timeline, batch.value, event, batch.follow.context});
  return {};
}

}  // namespace gmlake::stream
