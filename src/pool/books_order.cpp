// What the books know of order: who comes after whom by the program's own events and waits, without
// an event or a query of the pool's, and which frees events are to follow. A stream that never had
// memory here and never waited for one that had leaves no trace.
#include <algorithm>

#include "pool/books.h"
#include "support/fault.h"
#include "support/this_thread.h"

namespace gmlake::pool {
namespace {

bool has_passed(const memory::Fence& last_use, const std::vector<std::uint64_t>& passed) {
  return last_use.value <= passed[last_use.timeline] || GMLAKE_FAULT(window_at_work);
}

}  // namespace

memory::Order Books::order_of(const Front& front, PoolTag pool) const {
  const bool in_order = front.in_order() || GMLAKE_FAULT(host_frees_own);
  const auto* clock = standings_[front.timeline].clock;
  if (clock && !front.host && !accounts_.at(pool).follows_events.load(std::memory_order_relaxed) &&
      !front.made_to_wait.load(std::memory_order_relaxed))
    clock = nullptr;
  return {front.timeline, in_order ? front.timeline : memory::kNoTimeline, &timelines_.all_passed(),
          clock, everywhere_.load(std::memory_order_relaxed) != 0};
}

Front& Books::add_front(std::uint64_t key, const Origin& origin) {
  const bool host = origin.host();
  const Opened books(mutex_);
  if (Front* known = fronts_.find(key)) return *known;
  Front* front = nullptr;
  // Whether nothing of the stream's is left but free memory.
  const auto* standings = standings_.data();
  const auto unused = [&](stream::Timeline timeline) {
    const auto& ended = fronts().of(timeline);
    return standings[timeline].blocks == 0 && ended.parked_count.get() == 0 &&
           ended.uses_beside.load(std::memory_order_relaxed) == 0;
  };
  if (const auto ended = host ? std::nullopt
                              : timelines_.take_over(origin.stream_id, origin.stream,
                                                     origin.context, origin.thread_bound, unused)) {
    front = &fronts_.of(*ended);
    fronts_.rename(front, key);
    front->met.reset();
    front->lent_in_vain.reset();
    clocks_.drop(*ended);  // the ended stream's
    standings_[*ended].clock = nullptr;
  } else {
    const auto timeline = host ? timelines_.of_context(origin.context)
                               : timelines_.of_stream(origin.stream_id, origin.stream,
                                                      origin.context, origin.thread_bound);
    standings_.resize(timeline + std::size_t{1});
    front = fronts_.add(key, timeline, host, records_.add_front(ordinal_));
    has_had_several_.store(timeline != 0, std::memory_order_relaxed);
    share_out();
  }
  front->context.store(origin.context, std::memory_order_relaxed);
  front->kind.store(host ? stats::StreamName::Kind::host : origin.kind, std::memory_order_relaxed);
  const bool was_blocking = front->blocking.exchange(origin.blocking, std::memory_order_relaxed);
  blocking_fronts_ += (origin.blocking ? 1U : 0U) - (was_blocking ? 1U : 0U);
  front->thread.store(origin.kind == stats::StreamName::Kind::per_thread ? this_thread() : nullptr,
                      std::memory_order_relaxed);
  fronts_.publish(front);
  return *front;
}

void Books::share_out() {
  const auto fronts = std::max<std::size_t>(1, fronts_.all().size());
  const auto share = std::max(placement_.physical() / kUnfollowedShare, least_unfollowed_);
  unfollowed_limit_.store(share / fronts, std::memory_order_relaxed);
}

Front& Books::host_front(driver::Context context) {
  Origin origin;
  origin.context = context;
  return front_of(origin);
}

Front& Books::host_front_of(const Front& owner, const Origin& by) {
  const bool gone = [&] {
    const Opened books(mutex_);
    return timelines_.over(owner.timeline);
  }();
  if (!gone) return host_front(owner.context.load(std::memory_order_relaxed));
  if (by.context) return host_front(by.context);
  // Nobody frees it, and its own context can not be asked any more: behind another's work, then.
  const Opened books(mutex_);
  for (const auto& front : fronts_.all())
    if (front->host && !timelines_.over(front->timeline)) return *front;
  return fronts_.of(owner.timeline);
}

std::vector<Front*> Books::fronts_of(driver::Context context) const {
  std::vector<Front*> found;
  const Opened books(mutex_);
  timelines_.each_of_context(
      context, [&](stream::Timeline timeline) { found.push_back(&fronts().of(timeline)); });
  return found;
}

Closed Books::close(stream::Timeline timeline) {
  Closed closed;
  closed.batch = timelines_.close(timeline);
  clocks_.append(timeline, closed.batch.value, timelines_.all_passed(), closed.before);
  return closed;
}

std::optional<Closed> Books::close(Front& front) {
  const Lock own(front.lock);
  const Opened books(mutex_);
  unpark(front);
  front.unfollowed.reset();
  front.unfollowed_elsewhere.reset();
  front.worked_since.store(false, std::memory_order_relaxed);
  if (!timelines_.open_has_frees(front.timeline)) return {};
  return close(front.timeline);
}

void Books::followed(const stream::Batch& batch, const Status& recorded) {
  const Opened books(mutex_);
  if (recorded) {
    ++counters_.fences;
    return;
  }
  timelines_.not_recorded(batch);
  if (recorded.error().kind == ErrorKind::captured)
    ++counters_.fences_captured;
  else if (recorded.error().kind == ErrorKind::limit)  // work may be given before it can be
    fronts_.of(batch.timeline).worked_since.store(true, std::memory_order_relaxed);
}

void Books::advance(const stream::Point& point) {
  if (point.value <= timelines_.all_passed()[point.timeline]) return;
  timelines_.advance(point.timeline, point.value);
  if (standings_[point.timeline].has_kept_apart) placement_.passed(point.timeline, point.value);
}

void Books::advance(const stream::Snapshot& snapshot) {
  if (snapshot.empty()) return;
  const Opened books(mutex_);
  for (const auto& point : snapshot) advance(point);
}

std::vector<stream::Timeline> Books::named(const Awaited* awaited) const {
  std::vector<stream::Timeline> named;
  const Opened books(mutex_);
  if (awaited) {
    for (const auto& point : *awaited) named.push_back(point.timeline);
    timelines_.each_next_ended([&](stream::Timeline ended) { named.push_back(ended); });
  } else {
    for (stream::Timeline t = 0; t < timelines_.size(); ++t) named.push_back(t);
  }
  std::sort(named.begin(), named.end());
  named.erase(std::unique(named.begin(), named.end()), named.end());
  return named;
}

stream::Snapshot Books::known_of(const std::vector<stream::Timeline>& timelines) const {
  stream::Snapshot known;
  const Opened books(mutex_);
  const auto& passed = timelines_.all_passed();
  for (const auto timeline : timelines) known.push_back({timeline, passed[timeline]});
  return known;
}

bool Books::is_idle(const memory::Window& window) const {
  return has_passed(window.last_use, timelines_.all_passed());
}

memory::Window* Books::oldest_idle_window() {
  const auto& passed = timelines_.all_passed();
  return placement_.windows().oldest(
      [&](const memory::Window& idle) { return has_passed(idle.last_use, passed); });
}

Books::Awaited Books::awaited_by(const Front& front, Bytes size, bool any) const {
  const Opened books(mutex_);
  Awaited least;
  placement_.each_awaited(size, order_of(front), [&](memory::Fence fence) {
    if (!least.empty() && least.back().timeline == fence.timeline)
      least.back().value = std::min(least.back().value, fence.value);
    else
      least.push_back({fence.timeline, fence.value});
    return !any;
  });
  // One may have been there for each heap.
  std::sort(least.begin(), least.end(), [](const stream::Point& a, const stream::Point& b) {
    return a.timeline != b.timeline ? a.timeline < b.timeline : a.value < b.value;
  });
  least.erase(std::unique(least.begin(), least.end(),
                          [](const stream::Point& a, const stream::Point& b) {
                            return a.timeline == b.timeline;
                          }),
              least.end());
  return least;
}

std::optional<Closed> Books::ending(const Origin& origin, bool by_handle) {
  const Opened books(mutex_);
  if (origin.host()) timelines_.ending_handle(origin.stream);
  if (!timelines_.known_stream(origin.stream_id)) return {};
  const auto timeline =
      timelines_.of_stream(origin.stream_id, origin.stream, origin.context, origin.thread_bound);
  std::optional<Closed> closed;
  if (timelines_.open_has_frees(timeline) && by_handle) closed = close(timeline);
  timelines_.ending(origin.stream_id);
  return closed;
}

void Books::ended(const Origin& origin, bool gone) {
  const Opened books(mutex_);
  if (origin.host())
    gone ? timelines_.retire_handle(origin.stream) : timelines_.handle_not_ended(origin.stream);
  if (!timelines_.known_stream(origin.stream_id)) return;
  if (!gone) return timelines_.not_ended(origin.stream_id);
  const auto timeline =
      timelines_.of_stream(origin.stream_id, origin.stream, origin.context, origin.thread_bound);
  timelines_.retire_stream(origin.stream_id);
  clocks_.drop(timeline);
  standings_[timeline].clock = nullptr;
}

// What the front's stream, or its context's frees without one, come after and have done so far. Its
// parked blocks were freed before.
void Books::append_given(Front& front, stream::Snapshot& out) {
  unpark(front);
  const auto own = timelines_.cut(front.timeline);
  clocks_.append(front.timeline, own, timelines_.all_passed(), out);
}

void Books::comes_after(Front& front, const stream::Snapshot& snapshot) {
  clocks_.merge(front.timeline, snapshot, timelines_.all_passed());
  standings_[front.timeline].clock = clocks_.of(front.timeline);
}

bool Books::recording(driver::Event event, const Origin& origin, stream::Recording number) {
  if (!follows_events()) return false;
  Front* front = known_front(origin);
  if (!front) {
    const Opened books(mutex_);
    clocks_.begin_recording(event, number);
    return true;
  }
  const Lock own(front->lock);
  const Opened books(mutex_);
  append_given(*front, clocks_.begin_recording(event, number));
  return true;
}

void Books::recorded(driver::Event event, stream::Recording number, bool done) {
  const Opened books(mutex_);
  clocks_.end_recording(event, number, done);
}

void Books::forget_event(driver::Event event) {
  if (!follows_events()) return;
  const Opened books(mutex_);
  clocks_.forget_event(event);
}

void Books::forget_events() {
  const Opened books(mutex_);
  clocks_.forget_events();
}

stream::Recording Books::recording_of(driver::Event event) {
  if (!follows_events()) return 0;
  const Opened books(mutex_);
  return clocks_.recording_of(event);
}

void Books::waits(const Origin& origin, driver::Event event, stream::Recording number) {
  Front* front = known_front(origin);
  if (!front) {
    {
      const Opened books(mutex_);
      const auto* before = clocks_.before(event, number);
      if (!before || before->empty()) return;
    }
    front = &front_of(origin);
  }
  const Opened books(mutex_);
  if (GMLAKE_FAULT(wait_of_another)) front = &fronts_.of(0);
  if (const auto* before = clocks_.before(event, number)) comes_after(*front, *before);
}

void Books::happened(driver::Event event, stream::Recording number) {
  const Opened books(mutex_);
  const auto* before = clocks_.before(event, number);
  if (!before) return;
  for (const auto& point : *before) advance(point);
}

stream::Snapshot Books::given(const Origin& origin) {
  stream::Snapshot snapshot;
  if (!follows_events()) return snapshot;
  std::vector<Front*> fronts;
  if (!origin.host()) {
    if (Front* front = known_front(origin)) fronts.push_back(front);
  } else {
    // Of the others' nothing is pending, and they have waited for nobody.
    const Opened books(mutex_);
    std::vector<stream::Timeline> lines;
    timelines_.each_of_context(origin.context,
                               [&](stream::Timeline timeline) { lines.push_back(timeline); });
    for (const auto timeline : lines)
      if (timelines_.pending(timeline) || standings_[timeline].clock)
        fronts.push_back(&fronts_.of(timeline));
    for (Front* front : fronts_.listed())
      if (front->context.load(std::memory_order_relaxed) == origin.context) fronts.push_back(front);
    std::sort(fronts.begin(), fronts.end(),
              [](const Front* a, const Front* b) { return a->timeline < b->timeline; });
    fronts.erase(std::unique(fronts.begin(), fronts.end()), fronts.end());
  }
  for (Front* front : fronts) {
    const Lock own(front->lock);
    const Opened books(mutex_);
    append_given(*front, snapshot);
  }
  return snapshot;
}

}  // namespace gmlake::pool
