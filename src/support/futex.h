// A word that processes share and wait at (futex(2)).
#pragma once

#include <atomic>
#include <cstdint>
#include <ctime>

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace gmlake {

// Until the word is not `value` any more, `most` has passed, or for no reason.
inline void wait_while(const std::atomic<std::uint32_t>& word, std::uint32_t value,
                       const timespec& most) {
  (void)syscall(SYS_futex, &word, FUTEX_WAIT, value, &most, nullptr, 0);
}
inline void wake_all(std::atomic<std::uint32_t>& word) {
  (void)syscall(SYS_futex, &word, FUTEX_WAKE, ~0U >> 1, nullptr, nullptr, 0);
}

}  // namespace gmlake
