#include "free_space.h"

#include <algorithm>

namespace gmlake::simcuda {

void FreeSpace::insert(std::uint64_t begin, Bytes size) {
  if (size == 0) return;
  by_begin_.emplace(begin, size);
  by_size_.emplace(size, begin);
}

void FreeSpace::remove(std::map<std::uint64_t, Bytes>::iterator range) {
  by_size_.erase({range->second, range->first});
  by_begin_.erase(range);
}

void FreeSpace::cut(std::map<std::uint64_t, Bytes>::iterator range, std::uint64_t begin,
                    Bytes size) {
  const auto [range_begin, range_size] = *range;
  remove(range);
  insert(range_begin, begin - range_begin);
  insert(begin + size, range_begin + range_size - (begin + size));
}

std::optional<std::uint64_t> FreeSpace::take(Bytes size, Bytes alignment) {
  for (auto candidate = by_size_.lower_bound({size, 0}); candidate != by_size_.end(); ++candidate) {
    const auto [range_size, range_begin] = *candidate;
    const std::uint64_t begin = (range_begin + alignment - 1) & ~(alignment - 1);
    if (begin + size > range_begin + range_size) continue;  // only alignment can be in the way
    cut(by_begin_.find(range_begin), begin, size);
    return begin;
  }
  return std::nullopt;
}

bool FreeSpace::take_at(std::uint64_t begin, Bytes size) {
  auto range = by_begin_.upper_bound(begin);
  if (range == by_begin_.begin()) return false;
  --range;
  if (begin + size > range->first + range->second) return false;
  cut(range, begin, size);
  return true;
}

std::pair<std::uint64_t, Bytes> FreeSpace::take_largest(Bytes limit) {
  const auto [range_size, range_begin] = *by_size_.rbegin();
  const Bytes size = std::min(limit, range_size);
  cut(by_begin_.find(range_begin), range_begin, size);
  return {range_begin, size};
}

void FreeSpace::give(std::uint64_t begin, Bytes size) {
  auto next = by_begin_.lower_bound(begin);
  if (next != by_begin_.end() && next->first == begin + size) {
    size += next->second;
    const auto gone = next++;
    remove(gone);
  }
  if (next != by_begin_.begin()) {
    const auto previous = std::prev(next);
    if (previous->first + previous->second == begin) {
      begin = previous->first;
      size += previous->second;
      remove(previous);
    }
  }
  insert(begin, size);
}

}  // namespace gmlake::simcuda
