#include "pool/unproved_pairs.h"

namespace gmlake::pool {

void UnprovedPairs::add(const stats::UnprovedPair& pair) {
  std::size_t lightest = 0;
  const auto weight = [&](std::size_t i) { return inherited_[i] + pairs_[i].cost.bytes; };
  for (std::size_t i = 0; i < pairs_.size(); ++i) {
    if (pairs_[i].wanted_by == pair.wanted_by && pairs_[i].freed_by == pair.freed_by) {
      pairs_[i].cost += pair.cost;
      return;
    }
    if (weight(i) < weight(lightest)) lightest = i;
  }
  if (pairs_.size() < kMost) {
    pairs_.push_back(pair);
    inherited_.push_back(0);
    return;
  }
  inherited_[lightest] = weight(lightest);
  others_ += pairs_[lightest].cost;
  pairs_[lightest] = pair;
}

}  // namespace gmlake::pool
