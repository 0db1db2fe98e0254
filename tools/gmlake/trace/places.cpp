#include "trace/places.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>

namespace gmlake::trace {
namespace {

bool overlapping(const Trace& trace) {
  std::map<std::uint64_t, std::uint64_t> live;  // end by start
  for (const auto& event : trace.events) {
    if (!event.of_memory() || event.bytes == 0) continue;
    const auto start = trace.addresses[event.block];
    if (event.kind() == Kind::free) {
      live.erase(start);
      continue;
    }
    if (event.bytes > ~std::uint64_t{0} - start) return true;
    const auto after = live.lower_bound(start);
    if (after != live.end() && after->first < start + event.bytes) return true;
    if (after != live.begin() && std::prev(after)->second > start) return true;
    live.emplace_hint(after, start, start + event.bytes);
  }
  return false;
}

// Best fit, as simple as it goes.
class Places {
 public:
  std::uint64_t take(std::uint64_t size) {
    const auto found = by_size_.lower_bound({size, 0});
    if (found == by_size_.end()) {
      const auto start = end_;
      end_ += size;
      return start;
    }
    const auto [whole, start] = *found;
    remove(start, whole);
    if (whole > size) add(start + size, whole - size);
    return start;
  }
  void give(std::uint64_t start, std::uint64_t size) {
    auto after = by_start_.lower_bound(start);
    if (after != by_start_.begin()) {
      const auto [other, length] = *std::prev(after);
      if (other + length == start) {
        remove(other, length);
        start = other;
        size += length;
      }
    }
    after = by_start_.lower_bound(start + size);
    if (after != by_start_.end() && after->first == start + size) {
      const auto length = after->second;
      remove(after->first, length);
      size += length;
    }
    add(start, size);
  }

 private:
  void add(std::uint64_t start, std::uint64_t size) {
    by_size_.emplace(size, start);
    by_start_.emplace(start, size);
  }
  void remove(std::uint64_t start, std::uint64_t size) {
    by_size_.erase({size, start});
    by_start_.erase(start);
  }

  std::uint64_t end_ = 0x10000000;  // anywhere but at 0
  std::set<std::pair<std::uint64_t, std::uint64_t>> by_size_;
  std::map<std::uint64_t, std::uint64_t> by_start_;
};

}  // namespace

bool place_blocks(Trace& trace) {
  if (!overlapping(trace)) return false;
  constexpr std::uint64_t kUnit = 512;
  Places places;
  for (const auto& event : trace.events) {
    if (!event.of_memory()) continue;
    const auto size = (std::max<Bytes>(event.bytes, 1) + kUnit - 1) / kUnit * kUnit;
    if (event.kind() == Kind::allocate)
      trace.addresses[event.block] = places.take(size);
    else
      places.give(trace.addresses[event.block], size);
  }
  return true;
}

}  // namespace gmlake::trace
