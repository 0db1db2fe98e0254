#include "pool/follower.h"

#include <algorithm>

#include "support/fault.h"
#include "support/no_cancel.h"
#include "support/this_thread.h"

namespace gmlake::pool {

using Kind = stats::StreamName::Kind;
using IfEnding = stream::Fences::IfEnding;

namespace {

// Whether it is the calling thread's own default stream, whose handle means it here.
bool is_mine(const Front& front) {
  return front.thread.load(std::memory_order_relaxed) == this_thread();
}

// Another thread's own stream has none here.
bool has_name(const Front& front) {
  return front.kind.load(std::memory_order_relaxed) != Kind::per_thread || is_mine(front);
}

// Whether the handle is its own, and ends with it: not one by which each thread knows another.
bool has_own_handle(const Origin& origin) {
  return origin.stream && !origin.thread_bound && origin.kind == Kind::created;
}

}  // namespace

void Follower::follow(Closed closed, Time now, bool in_time, Moment closed_at) {
  const auto batch = closed.batch;
  const auto recorded = fences_.follow(batch, std::move(closed.before), now, in_time, closed_at);
  if (!recorded && recorded.error().kind == ErrorKind::unsupported)
    contexts_unsupported_.store(true, std::memory_order_relaxed);
  books_.followed(batch, recorded);
}

void Follower::follow(Front& front, bool in_time, const Origin* on) {
  const GracePeriod::Section in_hand(in_hand_);
  const auto moment = fences_.moment();
  auto closed = books_.close(front);
  if (!closed) return;
  auto& how = closed->batch.follow;
  if (on && !on->host()) how = {on->context, on->stream, false, false};
  if (is_mine(front)) how.whole_context = false;
  how.may_order = front.host && in_time;
  follow(std::move(*closed), stream::Fences::Clock::now(), in_time, moment);
}

bool Follower::follows_itself(const Front& front) const {
  return front.host && static_cast<Bytes>(front.unfollowed.get()) >= books_.unfollowed_limit() &&
         !front.in_order() && device_.records_in_frees();
}

void Follower::freed(Front& front, const Origin& by) {
  const auto unfollowed = static_cast<Bytes>(front.unfollowed.get());
  if (front.host) {
    if (!follows_itself(front)) {
      // What is given to the context from here on is not seen here.
      front.worked_since.store(true, std::memory_order_relaxed);
      // Unless another thread's free has come since and relies on being the one that follows.
      if (!follows_itself(front)) return;
    }
    const bool elsewhere =
        static_cast<Bytes>(front.unfollowed_elsewhere.get()) >= books_.unfollowed_limit();
    follow(front, true);
    if (!elsewhere) return;
    // cuMemFree of streams' memory, whose work is theirs.
    for (Front* other : books_.fronts([](const Front& one) { return !one.host; }))
      if (has_name(*other)) follow(*other, true);
    return;
  }
  // Beside a capture a thread's own stream can be followed by that thread alone: now.
  if (device_.sees_work() && !(by.thread_bound && device_.captures())) return;
  if (unfollowed >= books_.unfollowed_limit())
    follow(front, true, &by);
  else
    front.worked_since.store(true, std::memory_order_relaxed);
}

bool Follower::follow_if_due(Front& front, const Origin* on) {
  const auto unfollowed = static_cast<Bytes>(front.unfollowed.get());
  if (GMLAKE_FAULT(followed_late)) return false;
  if (unfollowed != 0 && unfollowed >= books_.unfollowed_limit() && (on || has_name(front))) {
    follow(front, true, on);
    return true;
  }
  if (front.worked_since.load(std::memory_order_relaxed)) return false;
  front.worked_since.store(true, std::memory_order_relaxed);
  return true;
}

bool Follower::before_work(const Origin& origin) {
  Front* const own = books_.known_front(origin);
  bool news = own && follow_if_due(*own, &origin);
  if (!origin.blocking || !books_.has_blocking_beside(own)) return news;
  // Later events on a blocking stream come after the legacy stream's work, and the other way round;
  // an event of ours in the legacy stream is such work too.
  const auto is_legacy = [](const Front& one) {
    return one.kind.load(std::memory_order_relaxed) == Kind::legacy;
  };
  auto fronts =
      books_.fronts([](const Front& one) { return one.blocking.load(std::memory_order_relaxed); });
  std::stable_partition(fronts.begin(), fronts.end(),
                        [&](const Front* one) { return !is_legacy(*one); });
  const bool all = origin.kind == Kind::legacy ||
                   std::any_of(fronts.begin(), fronts.end(), [&](const Front* one) {
                     return is_legacy(*one) && one->unfollowed.get() != 0;
                   });
  for (Front* front : fronts)
    if (all || is_legacy(*front)) news = follow_if_due(*front) || news;
  return news;
}

void Follower::before_all_wait() {
  for (Front* front : books_.fronts([](const Front&) { return true; })) (void)follow_if_due(*front);
}

void Follower::before_capture(driver::Context context) {
  // Those of streams are followed as ever; of the host what is left.
  for (Front* front : books_.fronts_of(context))
    if (front->host) follow(*front, false);
}

void Follower::ends(const Origin& origin, bool by_handle) {
  {
    const GracePeriod::Section in_hand(in_hand_);
    books_.unpark_all(Books::Loans::stay);
    Front* front = books_.known_front(origin);
    if (front) books_.take_loans_back_of(*front);
    const bool in_time = front && !front->worked_since.load(std::memory_order_relaxed);
    const auto moment = fences_.moment();
    if (auto closed = books_.ending(origin, by_handle))
      follow(std::move(*closed), stream::Fences::Clock::now(), in_time, moment);
  }
  if (has_own_handle(origin)) fences_.leave(origin.stream);
}

void Follower::ended(const Origin& origin, bool gone) {
  if (!has_own_handle(origin)) return;
  if (gone)
    fences_.forget_stream(origin.stream);
  else
    fences_.stay(origin.stream);
}

void Follower::follow_open(const std::vector<stream::Timeline>& open, Time now) {
  struct Due {
    Closed closed;
    bool in_time;
    bool legacy;
  };
  std::vector<Due> due;
  const auto moment = fences_.moment();
  {
    const Books::Opened books(books_.mutex());
    for (const auto t : open) {
      const auto& front = books_.front_at(t);
      // Whoever has just freed there is about to follow that, and in time.
      if (follows_itself(front) && !front.worked_since.load(std::memory_order_relaxed)) continue;
      if (!books_.timelines().open_has_frees(t)) continue;
      auto closed = books_.close(t);
      auto& how = closed.batch.follow;
      bool in_time = !front.worked_since.load(std::memory_order_relaxed);
      // An event in the legacy stream would put an order between the program's blocking streams
      // that is not the free's any more.
      const bool ended = books_.timelines().ended(t);
      how.whole_context = (how.whole_context && (ended || !is_mine(front))) ||
                          (!in_time && front.kind.load(std::memory_order_relaxed) == Kind::legacy);
      in_time = (in_time && (front.host || !how.whole_context)) || !device_.records_in_frees();
      due.push_back(
          {std::move(closed), in_time, front.kind.load(std::memory_order_relaxed) == Kind::legacy});
    }
  }
  // An event in the legacy stream puts others' behind it.
  std::stable_partition(due.begin(), due.end(), [](const Due& one) { return !one.legacy; });
  for (auto& one : due) follow(std::move(one.closed), now, one.in_time, moment);
}

bool Follower::harvest(Stake stake, Time now, const Books::Awaited* awaited) {
  const GracePeriod::Section in_hand(in_hand_);
  const auto named = books_.named(awaited);
  auto open = named;
  {
    const Books::Opened books(books_.mutex());
    const auto& timelines = books_.timelines();
    std::erase_if(open, [&](stream::Timeline t) { return !timelines.open_has_frees(t); });
  }
  if (stake == Stake::place)
    std::erase_if(open, [&](stream::Timeline t) { return !fences_.due(t, now, stake); });
  if (!open.empty()) follow_open(open, now);
  return ask(books_.known_of(named), now, stake);
}

bool Follower::ask(const stream::Snapshot& known, Time now, Stake stake) {
  const auto answers = fences_.ask(known, now, stake);
  if (answers.questions == 0 && answers.passed.empty()) return false;
  const Books::Opened books(books_.mutex());
  books_.counters().fence_queries += answers.questions;
  for (const auto& point : answers.passed) books_.advance(point);
  return !answers.passed.empty();
}

bool Follower::harvest_own(Front& front, Bytes bytes) {
  const auto t = front.timeline;
  const bool pending = fences_.pending(t);
  if (!pending && static_cast<Bytes>(front.unfollowed.get()) < bytes) return false;
  const NoCancel whole;
  const GracePeriod::Section in_hand(in_hand_);
  const auto now = stream::Fences::Clock::now();
  if (!pending) follow_open({t}, now);
  return ask(books_.known_of({t}), now, Stake::walk);
}

bool Follower::insert_wait(Bytes bytes, const Origin& origin) {
  auto& asking = books_.front_of(origin);
  const auto least = books_.awaited_by(asking, bytes, false);
  const auto point = fences_.make_wait(
      origin.context, origin.stream, [&](stream::Timeline timeline, std::uint64_t value) {
        const auto found = std::lower_bound(
            least.begin(), least.end(), timeline,
            [](const stream::Point& one, stream::Timeline t) { return one.timeline < t; });
        return found != least.end() && found->timeline == timeline && found->value <= value;
      });
  if (!point) return false;
  const Books::Opened books(books_.mutex());
  books_.comes_after(asking, {*point});
  return true;
}

bool Follower::wait_oldest(bool of_contexts) {
  std::vector<bool> of_context;
  {
    const Books::Opened books(books_.mutex());
    const auto& timelines = books_.timelines();
    for (stream::Timeline t = 0; t < timelines.size(); ++t)
      of_context.push_back(timelines.is_context(t));
  }
  std::optional<GracePeriod::Section> in_hand;
  const auto happened = fences_.wait_oldest(
      [&](stream::Timeline timeline) {
        return !of_contexts || (timeline < of_context.size() && of_context[timeline]);
      },
      [&] { in_hand.emplace(in_hand_); });
  if (!happened) return false;
  const Books::Opened books(books_.mutex());
  ++books_.counters().fence_waits;
  books_.advance(*happened);
  return true;
}

bool Follower::wait_for_context(driver::Context context, Moment looked_up) {
  const stream::Fences::Stay stay(fences_, context, looked_up, IfEnding::wait);
  if (!stay) return false;
  const auto event = device_.create_event(context);
  if (!event) return false;
  const auto recorded = device_.record_context(*event, context, true);
  bool over = false;
  if (recorded)
    over = device_.wait(*event).has_value();
  else if (recorded.error().kind == ErrorKind::unsupported)
    over = device_.wait_context(context).has_value();
  (void)device_.destroy_event(*event);
  return over;
}

bool Follower::wait_unfollowed() {
  if (!contexts_unsupported_.load(std::memory_order_relaxed)) return false;
  std::optional<Closed> closed;
  const auto moment = fences_.moment();
  {
    const Books::Opened books(books_.mutex());
    const auto& timelines = books_.timelines();
    for (stream::Timeline t = 0; t < timelines.size() && !closed; ++t)
      if (timelines.open_has_frees(t)) closed = books_.close(t);
  }
  if (!closed) return false;
  const auto& batch = closed->batch;
  const stream::Fences::Stay stay(fences_, batch.follow.context, moment, IfEnding::wait);
  const bool waited = stay && device_.wait_context(batch.follow.context);
  const Books::Opened books(books_.mutex());
  if (!waited) {
    books_.timelines().not_recorded(batch);
    return false;
  }
  ++books_.counters().fence_waits;
  books_.advance(stream::Point{batch.timeline, batch.value});
  return true;
}

}  // namespace gmlake::pool
