#include "memory/span_set.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace gmlake::memory {

SpanSet::BySize& SpanSet::sizes(Timeline timeline) {
  while (by_size_.size() <= timeline) by_size_.emplace_back(std::less<>{}, size_nodes_);
  return by_size_[timeline];
}

SpanSet::ByAddress::iterator SpanSet::span_at(Bytes address) {
  return std::prev(by_address_.upper_bound(address));
}
SpanSet::ByAddress::const_iterator SpanSet::span_at(Bytes address) const {
  auto after = by_address_.upper_bound(address);
  return after == by_address_.begin() ? by_address_.end() : std::prev(after);
}

void SpanSet::erase(ByAddress::iterator at) {
  sizes(at->second.fence.timeline).erase({at->second.size, at->first});
  bytes_ -= at->second.size;
  by_address_.erase(at);
}

void SpanSet::insert(Bytes start, Bytes size, Fence fence) {
  auto mergeable = [&](const Rest& other) { return may_join(other.fence, fence); };
  auto next = by_address_.lower_bound(start);
  if (next != by_address_.end() && next->first == start + size && mergeable(next->second)) {
    size += next->second.size;
    fence.value = std::max(fence.value, next->second.fence.value);
    auto gone = next++;
    erase(gone);
  }
  if (next != by_address_.begin()) {
    auto before = std::prev(next);
    if (before->first + before->second.size == start && mergeable(before->second)) {
      start = before->first;
      size += before->second.size;
      fence.value = std::max(fence.value, before->second.fence.value);
      erase(before);
    }
  }
  by_address_.emplace_hint(next, start, Rest{size, fence});
  sizes(fence.timeline).emplace(size, start);
  bytes_ += size;
}

void SpanSet::settle(Timeline timeline, std::uint64_t value) {
  if (!has(timeline)) return;
  std::vector<Span> passed;
  for (const auto& [size, start] : by_size_[timeline]) {
    const Fence fence = by_address_.find(start)->second.fence;
    if (!fence.owned && fence.value > kSettled && fence.value <= value)
      passed.push_back({start, size, fence});
  }
  for (auto& span : passed) {
    erase(by_address_.find(span.start));
    span.fence.value = kSettled;
    insert(span.start, span.size, span.fence);
  }
}

Provenance SpanSet::take(Bytes start, Bytes size, const Order& order) {
  auto weakest = Provenance::fresh;
  extract(start, size,
          [&](const Span& span) { weakest = std::max(weakest, provenance(span.fence, order)); });
  return weakest;
}

bool SpanSet::holds(Bytes start, Bytes size, const Order& order) const {
  const Bytes end = start + size;
  for (auto at = span_at(start); at != by_address_.end() && at->first <= start; ++at) {
    const Bytes span_end = at->first + at->second.size;
    if (span_end <= start || !order.reusable(at->second.fence)) return false;
    if (span_end >= end) return true;
    start = span_end;
  }
  return false;
}

bool SpanSet::free(Bytes start, Bytes size) const {
  const Bytes end = start + size;
  for (auto at = span_at(start); at != by_address_.end() && at->first <= start; ++at) {
    const Bytes span_end = at->first + at->second.size;
    if (span_end <= start) return false;
    if (span_end >= end) return true;
    start = span_end;
  }
  return false;
}

// Offers reusable spans of at least `size` bytes to `found`, timeline by timeline and smallest
// first within one; `found` says whether it takes the span (then that timeline is done).
template <typename Found>
void SpanSet::search(Bytes size, const Order& order, Found found) const {
  // In a foreign timeline many spans may not have passed: a bounded look keeps a miss cheap.
  constexpr int kForeignLooks = 16;
  auto look = [&](Timeline timeline, int looks) {
    const auto& index = by_size_[timeline];
    for (auto at = index.lower_bound({size, 0}); at != index.end() && looks-- != 0; ++at) {
      const auto& rest = by_address_.find(at->second)->second;
      if (order.reusable(rest.fence) && found(Span{at->second, at->first, rest.fence})) return true;
    }
    return false;
  };
  if (has(order.prefer) && look(order.prefer, order.prefer == order.own ? -1 : kForeignLooks))
    return;
  for (Timeline timeline = 0; timeline < by_size_.size(); ++timeline)
    if (timeline != order.prefer && has(timeline)) look(timeline, kForeignLooks);
}

std::optional<Span> SpanSet::best(Bytes size, const Order& order) const {
  std::optional<Span> best;
  search(size, order, [&](const Span& span) {
    if (!best || span.size < best->size) best = span;
    return true;
  });
  return best;
}

std::optional<Bytes> SpanSet::best_chunk(Bytes chunk, const Order& order) const {
  std::optional<Span> best;
  search(chunk, order, [&](const Span& span) {
    if (round_up(span.start, chunk) + chunk > span.end()) return false;
    if (!best || span.size < best->size) best = span;
    return true;
  });
  if (!best) return {};
  return round_up(best->start, chunk);
}

Bytes SpanSet::largest() const {
  Bytes most = 0;
  for (const auto& index : by_size_)
    if (!index.empty()) most = std::max(most, index.rbegin()->first);
  return most;
}

void SpanSet::check() const {
  auto require = [](bool holds, const char* what) {
    if (holds) return;
    std::fprintf(stderr, "gmlake: free spans are inconsistent: %s\n", what);
    std::abort();
  };
  Bytes total = 0;
  std::size_t indexed = 0;
  for (const auto& index : by_size_) indexed += index.size();
  require(indexed == by_address_.size(), "the indexes differ in length");
  const Rest* before = nullptr;
  Bytes end = 0;
  for (const auto& [start, rest] : by_address_) {
    require(rest.size != 0, "an empty span");
    require(!before || start >= end, "overlapping spans");
    require(!before || start > end || !may_join(before->fence, rest.fence),
            "neighbours that should have merged");
    require(by_size_[rest.fence.timeline].count({rest.size, start}) == 1,
            "a span is not indexed by size");
    total += rest.size;
    before = &rest;
    end = start + rest.size;
  }
  require(total == bytes_, "bytes do not add up");
}

}  // namespace gmlake::memory
