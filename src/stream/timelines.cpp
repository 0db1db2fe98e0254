#include "stream/timelines.h"

#include "support/fault.h"

namespace gmlake::stream {

Timeline Timelines::add(const Follow& follow, bool of_context) {
  auto& line = lines_.emplace_back();
  line.follow = follow;
  line.of_context = of_context;
  passed_.push_back(kFirstBatch - 1);
  return static_cast<Timeline>(lines_.size() - 1);
}

Timeline Timelines::of_stream(std::uint64_t id, void* stream, void* context, bool thread_bound) {
  if (const auto known = streams_.find(id); known != streams_.end()) return known->second;
  const auto timeline = add({context, stream, thread_bound, false}, false);
  lines_[timeline].id = id;
  streams_.emplace(id, timeline);
  return timeline;
}

Timeline Timelines::of_context(void* context) {
  if (const auto known = contexts_.find(context); known != contexts_.end()) return known->second;
  const auto timeline = add({context, nullptr, true, false}, true);
  contexts_.emplace(context, timeline);
  return timeline;
}

void Timelines::end(Timeline timeline) {
  auto& line = lines_[timeline];
  line.follow.whole_context = !GMLAKE_FAULT(retired_by_handle);
  if (!line.ended) ended_.push_back(timeline);
  line.ended = true;
}

void Timelines::retire_stream(std::uint64_t id) {
  const auto known = streams_.find(id);
  if (known == streams_.end()) return;
  if (GMLAKE_FAULT(retired_has_passed)) advance(known->second, lines_[known->second].open);
  end(known->second);
}

void Timelines::retire_handle(void* stream) {
  if (!stream) return;
  for (Timeline t = 0; t < size(); ++t)
    if (!lines_[t].of_context && lines_[t].follow.stream == stream) end(t);
}

void Timelines::forget_context(void* context) {
  for (Timeline t = 0; t < size(); ++t) {
    auto& line = lines_[t];
    if (line.follow.context != context) continue;
    line.open_has_frees = line.in_batch = false;
    advance(t, line.open++);
    if (!line.of_context) end(t);
  }
}

std::uint64_t Timelines::cut(Timeline timeline) {
  auto& line = lines_[timeline];
  if (line.in_batch && !GMLAKE_FAULT(cut_leaves_open)) ++line.open;
  line.in_batch = false;
  return line.open - (GMLAKE_FAULT(cut_leaves_open) ? 0 : 1);
}

Batch Timelines::close(Timeline timeline) {
  auto& line = lines_[timeline];
  // Those that an event of the program's has ended the batch of are in the one before it.
  const bool open = line.in_batch;
  line.open_has_frees = line.in_batch = false;
  if (!open) return {timeline, line.open - 1, line.follow};
  return {timeline, GMLAKE_FAULT(batch_stays_open) ? line.open : line.open++, line.follow};
}

void Timelines::advance(Timeline timeline, std::uint64_t value) {
  if (GMLAKE_FAULT(passes_one_more)) ++value;
  passed_[timeline] = std::max(passed_[timeline], value);
  auto& line = lines_[timeline];
  if (!line.in_batch && value + 1 >= line.open) line.open_has_frees = false;
}

}  // namespace gmlake::stream
