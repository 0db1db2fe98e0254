#include "executor.h"

#include <signal.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <thread>

#include <spdlog/fmt/fmt.h>

#include "../simcuda.h"
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
constexpr auto kPollingStall = 5ms;
constexpr std::size_t kMostPending = 16384;

// Leaked: device threads outlive main and use it until the process is gone.
struct Executor {
  std::mutex mutex;
  std::condition_variable work_ready;
  std::condition_variable operation_done;
  std::deque<OperationRef> queue;  // for the workers
  // Host functions that wait for the program, those that it has let go on, and those of them that
  // do so, by their keys.
  std::map<void*, const Operation*> waiting;
  std::set<void*> let_go;
  std::map<void*, const Operation*> going_on;
  unsigned workers = 0;
  unsigned idle_workers = 0;
  unsigned in_host_code = 0;

  // Deterministic mode.
  std::optional<Schedule> schedule;
  std::vector<OperationRef> ready;  // in the order in which they became so
  std::size_t pending = 0;
  bool stepping = false;  // an operation is being run by some thread of the program
  bool pumping = false;
  std::uint64_t host_code_runs = 0;
  std::uint64_t activity = 0;
  std::int64_t virtual_ns = 0;
};

constinit thread_local const Operation* running = nullptr;  // host code

Executor& executor() {
  static Executor* executor = [] {
    auto* fresh = new Executor;
    if (config().seed) fresh->schedule.emplace(*config().seed);
    return fresh;
  }();
  return *executor;
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
  Executor& e = executor();
  if (e.queue.size() <= e.idle_workers) return;
  if (e.workers - e.in_host_code >= kWorkers || e.workers >= kMaxWorkers) return;
  ++e.workers;
  start_thread(worker);
}

void give_to_workers(OperationRef operation) {
  Executor& e = executor();
  e.queue.push_back(std::move(operation));
  start_worker_if_wanted();
  e.work_ready.notify_one();
}

void make_ready(OperationRef operation) {
  Executor& e = executor();
  if (e.schedule)
    e.ready.push_back(std::move(operation));
  else
    give_to_workers(std::move(operation));
}

// Markers that follow complete here too, one after the other, unless the schedule is to decide. It
// never decides over one that is in no stream: cuda.h, cuEventQuery: "Returns CUDA_SUCCESS if all
// captured work has been completed", and such a marker is not work itself.
void complete(OperationRef first) {
  Executor& e = executor();
  std::vector<OperationRef> finished{std::move(first)};
  while (!finished.empty()) {
    const OperationRef operation = std::move(finished.back());
    finished.pop_back();
    e.virtual_ns += 1000;
    operation->done = true;
    operation->finished_ns = now_ns();
    operation->body = nullptr;
    operation->before.clear();
    if (e.schedule) --e.pending;
    if (Stream* stream = operation->stream.get(); stream != nullptr && stream->last == operation) {
      stream->last.reset();
      if (stream->destroyed) forget_stream(*stream);
    }
    for (OperationRef& follower : operation->followers) {
      if (--follower->unfinished != 0) continue;
      if (follower->body || (e.schedule && follower->stream))
        make_ready(std::move(follower));
      else
        finished.push_back(std::move(follower));
    }
    operation->followers.clear();
    operation->stream.reset();
  }
  e.operation_done.notify_all();
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
  Executor& e = executor();
  const bool may_block = operation->run == Run::host_code;
  const bool no_calls = may_block || operation->run == Run::kernel;
  if (may_block) {
    ++e.in_host_code;
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
  if (may_block) {
    --e.in_host_code;
    std::erase_if(e.going_on, [&](const auto& one) { return one.second == operation.get(); });
  }
  complete(operation);
}

void worker() {
  Executor& e = executor();
  SchedulerLock lock(e.mutex);
  for (;;) {
    while (e.queue.empty()) {
      ++e.idle_workers;
      e.work_ready.wait(lock);
      --e.idle_workers;
    }
    const OperationRef operation = std::move(e.queue.front());
    e.queue.pop_front();
    // Once exit has begun the program's objects are going away: what has not started never does.
    if (life() != Life::running) continue;
    run(operation, lock);
  }
}

bool waits_for_program(const Operation& operation) {
  const auto& waiting = executor().waiting;
  return std::any_of(waiting.begin(), waiting.end(),
                     [&](const auto& one) { return one.second == &operation; });
}

// Deterministic mode: runs one ready operation. False if there is none that helps `wanted`, or
// another thread is at it.
bool step(const OperationRef& wanted, SchedulerLock& lock) {
  Executor& e = executor();
  if (e.stepping || e.ready.empty() || life() != Life::running) return false;
  const OperationRef next = e.schedule->choose(e.ready, wanted);
  if (next == nullptr) return false;
  e.ready.erase(std::find(e.ready.begin(), e.ready.end(), next));
  e.stepping = true;
  if (next->run == Run::host_code) {
    ++e.host_code_runs;
    give_to_workers(next);
    e.operation_done.wait_for(lock, kHostCodeTime,
                              [&] { return next->done || waits_for_program(*next); });
  } else {
    run(next, lock);
  }
  e.stepping = false;
  e.operation_done.notify_all();
  return true;
}

void steps(unsigned count, SchedulerLock& lock) {
  while (count > 0 && step(nullptr, lock)) --count;
}

// Deterministic mode: a program may wait for its work without a call, in a loop over a flag that a
// host function sets. When it has made none for a while, everything runs. Once that has run a host
// function, the program is taken for one that waits so, and the while is short.
void pump() {
  Executor& e = executor();
  SchedulerLock lock(e.mutex);
  std::uint64_t seen = e.activity;
  auto stall = kStall;
  for (;;) {
    lock.unlock();
    std::this_thread::sleep_for(stall);
    lock.lock();
    const std::uint64_t before = e.host_code_runs;
    if (seen == e.activity) steps(~0U, lock);
    if (e.host_code_runs != before) stall = kPollingStall;
    seen = e.activity;
  }
}

}  // namespace

