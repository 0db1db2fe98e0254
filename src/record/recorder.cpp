#include "record/recorder.h"

#include <cerrno>
#include <chrono>
#include <csignal>
#include <ctime>
#include <exception>
#include <memory>
#include <new>

#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "record/writer.h"
#include "support/lasting.h"
#include "support/log.h"
#include "support/no_cancel.h"

namespace gmlake::record {
namespace {

using namespace std::chrono_literals;
using SteadyClock = std::chrono::steady_clock;

constexpr auto kBetweenLooks = 10ms;
constexpr auto kLongestEnd = 10s;  // a disk may be slow, and the program wants to end

// Of the process, not of a recording: a late note finds it whatever has ended meanwhile.
Ring& ring() {
  return lasting<Ring>();
}

// The thread and those who begin and end it.
enum class State { none, running, ending };
constinit std::atomic<State> state{State::none};
constinit std::atomic<pid_t> recorded_by{0};

void sleep_a_look() {
  constexpr timespec kLook{0, std::chrono::nanoseconds(kBetweenLooks).count()};
  (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &kLook, nullptr);
}

constinit thread_local std::uint32_t own_number __attribute__((tls_model("initial-exec"))) = 0;

void* write_all(void* given) {
  const std::unique_ptr<Writer> writer(static_cast<Writer*>(given));
  bool good = true;
  try {
    while (good && state.load() == State::running) {
      sleep_a_look();
      good = writer->look();
    }
    ring_in_use.store(nullptr);
    good = good && writer->close();
  } catch (const std::exception&) {  // no host memory
    good = false;
    ring_in_use.store(nullptr);
  }
  if (!good) writer->say_problem();
  state.store(State::none);
  return nullptr;
}

// The program's signals are the program's.
int begin_thread(std::unique_ptr<Writer> writer) {
  sigset_t all, before;
  sigfillset(&all);
  if (const int error = pthread_sigmask(SIG_SETMASK, &all, &before)) return error;
  pthread_t thread{};
  const int error = pthread_create(&thread, nullptr, write_all, writer.get());
  if (error == 0) {
    (void)writer.release();
    (void)pthread_setname_np(thread, "gmlake-trace");
    (void)pthread_detach(thread);
  }
  (void)pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return error;
}

int try_to_begin(const Recording& what) {
  auto& all = ring();
  (void)all.take([](const Entry&) {});  // late notes of one before
  (void)all.take_lost();
  auto writer = std::make_unique<Writer>(what, all);
  if (!writer->open()) return writer->say_problem(), EIO;
  ring_in_use.store(&all, std::memory_order_release);
  const int error = begin_thread(std::move(writer));
  if (error != 0) {
    ring_in_use.store(nullptr);
    log::error("trace.file: there can be no thread to write {}; nothing is recorded", what.path);
  }
  return error;
}

}  // namespace

void note(Entry entry) {
  auto* const in_use = ring_in_use.load(std::memory_order_acquire);
  if (!in_use) return;
  if (own_number == 0) own_number = static_cast<std::uint32_t>(syscall(SYS_gettid));
  entry.thread = own_number;
  entry.ticks = ticks_now();
  in_use->note(entry);
}

int begin(const Recording& what) {
  const NoCancel whole;
  auto none = State::none;
  if (!state.compare_exchange_strong(none, State::running)) return EALREADY;
  recorded_by = getpid();
  int error = ENOMEM;
  try {
    error = try_to_begin(what);
  } catch (const std::exception&) {
    log::error("trace.file: there is no host memory to record {}", what.path);
  }
  if (error != 0) state.store(State::none);
  return error;
}

bool end() {
  const NoCancel whole;
  auto running = State::running;
  if (recorded_by.load() != getpid() || !state.compare_exchange_strong(running, State::ending))
    return false;
  const auto latest = SteadyClock::now() + kLongestEnd;
  while (state.load() != State::none && SteadyClock::now() < latest) usleep(500);
  return true;
}

// Nothing of it is the child's: neither the thread nor the file's end.
void after_fork() {
  if (auto* const of_parent = ring_in_use.exchange(nullptr)) of_parent->forget_all();
  state.store(State::none);
  recorded_by.store(0);
  own_number = 0;
}

}  // namespace gmlake::record
