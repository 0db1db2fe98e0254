// Free virtual addresses of one reservation: which ranges windows may be mapped at.
//
// O(n) in the free ranges to take, O(log n) to give back: only ever beside driver calls. Not
// thread-safe.
#pragma once

#include <iterator>
#include <map>

#include "driver/device.h"

namespace gmlake::pool {

class AddressRanges {
 public:
  // The smallest range that is enough, cut to `size`; 0 if there is none.
  driver::Address take(Bytes size) {
    auto best = free_.end();
    for (auto at = free_.begin(); at != free_.end(); ++at)
      if (at->second >= size && (best == free_.end() || at->second < best->second)) best = at;
    if (best == free_.end()) return 0;
    const auto [start, have] = *best;
    free_.erase(best);
    if (have > size) free_.emplace(start + size, have - size);
    return start;
  }
  void give(driver::Address start, Bytes size) {
    auto after = free_.lower_bound(start);
    if (after != free_.end() && after->first == start + size) {
      size += after->second;
      after = free_.erase(after);
    }
    if (after != free_.begin()) {
      const auto before = std::prev(after);
      if (before->first + before->second == start) {
        before->second += size;
        return;
      }
    }
    free_.emplace(start, size);
  }
  // Every free range, lowest first: (start, size).
  template <typename Each>
  void each(Each visit) const {
    for (const auto& [start, size] : free_) visit(start, size);
  }

 private:
  std::map<driver::Address, Bytes> free_;
};

}  // namespace gmlake::pool
