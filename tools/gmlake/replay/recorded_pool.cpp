#include "replay/recorded_pool.h"

#include <algorithm>

namespace gmlake::replay {

using trace::Kind;

void RecordedPool::begin() {
  learnt_ = paces_ = 0;
  device_.follow(this);
}

void RecordedPool::before(std::size_t position) {
  const auto& events = trace_.events;
  position_ = end_ = position;
  if (events[position].kind() != Kind::allocate) {
    learn_all();
    while (++end_ < events.size() && events[end_].of_pool()) {
    }
    return;
  }
  // Work that the program gave its streams meanwhile, and what came of it.
  auto worked = position;
  while (worked > learnt_ && events[worked - 1].kind() != Kind::work) --worked;
  learn_to(worked);
  give_work();
}

void RecordedPool::after() {
  if (trace_.events[position_].kind() == Kind::allocate) learn_all();
}

void RecordedPool::asked(driver::Event event) {
  learn_next(Kind::asked, event);
}

void RecordedPool::awaited(driver::Event event) {
  learn_next(Kind::awaited, event);
}

// The next that the recorded pool found out, if that was it.
void RecordedPool::learn_next(Kind kind, driver::Event event) {
  if (gives_work_) return;  // of which all is known
  const auto& events = trace_.events;
  const auto is_news = [](const trace::Event& row) {
    return row.kind() == Kind::asked || row.kind() == Kind::awaited;
  };
  while (learnt_ < known_end() && !is_news(events[learnt_])) learn(events[learnt_++]);
  if (learnt_ >= known_end()) return;
  const auto& next = events[learnt_];
  if (next.kind() == kind && device_.is_of(next.block, event)) learn(events[learnt_++]);
}

// How long one is left in peace was said by a clock: the recorded pool asked, or it did not.
bool RecordedPool::asks(driver::Event event) {
  for (auto row = learnt_; row < known_end(); ++row) {
    const auto& said = trace_.events[row];
    if (said.kind() == Kind::fence) learn(said);
    if (said.kind() == Kind::asked && device_.is_of(said.block, event)) return true;
  }
  return false;
}

bool RecordedPool::looks(LaggingDevice::Lane lane) {
  return has(Kind::asked, lane);
}

bool RecordedPool::follows(LaggingDevice::Lane lane) {
  return has(Kind::fence, lane);
}

// The legacy stream's events are there or on all of its context.
bool RecordedPool::has(Kind kind, LaggingDevice::Lane lane) const {
  const auto same = [](LaggingDevice::Lane one) {
    return one == LaggingDevice::kHost ? nullptr : one;
  };
  for (auto row = learnt_; row < known_end(); ++row) {
    const auto& said = trace_.events[row];
    if (said.kind() == kind && same(lane_of(said)) == same(lane)) return true;
  }
  return false;
}

void RecordedPool::pace(driver::Pace& measured) {
  if (has_pace()) {
    learn_to(std::min(end_, trace_.paces[paces_].before));
    ++paces_;
  }
  if (paces_ == 0) return;
  const auto& known = trace_.paces[paces_ - 1];
  measured = {known.map_ns, known.create_ns, known.may_stitch};
}

bool RecordedPool::has_pace() const {
  return paces_ < trace_.paces.size() && trace_.paces[paces_].before <= position_;
}

// No plan is made with what was found out after it.
std::size_t RecordedPool::known_end() const {
  return has_pace() ? std::min(end_, trace_.paces[paces_].before) : end_;
}

LaggingDevice::Lane RecordedPool::lane_of(const trace::Event& event) const {
  const auto& origin = streams_[event.stream];
  return origin.host() ? LaggingDevice::kHost : origin.stream;
}

void RecordedPool::learn(const trace::Event& event) {
  if (!event.of_pool() || !device_.is_recorded()) return;
  if (event.kind() == Kind::asked || event.kind() == Kind::awaited) {
    if (event.bytes != 0) device_.passed(event.block);
    return;
  }
  if (event.kind() == Kind::work)
    worked_.push_back(event.stream);
  else
    device_.fence(event.block, lane_of(event));
}

void RecordedPool::learn_to(std::size_t end) {
  while (learnt_ < end) learn(trace_.events[learnt_++]);
}

void RecordedPool::learn_all() {
  while (has_pace()) ++paces_;
  learn_to(position_);
  give_work();
}

// Not amid a call of the pool's, which has its locks.
void RecordedPool::give_work() {
  gives_work_ = true;
  for (const auto stream : worked_) (void)pool_.before_work(streams_[stream]);
  gives_work_ = false;
  worked_.clear();
}

}  // namespace gmlake::replay
