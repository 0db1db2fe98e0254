#include "pool/unproved_pairs.h"

namespace gmlake::pool {

void UnprovedPairs::add(const stats::UnprovedPair& pair) {
  auto& pairs = kept_.pairs;
  const auto count = kept_.count.load(std::memory_order_relaxed);
  std::size_t lightest = 0;
  const auto weight = [&](std::size_t i) { return inherited_[i] + pairs[i].cost.bytes; };
  for (std::size_t i = 0; i < count; ++i) {
    if (pairs[i].wanted_by == pair.wanted_by && pairs[i].freed_by == pair.freed_by) {
      pairs[i].cost += pair.cost;
      return;
    }
    if (weight(i) < weight(lightest)) lightest = i;
  }
  if (count < kMost) {
    pairs[count] = pair;
    kept_.count.store(count + 1, std::memory_order_release);
    return;
  }
  inherited_[lightest] = weight(lightest);
  kept_.others += pairs[lightest].cost;
  pairs[lightest] = pair;
}

}  // namespace gmlake::pool
