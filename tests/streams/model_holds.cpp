// The model's host functions that wait for the program: what would wait for them.
#include <algorithm>

#include "streams/model.h"

namespace gmlake::streams {

bool Model::holding() const {
  return std::any_of(holds_.begin(), holds_.end(), [](const Hold& hold) { return hold; });
}

bool Model::is_held(const Works& works) const {
  return std::any_of(holds_.begin(), holds_.end(),
                     [&](const Hold& hold) { return hold && works[*hold]; });
}

Model::Verdict Model::check_holds(const Operation& o) const {
  if (o.kind == Kind::hold && holds_[o.a]) return problem("it waits already");
  if (o.kind == Kind::let_go && !holds_[o.a]) return problem("nobody waits");
  if (!holding()) return {};
  // What two calls under way at once come to is known one way only: what is ordered, not what is
  // not.
  if (o.overlap != Overlap::none)
    return problem("calls at once, beside a host function that waits");
  switch (o.kind) {
    case Kind::sync_event:
    case Kind::poll_event:
    case Kind::sync_stream:
    case Kind::poll_stream:
    case Kind::sync_context:
      if (is_held(told(o))) return problem("hangs");
      return {};
    // Waits for the whole context.
    case Kind::free:
      return problem("hangs");
    // Whoever wants the memory may wait for all that the stream has to do; where uses are recorded
    // and in a thread's own stream, for all that the context has.
    case Kind::free_async:
      if (!blocks_[o.a].recorded.empty() || is_per_thread(o.b) || is_held(before(o.b)))
        return problem("memory freed behind a host function that waits");
      return {};
    // In the legacy stream it is no work that others come after, but none is to rely on that.
    case Kind::allocate_async:
      if (o.b == kLegacy && is_held(before(o.b))) return problem("an allocation that waits");
      return {};
    // The legacy stream still comes after what it has to do.
    case Kind::destroy_stream:
      return is_held(before(o.b)) ? Verdict(problem("a stream with work that waits")) : Verdict{};
    case Kind::destroy_graph:
      return is_held(graphs_[o.a].launched) ? Verdict(problem("a graph that waits")) : Verdict{};
    // With streams.single_stream the context's second stream begins with a wait.
    case Kind::create_stream:
      return problem("a new stream beside a host function that waits");
    default:
      return {};
  }
}

}  // namespace gmlake::streams
