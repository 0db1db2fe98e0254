// The one object of a type that lives as long as the process, made on first use: in place, so that
// it needs no host memory of its own, and never destroyed, because calls come until the very end of
// exit(). Thread-safe; also in a forked child, where it is made again if another thread was about
// to.
#pragma once

#include <cstddef>
#include <new>

#include <pthread.h>

namespace gmlake {

template <typename T>
T& lasting() {
  alignas(T) static std::byte place[sizeof(T)];
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  (void)pthread_once(&once, [] { new (place) T; });
  return *std::launder(reinterpret_cast<T*>(place));
}

}  // namespace gmlake
