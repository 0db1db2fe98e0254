#include "scheduler.h"

#include <signal.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <thread>
#include <unordered_set>

#include "context.h"
#include "entry.h"

namespace gmlake::simcuda {
namespace {

constexpr unsigned kWorkers = 4;      // threads that are always worth having
constexpr unsigned kMaxWorkers = 64;  // with host code that blocks, others must still get on

// Leaked: device threads outlive main and use it until the process is gone.
struct Scheduler {
  std::mutex mutex;
  std::condition_variable work_ready;
  std::condition_variable operation_done;
  std::deque<OperationRef> ready;
  unsigned workers = 0;
  unsigned idle_workers = 0;
  unsigned in_host_code = 0;
};

Scheduler& scheduler() {
  static Scheduler* scheduler = new Scheduler;
  return *scheduler;
}

void worker();

// Called with the lock held.
void start_worker_if_wanted() {
  Scheduler& s = scheduler();
  if (s.ready.size() <= s.idle_workers) return;
  if (s.workers - s.in_host_code >= kWorkers || s.workers >= kMaxWorkers) return;
  ++s.workers;
  // The program's signals are for the program's threads.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread(worker).detach();
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

// Called with the lock held.
void make_ready(OperationRef operation) {
  Scheduler& s = scheduler();
  s.ready.push_back(std::move(operation));
  start_worker_if_wanted();
  s.work_ready.notify_one();
}

// Called with the lock held. Markers that follow complete here too, one after the other.
void complete(OperationRef first) {
  std::vector<OperationRef> finished{std::move(first)};
  while (!finished.empty()) {
    const OperationRef operation = std::move(finished.back());
    finished.pop_back();
    operation->done = true;
    operation->finished_ns = now_ns();
    operation->body = nullptr;
    if (Stream* stream = operation->stream.get(); stream != nullptr && stream->last == operation) {
      stream->last.reset();
      if (stream->destroyed) forget_stream(*stream);
    }
    for (OperationRef& follower : operation->followers) {
      if (--follower->unfinished != 0) continue;
      if (follower->body)
        make_ready(std::move(follower));
      else
        finished.push_back(std::move(follower));
    }
    operation->followers.clear();
    operation->stream.reset();
  }
  scheduler().operation_done.notify_all();
}

void run(const OperationRef& operation, SchedulerLock& lock) {
  Scheduler& s = scheduler();
  const bool host_code = operation->runs_host_code;
  if (host_code) ++s.in_host_code;
  start_worker_if_wanted();
  lock.unlock();
  if (host_code) begin_host_function();
  operation->body();
  if (host_code) end_host_function();
  lock.lock();
  if (host_code) --s.in_host_code;
  complete(operation);
}

void worker() {
  Scheduler& s = scheduler();
  SchedulerLock lock(s.mutex);
  for (;;) {
    while (s.ready.empty()) {
      ++s.idle_workers;
      s.work_ready.wait(lock);
      --s.idle_workers;
    }
    const OperationRef operation = std::move(s.ready.front());
    s.ready.pop_front();
    // Once exit has begun the program's objects are going away: what has not started never does.
    if (life() != Life::running) continue;
    run(operation, lock);
  }
}

void follow(const OperationRef& operation, const OperationRef& earlier) {
  if (earlier == nullptr || earlier->done) return;
  earlier->followers.push_back(operation);
  ++operation->unfinished;
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

void wait_all(const std::vector<OperationRef>& operations, SchedulerLock& lock) {
  for (const OperationRef& operation : operations)
    scheduler().operation_done.wait(lock, [&] { return operation->done; });
}

}  // namespace

SchedulerLock lock_scheduler() {
  return SchedulerLock(scheduler().mutex);
}

std::int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

Point submit(const StreamRef& stream, Work work) {
  SchedulerLock lock = lock_scheduler();
  if ((work.run == Run::marker || work.run == Run::brief) && !must_wait(*stream, work.after)) {
    lock.unlock();
    if (work.body) work.body();
    return {};
  }
  auto operation = std::make_shared<Operation>();
  operation->body = std::move(work.body);
  operation->runs_host_code = work.run == Run::host_code;
  operation->stream = stream;
  add_dependencies(operation, *stream, work.after);
  stream->last = operation;
  if (operation->unfinished == 0) make_ready(operation);
  return {operation, nullptr};
}

Point submit_after_context(Context& context) {
  const SchedulerLock lock = lock_scheduler();
  auto operation = std::make_shared<Operation>();
  for (const StreamRef& stream : context.streams) follow(operation, stream->last);
  return {operation->unfinished == 0 ? nullptr : operation, nullptr};
}

bool passed(const Point& point) {
  if (point.operation == nullptr) return true;
  const SchedulerLock lock = lock_scheduler();
  return point.operation->done;
}

void wait(const Point& point) {
  if (point.operation == nullptr) return;
  SchedulerLock lock = lock_scheduler();
  wait_all({point.operation}, lock);
}

void wait_stream(const StreamRef& stream) {
  // Waiting for the legacy stream is waiting for what it follows too.
  wait(submit(stream, {}));
}

void wait_context(Context& context) {
  SchedulerLock lock = lock_scheduler();
  std::vector<OperationRef> last;
  for (const StreamRef& stream : context.streams)
    if (stream->last != nullptr) last.push_back(stream->last);
  wait_all(last, lock);
}

bool idle(const StreamRef& stream) {
  const SchedulerLock lock = lock_scheduler();
  return !must_wait(*stream, {});
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
