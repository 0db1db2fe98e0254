#include "stream/fences.h"

#include <algorithm>
#include <optional>

#include "support/fault.h"
#include "support/no_cancel.h"

namespace gmlake::stream {
namespace {

// A question that can save a stitch, but no memory, may come so much later.
constexpr double kPlaceShare = 8;
// From here on a line asks its oldest whenever it gets another.
constexpr std::size_t kManyPending = 16;

}  // namespace

Fences::~Fences() {
  const Lock lock(mutex_);
  for (const auto& line : lines_)
    for (const auto& fence : line.pending) (void)device_.destroy_event(fence.follower->event);
  for (const auto& [context, followers] : idle_)
    for (const auto& follower : followers) (void)device_.destroy_event(follower->event);
}

std::shared_ptr<Fences::Follower> Fences::hold(const Pending& pending) {
  endings_.enter(pending.follower->context);
  ++pending.follower->holders;
  return pending.follower;
}

void Fences::let_go(const std::shared_ptr<Follower>& follower) {
  exit_from(follower->context);
  if (--follower->holders == 0 && !follower->in_line) keep(follower);
}

void Fences::exit_from(const void* handle) {
  if (endings_.exit(handle)) changed_.notify_all();
}

bool Fences::enter(const void* handle, Endings::Moment looked_up, IfEnding ending) {
  const Lock lock(mutex_);
  while (ending == IfEnding::wait && endings_.is_ending(handle)) changed_.wait(mutex_);
  const bool may = endings_.may_enter(handle, looked_up);
  if (may) endings_.enter(handle);
  return may;
}

void Fences::exit(const void* handle) {
  const Lock lock(mutex_);
  exit_from(handle);
}

void Fences::keep(const std::shared_ptr<Follower>& follower) {
  idle_[follower->context].push_back(follower);
}

void Fences::retire(Line& line) {
  const auto follower = std::move(line.pending.front().follower);
  line.pending.pop_front();
  follower->in_line = false;
  if (follower->holders == 0) keep(follower);
}

void Fences::retire_to(Line& line, std::uint64_t value) {
  while (!line.pending.empty() && line.pending.front().value <= value) retire(line);
}

Status Fences::follow(const Batch& batch, Snapshot before, Time now, bool in_time,
                      Endings::Moment closed) {
  const Stay stay(*this, batch.follow.context, closed, IfEnding::refuse);
  std::optional<Stay> stream_stays;
  if (!batch.follow.whole_context && batch.follow.stream)
    stream_stays.emplace(*this, batch.follow.stream, closed, IfEnding::refuse);
  if (!stay || (stream_stays && !*stream_stays))
    return fail(ErrorKind::limit, "it is ending, or has ended");
  std::shared_ptr<Follower> follower;
  {
    const Lock lock(mutex_);
    auto& idle = idle_[batch.follow.context];
    if (!idle.empty()) {
      follower = std::move(idle.back());
      idle.pop_back();
      follower->in_line = true;
    }
  }
  Status recorded;
  if (!follower) {
    if (const auto event = device_.create_event(batch.follow.context))
      follower = std::make_shared<Follower>(Follower{*event, batch.follow.context});
    else
      recorded = fail(event.error());
  }
  if (follower && !GMLAKE_FAULT(asked_before_recorded)) {
    auto* const stream = GMLAKE_FAULT(fence_elsewhere) ? nullptr : batch.follow.stream;
    recorded =
        batch.follow.whole_context
            ? device_.record_context(follower->event, batch.follow.context, batch.follow.may_order)
            : device_.record_event(follower->event, batch.follow.context, stream);
  }

  const Lock lock(mutex_);
  if (batch.timeline >= lines_.size()) lines_.resize(batch.timeline + 1);
  auto& line = lines_[batch.timeline];
  // An event for later frees that another thread has recorded meanwhile follows these as well.
  const bool wanted = recorded && (line.pending.empty() || line.pending.back().value < batch.value);
  if (wanted) {
    if (line.pending.empty()) line.since = now;
    line.pending.push_back({batch.value, ++recorded_, in_time || GMLAKE_FAULT(late_is_in_time),
                            follower, std::move(before)});
    if (line.pending.size() > kManyPending && has_fired(line)) retire(line);
  } else if (follower) {
    follower->in_line = false;
    keep(follower);
  }
  return recorded;
}

bool Fences::due(Timeline timeline, Time now, Stake stake) const {
  const Lock lock(mutex_);
  return is_due(timeline, now, stake, &driver::Device::follows);
}

bool Fences::pending(Timeline timeline) const {
  const Lock lock(mutex_);
  return timeline < lines_.size() && !lines_[timeline].pending.empty();
}

bool Fences::is_due(Timeline timeline, Time now, Stake stake, Known known) const {
  if (timeline >= lines_.size() || lines_[timeline].pending.empty() || stake == Stake::all)
    return true;
  const auto& line = lines_[timeline];
  if (line.answered == now) return false;
  if (line.answered < line.since) return true;
  if (stake == Stake::walk) return false;
  return (device_.*known)(line.pending.front().follower->event, is_due_by_clock(line, now, stake));
}

// For one that has been asked.
bool Fences::is_due_by_clock(const Line& line, Time now, Stake stake) const {
  const auto share = stake == Stake::growth ? ask_again_ : ask_again_ * kPlaceShare;
  const std::chrono::duration<double> waited = line.answered - line.since;
  return now - line.answered >= waited * share;
}

// Whether the point had not passed when it was asked for just now, or not long ago.
bool Fences::awaited(const Point& point, Time now, Stake stake) const {
  if (point.timeline >= lines_.size()) return false;
  const auto& line = lines_[point.timeline];
  if (line.pending.empty() || line.pending.front().value > point.value) return false;
  if (line.answered == now) return true;
  if (stake == Stake::all || line.answered < line.since) return false;
  return stake == Stake::walk || !is_due_by_clock(line, now, stake);
}

bool Fences::has_fired(Line& line) {
  const auto number = line.pending.front().number;
  const auto follower = hold(line.pending.front());
  mutex_.unlock();
  const auto answer = device_.query(follower->event);
  mutex_.lock();
  let_go(follower);
  return !line.pending.empty() && line.pending.front().number == number && answer &&
         (*answer || GMLAKE_FAULT(not_ready_is_done));
}

Fences::Answers Fences::ask(const Snapshot& known, Time now, Stake stake) {
  const Lock lock(mutex_);
  struct Candidate {
    std::uint64_t number;
    Timeline timeline;
    std::uint64_t passed;
  };
  std::vector<Candidate> candidates;
  for (const auto& [t, passed] : known)
    if (t < lines_.size() && !lines_[t].pending.empty() &&
        is_due(t, now, stake, &driver::Device::looks))
      candidates.push_back({lines_[t].pending.front().number, t, passed});
  std::sort(candidates.begin(), candidates.end(),
            [](const Candidate& a, const Candidate& b) { return a.number < b.number; });

  Answers answers;
  for (const auto& candidate : candidates) {
    const auto t = candidate.timeline;
    auto& line = lines_[t];
    while (!line.pending.empty() && !endings_.is_ending(line.pending.front().follower->context)) {
      auto& fence = line.pending.front();
      const auto value = fence.value;
      bool fired = value <= candidate.passed;
      if (!fired) {
        auto first = fence.before.begin();
        while (first != fence.before.end() &&
               (first->timeline == t || !awaited(*first, now, stake)))
          ++first;
        const bool would = first == fence.before.end();
        if (!device_.asks(fence.follower->event, would)) {
          if (!would) {
            line.since = lines_[first->timeline].since;
            line.answered = lines_[first->timeline].answered;
          }
          break;
        }
        ++answers.questions;
        fired = has_fired(line);
      }
      if (!fired) {
        line.answered = now;
        break;
      }
      answers.passed.push_back({t, value});
      line.since = now;
      retire(line);
    }
  }
  return answers;
}

std::optional<Point> Fences::wait_oldest(const Which& which, const std::function<void()>& over) {
  const Lock lock(mutex_);
  const Pending* oldest = nullptr;
  Point point;
  for (bool some_end = true; !oldest && some_end;) {
    some_end = false;
    for (Timeline t = 0; t < lines_.size(); ++t) {
      const auto& pending = lines_[t].pending;
      const auto first = std::find_if(pending.begin(), pending.end(),
                                      [](const Pending& fence) { return fence.in_time; });
      if (first == pending.end() || !which(t)) continue;
      const bool ends = endings_.is_ending(first->follower->context);
      some_end = some_end || ends;
      if (ends || (oldest && first->number > oldest->number)) continue;
      oldest = &*first;
      point = {t, first->value};
    }
    if (!oldest && some_end) changed_.wait(mutex_);
  }
  if (!oldest) return {};
  const auto follower = hold(*oldest);
  mutex_.unlock();
  const auto waited = device_.wait(follower->event);
  mutex_.lock();
  try {
    if (waited) {
      over();
      auto& line = lines_[point.timeline];
      retire_to(line, point.value);
      line.since = Clock::now();
    }
  } catch (...) {
    let_go(follower);
    throw;
  }
  let_go(follower);
  return waited ? std::optional(point) : std::nullopt;
}

std::optional<Point> Fences::make_wait(driver::Context context, driver::Stream stream,
                                       const std::function<bool(Timeline, std::uint64_t)>& which) {
  const Lock lock(mutex_);
  const Pending* oldest = nullptr;
  Point point;
  for (Timeline t = 0; t < lines_.size(); ++t) {
    const auto& pending = lines_[t].pending;
    const auto found = std::find_if(pending.begin(), pending.end(), [&](const Pending& fence) {
      return fence.in_time && which(t, fence.value);
    });
    if (found == pending.end() || endings_.is_ending(found->follower->context) ||
        (oldest && found->number > oldest->number))
      continue;
    oldest = &*found;
    point = {t, found->value};
  }
  if (!oldest) return {};
  const auto follower = hold(*oldest);
  mutex_.unlock();
  const bool waits = GMLAKE_FAULT(wait_not_inserted) ||
                     device_.make_wait(stream, context, follower->event).has_value();
  mutex_.lock();
  let_go(follower);
  return waits ? std::optional(point) : std::nullopt;
}

void Fences::leave(const void* handle) {
  const NoCancel whole;
  const Lock lock(mutex_);
  endings_.begin(handle);
  while (endings_.is_entered(handle)) changed_.wait(mutex_);
}

void Fences::stay(const void* handle) {
  const Lock lock(mutex_);
  endings_.cancel(handle);
  changed_.notify_all();
}

void Fences::forget_stream(driver::Stream stream) {
  const Lock lock(mutex_);
  endings_.end(stream);
  changed_.notify_all();
}

void Fences::forget_context(driver::Context context) {
  const Lock lock(mutex_);
  for (auto& line : lines_)
    std::erase_if(line.pending,
                  [&](const Pending& fence) { return fence.follower->context == context; });
  idle_.erase(context);
  endings_.end(context);
  changed_.notify_all();
}

}  // namespace gmlake::stream
