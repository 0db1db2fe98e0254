// The model's captures and graphs.
#include "streams/model.h"

namespace gmlake::streams {
namespace {

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

}  // namespace

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
  if (o.kind == Kind::begin_capture || o.kind == Kind::sync_context || o.kind == Kind::trim ||
      o.kind == Kind::renew_context)
    return problem("not beside a capture");
  if ((o.kind == Kind::free || o.kind == Kind::free_async) && !blocks_[o.a].recorded.empty())
    return problem("recorded uses, beside a capture");
  const bool own = o.thread == capture_.thread;
  const bool refused = capture_.mode == 0 || (capture_.mode == 1 && own);
  if (refused && is_unsafe(o.kind)) return problem("not beside this capture");
  return {};
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

void Model::join(const Operation& o) {
  auto& stream = streams_[o.b];
  if (!stream.capturing) stream.captured.reset();
  stream.capturing = true;
  stream.captured |= events_[o.a].captured;
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

}  // namespace gmlake::streams
