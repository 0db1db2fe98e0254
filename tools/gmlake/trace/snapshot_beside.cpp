#include "trace/snapshot_beside.h"

#include <algorithm>

namespace gmlake::trace {
namespace {

// What an event does to the memory taken from the device: 1 more, -1 less, 0 nothing.
int growth(Pickle::Value event) {
  const auto action = event["action"].text();
  if (action == "segment_alloc" || action == "segment_map") return 1;
  if (action == "segment_free" || action == "segment_unmap") return -1;
  return 0;
}

std::uint64_t applied(std::uint64_t level, Pickle::Value event, int sign) {
  const auto size = whole(event["size"]).value_or(0);
  if (sign > 0) return level > ~std::uint64_t{0} - size ? level : level + size;
  return sign < 0 ? level - std::min(level, size) : level;
}

}  // namespace

std::optional<std::uint64_t> whole(Pickle::Value value) {
  const auto number = value.integer();
  if (!number || *number < 0) return {};
  return static_cast<std::uint64_t>(*number);
}

// The level at the beginning is found backwards, from what the segments show at the end.
SnapshotBeside::SnapshotBeside(Pickle::Value events, Pickle::Value segments, bool stacks,
                               Trace& trace)
    : stacks_(stacks), trace_(trace) {
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const auto segment = segments[i];
    if (whole(segment["device"]).value_or(0) != static_cast<std::uint64_t>(trace.device)) continue;
    reserved_ += std::min(whole(segment["total_size"]).value_or(0), ~std::uint64_t{0} - reserved_);
  }
  bool known = false;
  for (std::size_t i = events.size(); i-- > 0;)
    if (const auto sign = growth(events[i]); sign != 0) {
      reserved_ = applied(reserved_, events[i], -sign);
      known = true;
    }
  if (known || reserved_ > 0) level(0);
}

void SnapshotBeside::level(std::uint64_t time) {
  trace_.reserved.push_back({trace_.events.size(), time, reserved_});
}

void SnapshotBeside::allocated(Pickle::Value frames) {
  if (stacks_) trace_.stacks.give(stack_of(frames));
}

void SnapshotBeside::other(Pickle::Value event, std::uint64_t time) {
  if (event["action"].text() == "oom") {
    ++trace_.allocation_failures;
    trace_.failures.push_back({trace_.events.size(), time, whole(event["size"]).value_or(0),
                               whole(event["device_free"]).value_or(0)});
  } else if (const auto sign = growth(event); sign != 0) {
    reserved_ = applied(reserved_, event, sign);
    level(time);
  }
}

std::uint32_t SnapshotBeside::stack_of(Pickle::Value frames) {
  if (frames.size() == 0) return 0;
  const auto [known, fresh] = stacks_of_lists_.try_emplace(frames.number(), 0);
  if (!fresh) return known->second;
  std::vector<std::uint32_t> numbers;
  for (std::size_t i = 0; i < std::min(frames.size(), Stacks::kDeepest); ++i) {
    const auto frame = frames[i];
    const auto [entry, unseen] = frames_.try_emplace(frame.number(), 0);
    if (unseen)
      entry->second = trace_.stacks.frame(frame["filename"].text(), frame["name"].text(),
                                          whole(frame["line"]).value_or(0));
    numbers.push_back(entry->second);
  }
  return stacks_of_lists_[frames.number()] = trace_.stacks.stack(numbers);
}

}  // namespace gmlake::trace
