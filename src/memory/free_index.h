// Free regions by timeline and size: good fit in constant time.
//
// Sizes fall into bins (memory/bins.h). A search takes
// the smallest fitting of the first few regions of the request's own bin, else of the next bin that
// has any: best fit but for bins that hold many, where it is best of a few. Within a bin the
// youngest comes first.
//
// A region that becomes free is only noted down and sorted in when somebody searches: a program
// whose requests are all recalled (memory/recall.h) never does, and then a free touches no other
// region for the index's sake.
//
// Of other timelines at most kMostOthers are looked at for one request, of those that have
// something large enough, and other ones for the next that finds nothing there (look_on); all of
// them where the request says so.
//
// Complexity: add and remove O(1), amortised; best O(1) in the preferred timeline, O(t) for t
// others (kMostOthers at most) when that fails. Memory: some 1.5 KiB for each timeline that ever
// had free bytes. Not thread-safe.
#pragma once

#include <algorithm>
#include <array>
#include <memory>
#include <vector>

#include "memory/bins.h"
#include "memory/region.h"
#include "memory/tops.h"
#include "memory/unsettled.h"

namespace gmlake::memory {

class FreeIndex {
 public:
  // Of other timelines so many are looked at, and the fences of so many asked for.
  static constexpr std::size_t kMostOthers = 128;
  static constexpr std::size_t kMostAwaited = 64;

  // `bit`: tells the indexes of one home range apart.
  explicit FreeIndex(std::uint8_t bit = 1) : bit_(bit), unsettled_(bit) {}

  void add(Region* region) {
    bytes_ += region->size;
    region->free_in = bit_ & 0xF;  // and not listed, as nothing is that is in no index
    if (Unsettled::is_apart(*region)) unsettled_.add(region);
    if ((region->queued_in & bit_) != 0) return;
    region->queued_in = (region->queued_in | bit_) & 0xF;
    queue_.push_back(region);
  }
  void remove(Region* region) {
    bytes_ -= region->size;
    region->free_in = 0;
    if (Unsettled::is_apart(*region)) unsettled_.remove(region);
    if (region->listed) unlist(region);
  }

  // The smallest region found of at least `size` bytes that `order` may have: of its preferred
  // timeline if that has one, else of any other.
  Region* best(Bytes size, const Order& order) const {
    return search(size, order, [](const Region&) { return true; });
  }
  // The same, of those that `fits`.
  template <typename Fits>
  Region* search(Bytes size, const Order& order, Fits fits) const;

  // The largest regions that `order` may have, at most `most` of each timeline, for stitching.
  template <typename Each>
  void largest(const Order& order, std::size_t most, Each each) const;

  // Bytes that `order` may not have, by timeline, in regions of at least `least`: at most `most` of
  // each, found in a bounded number of its largest regions. visit(timeline, bytes) where there are
  // any.
  template <typename Visit>
  void refused(const Order& order, Bytes least, Bytes most, Visit visit) const;
  // Regions of at least `least` bytes that `order` may not have: those of a bounded number of each
  // timeline's largest, until visit(region) says no.
  template <typename Visit>
  void each_refused(const Order& order, Bytes least, Visit visit) const;

  template <typename Each>
  void each(Each visit) const;
  // Regions of one timeline.
  template <typename Each>
  void each_of(Timeline timeline, Each visit) const;

  // Those of them that are kept apart until their fences have passed.
  Unsettled& unsettled() { return unsettled_; }

  // A request has found nothing: the next looks at other timelines, where there are many.
  void look_on() { tops_.look_on(); }

  Bytes bytes() const { return bytes_; }
  Bytes largest() const;

 private:
  static constexpr int kLooks = 16;

  // Timelines that have something at or above the bin, but for `order.prefer`.
  template <typename Visit>
  void each_other(std::size_t bin, const Order& order, std::size_t most, Visit visit) const;
  // Sorts the queued regions in, as far as they are still free.
  void drain() const {
    if (!queue_.empty()) sort_in();
  }
  void sort_in() const;
  void list(Region* region) const;
  void unlist(Region* region);
  template <typename Visit>
  void refused_of(Timeline timeline, const Order& order, Bytes least, Visit visit) const;
  template <typename Fits>
  static Region* in_bins(const Bins& bins, Bytes size, const Order& order, Fits fits);

