#include "pool/unproved_pairs.h"

#include <algorithm>

namespace gmlake::pool {

void UnprovedPairs::add(memory::Timeline wanted_by, memory::Timeline freed_by,
                        const stats::UnprovedCost& cost) {
  const auto known = std::find_if(rows_.begin(), rows_.end(), [&](const Row& row) {
    return row.wanted_by == wanted_by && row.freed_by == freed_by;
  });
  if (known != rows_.end()) {
    known->cost += cost;
    return;
  }
  if (rows_.size() < kMost) {
    rows_.push_back({wanted_by, freed_by, 0, cost});
    return;
  }
  auto& lightest = *std::min_element(rows_.begin(), rows_.end(), [](const Row& a, const Row& b) {
    return a.weight() < b.weight();
  });
  others_ += lightest.cost;
  lightest = {wanted_by, freed_by, lightest.weight(), cost};
}

}  // namespace gmlake::pool
