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
    tops_.resize(timeline + std::size_t{1});
  }
  auto& bins = by_timeline_[timeline];
  if (!bins) bins = std::make_unique<Bins>();
  const auto bin = Bins::of(region->size);
  tops_.set(timeline, std::max(tops_.of(timeline), bin + 1));
  bins->add(bin, region);
  region->listed = true;
}

void FreeIndex::unlist(Region* region) {
  by_timeline_[region->fence().timeline]->remove(Bins::of(region->size), region);
  region->listed = false;
}

Bytes FreeIndex::largest() const {
  drain();
  Bytes most = 0;
  for (const auto& bins : by_timeline_) {
    if (!bins) continue;
    const auto bin = bins->previous(Bins::kCount - 1);
    if (bin == Bins::kNone) continue;
    for (const Region* r = bins->first(bin); r; r = r->free.after) most = std::max(most, r->size);
  }
  return most;
}

}  // namespace gmlake::memory
