#include "stream/clocks.h"

#include <algorithm>

#include "support/fault.h"

namespace gmlake::stream {

const std::vector<std::uint64_t>* Clocks::of(Timeline stream) const {
  return stream < clocks_.size() && clocks_[stream] ? &clocks_[stream]->values : nullptr;
}

void Clocks::append(Timeline stream, std::uint64_t own, const std::vector<std::uint64_t>& passed,
                    Snapshot& out) {
  if (own > passed[stream]) out.push_back({stream, own});
  if (!of(stream)) return;
  auto& clock = *clocks_[stream];
  const auto start = out.size();
  out.resize(start + clock.known.size());
  auto* point = out.data() + start;
  auto* kept = clock.known.data();
  for (const Timeline other : clock.known) {
    auto& value = clock.values[other];
    if (value <= passed[other]) {
      value = 0;
      continue;
    }
    *point++ = {other, value};
    *kept++ = other;
  }
  out.resize(static_cast<std::size_t>(point - out.data()));
  clock.known.resize(static_cast<std::size_t>(kept - clock.known.data()));
}

void Clocks::merge(Timeline stream, const Snapshot& snapshot,
                   const std::vector<std::uint64_t>& passed) {
  if (snapshot.empty()) return;
  if (stream >= clocks_.size()) clocks_.resize(stream + 1);
  if (!clocks_[stream]) clocks_[stream] = std::make_unique<Clock>();
  auto& clock = *clocks_[stream];
  clock.values.resize(std::max(clock.values.size(), passed.size()));
  for (const auto& point : snapshot) {
    if (point.timeline == stream || point.value <= passed[point.timeline]) continue;
    auto& value = clock.values[point.timeline];
    if (value == 0) clock.known.push_back(point.timeline);
    value = std::max(value, point.value);
  }
}

void Clocks::drop(Timeline stream) {
  if (stream < clocks_.size()) clocks_[stream].reset();
}

Snapshot& Clocks::begin_recording(void* name, Recording recording) {
  auto& event = events_[name];
  event.overlapped = event.under_way++ != 0;
  event.recording = recording;
  event.proves = false;
  event.before.clear();
  return event.before;
}

void Clocks::end_recording(void* name, Recording recording, bool recorded) {
  const auto found = events_.find(name);
  if (found == events_.end()) return;
  auto& event = found->second;
  if (--event.under_way != 0) return;
  event.proves = recorded && (GMLAKE_FAULT(overlapping_recordings) ||
                              (!event.overlapped && event.recording == recording));
}

Recording Clocks::recording_of(void* name) const {
  const auto found = events_.find(name);
  return found != events_.end() && found->second.proves ? found->second.recording : 0;
}

const Snapshot* Clocks::before(void* name, Recording recording) const {
  const auto found = events_.find(name);
  if (found == events_.end() || !found->second.proves ||
      (found->second.recording != recording && !GMLAKE_FAULT(recorded_again)))
    return nullptr;
  return &found->second.before;
}

void Clocks::forget_event(void* name) {
  if (GMLAKE_FAULT(event_outlives_unseen)) return;
  const auto found = events_.find(name);
  if (found == events_.end()) return;
  if (found->second.under_way == 0)
    events_.erase(found);
  else
    found->second.recording = 0;  // so that its end proves nothing
}

void Clocks::forget_events() {
  for (auto at = events_.begin(); at != events_.end();) {
    const auto next = std::next(at);
    forget_event(at->first);
    at = next;
  }
}

}  // namespace gmlake::stream