SchedulerLock lock_scheduler() {
  return SchedulerLock(executor().mutex);
}

const Operation* host_code_running() {
  return running;
}

std::int64_t now_ns() {
  if (executor().schedule) return executor().virtual_ns;
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

bool deterministic() {
  return executor().schedule.has_value();
}

void accept(const OperationRef& operation, SchedulerLock& lock) {
  Executor& e = executor();
  if (operation->unfinished == 0) make_ready(operation);
  if (!e.schedule) return;
  if (!e.pumping) start_thread(pump);
  e.pumping = true;
  ++e.pending;
  ++e.activity;
  steps(e.schedule->steps_when_given(), lock);
  while (e.pending > kMostPending && step(nullptr, lock)) {
  }
}

void await(const OperationRef& operation, SchedulerLock& lock) {
  Executor& e = executor();
  ++e.activity;
  while (!operation->done)
    if (!e.schedule || !step(operation, lock)) e.operation_done.wait(lock);
}

void asked_in_vain(SchedulerLock& lock) {
  Executor& e = executor();
  if (!e.schedule) return;
  ++e.activity;
  steps(e.schedule->steps_when_asked(), lock);
}

}  // namespace gmlake::simcuda

void simcuda_reseed(unsigned long long seed) {
  const auto lock = gmlake::simcuda::lock_scheduler();
  auto& schedule = gmlake::simcuda::executor().schedule;
  if (schedule) schedule.emplace(seed);
}

void simcuda_wait_for_program(void* key) {
  using namespace gmlake::simcuda;
  Executor& e = executor();
  SchedulerLock lock(e.mutex);
  e.waiting.emplace(key, running);
  e.operation_done.notify_all();
  e.operation_done.wait(lock, [&] { return e.let_go.contains(key); });
  e.let_go.erase(key);
  e.waiting.erase(key);
  e.going_on.emplace(key, running);
}

void simcuda_let_go(void* key) {
  using namespace gmlake::simcuda;
  Executor& e = executor();
  SchedulerLock lock(e.mutex);
  const bool begun = e.waiting.contains(key);
  e.let_go.insert(key);
  e.operation_done.notify_all();
  if (!begun) return;
  // For this very one: the next host function may have begun before this thread gets to look.
  e.operation_done.wait(lock,
                        [&] { return !e.waiting.contains(key) && !e.going_on.contains(key); });
}
