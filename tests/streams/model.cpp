#include "streams/model.h"

namespace gmlake::streams {
namespace {

bool names_event(Kind kind) {
  return kind == Kind::destroy_event || kind == Kind::record || kind == Kind::wait ||
         kind == Kind::sync_event || kind == Kind::query_event || kind == Kind::poll_event;
}
bool may_be_outer(Kind kind) {
  return kind == Kind::record || kind == Kind::wait ||
         (kind >= Kind::sync_event && kind <= Kind::poll_stream);
}
// Of a loop that asks the first call is meant, whose answer may be no.
bool may_return_late(Kind kind) {
  return may_be_outer(kind) && kind != Kind::poll_event && kind != Kind::poll_stream;
}
bool may_be_inner(Kind kind) {
  return (kind >= Kind::allocate_async && kind <= Kind::read) || kind == Kind::record ||
         kind == Kind::wait || kind == Kind::launch;
}

}  // namespace

Model::Model() {
  for (unsigned slot = 0; slot < kCreated; ++slot) {
    streams_[slot].alive = streams_[slot].blocking = true;
    streams_[slot].life = ++lives_;
  }
}

std::optional<Model::Problem> Model::apply(const Operation& o) {
  if (auto wrong = check_names(o)) return wrong;
  if (auto wrong = check_capture(o)) return wrong;
  if (auto wrong = check_holds(o)) return wrong;
  if (work_.size() + kMostCaptured + 2 > kMostWork) return problem("too long");
  if (inner_left_ != 0) {
    const bool apart =
        may_be_inner(o.kind) && o.thread != outer_.operation.thread && o.overlap == Overlap::none;
    if (!apart) return problem("not beside another call");
    // A free of a block with recorded uses waits, where there is no gmlake.
    if (names_live_block(o.kind) && !blocks_[o.a].recorded.empty())
      return problem("recorded uses, beside another call");
  }
  if (o.overlap == Overlap::before_effect) {
    if (!may_be_outer(o.kind) || capture_.on) return problem("can not be under way so long");
    if (o.kind != Kind::record && names_event(o.kind) &&
        events_[o.a].recorded == Recorded::in_capture)
      return problem("an event of a capture");
    begin_outer(o);
    inner_left_ = o.inner;
    if (inner_left_ == 0) end_outer();
    return {};
  }
  if (o.overlap == Overlap::after_effect && (!may_return_late(o.kind) || capture_.on))
    return problem("can not be under way so long");
  if (auto wrong = happens(o)) return wrong;
  if (o.overlap == Overlap::after_effect) {
    outer_ = {o, {}, 0};
    inner_left_ = o.inner;
  } else if (inner_left_ != 0 && --inner_left_ == 0 &&
             outer_.operation.overlap == Overlap::before_effect) {
    end_outer();
  }
  return {};
}

Model::Verdict Model::check_names(const Operation& o) const {
  const bool creates = o.kind == Kind::create_stream;
  if (creates || o.kind == Kind::destroy_stream)
    if (o.b < kCreated) return problem("not a stream to create or destroy");
  if (creates && streams_[o.b].alive) return problem("the stream is there");
  if (names_stream(o.kind) && !streams_[o.b].alive) return problem("no such stream");
  if (names_stream(o.kind) && is_per_thread(o.b) && o.thread != o.b - 1)
    return problem("another thread's stream");
  if ((o.kind == Kind::allocate || o.kind == Kind::allocate_async) &&
      (blocks_[o.a].live || o.c == 0))
    return problem("the block is there");
  if (names_live_block(o.kind) && !blocks_[o.a].live) return problem("no such block");
  if (o.kind == Kind::read && !blocks_[o.a].written) return problem("nothing was written");
  if (o.kind == Kind::create_event && events_[o.a].alive) return problem("the event is there");
  if (names_event(o.kind) && !events_[o.a].alive) return problem("no such event");
  if (o.kind == Kind::destroy_event && is_in_graph(o.a))
    return problem("a graph records the event");
  if ((o.kind == Kind::launch || o.kind == Kind::destroy_graph) && !graphs_[o.a].made)
    return problem("no such graph");
  return {};
}

Model::Verdict Model::happens(const Operation& o) {
  switch (o.kind) {
    case Kind::create_stream:
      streams_[o.b] = {};
      streams_[o.b].alive = true;
      streams_[o.b].blocking = o.c == 0;
      streams_[o.b].life = ++lives_;
      return {};
    case Kind::destroy_stream:
      if (o.c == 0) streams_[o.b].alive = false;
      return {};
    case Kind::create_event:
      events_[o.a] = {};
      events_[o.a].alive = true;
      return {};
    case Kind::destroy_event:
      events_[o.a].alive = false;
      return {};
    case Kind::allocate_async:
    case Kind::allocate:
      if (captured_enough()) return problem("too much captured");
      return allocate(o), Verdict{};
    case Kind::free_async:
    case Kind::free:
      return release(o);
    case Kind::write:
    case Kind::read:
      return streams_[o.b].capturing ? use_captured(o) : use(o);
    case Kind::record_use:
      if (blocks_[o.a].captured) return problem("memory of a graph");
      blocks_[o.a].recorded.push_back(streams_[o.b].life);
      return {};
    case Kind::record:
      if (o.c != 0 && captured_enough()) return problem("too much captured");
      return record(o), Verdict{};
    case Kind::wait:
      return wait(o);
    case Kind::sync_event:
    case Kind::poll_event:
    case Kind::query_event:
      if (events_[o.a].recorded == Recorded::in_capture) return problem("an event of a capture");
      if (o.kind != Kind::query_event) host_ |= told(o);
      return {};
    case Kind::sync_stream:
    case Kind::poll_stream:
    case Kind::sync_context:
      host_ |= told(o);
      return {};
    case Kind::begin_capture:
      if (o.b == kLegacy || o.c > 2 || graphs_[o.a].made) return problem("can not be captured");
      graphs_[o.a] = {};
      capture_ = {true, capture_.number + 1, o.a, o.b, o.thread, o.c};
      streams_[o.b].capturing = true;
      streams_[o.b].captured.reset();
      return {};
    case Kind::end_capture:
      return end_capture(o);
    case Kind::launch:
      return launch(o);
    case Kind::destroy_graph:
      graphs_[o.a] = {};
      return {};
    case Kind::hold:
      holds_[o.a] = add(o.b, {});
      return {};
    case Kind::let_go:
      holds_[o.a].reset();
      return {};
    case Kind::renew_context:
      return renew_context();
    default:
      return {};
  }
}

// The end of a context waits for its work, and takes all but stream-ordered memory with it. Where
// there is no gmlake, recorded uses are waited for when the block is freed; then it is too late.
Model::Verdict Model::renew_context() {
  for (const auto& block : blocks_)
    if (block.live && !block.recorded.empty())
      return problem("recorded uses, and their streams go");
  host_ = everything();
  for (unsigned slot = 0; slot < kStreams; ++slot) {
    streams_[slot] = {};
    if (slot >= kCreated) continue;
    streams_[slot].alive = streams_[slot].blocking = true;
    streams_[slot].life = ++lives_;
  }
  events_ = {};
  graphs_ = {};
  for (auto& block : blocks_)
    if (!block.stream_ordered) block.live = block.written = false;
  return {};
}

Model::Works Model::before(unsigned slot) const {
  Works all = host_ | streams_[slot].done;
  if (slot == kLegacy) {
    all |= memory_in_legacy_;
    for (const auto& other : streams_)
      if (other.alive && other.blocking) all |= other.done;
  } else if (streams_[slot].blocking) {
    all |= streams_[kLegacy].done;
  }
  return all;
}

unsigned Model::add(unsigned slot, const Works& more) {
  const auto number = static_cast<unsigned>(work_.size());
  work_.push_back({before(slot) | more, slot, streams_[slot].life});
  work_.back().before.set(number);
  streams_[slot].done = work_.back().before;
  return number;
}

void Model::record(const Operation& o) {
  auto& event = events_[o.a];
  if (streams_[o.b].capturing) {
    if (o.c != 0) {
      add_captured(o.b, {Kind::record, o.a, 0, {}});
      return;
    }
    event.recorded = Recorded::in_capture;
    event.capture = capture_.number;
    event.captured = streams_[o.b].captured;
    ++event.version;
    return;
  }
  event.recorded = Recorded::by_stream;
  event.done = work_[add(o.b, {})].before;
  ++event.version;
}

Model::Verdict Model::wait(const Operation& o) {
  const auto& event = events_[o.a];
  if (event.recorded == Recorded::in_capture) {
    if (!capture_.on || event.capture != capture_.number) return problem("an event of a capture");
    return join(o), Verdict{};
  }
  if (streams_[o.b].capturing)
    return event.recorded == Recorded::never ? Verdict{} : problem("an event from outside");
  add(o.b, event.done);
  return {};
}

Model::Works Model::told(const Operation& o) const {
  switch (o.kind) {
    case Kind::sync_event:
    case Kind::poll_event:
      return events_[o.a].done;
    case Kind::sync_context:
      return everything();
    default:
      return before(o.b);
  }
}

Model::Works Model::everything() const {
  Works all;
  for (std::size_t i = 0; i < work_.size(); ++i) all.set(i);
  return all;
}

// The call has begun: what it will have done counts as of now, and for others only once it is over.
void Model::begin_outer(const Operation& o) {
  outer_ = {o, {}, 0};
  switch (o.kind) {
    case Kind::record:
      outer_.done = before(o.b);
      outer_.version = events_[o.a].version;
      break;
    case Kind::wait:
    case Kind::sync_event:
    case Kind::poll_event:
      outer_.done = events_[o.a].done;
      outer_.version = events_[o.a].version;
      break;
    case Kind::sync_stream:
    case Kind::poll_stream:
    case Kind::sync_context:
      outer_.done = told(o);
      break;
    default:
      break;
  }
}

void Model::end_outer() {
  const auto& o = outer_.operation;
  auto& event = events_[o.a];
  // Recorded meanwhile: it may be about the one recording or the other.
  const bool again = names_event(o.kind) && event.version != outer_.version;
  const Works done = again ? outer_.done & event.done : outer_.done;
  switch (o.kind) {
    case Kind::record:
      add(o.b, {});
      event.recorded = Recorded::by_stream;
      event.done = done;
      ++event.version;
      break;
    case Kind::wait:
      add(o.b, done);
      break;
    case Kind::query_event:
    case Kind::query_stream:
      break;
    default:
      host_ |= done;
  }
}

std::optional<std::string> what_is_wrong(const Program& program) {
  Model model;
  for (std::size_t i = 0; i < program.size(); ++i)
    if (const auto wrong = model.apply(program[i]))
      return "operation " + std::to_string(i) + ", " + to_text(program[i]) + wrong->what;
  if (model.capture().on) return "a capture is left";
  if (model.holding()) return "a host function waits";
  return {};
}

}  // namespace gmlake::streams
