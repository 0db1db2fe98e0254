// Why free memory was not reused: misses that others' free memory could have served, had anything
// proved that its last work was over.
#include <algorithm>

#include "pool/device_pool.h"

namespace gmlake::pool {
namespace {

// cuda.h's CU_STREAM_LEGACY, which 0 stands for as well, and CU_STREAM_PER_THREAD.
constexpr std::uintptr_t kLegacy = 1;
constexpr std::uintptr_t kPerThread = 2;

stats::StreamName name_of(const Front& front) {
  using Kind = stats::StreamName::Kind;
  if (front.host) return {Kind::host, 0, front.context};
  const auto handle = reinterpret_cast<std::uintptr_t>(front.stream);
  const auto kind = handle == kPerThread ? Kind::per_thread
                    : handle <= kLegacy  ? Kind::legacy
                                         : Kind::created;
  return {kind, Fronts::stream_of_key(front.key), front.context};
}

Bytes created_so_far(const stats::DeviceCounters& c) {
  return c.physical_bytes + c.trimmed_bytes;
}

}  // namespace

// Not where even all that is free would be too little.
Refusal DevicePool::refusal(const Front& front, Bytes bytes) const {
  Refusal refusal;
  const Bytes size = round_up(bytes, memory::kAlignment);
  const std::lock_guard lock(mutex_);
  if (placement_.free_bytes() < size) return refusal;
  std::vector<Bytes> refused;  // by timeline
  placement_.each_refused(size, order_of(front), [&](stream::Timeline timeline, Bytes free) {
    refused.resize(timelines_.size());
    refused[timeline] = std::min(bytes, refused[timeline] + free);
  });
  for (stream::Timeline timeline = 0; timeline < refused.size(); ++timeline)
    if (refused[timeline] != 0)
      refusal.parts.push_back({name_of(fronts_.of(timeline)), refused[timeline]});
  if (refusal.parts.empty()) return refusal;
  refusal.wanted_by = name_of(front);
  refusal.bytes = bytes;
  refusal.host_waits = counters_.fence_waits;
  refusal.stream_waits = counters_.ladder_inserted_waits;
  refusal.created = created_so_far(counters_);
  return refusal;
}

// Counts the refusal, unless the request was served all the same: by other free memory put
// together, or because the work was found to be over after all.
void DevicePool::count_refusal(const Refusal& refusal, bool served) {
  if (refusal.parts.empty()) return;
  const std::lock_guard lock(mutex_);
  auto& now = counters_;
  const Bytes created = created_so_far(now) - refusal.created;
  stats::UnprovedCost cost;
  cost.requests = 1;
  cost.host_waits = now.fence_waits != refusal.host_waits ? 1 : 0;
  cost.stream_waits = now.ladder_inserted_waits != refusal.stream_waits ? 1 : 0;
  cost.failures = served ? 0 : 1;
  if (created + cost.host_waits + cost.stream_waits + cost.failures == 0) return;

  Bytes bytes = 0;
  for (const auto& part : refusal.parts) {
    bytes += cost.bytes = part.bytes;
    cost.new_bytes = std::min(part.bytes, created);
    unproved_.add({refusal.wanted_by, part.freed_by, cost});
  }
  ++now.unproved;
  now.unproved_bytes += std::min(refusal.bytes, bytes);
}

}  // namespace gmlake::pool
