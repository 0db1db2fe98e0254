#include "support/stderr.h"

#include <atomic>
#include <cerrno>
#include <cstdint>

#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/write_signals.h"

namespace gmlake {
namespace {

// A device and an inode as one word, so that no reader sees half of each; 0: nowhere.
using Place = std::uint64_t;
std::atomic<Place> at_first{0}, put{0};
// Whose descriptor it is. A child of vfork has descriptors of its own and our memory, so that what
// it does with its number 2 must not count; 0: nobody has used CUDA.
std::atomic<pid_t> owner{0};

Place place_now() {
  struct stat there {};
  if (fstat(STDERR_FILENO, &there) != 0) return 0;
  constexpr Place kSpread = 0x9e3779b97f4a7c15;
  return static_cast<Place>(there.st_ino) + static_cast<Place>(there.st_dev) * kSpread;
}

}  // namespace

void remember_stderr() {
  pid_t nobody = 0;
  if (!owner.compare_exchange_strong(nobody, getpid())) return;
  at_first = place_now();
  (void)pthread_atfork(nullptr, nullptr, [] { owner = getpid(); });
}

void stderr_was_put() {
  if (owner != getpid()) return;
  const int error = errno;
  put = place_now();
  errno = error;
}

bool stderr_is_right() {
  if (owner == 0) return true;
  const Place now = place_now();
  return now != 0 && (now == at_first || now == put);
}

int write_stderr(std::string_view text) {
  return stderr_is_right() ? write_descriptor(STDERR_FILENO, text) : 0;
}

}  // namespace gmlake
