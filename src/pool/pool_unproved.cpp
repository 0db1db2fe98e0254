// Why free memory was not reused: misses that others' free memory could have served, had anything
// proved that its last work was over.
#include <algorithm>

#include "pool/device_pool.h"

namespace gmlake::pool {

// Not where even all that is free would be too little.
Refusal DevicePool::refusal(const Request& request) const {
  Refusal refusal;
  const Bytes bytes = request.bytes;
  const Bytes size = round_up(bytes, memory::kAlignment);
  const Books::Opened books(books_.mutex());
  const auto& placement = books_.placement();
  if (placement.free_bytes() < size) return refusal;
  std::vector<std::pair<stream::Timeline, Bytes>> refused;
  placement.each_refused(
      size, books_.order_of(request.front),
      [&](stream::Timeline timeline, Bytes free) { refused.emplace_back(timeline, free); });
  std::sort(refused.begin(), refused.end());
  for (auto at = refused.begin(); at != refused.end();) {
    const auto timeline = at->first;
    Bytes sum = 0;  // perhaps of each heap
    for (; at != refused.end() && at->first == timeline; ++at) sum += at->second;
    refusal.parts.push_back({name_of(books_.front_at(timeline)), std::min(bytes, sum)});
  }
  if (refusal.parts.empty()) return refusal;
  refusal.wanted_by = name_of(request.front);
  refusal.bytes = bytes;
  return refusal;
}

// Counts the refusal, unless the request was served all the same: by other free memory put
// together, or because the work was found to be over after all.
void DevicePool::count_refusal(const Refusal& refusal, const Request& request, bool served) {
  if (refusal.parts.empty()) return;
  stats::UnprovedCost cost;
  cost.requests = 1;
  cost.host_waits = request.host_waits != 0 ? 1 : 0;
  cost.stream_waits = request.stream_waits != 0 ? 1 : 0;
  cost.failures = served ? 0 : 1;
  if (request.created + cost.host_waits + cost.stream_waits + cost.failures == 0) return;

  const Books::Opened books(books_.mutex());
  auto& now = books_.counters();
  Bytes bytes = 0;
  for (const auto& part : refusal.parts) {
    bytes += cost.bytes = part.bytes;
    cost.new_bytes = std::min(part.bytes, request.created);
    books_.unproved().add({refusal.wanted_by, part.freed_by, cost});
  }
  ++now.unproved;
  now.unproved_bytes += std::min(refusal.bytes, bytes);
}

}  // namespace gmlake::pool
