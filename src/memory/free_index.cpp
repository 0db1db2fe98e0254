#include "memory/free_index.h"

#include <algorithm>

namespace gmlake::memory {

void FreeIndex::sort_in() const {
  for (Region* region : queue_) {
    region->queued_in = (region->queued_in & ~bit_) & 0xF;
    if (region->free_in == bit_ && !region->listed) list(region);
  }
  queue_.clear();
}

void FreeIndex::list(Region* region) const {
  const Timeline timeline = region->fence().timeline;
  if (timeline >= by_timeline_.size()) {
    by_timeline_.resize(timeline + 1);
    tops_.resize(timeline + 1);
  }
  auto& bins = by_timeline_[timeline];
  if (!bins) bins = std::make_unique<Bins>();
  const auto bin = bin_of(region->size);
  tops_[timeline] = std::max(tops_[timeline], static_cast<std::uint16_t>(bin + 1));
  Region*& first = bins->first[bin];
  region->free.before = nullptr;
  region->free.after = first;
  if (first)
    first->free.before = region;
  else
    bins->filled.set(bin);
  first = region;
  region->listed = true;
}

void FreeIndex::unlist(Region* region) {
  Region* before = region->free.before;
  Region* after = region->free.after;
  if (after) after->free.before = before;
  if (before) {
    before->free.after = after;
  } else {
    auto& bins = *by_timeline_[region->fence().timeline];
    const auto bin = bin_of(region->size);
    bins.first[bin] = after;
    if (!after) bins.filled.clear(bin);
  }
  region->listed = false;
}

Bytes FreeIndex::largest() const {
  drain();
  Bytes most = 0;
  for (const auto& bins : by_timeline_) {
    if (!bins) continue;
    const auto bin = bins->filled.previous(kBins - 1);
    if (bin == BitTree::kNone) continue;
    for (const Region* r = bins->first[bin]; r; r = r->free.after) most = std::max(most, r->size);
  }
  return most;
}

}  // namespace gmlake::memory