  const std::uint8_t bit_;
  mutable std::vector<std::unique_ptr<Bins>> by_timeline_;
  // So that a search passes by those with nothing large enough without a look at their bins.
  mutable Tops tops_;
  mutable std::vector<Region*> queue_;
  Unsettled unsettled_;
  Bytes bytes_ = 0;
};

template <typename Visit>
void FreeIndex::each_other(std::size_t bin, const Order& order, std::size_t most,
                           Visit visit) const {
  const auto others = [&](Timeline timeline) {
    if (timeline != order.prefer) visit(timeline);
  };
  if (order.everywhere) {
    for (Timeline t = 0; t < tops_.size(); ++t)
      if (tops_.of(t) > bin) others(t);
    return;
  }
  std::array<Timeline, kMostOthers> found;
  const auto count = tops_.above(bin, {found.data(), most});
  std::for_each_n(found.begin(), count, others);
}

template <typename Fits>
Region* FreeIndex::in_bins(const Bins& bins, Bytes size, const Order& order, Fits fits) {
  // What a bin above offers may all be unreusable or unfit: a bounded look keeps a miss cheap.
  constexpr int kFilledBins = 16;
  auto bin = Bins::of(size);
  for (int filled = 0; filled < kFilledBins; ++filled) {
    bin = bins.next(bin);
    if (bin == Bins::kNone) return nullptr;
    Region* best = nullptr;
    int looks = kLooks;
    for (Region* region = bins.first(bin); region && looks-- > 0; region = region->free.after) {
      if (region->size < size || !order.reusable(region->fence()) || !fits(*region)) continue;
      if (!best || region->size < best->size ||
          (region->size == best->size && region->start < best->start))
        best = region;
    }
    if (best) return best;
    ++bin;
  }
  return nullptr;
}

template <typename Fits>
Region* FreeIndex::search(Bytes size, const Order& order, Fits fits) const {
  drain();
  if (order.prefer < by_timeline_.size() && by_timeline_[order.prefer])
    if (Region* found = in_bins(*by_timeline_[order.prefer], size, order, fits)) return found;
  Region* best = nullptr;
  const auto bin = Bins::of(size);
  each_other(bin, order, kMostOthers, [&](Timeline t) {
    const auto& bins = *by_timeline_[t];
    Region* found = in_bins(bins, size, order, fits);
    if (found && (!best || found->size < best->size)) best = found;
    if (!found && bins.next(bin) == Bins::kNone) tops_.set(t, bin);
  });
  return best;
}

template <typename Each>
void FreeIndex::largest(const Order& order, std::size_t most, Each each) const {
  drain();
  const auto visit = [&](Timeline timeline) {
    const auto& bins = *by_timeline_[timeline];
    std::size_t seen = 0;
    for (auto bin = bins.previous(Bins::kCount - 1); bin != Bins::kNone && seen < most;
         bin = bin == 0 ? Bins::kNone : bins.previous(bin - 1))
      for (Region* r = bins.first(bin); r && seen < most; r = r->free.after, ++seen)
        if (order.reusable(r->fence())) each(*r);
  };
  if (order.prefer < by_timeline_.size() && by_timeline_[order.prefer]) visit(order.prefer);
  each_other(0, order, kMostOthers, visit);
}

template <typename Visit>
void FreeIndex::refused_of(Timeline timeline, const Order& order, Bytes least, Visit visit) const {
  constexpr int kRegions = 1024;
  const auto lowest = Bins::of(least);
  if (timeline >= tops_.size() || tops_.of(timeline) <= lowest || timeline == order.in_order)
    return;
  const auto& bins = *by_timeline_[timeline];
  const auto highest = bins.previous(tops_.of(timeline) - 1);
  tops_.set(timeline, highest == Bins::kNone ? 0 : highest + 1);
  int looks = kRegions;
  for (std::size_t bin = tops_.of(timeline); bin > lowest && looks > 0;) {
    bin = bins.previous(bin - 1);
    if (bin == Bins::kNone || bin < lowest) return;
    for (const Region* r = bins.first(bin); r && looks-- > 0; r = r->free.after)
      if (r->size >= least && !order.reusable(r->fence()) && !visit(*r)) return;
  }
}

template <typename Visit>
void FreeIndex::each_refused(const Order& order, Bytes least, Visit visit) const {
  drain();
  const auto of = [&](Timeline timeline) { refused_of(timeline, order, least, visit); };
  of(order.prefer);
  each_other(Bins::of(least), order, kMostAwaited, of);
}

template <typename Visit>
void FreeIndex::refused(const Order& order, Bytes least, Bytes most, Visit visit) const {
  drain();
  const auto of = [&](Timeline timeline) {
    Bytes bytes = 0;
    refused_of(timeline, order, least, [&](const Region& region) {
      bytes += region.size;
      return bytes < most;
    });
    if (bytes != 0) visit(timeline, bytes < most ? bytes : most);
  };
  of(order.prefer);
  each_other(Bins::of(least), order, kMostAwaited, of);
}

template <typename Each>
void FreeIndex::each_of(Timeline timeline, Each visit) const {
  drain();
  if (timeline >= by_timeline_.size() || !by_timeline_[timeline]) return;
  const auto& bins = *by_timeline_[timeline];
  for (auto bin = bins.next(0); bin != Bins::kNone; bin = bins.next(bin + 1))
    for (Region* r = bins.first(bin); r; r = r->free.after) visit(*r);
}

template <typename Each>
void FreeIndex::each(Each visit) const {
  drain();
  for (Timeline t = 0; t < by_timeline_.size(); ++t) each_of(t, visit);
}

}  // namespace gmlake::memory
