#include "stream/timelines.h"

#include <algorithm>

namespace gmlake::stream {

Timeline Timelines::add(const Follow& follow, bool of_context) {
  lines_.push_back({kFirstBatch, false, false, follow, of_context});
  passed_.push_back(kFirstBatch - 1);
  return static_cast<Timeline>(lines_.size() - 1);
}

Timeline Timelines::of_stream(std::uint64_t id, void* stream, void* context, bool thread_bound) {
  if (const auto known = streams_.find(id); known != streams_.end()) return known->second;
  const auto timeline = add({context, stream, thread_bound}, false);
  streams_.emplace(id, timeline);
  return timeline;
}

Timeline Timelines::of_context(void* context) {
  if (const auto known = contexts_.find(context); known != contexts_.end()) return known->second;
  const auto timeline = add({context, nullptr, true}, true);
  contexts_.emplace(context, timeline);
  return timeline;
}

void Timelines::retire_stream(std::uint64_t id) {
  if (const auto known = streams_.find(id); known != streams_.end())
    lines_[known->second].follow.whole_context = true;
}

void Timelines::retire_handle(void* stream) {
  for (auto& line : lines_)
    if (line.follow.stream == stream && stream != nullptr) line.follow.whole_context = true;
}

void Timelines::forget_context(void* context) {
  for (Timeline t = 0; t < size(); ++t) {
    auto& line = lines_[t];
    if (line.follow.context != context) continue;
    line.open_has_frees = line.in_batch = false;
    passed(t, line.open++);
  }
}

std::uint64_t Timelines::cut(Timeline timeline) {
  auto& line = lines_[timeline];
  if (line.in_batch) ++line.open;
  line.in_batch = false;
  return line.open - 1;
}

Batch Timelines::close(Timeline timeline) {
  auto& line = lines_[timeline];
  line.open_has_frees = line.in_batch = false;
  return {timeline, line.open++, line.follow};
}

void Timelines::passed(Timeline timeline, std::uint64_t value) {
  passed_[timeline] = std::max(passed_[timeline], value);
  auto& line = lines_[timeline];
  if (!line.in_batch && value + 1 >= line.open) line.open_has_frees = false;
}

}  // namespace gmlake::stream
