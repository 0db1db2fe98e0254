#include "stream/fences.h"

#include <algorithm>

#include "support/fault.h"

namespace gmlake::stream {
namespace {

// A question that can save a stitch, but no memory, may come so much later.
constexpr double kPlaceShare = 8;

}  // namespace

Fences::~Fences() {
  for (const auto& line : lines_)
    for (const auto& fence : line.pending) (void)device_.destroy_event(fence.event);
  for (const auto& [context, events] : idle_)
    for (auto* event : events) (void)device_.destroy_event(event);
}

void Fences::forget_context(driver::Context context) {
  for (auto& line : lines_)
    std::erase_if(line.pending, [&](const Pending& fence) { return fence.context == context; });
  idle_.erase(context);
}

Status Fences::record(const Batch& batch, Snapshot before, Time now) {
  auto& idle = idle_[batch.follow.context];
  if (idle.empty()) {
    auto event = device_.create_event(batch.follow.context);
    if (!event) return fail(event.error());
    idle.push_back(*event);
  }
  auto* event = idle.back();
  auto* const stream = GMLAKE_FAULT(fence_elsewhere) ? nullptr : batch.follow.stream;
  const auto recorded = GMLAKE_FAULT(asked_before_recorded) ? Status{}
                        : batch.follow.whole_context
                            ? device_.record_context(event, batch.follow.context)
                            : device_.record(event, batch.follow.context, stream);
  if (!recorded) return recorded;
  idle.pop_back();
  if (batch.timeline >= lines_.size()) lines_.resize(batch.timeline + 1);
  auto& line = lines_[batch.timeline];
  if (line.pending.empty()) line.since = now;
  line.pending.push_back(
      {batch.value, ++recorded_, event, batch.follow.context, std::move(before)});
  return {};
}

void Fences::retire(Line& line) {
  idle_[line.pending.front().context].push_back(line.pending.front().event);
  line.pending.pop_front();
}

bool Fences::due(Timeline timeline, Time now, Stake stake) const {
  if (timeline >= lines_.size() || lines_[timeline].pending.empty() || stake == Stake::all)
    return true;
  const auto& line = lines_[timeline];
  if (line.answered == now) return false;
  if (line.answered < line.since) return true;
  const auto share = stake == Stake::growth ? ask_again_ : ask_again_ * kPlaceShare;
  const std::chrono::duration<double> waited = line.answered - line.since;
  return now - line.answered >= waited * share;
}

// Whether the point had not passed when it was asked for just now, or not long ago.
bool Fences::awaited(const Point& point, Time now, Stake stake) const {
  if (point.timeline >= lines_.size()) return false;
  const auto& line = lines_[point.timeline];
  return !line.pending.empty() && line.pending.front().value <= point.value &&
         (line.answered == now || !due(point.timeline, now, stake));
}

Fences::Answers Fences::ask(const Which& which, const std::vector<std::uint64_t>& known, Time now,
                            Stake stake) {
  struct Candidate {
    std::uint64_t number;
    Timeline timeline;
  };
  std::vector<Candidate> candidates;
  for (Timeline t = 0; t < lines_.size(); ++t)
    if (!lines_[t].pending.empty() && due(t, now, stake) && which(t))
      candidates.push_back({lines_[t].pending.front().number, t});
  std::sort(candidates.begin(), candidates.end(),
            [](const Candidate& a, const Candidate& b) { return a.number < b.number; });

  Answers answers;
  auto passed = known;
  for (const auto& candidate : candidates) {
    const auto t = candidate.timeline;
    auto& line = lines_[t];
    while (!line.pending.empty()) {
      auto& fence = line.pending.front();
      bool fired = fence.value <= passed[t];
      if (!fired) {
        const auto first = std::find_if(fence.before.begin(), fence.before.end(), [&](auto& point) {
          return point.timeline != t && awaited(point, now, stake);
        });
        if (first != fence.before.end()) {
          line.since = lines_[first->timeline].since;
          line.answered = lines_[first->timeline].answered;
          break;
        }
        const auto answer = device_.query(fence.event);
        ++answers.questions;
        fired = answer && (*answer || GMLAKE_FAULT(not_ready_is_done));
      }
      if (!fired) {
        line.answered = now;
        break;
      }
      passed[t] = std::max(passed[t], fence.value);
      answers.passed.push_back({t, fence.value});
      line.since = now;
      retire(line);
    }
  }
  return answers;
}

std::optional<Point> Fences::wait_oldest(const Which& which) {
  Line* oldest = nullptr;
  Point point;
  for (Timeline t = 0; t < lines_.size(); ++t) {
    auto& line = lines_[t];
    if (line.pending.empty() || !which(t)) continue;
    const auto& fence = line.pending.front();
    if (oldest && fence.number > oldest->pending.front().number) continue;
    oldest = &line;
    point = {t, fence.value};
  }
  if (!oldest || !device_.wait(oldest->pending.front().event)) return {};
  retire(*oldest);
  oldest->since = Clock::now();
  return point;
}

std::optional<Point> Fences::make_wait(driver::Context context, driver::Stream stream,
                                       const std::function<bool(Timeline, std::uint64_t)>& which) {
  const Pending* oldest = nullptr;
  Point point;
  for (Timeline t = 0; t < lines_.size(); ++t) {
    const auto& pending = lines_[t].pending;
    const auto found = std::find_if(pending.begin(), pending.end(),
                                    [&](const Pending& fence) { return which(t, fence.value); });
    if (found == pending.end() || (oldest && found->number > oldest->number)) continue;
    oldest = &*found;
    point = {t, found->value};
  }
  if (!oldest) return {};
  if (!GMLAKE_FAULT(wait_not_inserted) && !device_.make_wait(stream, context, oldest->event))
    return {};
  return point;
}

}  // namespace gmlake::stream
