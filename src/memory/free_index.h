// Free regions by timeline and size: good fit in constant time.
//
// Sizes fall into bins, 64 to an octave (exact up to 64 KiB, within 1.6 % above). A search takes
// the smallest fitting of the first few regions of the request's own bin, else of the next bin that
// has any: best fit but for bins that hold many, where it is best of a few. Within a bin the
// youngest comes first.
//
// A region that becomes free is only noted down and sorted in when somebody searches: a program
// whose requests are all recalled (memory/recall.h) never does, and then a free touches no other
// region for the index's sake.
//
// Complexity: add and remove O(1), amortised; best O(1) in the preferred timeline, O(t) for t other
// timelines when that fails. Memory: 17 KiB for each timeline that ever had free bytes. Not
// thread-safe.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "memory/bit_tree.h"
#include "memory/region.h"
#include "memory/unsettled.h"

namespace gmlake::memory {

class FreeIndex {
 public:
  // `bit`: tells the indexes of one home range apart.
  explicit FreeIndex(std::uint8_t bit = 1) : bit_(bit), unsettled_(bit) {}

  void add(Region* region) {
    bytes_ += region->size;
    region->free_in = bit_ & 0xF;
    region->listed = false;
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

  Bytes bytes() const { return bytes_; }
  Bytes largest() const;

 private:
  static constexpr Bytes kUnit = 512;
  static constexpr std::size_t kPerOctave = 64;
  static constexpr std::size_t kOctaves = 32;  // up to 512 B * 2^37
  static constexpr std::size_t kBins = kPerOctave * (kOctaves + 1);
  static constexpr int kLooks = 16;
  struct Bins {
    std::array<Region*, kBins> first{};
    BitTree filled{kBins};
  };

  static std::size_t bin_of(Bytes size);
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
  // By timeline, above its highest filled bin; so that a search passes by those with nothing large
  // enough without a look at their bins.
  mutable std::vector<std::uint16_t> tops_;
  mutable std::vector<Region*> queue_;
  Unsettled unsettled_;
  Bytes bytes_ = 0;
};

inline std::size_t FreeIndex::bin_of(Bytes size) {
  const Bytes units = size / kUnit;
  if (units < kPerOctave) return units;
  const auto octave = static_cast<std::size_t>(std::bit_width(units)) - 7;  // units >> octave < 128
  const auto bin = kPerOctave * (octave + 1) + ((units >> octave) - kPerOctave);
  return bin < kBins ? bin : kBins - 1;
}

template <typename Fits>
Region* FreeIndex::in_bins(const Bins& bins, Bytes size, const Order& order, Fits fits) {
  // What a bin above offers may all be unreusable or unfit: a bounded look keeps a miss cheap.
  constexpr int kFilledBins = 16;
  auto bin = bin_of(size);
  for (int filled = 0; filled < kFilledBins; ++filled) {
    bin = bins.filled.next(bin);
    if (bin == BitTree::kNone) return nullptr;
    Region* best = nullptr;
    int looks = kLooks;
    for (Region* region = bins.first[bin]; region && looks-- > 0; region = region->free.after) {
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
  const auto bin = bin_of(size);
  for (Timeline t = 0; t < tops_.size(); ++t) {
    if (tops_[t] <= bin || t == order.prefer) continue;
    const auto& bins = *by_timeline_[t];
    Region* found = in_bins(bins, size, order, fits);
    if (found && (!best || found->size < best->size)) best = found;
    if (!found && bins.filled.next(bin) == BitTree::kNone)
      tops_[t] = static_cast<std::uint16_t>(bin);
  }
  return best;
}

template <typename Each>
void FreeIndex::largest(const Order& order, std::size_t most, Each each) const {
  drain();
  for (const auto& bins : by_timeline_) {
    if (!bins) continue;
    std::size_t seen = 0;
    for (auto bin = bins->filled.previous(kBins - 1); bin != BitTree::kNone && seen < most;
         bin = bin == 0 ? BitTree::kNone : bins->filled.previous(bin - 1))
      for (Region* r = bins->first[bin]; r && seen < most; r = r->free.after, ++seen)
        if (order.reusable(r->fence())) each(*r);
  }
}

template <typename Visit>
void FreeIndex::refused_of(Timeline timeline, const Order& order, Bytes least, Visit visit) const {
  constexpr int kRegions = 1024;
  const auto lowest = bin_of(least);
  if (tops_[timeline] <= lowest || timeline == order.in_order) return;
  const auto& bins = *by_timeline_[timeline];
  const auto highest = bins.filled.previous(tops_[timeline] - std::size_t{1});
  tops_[timeline] = static_cast<std::uint16_t>(highest == BitTree::kNone ? 0 : highest + 1);
  int looks = kRegions;
  for (std::size_t bin = tops_[timeline]; bin > lowest && looks > 0;) {
    bin = bins.filled.previous(bin - 1);
    if (bin == BitTree::kNone || bin < lowest) return;
    for (const Region* r = bins.first[bin]; r && looks-- > 0; r = r->free.after)
      if (r->size >= least && !order.reusable(r->fence()) && !visit(*r)) return;
  }
}

template <typename Visit>
void FreeIndex::each_refused(const Order& order, Bytes least, Visit visit) const {
  drain();
  for (Timeline t = 0; t < by_timeline_.size(); ++t) refused_of(t, order, least, visit);
}

template <typename Visit>
void FreeIndex::refused(const Order& order, Bytes least, Bytes most, Visit visit) const {
  drain();
  for (Timeline t = 0; t < by_timeline_.size(); ++t) {
    Bytes bytes = 0;
    refused_of(t, order, least, [&](const Region& region) {
      bytes += region.size;
      return bytes < most;
    });
    if (bytes != 0) visit(t, bytes < most ? bytes : most);
  }
}

template <typename Each>
void FreeIndex::each_of(Timeline timeline, Each visit) const {
  drain();
  if (timeline >= by_timeline_.size() || !by_timeline_[timeline]) return;
  const auto& bins = *by_timeline_[timeline];
  for (auto bin = bins.filled.next(0); bin != BitTree::kNone; bin = bins.filled.next(bin + 1))
    for (Region* r = bins.first[bin]; r; r = r->free.after) visit(*r);
}

template <typename Each>
void FreeIndex::each(Each visit) const {
  drain();
  for (Timeline t = 0; t < by_timeline_.size(); ++t) each_of(t, visit);
}

}  // namespace gmlake::memory
