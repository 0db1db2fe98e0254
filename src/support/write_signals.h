// Keeps what this thread writes in a scope from ending the program by a signal: a pipe that nobody
// reads any more (SIGPIPE), a file beyond the limit of its size (SIGXFSZ). The write says so by its
// error. What the program does with these signals of its own stays as it is.
#pragma once

#include <cerrno>
#include <cstddef>
#include <ctime>
#include <initializer_list>
#include <string_view>

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

namespace gmlake {

class NoWriteSignals {
 public:
  NoWriteSignals() {
    (void)sigemptyset(&signals_);
    (void)sigaddset(&signals_, SIGPIPE);
    (void)sigaddset(&signals_, SIGXFSZ);
    (void)sigpending(&before_);
    (void)pthread_sigmask(SIG_BLOCK, &signals_, &mask_);
  }
  ~NoWriteSignals() {
    const int error = errno;
    // Those that were pending before are the program's.
    for (const int signal : {SIGPIPE, SIGXFSZ})
      if (sigismember(&before_, signal) == 1) (void)sigdelset(&signals_, signal);
    constexpr timespec kNow{};
    while (sigtimedwait(&signals_, nullptr, &kNow) > 0) {
    }
    (void)pthread_sigmask(SIG_SETMASK, &mask_, nullptr);
    errno = error;
  }
  NoWriteSignals(const NoWriteSignals&) = delete;
  NoWriteSignals& operator=(const NoWriteSignals&) = delete;

 private:
  sigset_t signals_{}, before_{}, mask_{};
};

// Writes all of it. 0 or errno.
inline int write_descriptor(int descriptor, std::string_view text) {
  const NoWriteSignals none;
  while (!text.empty()) {
    const auto written = write(descriptor, text.data(), text.size());
    if (written >= 0)
      text.remove_prefix(static_cast<std::size_t>(written));
    else if (errno != EINTR)
      return errno;
  }
  return 0;
}

// The same where the descriptor does not block (a pipe, a terminal): waits some seconds at most for
// whoever reads, and says ETIMEDOUT then.
inline int write_bounded(int descriptor, std::string_view text) {
  const NoWriteSignals none;
  constexpr int kTenths = 50;
  for (int waited = 0; !text.empty();) {
    const auto written = write(descriptor, text.data(), text.size());
    if (written >= 0) {
      text.remove_prefix(static_cast<std::size_t>(written));
      continue;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return errno;
    if (waited++ == kTenths) return ETIMEDOUT;
    pollfd ready{descriptor, POLLOUT, 0};
    (void)poll(&ready, 1, 100);
  }
  return 0;
}

}  // namespace gmlake
