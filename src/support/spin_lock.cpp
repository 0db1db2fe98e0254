#include "support/spin_lock.h"

#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <ctime>

namespace gmlake::detail {
namespace {

constexpr int kLooks = 128;
constexpr int kYields = 16;
constexpr timespec kLongestSleep{0, 1'000'000};

static_assert(sizeof(std::atomic<std::uint32_t>) == sizeof(std::uint32_t) &&
              std::atomic<std::uint32_t>::is_always_lock_free);

// By number: no thread is cancelled in it, and what the program reads in errno stays.
void futex(std::atomic<std::uint32_t>& word, int operation, std::uint32_t value,
           const timespec* timeout) {
  const int error = errno;
  (void)::syscall(SYS_futex, &word, operation | FUTEX_PRIVATE_FLAG, value, timeout, nullptr, 0);
  errno = error;
}

}  // namespace

void SpinLock::wait() {
  waits_.fetch_add(1, std::memory_order_relaxed);
  for (int looks = 0; looks < kLooks + kYields; ++looks) {
    if (looks >= kLooks) {
      ::sched_yield();
    } else {
#if defined(__x86_64__)
      __builtin_ia32_pause();
#endif
    }
    if (try_lock()) return;
  }
  for (;;) {
    asleep_.store(1);
    // Whoever releases it from here on sees that, or had it free before.
    if (!locked_.exchange(true)) return;
    futex(asleep_, FUTEX_WAIT, 1, &kLongestSleep);
  }
}

void SpinLock::wake() {
  asleep_.store(0, std::memory_order_relaxed);
  futex(asleep_, FUTEX_WAKE, INT_MAX, nullptr);
}

}  // namespace gmlake::detail
