#include "order.h"

#include <algorithm>
#include <unordered_map>

#include <spdlog/fmt/fmt.h>

#include "context.h"

namespace gmlake::simcuda::order {
namespace {

// Who used a mapping or an allocation last, one touch a timeline.
using Users = std::vector<TouchRef>;

struct State {
  Timelines timelines;
  std::uint64_t host_tick = 1;
  Clock host{{1}};
  Shadow shadow;
  std::unordered_map<Address, Users> users;  // by owner
};
State& state() {
  static auto* state = new State;
  return *state;
}

std::string describe_touch(const Touch& touch) {
  return fmt::format("{}, which {} {:#x} to {:#x}", describe(touch.caller),
                     touch.write ? "writes" : "reads", touch.at, touch.at + touch.size);
}

std::string describe_place(Place begin, Place end) {
  constexpr Place kHostBit = Place{1} << 63;
  if ((begin & kHostBit) != 0)
    return fmt::format("host memory {:#x} to {:#x}", begin & ~kHostBit, end & ~kHostBit);
  return fmt::format("physical bytes {:#x} to {:#x}", begin, end);
}

std::string pair_of(const char* what, const Caller& one, const Caller& other) {
  return fmt::format("{} {} {}", what, one.function, other.function);
}

void used(Address owner, const TouchRef& touch) {
  if (owner == 0) return;
  Users& users = state().users[owner];
  for (TouchRef& user : users)
    if (user->timeline == touch->timeline) {
      if (user->tick < touch->tick) user = touch;
      return;
    }
  users.push_back(touch);
}

// CUDA programming guide, "Virtual Aliasing Support": within one operation the bytes written
// through one address are not coherent with the same bytes at another. One address is no alias.
void check_aliases(const std::vector<Placed>& placed, const Caller& caller) {
  struct Use {
    Piece piece;
    bool write;
  };
  std::vector<Use> uses;  // a copy of rows has very many
  for (const Placed& one : placed)
    for (const Piece& piece : one.pieces) uses.push_back({piece, one.access.write});
  std::sort(uses.begin(), uses.end(),
            [](const Use& a, const Use& b) { return a.piece.place < b.piece.place; });
  for (auto use = uses.begin(); use != uses.end(); ++use) {
    const Piece& a = use->piece;
    for (auto next = use + 1; next != uses.end() && next->piece.place < a.place + a.size; ++next) {
      const Piece& b = next->piece;
      if ((!use->write && !next->write) || a.at - a.place == b.at - b.place) continue;
      found(Check::order, fmt::format("alias {}", caller.function),
            fmt::format("{} uses the same bytes at {:#x} and at {:#x} and writes them: {}",
                        describe(caller), a.at + (b.place - a.place), b.at,
                        describe_place(b.place, std::min(a.place + a.size, b.place + b.size))));
    }
  }
}

// A host function touches when it runs: by then the touches of later operations may be known, which
// are ordered behind it.
bool is_later(const Touch& known, Timeline timeline, std::uint64_t tick) {
  return known.clock != nullptr && known.clock->covers(timeline, tick);
}

// `clock` is null for the host itself, `now` then its clock.
void touch_all(const Placed& placed, const Clock& now, const ClockRef& clock, Timeline timeline,
               std::uint64_t tick, const Caller& caller) {
  auto touch = std::make_shared<Touch>();
  *touch = {timeline, tick, caller, placed.access.at, placed.access.size, placed.access.write,
            clock};
  for (const Piece& piece : placed.pieces) {
    state().shadow.access(
        piece.place, piece.place + piece.size, touch, now,
        [&](const Touch& earlier, Place begin, Place end) {
          if (is_later(earlier, timeline, tick)) return;
          found(Check::order, pair_of("race", earlier.caller, caller),
                fmt::format("no order between {}, and before it {}: {}", describe_touch(*touch),
                            describe_touch(earlier),
                            describe_place(std::max(begin, piece.place),
                                           std::min(end, piece.place + piece.size))));
        });
    used(piece.owner, touch);
  }
}

// `counts` says whether a touch has to be over by then.
template <typename Counts>
void check_end(const Clock& now, const Caller& caller, Address owner, const char* how,
               Counts counts) {
  const auto users = state().users.find(owner);
  if (users == state().users.end()) return;
  for (const TouchRef& user : users->second)
    if (!now.covers(user->timeline, user->tick) && counts(*user))
      found(Check::order, pair_of(how, user->caller, caller),
            fmt::format("{} {} {:#x} with no order behind {}", describe(caller), how, owner,
                        describe_touch(*user)));
}

Timeline timeline_of(Stream& stream) {
  if (stream.timeline == kHostTimeline) stream.timeline = state().timelines.open(state().host);
  return stream.timeline;
}

void join(Clock& clock, const ClockRef& other) {
  if (other != nullptr) clock.join(*other);
}

// What work given to the stream now comes behind, but for what it is told to wait for.
Clock before(const Stream& stream) {
  Clock now = state().host;
  join(now, stream.clock);
  const Context& context = *stream.context;
  if (stream.legacy) {
    for (const StreamRef& other : context.streams)
      if (other->blocking) join(now, other->clock);
    join(now, context.ended_blocking);
  } else if (stream.blocking) {
    join(now, context.legacy->clock);
  }
  return now;
}

Caller caller_in(const Stream& stream) {
  Caller caller = current_caller();
  caller.stream = stream.id;
  return caller;
}

}  // namespace

bool enabled() {
  return checking(Check::order);
}

ClockRef give(Stream& stream, const std::vector<Point>& after, const std::vector<Placed>& placed) {
  if (!enabled()) return nullptr;
  Clock now = before(stream);
  for (const Point& point : after) join(now, point.clock);
  const Timeline timeline = timeline_of(stream);
  const std::uint64_t tick = state().timelines.next(timeline);
  now.raise(timeline, tick);
  auto clock = std::make_shared<const Clock>(std::move(now));
  if (!placed.empty()) {
    const Caller caller = caller_in(stream);
    check_aliases(placed, caller);
    for (const Placed& one : placed) touch_all(one, *clock, clock, timeline, tick, caller);
  }
  // What the host does next is not ordered before this operation.
  state().host.raise(kHostTimeline, ++state().host_tick);
  return stream.clock = std::move(clock);
}

ClockRef behind_context(const Context& context) {
  if (!enabled()) return nullptr;
  Clock now = state().host;
  for (const StreamRef& stream : context.streams) join(now, stream->clock);
  join(now, context.ended);
  return std::make_shared<const Clock>(std::move(now));
}

void host_saw(const ClockRef& clock) {
  if (clock != nullptr) state().host.join(*clock);
}
void host_saw_stream(const Stream& stream) {
  if (enabled()) state().host.join(before(stream));
}

void stream_ends(Stream& stream) {
  if (stream.clock == nullptr) return;
  const auto add = [&](ClockRef& ended) {
    Clock sum = *stream.clock;
    join(sum, ended);
    ended = std::make_shared<const Clock>(std::move(sum));
  };
  add(stream.context->ended);
  if (stream.blocking) add(stream.context->ended_blocking);
  state().timelines.close(stream.timeline);
  stream.clock = nullptr;
}

void host_touches(const Placed& placed) {
  if (!enabled()) return;
  if (const Operation* code = host_code_running(); code != nullptr)
    touch_all(placed, *code->clock, code->clock, code->stream->timeline,
              code->clock->ticks[code->stream->timeline], code->caller);
  else
    touch_all(placed, state().host, nullptr, kHostTimeline, state().host_tick, current_caller());
}

void begins(const Pieces& pieces) {
  if (!enabled()) return;
  for (const Piece& piece : pieces) {
    state().shadow.renew(piece.place, piece.place + piece.size, nullptr);
    state().users.erase(piece.owner);
  }
}

void begins_in(Stream& stream, const Pieces& pieces) {
  if (!enabled() || pieces.empty()) return;
  const ClockRef clock = give(stream, {}, {});
  auto touch = std::make_shared<Touch>();
  Bytes size = 0;
  for (const Piece& piece : pieces) size += piece.size;
  *touch = {stream.timeline,
            clock->ticks[stream.timeline],
            caller_in(stream),
            pieces.front().at,
            size,
            true,
            clock,
            true};
  for (const Piece& piece : pieces) {
    state().shadow.renew(piece.place, piece.place + piece.size, touch);
    state().users[piece.owner] = {touch};
  }
}

void ends(Address owner, const char* how, Taken taken) {
  if (!enabled()) return;
  check_end(state().host, current_caller(), owner, how, [&](const Touch& user) {
    // cuda.h, cuMemFree, of stream-ordered memory: "Callers must ensure that all accesses to these
    // pointer have completed"; the allocation is none.
    return taken == Taken::all ? !user.begins : user.write;
  });
  if (taken == Taken::all) state().users.erase(owner);
}
void ends_in(const Stream& stream, Address owner, const char* how) {
  if (!enabled()) return;
  check_end(before(stream), caller_in(stream), owner, how, [](const Touch&) { return true; });
  state().users.erase(owner);
}

}  // namespace gmlake::simcuda::order
