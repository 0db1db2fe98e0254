// Free byte ranges of the home range, found by address and by size: the only truth about what is
// free.
//
// A span is a maximal free range whose bytes carry fences of one timeline. Neighbours of the same
// timeline merge (across chunk borders too) and their fences join; neighbours of different
// timelines stay apart.
//
// Complexity, n spans, t timelines that have any: insert, take, holds O(log n) per span touched;
// best O(log n) in the preferred timeline, O(t log n) when that fails. Not thread-safe. No
// allocation once warm.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "memory/fence.h"
#include "memory/slab.h"
#include "support/units.h"

namespace gmlake::memory {

struct Span {
  Bytes start = 0;
  Bytes size = 0;
  Fence fence;
  Bytes end() const { return start + size; }
};

class SpanSet {
 public:
  // Adds free bytes; they must not be in the set already.
  void insert(Bytes start, Bytes size, Fence fence);

  // Fences of an unowned timeline up to `value` have passed: its spans that waited for them merge.
  // O(n).
  void settle(Timeline timeline, std::uint64_t value);

  // Removes bytes, all of which must be in the set (in any number of spans).
  Provenance take(Bytes start, Bytes size, const Order& order);
  // Removes bytes and gives them to `each` span by span, with their fences: for moving them to
  // another set.
  template <typename Each>
  void extract(Bytes start, Bytes size, Each each);

  // Whether all of these bytes are free and may be had by `order`.
  bool holds(Bytes start, Bytes size, const Order& order) const;
  // Whether all of these bytes are free, whoever may have them.
  bool free(Bytes start, Bytes size) const;

  // The smallest span of at least `size` bytes that `order` may have, lowest address among equals:
  // of its preferred timeline if that has one, else of any other.
  std::optional<Span> best(Bytes size, const Order& order) const;
  // The same, for a span that contains a whole aligned chunk; gives the chunk's start.
  std::optional<Bytes> best_chunk(Bytes chunk, const Order& order) const;

  // All spans in address order.
  template <typename Each>
  void each(Each visit) const {
    for (const auto& [start, rest] : by_address_) visit(Span{start, rest.size, rest.fence});
  }

  Bytes bytes() const { return bytes_; }
  Bytes largest() const;
  // Free bytes per timeline are not kept; whether a timeline has any free bytes is.
  bool has(Timeline timeline) const {
    return timeline < by_size_.size() && !by_size_[timeline].empty();
  }

  // Walks everything and aborts with a message if the two indexes or the merging disagree. For
  // tests.
  void check() const;

 private:
  struct Rest {
    Bytes size;
    Fence fence;
  };
  using ByAddress = std::map<Bytes, Rest, std::less<>, SlabAllocator<std::pair<const Bytes, Rest>>>;
  using SizeKey = std::pair<Bytes, Bytes>;  // size, start
  using BySize = std::set<SizeKey, std::less<>, SlabAllocator<SizeKey>>;

  BySize& sizes(Timeline timeline);
  void erase(ByAddress::iterator at);
  ByAddress::iterator span_at(Bytes address);
  ByAddress::const_iterator span_at(Bytes address) const;
  template <typename Found>
  void search(Bytes size, const Order& order, Found found) const;

  ByAddress by_address_;
  SlabAllocator<SizeKey> size_nodes_;
  std::vector<BySize> by_size_;  // by timeline
  Bytes bytes_ = 0;
};

template <typename Each>
void SpanSet::extract(Bytes start, Bytes size, Each each) {
  while (size != 0) {
    auto at = span_at(start);
    const Span whole{at->first, at->second.size, at->second.fence};
    const Bytes n = std::min(size, whole.end() - start);
    erase(at);
    // Not insert(): the cut ends have no neighbours to merge with but the bytes just removed.
    auto put_back = [&](Bytes from, Bytes to) {
      if (from == to) return;
      by_address_.emplace(from, Rest{to - from, whole.fence});
      sizes(whole.fence.timeline).emplace(to - from, from);
      bytes_ += to - from;
    };
    put_back(whole.start, start);
    put_back(start + n, whole.end());
    each(Span{start, n, whole.fence});
    start += n;
    size -= n;
  }
}

}  // namespace gmlake::memory
