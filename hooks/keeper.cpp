#include "hooks/keeper.h"

#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <ctime>

#include "hooks/control.h"
#include "hooks/holders.h"
#include "hooks/neighbours.h"
#include "hooks/process.h"
#include "hooks/real.h"
#include "support/futex.h"

namespace gmlake::hooks {
namespace {

constexpr unsigned kLooks = 4;  // in the time after which memory goes

constinit std::atomic<pid_t> kept_by{0};
constinit std::atomic<bool> at_work{false};  // the lock: held for a part, or for good
std::chrono::nanoseconds between{};
bool gives_back = false;  // what nothing has wanted

bool may_work() {
  return !at_work.exchange(true, std::memory_order_acquire);
}

// Ends where the process is not served any more; then somebody else has the lock, or nobody will.
bool work(bool& more) {
  if (!may_work()) return false;
  const bool serving = Process::get().serving();
  bool any = false;
  if (serving)
    (void)each_pool([&](pool::DevicePool& pool) {
      if (!gives_back) return;
      any = (more ? pool.release_unwanted() : pool.look_for_unwanted(kLooks)) || any;
    });
  more = any;
  at_work.store(false, std::memory_order_release);
  return serving;
}

// What others ask for meanwhile (hooks/control.h, hooks/neighbours.h). False where work() would be.
bool answer(stats::live::Header& page, std::uint32_t rung) {
  if (!may_work()) return false;
  const bool serving = Process::get().serving();
  if (serving) {
    answer_command(page);
    answer_wishes(page, rung);
    show_holders();
  }
  at_work.store(false, std::memory_order_release);
  return serving;
}

bool wait_a_step() {
  const auto end = std::chrono::steady_clock::now() + between;
  auto* const page = Process::get().live().header();
  for (;;) {
    const auto rung = page ? page->bell.load(std::memory_order_acquire) : 0;
    if (page && !answer(*page, rung)) return false;
    std::chrono::nanoseconds rest = end - std::chrono::steady_clock::now();
    if (rest.count() <= 0) return true;
    if (shows_holders()) rest = std::min<std::chrono::nanoseconds>(rest, kBetweenShows);
    const auto left = rest.count();
    const timespec most{static_cast<time_t>(left / 1'000'000'000),
                        static_cast<long>(left % 1'000'000'000)};
    if (page)
      wait_while(page->bell, rung, most);
    else
      (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &most, nullptr);
  }
}

void* keep(void*) {
  // What it does beside a capture is none of the capture's business.
  if (const auto* real = real_driver(); real && real->table.cuThreadExchangeStreamCaptureMode_) {
    auto mode = CU_STREAM_CAPTURE_MODE_RELAXED;
    (void)real->table.cuThreadExchangeStreamCaptureMode_(&mode);
  }
  for (bool more = false;;) {
    if (!more && !wait_a_step()) return nullptr;
    if (!work(more)) return nullptr;
  }
}

}  // namespace

void begin_keeping(double release_after, bool asked) {
  if ((release_after <= 0 && !asked) || kept_by.exchange(getpid()) == getpid()) return;
  gives_back = release_after > 0;
  constexpr double kNever = 1e6;
  between = std::chrono::nanoseconds(
      static_cast<long long>((gives_back ? release_after : kNever) * 1e9 / kLooks));
  // The program's signals are the program's.
  sigset_t all, before;
  sigfillset(&all);
  if (pthread_sigmask(SIG_SETMASK, &all, &before) != 0) return;
  pthread_t thread{};
  if (pthread_create(&thread, nullptr, keep, nullptr) == 0) {
    (void)pthread_setname_np(thread, "gmlake");
    (void)pthread_detach(thread);
  }
  (void)pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void end_keeping() {
  using namespace std::chrono_literals;
  if (kept_by.load() != getpid()) return;  // a forked child
  const auto end = std::chrono::steady_clock::now() + 1s;
  while (!may_work() && std::chrono::steady_clock::now() < end) usleep(100);
}

}  // namespace gmlake::hooks
