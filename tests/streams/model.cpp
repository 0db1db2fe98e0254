#include "streams/model.h"

#include <algorithm>

namespace gmlake::streams {
namespace {

using Problem = Model::Problem;

bool names_stream(Kind kind) {
  switch (kind) {
    case Kind::create_stream:
    case Kind::create_event:
    case Kind::destroy_event:
    case Kind::allocate:
    case Kind::free:
    case Kind::sync_event:
    case Kind::sync_context:
    case Kind::query_event:
    case Kind::poll_event:
    case Kind::destroy_graph:
    case Kind::trim:
      return false;
    default:
      return true;
  }
}
bool names_live_block(Kind kind) {
  return kind == Kind::free_async || kind == Kind::free || kind == Kind::write ||
         kind == Kind::read || kind == Kind::record_use;
}
bool names_event(Kind kind) {
  return kind == Kind::destroy_event || kind == Kind::record || kind == Kind::wait ||
         kind == Kind::sync_event || kind == Kind::query_event || kind == Kind::poll_event;
}
// cuda.h, cuThreadExchangeStreamCaptureMode: what may not be done beside a capture. Allocation and
// free in a stream count too (measured on driver 580), and so does asking.
bool is_unsafe(Kind kind) {
  switch (kind) {
    case Kind::allocate_async:
    case Kind::free_async:
    case Kind::allocate:
    case Kind::free:
    case Kind::sync_event:
    case Kind::sync_stream:
    case Kind::query_event:
    case Kind::query_stream:
    case Kind::poll_event:
    case Kind::poll_stream:
      return true;
    default:
      return false;
  }
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

Problem problem(const char* what) {
  return {what, {}};
}

}  // namespace

Model::Model() {
  for (unsigned slot = 0; slot < kCreated; ++slot) {
    streams_[slot].alive = streams_[slot].blocking = true;
    streams_[slot].life = ++lives_;
  }
}

std::optional<Problem> Model::apply(const Operation& o) {
  if (auto wrong = check_names(o)) return wrong;
  if (auto wrong = check_capture(o)) return wrong;
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

Model::Verdict Model::check_capture(const Operation& o) const {
  const bool in_capture = names_stream(o.kind) && streams_[o.b].capturing;
  if (o.kind == Kind::record && o.c != 0) {
    if (!in_capture) return problem("not in a capture");
    // Of two recordings in branches of a graph nothing says which is the last.
    if (is_in_graph(o.a)) return problem("a graph records the event");
  }
  if (!capture_.on) return o.kind == Kind::end_capture ? problem("no capture") : Verdict{};
  if (names_stream(o.kind) && o.b == kLegacy) return problem("the legacy stream beside a capture");
  if (in_capture) switch (o.kind) {
      case Kind::allocate_async:
      case Kind::free_async:
      case Kind::write:
      case Kind::read:
      case Kind::record:
      case Kind::wait:
      case Kind::end_capture:
        return {};
      default:
        return problem("not in a capture");
    }
  if (o.kind == Kind::begin_capture || o.kind == Kind::sync_context || o.kind == Kind::trim)
    return problem("not beside a capture");
  if ((o.kind == Kind::free || o.kind == Kind::free_async) && !blocks_[o.a].recorded.empty())
    return problem("recorded uses, beside a capture");
  const bool own = o.thread == capture_.thread;
  const bool refused = capture_.mode == 0 || (capture_.mode == 1 && own);
  if (refused && is_unsafe(o.kind)) return problem("not beside this capture");
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
      streams_[o.b].alive = false;
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
    default:
      return {};
  }
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

// Natively an allocation or a free in the legacy stream is work there, which comes before and after
// the work of blocking streams. With gmlake only other work is (docs/streams.md), so no program
// relies on that.
unsigned Model::add_memory(unsigned slot) {
  if (slot != kLegacy) return add(slot, {});
  const Works done = streams_[slot].done;
  const auto number = add(slot, {});
  streams_[slot].done = done;
  memory_in_legacy_.set(number);
  return number;
}

// There must be room to free what the graph has allocated.
bool Model::captured_enough() const {
  if (!capture_.on) return false;
  auto count = graphs_[capture_.graph].nodes.size() + 2;
  for (const auto& block : blocks_) count += block.live && block.captured ? 1 : 0;
  return count >= kMostCaptured;
}

unsigned Model::add_captured(unsigned slot, Node node) {
  auto& nodes = graphs_[capture_.graph].nodes;
  const auto number = static_cast<unsigned>(nodes.size());
  node.before = streams_[slot].captured;
  node.before.set(number);
  streams_[slot].captured = node.before;
  nodes.push_back(node);
  return number;
}

void Model::allocate(const Operation& o) {
  auto& block = blocks_[o.a];
  block = {};
  block.live = true;
  block.serial = ++serials_;
  if (o.kind == Kind::allocate) return;
  block.stream_ordered = true;
  if (streams_[o.b].capturing) {
    block.captured = o.b;
    add_captured(o.b, {Kind::allocate_async, o.a, 0, {}});
  } else {
    block.begin = add_memory(o.b);
  }
}

std::vector<unsigned> Model::missing(const Block& block, bool write, const Works& done) const {
  std::vector<unsigned> all;
  if (block.begin && !done[*block.begin]) all.push_back(*block.begin);
  for (const auto& use : block.uses)
    if ((write || use.write) && !done[use.work]) all.push_back(use.work);
  return all;
}

Model::Verdict Model::use(const Operation& o) {
  auto& block = blocks_[o.a];
  if (block.captured) return problem("memory of a graph");
  const bool write = o.kind == Kind::write;
  if (auto wrong = missing(block, write, before(o.b)); !wrong.empty())
    return Problem{"a use without order", wrong};
  block.uses.push_back({add(o.b, {}), write, streams_[o.b].life});
  block.written = block.written || write;
  return {};
}

Model::Verdict Model::use_captured(const Operation& o) {
  auto& block = blocks_[o.a];
  const auto& nodes = graphs_[capture_.graph].nodes;
  if (captured_enough()) return problem("too much captured");
  if (block.captured && *block.captured != o.b) return problem("on another stream of the capture");
  const bool write = o.kind == Kind::write;
  const auto serial = block.captured ? 0 : block.serial;
  for (std::size_t i = 0; i < nodes.size(); ++i)
    if (nodes[i].a == o.a && nodes[i].serial == serial && nodes[i].kind != Kind::record &&
        (write || nodes[i].kind == Kind::write) && !streams_[o.b].captured[i])
      return problem("a captured use without order");
  if (block.captured && write) block.written = true;
  add_captured(o.b, {o.kind, o.a, serial, {}});
  return {};
}

Model::Verdict Model::release(const Operation& o) {
  auto& block = blocks_[o.a];
  const bool by_host = o.kind == Kind::free;
  if (!by_host && streams_[o.b].capturing) {
    // cuda.h, cuMemFreeAsync: in a capture only what the graph allocates can be freed.
    if (!block.captured || *block.captured != o.b) return problem("not memory of the graph");
    add_captured(o.b, {Kind::free_async, o.a, 0, {}});
    block.live = false;
    return {};
  }
  if (block.captured) return problem("memory of a graph");
  // Uses on recorded streams are gmlake's to wait for.
  Block rest = block;
  std::erase_if(rest.uses, [&](const Use& use) {
    return std::find(block.recorded.begin(), block.recorded.end(), use.life) !=
           block.recorded.end();
  });
  // cuda.h, cuMemFree: waits for memory of its own kind; for stream-ordered memory "Callers must
  // ensure that all accesses to these pointer have completed".
  if (by_host) rest.begin.reset();
  if (!by_host || block.stream_ordered)
    if (auto wrong = missing(rest, true, by_host ? host_ : before(o.b)); !wrong.empty())
      return Problem{"a free without order", wrong};
  if (!by_host) add_memory(o.b);
  block.live = false;
  return {};
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

void Model::join(const Operation& o) {
  auto& stream = streams_[o.b];
  if (!stream.capturing) stream.captured.reset();
  stream.capturing = true;
  stream.captured |= events_[o.a].captured;
}

Model::Works Model::told(const Operation& o) const {
  switch (o.kind) {
    case Kind::sync_event:
    case Kind::poll_event:
      return events_[o.a].done;
    case Kind::sync_context: {
      Works all;
      for (std::size_t i = 0; i < work_.size(); ++i) all.set(i);
      return all;
    }
    default:
      return before(o.b);
  }
}

Model::Verdict Model::end_capture(const Operation& o) {
  const auto& nodes = graphs_[capture_.graph].nodes;
  if (o.a != capture_.graph || o.b != capture_.stream) return problem("another capture");
  if (capture_.mode != 2 && o.thread != capture_.thread) return problem("another thread's capture");
  if (nodes.empty()) return problem("nothing captured");
  for (const auto& stream : streams_)
    if (stream.capturing && (stream.captured & ~streams_[o.b].captured).any())
      return problem("a stream has not come back");
  for (const auto& block : blocks_)
    if (block.live && block.captured) return problem("memory of the graph is left");
  for (auto& stream : streams_) stream.capturing = false;
  graphs_[o.a].made = true;
  capture_.on = false;
  return {};
}

Model::Verdict Model::launch(const Operation& o) {
  auto& graph = graphs_[o.a];
  const Works start = before(o.b) | graph.launched;
  // First as a whole, then for real.
  for (const auto& node : graph.nodes) {
    if (node.kind == Kind::record && !events_[node.a].alive) return problem("no such event");
    if (node.kind == Kind::record || node.serial == 0) continue;
    const auto& block = blocks_[node.a];
    if (!block.live || block.serial != node.serial) return problem("a block that is gone");
    if (node.kind == Kind::read && !block.written) return problem("nothing was written");
    if (auto wrong = missing(block, node.kind == Kind::write, start); !wrong.empty())
      return Problem{"a launch without order", wrong};
  }
  Works end = start;
  const auto first = static_cast<unsigned>(work_.size());
  for (const auto& node : graph.nodes) {
    const auto number = static_cast<unsigned>(work_.size());
    Works done = start;
    for (unsigned i = 0; i < graph.nodes.size(); ++i)
      if (node.before[i]) done.set(first + i);
    work_.push_back({done, o.b, streams_[o.b].life});
    end |= done;
    if (node.kind == Kind::record) {
      auto& event = events_[node.a];
      event.recorded = Recorded::by_stream;
      event.done = done;
      ++event.version;
    } else if (node.serial != 0) {
      auto& block = blocks_[node.a];
      block.uses.push_back({number, node.kind == Kind::write, streams_[o.b].life});
      block.written = block.written || node.kind == Kind::write;
    }
  }
  const auto last = add(o.b, end);
  graph.launched = work_[last].before;
  return {};
}

bool Model::is_in_graph(unsigned event) const {
  for (const auto& graph : graphs_)
    for (const auto& node : graph.nodes)
      if (node.kind == Kind::record && node.a == event) return true;
  return false;
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
  return {};
}

}  // namespace gmlake::streams
