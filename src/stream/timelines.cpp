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
  lines_[timeline].thread_bound = thread_bound;
  streams_.emplace(id, timeline);
  return timeline;
}

Timeline Timelines::of_context(void* context) {
  if (const auto known = contexts_.find(context); known != contexts_.end()) return known->second;
  const auto timeline = add({context, nullptr, true, false}, true);
  contexts_.emplace(context, timeline);
  return timeline;
}

void Timelines::ending(Line& line) {
  line.follow.whole_context = !GMLAKE_FAULT(retired_by_handle);
}

void Timelines::not_ended(Line& line) {
  if (!line.ended) line.follow.whole_context = line.thread_bound;
}

void Timelines::end(Timeline timeline) {
  auto& line = lines_[timeline];
  ending(line);
  if (!line.ended) ended_.push_back(timeline);
  line.ended = true;
}

void Timelines::ending(std::uint64_t id) {
  if (const auto known = streams_.find(id); known != streams_.end()) ending(lines_[known->second]);
}

void Timelines::not_ended(std::uint64_t id) {
  if (const auto known = streams_.find(id); known != streams_.end())
    not_ended(lines_[known->second]);
}

void Timelines::retire_stream(std::uint64_t id) {
  const auto known = streams_.find(id);
  if (known == streams_.end()) return;
  if (GMLAKE_FAULT(retired_has_passed)) advance(known->second, lines_[known->second].open);
  end(known->second);
}

template <typename Each>
void Timelines::each_by_handle(void* stream, Each visit) {
  if (!stream) return;
  for (Timeline t = 0; t < size(); ++t)
    if (!lines_[t].of_context && lines_[t].follow.stream == stream) visit(t);
}

void Timelines::ending_handle(void* stream) {
  each_by_handle(stream, [&](Timeline t) { ending(lines_[t]); });
}

void Timelines::handle_not_ended(void* stream) {
  each_by_handle(stream, [&](Timeline t) { not_ended(lines_[t]); });
}

void Timelines::retire_handle(void* stream) {
  each_by_handle(stream, [&](Timeline t) { end(t); });
}

void Timelines::forget_context(void* context, bool takes_memory) {
  for (Timeline t = 0; t < size(); ++t) {
    auto& line = lines_[t];
    if (line.follow.context != context) continue;
    line.open_has_frees = line.in_batch = false;
    advance(t, line.open++);
    if (line.of_context && takes_memory) continue;  // its address may come back
    if (line.of_context)
      contexts_.erase(context);
    else
      end(t);
    line.over = true;
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
