#include "memory/unsettled.h"

#include <algorithm>
#include <functional>

namespace gmlake::memory {

void Unsettled::add(Region* region) {
  constexpr std::size_t kFew = 64;
  const auto timeline = region->timeline.load(std::memory_order_relaxed);
  if (timeline >= lines_.size()) lines_.resize(timeline + std::size_t{1});
  auto& line = lines_[timeline];
  ++line.regions;
  if (line.entries.size() >= 2 * line.regions + kFew) forget_gone(timeline);
  line.entries.push_back({region->free.value, region});
  std::push_heap(line.entries.begin(), line.entries.end(), std::greater<>());
  note_due(timeline);
}

// The same region may have been here before with the same value: once is enough.
void Unsettled::forget_gone(Timeline timeline) {
  auto& entries = lines_[timeline].entries;
  std::erase_if(entries, [&](const Entry& entry) { return !is_there(entry, timeline); });
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return a.value != b.value ? a.value < b.value : std::less<>()(a.region, b.region);
  });
  entries.erase(std::unique(entries.begin(), entries.end()), entries.end());
}

void Unsettled::passed(Timeline timeline, std::uint64_t value) {
  if (timeline >= lines_.size()) lines_.resize(timeline + std::size_t{1});
  auto& line = lines_[timeline];
  line.passed = std::max(line.passed, value);
  note_due(timeline);
}

void Unsettled::note_due(Timeline timeline) {
  auto& line = lines_[timeline];
  if (line.due || line.entries.empty() || line.entries.front().value > line.passed) return;
  line.due = true;
  due_.push_back(timeline);
}

Region* Unsettled::next_due() {
  const Timeline timeline = due_.back();
  auto& line = lines_[timeline];
  while (!line.entries.empty() && line.entries.front().value <= line.passed) {
    std::pop_heap(line.entries.begin(), line.entries.end(), std::greater<>());
    const Entry entry = line.entries.back();
    line.entries.pop_back();
    if (is_there(entry, timeline)) return entry.region;
  }
  line.due = false;
  due_.pop_back();
  return nullptr;
}

}  // namespace gmlake::memory
