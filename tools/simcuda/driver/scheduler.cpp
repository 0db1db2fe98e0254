#include "scheduler.h"

#include <algorithm>
#include <unordered_set>

#include "context.h"
#include "entry.h"
#include "executor.h"
#include "memory.h"
#include "order.h"

namespace gmlake::simcuda {
namespace {

void follow(const OperationRef& operation, const OperationRef& earlier) {
  if (earlier == nullptr || earlier->done) return;
  earlier->followers.push_back(operation);
  ++operation->unfinished;
  if (deterministic()) operation->before.push_back(earlier);
}

bool pending(const OperationRef& operation) {
  return operation != nullptr && !operation->done;
}

bool must_wait(const Stream& stream, const std::vector<Point>& after) {
  if (stream.last != nullptr) return true;
  for (const Point& point : after)
    if (pending(point.operation)) return true;
  if (stream.legacy) {
    for (const StreamRef& other : stream.context->streams)
      if (other->blocking && other->last != nullptr) return true;
  } else if (stream.blocking) {
    return stream.context->legacy->last != nullptr;
  }
  return false;
}

void add_dependencies(const OperationRef& operation, const Stream& stream,
                      const std::vector<Point>& after) {
  follow(operation, stream.last);
  for (const Point& point : after) follow(operation, point.operation);
  if (stream.legacy) {
    for (const StreamRef& other : stream.context->streams)
      if (other->blocking && other.get() != &stream) follow(operation, other->last);
  } else if (stream.blocking) {
    follow(operation, stream.context->legacy->last);
  }
}

}  // namespace

Point submit(const StreamRef& stream, Work work) {
  std::vector<order::Placed> placed;
  if (order::enabled()) {
    placed.reserve(work.accesses.size());
    for (const Access& access : work.accesses) {
      placed.push_back({access, {}});
      find_places(access.at, access.size, placed.back().pieces);
    }
  }
  SchedulerLock lock = lock_scheduler();
  if (stream->context->waits != nullptr) work.after.push_back(stream->context->waited_for);
  auto clock = order::give(*stream, work.after, placed);
  const bool brief = work.run == Run::marker || work.run == Run::brief;
  if (brief && !deterministic() && !must_wait(*stream, work.after)) {
    lock.unlock();
    if (work.body) work.body();
    return {nullptr, std::move(clock)};
  }
  auto operation = std::make_shared<Operation>();
  operation->run = work.run;
  operation->body = std::move(work.body);
  operation->accesses = std::move(work.accesses);
  operation->caller = current_caller();
  operation->caller.stream = stream->id;
  operation->clock = clock;
  operation->stream = stream;
  add_dependencies(operation, *stream, work.after);
  stream->last = operation;
  accept(operation, lock);
  return {operation, std::move(clock)};
}

Point submit_after_context(Context& context) {
  SchedulerLock lock = lock_scheduler();
  auto clock = order::behind_context(context);
  auto operation = std::make_shared<Operation>();
  for (const StreamRef& stream : context.streams) follow(operation, stream->last);
  if (operation->unfinished == 0) return {nullptr, std::move(clock)};
  operation->clock = clock;
  accept(operation, lock);
  return {operation, std::move(clock)};
}

bool passed(const Point& point, Tell tell) {
  SchedulerLock lock = lock_scheduler();
  if (pending(point.operation) && tell == Tell::program) asked_in_vain(lock);
  if (pending(point.operation)) return false;
  if (tell == Tell::program) order::host_saw(point.clock);
  return true;
}

void wait(const Point& point, Tell tell) {
  SchedulerLock lock = lock_scheduler();
  if (point.operation != nullptr) await(point.operation, lock);
  if (tell == Tell::program) order::host_saw(point.clock);
}

void wait_stream(const StreamRef& stream) {
  // Waiting for the legacy stream is waiting for what it follows too.
  wait(submit(stream, {}));
}

void wait_context(Context& context) {
  SchedulerLock lock = lock_scheduler();
  const auto clock = order::behind_context(context);
  std::vector<OperationRef> last;
  for (const StreamRef& stream : context.streams)
    if (stream->last != nullptr) last.push_back(stream->last);
  for (const OperationRef& operation : last) await(operation, lock);
  order::host_saw(clock);
}

bool idle(const StreamRef& stream) {
  SchedulerLock lock = lock_scheduler();
  if (must_wait(*stream, {})) asked_in_vain(lock);
  if (must_wait(*stream, {})) return false;
  order::host_saw_stream(*stream);
  return true;
}

bool follows(const StreamRef& stream, const Point& point) {
  const SchedulerLock lock = lock_scheduler();
  if (!pending(point.operation)) return false;
  // Reached from the point: the work that comes after it.
  std::vector<const Operation*> reached{point.operation.get()};
  std::unordered_set<const Operation*> seen(reached.begin(), reached.end());
  for (std::size_t i = 0; i < reached.size(); ++i)
    for (const OperationRef& follower : reached[i]->followers)
      if (seen.insert(follower.get()).second) reached.push_back(follower.get());
  const auto after = [&](const Stream& other) { return seen.contains(other.last.get()); };
  if (after(*stream)) return true;
  const auto& streams = stream->context->streams;
  if (stream->legacy)
    return std::any_of(streams.begin(), streams.end(),
                       [&](const StreamRef& other) { return other->blocking && after(*other); });
  return stream->blocking && after(*stream->context->legacy);
}

}  // namespace gmlake::simcuda
