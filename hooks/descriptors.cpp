// dup2 and dup3 as they are, and besides they tell where the program puts descriptor 2: the report
// at its end follows it there (support/stderr.h).
//
// They are called in children of fork and vfork and in signal handlers, and are the system's calls
// here: no lookup of a next one, no lock, no allocation.
#include <cerrno>

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "support/stderr.h"

namespace {

int told(long result) {
  if (result == STDERR_FILENO) gmlake::stderr_was_put();
  return static_cast<int>(result);
}

}  // namespace

extern "C" {

__attribute__((visibility("default"))) int dup2(int from, int to) noexcept {
#ifdef SYS_dup2
  return told(syscall(SYS_dup2, from, to));
#else  // newer architectures have dup3 alone, which does not take one number twice
  if (from == to) return fcntl(from, F_GETFD) < 0 ? -1 : told(to);
  return told(syscall(SYS_dup3, from, to, 0));
#endif
}

__attribute__((visibility("default"))) int dup3(int from, int to, int flags) noexcept {
  return told(syscall(SYS_dup3, from, to, flags));
}

}  // extern "C"
