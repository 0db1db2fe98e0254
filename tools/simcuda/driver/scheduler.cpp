#include "scheduler.h"

#include <signal.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <optional>
#include <thread>
#include <unordered_set>

#include <spdlog/fmt/fmt.h>

#include "config.h"
#include "context.h"
#include "entry.h"
#include "memory.h"
#include "order.h"
#include "schedule.h"

namespace gmlake::simcuda {
namespace {

using namespace std::chrono_literals;

constexpr unsigned kWorkers = 4;      // threads that are always worth having
constexpr unsigned kMaxWorkers = 64;  // with host code that blocks, others must still get on

// Deterministic mode. A host function that waits for the program is left alone after the first; a
// program that waits for the device without a call gets on after the second.
constexpr auto kHostCodeTime = 20ms;
constexpr auto kStall = 200ms;
constexpr std::size_t kMostPending = 16384;

// Leaked: device threads outlive main and use it until the process is gone.
struct Scheduler {
  std::mutex mutex;
  std::condition_variable work_ready;
  std::condition_variable operation_done;
  std::deque<OperationRef> queue;  // for the workers
  unsigned workers = 0;
  unsigned idle_workers = 0;
  unsigned in_host_code = 0;

  // Deterministic mode.
  std::optional<Schedule> schedule;
  std::vector<OperationRef> ready;  // in the order in which they became so
  std::size_t pending = 0;
  bool stepping = false;  // an operation is being run by some thread of the program
  bool pumping = false;
  std::uint64_t activity = 0;
  std::int64_t virtual_ns = 0;
};

constinit thread_local const Operation* running = nullptr;  // host code

Scheduler& scheduler() {
  static Scheduler* scheduler = [] {
    auto* fresh = new Scheduler;
    if (config().seed) fresh->schedule.emplace(*config().seed);
    return fresh;
  }();
  return *scheduler;
}

void start_thread(void (*function)()) {
  // The program's signals are for the program's threads.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread(function).detach();
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void worker();

// Called with the lock held, as all that follows but worker() and pump().
void start_worker_if_wanted() {
  Scheduler& s = scheduler();
  if (s.queue.size() <= s.idle_workers) return;
  if (s.workers - s.in_host_code >= kWorkers || s.workers >= kMaxWorkers) return;
  ++s.workers;
  start_thread(worker);
}

void give_to_workers(OperationRef operation) {
  Scheduler& s = scheduler();
  s.queue.push_back(std::move(operation));
  start_worker_if_wanted();
  s.work_ready.notify_one();
}

void make_ready(OperationRef operation) {
  Scheduler& s = scheduler();
  if (s.schedule)
    s.ready.push_back(std::move(operation));
  else
    give_to_workers(std::move(operation));
}

// Markers that follow complete here too, one after the other, unless the schedule is to decide.
void complete(OperationRef first) {
  Scheduler& s = scheduler();
  std::vector<OperationRef> finished{std::move(first)};
  while (!finished.empty()) {
    const OperationRef operation = std::move(finished.back());
    finished.pop_back();
    s.virtual_ns += 1000;
    operation->done = true;
    operation->finished_ns = now_ns();
    operation->body = nullptr;
    operation->before.clear();
    if (s.schedule) --s.pending;
    if (Stream* stream = operation->stream.get(); stream != nullptr && stream->last == operation) {
      stream->last.reset();
      if (stream->destroyed) forget_stream(*stream);
    }
    for (OperationRef& follower : operation->followers) {
      if (--follower->unfinished != 0) continue;
      if (follower->body || s.schedule)
        make_ready(std::move(follower));
      else
        finished.push_back(std::move(follower));
    }
    operation->followers.clear();
    operation->stream.reset();
  }
  s.operation_done.notify_all();
}

// Whether what the operation accesses is still there, now that its turn has come. If not, that is
// an error of the device, and no more comes of the context.
bool sound(const Operation& operation) {
  for (const Access& access : operation.accesses) {
    if (still_accessible(access.at, access.size, access.write)) continue;
    found(Check::memory, fmt::format("late {}", operation.caller.function),
          fmt::format("the turn of {} has come, and {:#x} to {:#x} is not accessible any more",
                      describe(operation.caller), access.at, access.at + access.size));
    operation.stream->context->broken = CUDA_ERROR_ILLEGAL_ADDRESS;
    return false;
  }
  return true;
}

void run(const OperationRef& operation, SchedulerLock& lock) {
  Scheduler& s = scheduler();
  const bool may_block = operation->run == Run::host_code;
  const bool no_calls = may_block || operation->run == Run::kernel;
  if (may_block) {
    ++s.in_host_code;
    // Now and not when it is done: the program may learn of it from within.
    order::host_saw(operation->clock);
  }
  start_worker_if_wanted();
  lock.unlock();
  if (no_calls) begin_host_function();
  running = may_block ? operation.get() : nullptr;
  if (operation->body && (!checking(Check::memory) || sound(*operation))) operation->body();
  running = nullptr;
  if (no_calls) end_host_function();
  lock.lock();
  if (may_block) --s.in_host_code;
  complete(operation);
}

void worker() {
  Scheduler& s = scheduler();
  SchedulerLock lock(s.mutex);
  for (;;) {
    while (s.queue.empty()) {
      ++s.idle_workers;
      s.work_ready.wait(lock);
      --s.idle_workers;
    }
    const OperationRef operation = std::move(s.queue.front());
    s.queue.pop_front();
    // Once exit has begun the program's objects are going away: what has not started never does.
    if (life() != Life::running) continue;
    run(operation, lock);
  }
}

// Deterministic mode: runs one ready operation. False if there is none that helps `wanted`, or
// another thread is at it.
bool step(const OperationRef& wanted, SchedulerLock& lock) {
  Scheduler& s = scheduler();
  if (s.stepping || s.ready.empty() || life() != Life::running) return false;
  const OperationRef next = s.schedule->choose(s.ready, wanted);
  if (next == nullptr) return false;
  s.ready.erase(std::find(s.ready.begin(), s.ready.end(), next));
  s.stepping = true;
  if (next->run == Run::host_code) {
    give_to_workers(next);
    s.operation_done.wait_for(lock, kHostCodeTime, [&] { return next->done; });
  } else {
    run(next, lock);
  }
  s.stepping = false;
  s.operation_done.notify_all();
  return true;
}

void steps(unsigned count, SchedulerLock& lock) {
  while (count > 0 && step(nullptr, lock)) --count;
}

// Deterministic mode: a program may wait for its work without a call, in a loop over a flag that a
// host function sets. When it has made none for a while, everything runs.
void pump() {
  Scheduler& s = scheduler();
  SchedulerLock lock(s.mutex);
  std::uint64_t seen = s.activity;
  for (;;) {
    lock.unlock();
    std::this_thread::sleep_for(kStall);
    lock.lock();
    if (seen == s.activity) steps(~0U, lock);
    seen = s.activity;
  }
}

void follow(const OperationRef& operation, const OperationRef& earlier) {
  if (earlier == nullptr || earlier->done) return;
  earlier->followers.push_back(operation);
  ++operation->unfinished;
  if (scheduler().schedule) operation->before.push_back(earlier);
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

// Counts the operation, and in the deterministic mode lets the device get on.
void given(const OperationRef& operation, SchedulerLock& lock) {
  Scheduler& s = scheduler();
  if (operation->unfinished == 0) make_ready(operation);
  if (!s.schedule) return;
  if (!s.pumping) start_thread(pump);
  s.pumping = true;
  ++s.pending;
  ++s.activity;
  steps(s.schedule->steps_when_given(), lock);
  while (s.pending > kMostPending && step(nullptr, lock)) {
  }
}

void wait_for(const OperationRef& operation, SchedulerLock& lock) {
  Scheduler& s = scheduler();
  ++s.activity;
  while (!operation->done)
    if (!s.schedule || !step(operation, lock)) s.operation_done.wait(lock);
}

// The program asks for something that is not so yet.
void asked_in_vain(SchedulerLock& lock) {
  Scheduler& s = scheduler();
  if (!s.schedule) return;
  ++s.activity;
  steps(s.schedule->steps_when_asked(), lock);
}

}  // namespace

SchedulerLock lock_scheduler() {
  return SchedulerLock(scheduler().mutex);
}

const Operation* host_code_running() {
  return running;
}

std::int64_t now_ns() {
  if (scheduler().schedule) return scheduler().virtual_ns;
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

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
  if (brief && !scheduler().schedule && !must_wait(*stream, work.after)) {
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
  given(operation, lock);
  return {operation, std::move(clock)};
}

Point submit_after_context(Context& context) {
  SchedulerLock lock = lock_scheduler();
  auto clock = order::behind_context(context);
  auto operation = std::make_shared<Operation>();
  for (const StreamRef& stream : context.streams) follow(operation, stream->last);
  if (operation->unfinished == 0) return {nullptr, std::move(clock)};
  operation->clock = clock;
  given(operation, lock);
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
  if (point.operation != nullptr) wait_for(point.operation, lock);
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
  for (const OperationRef& operation : last) wait_for(operation, lock);
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
