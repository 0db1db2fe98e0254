// The one object of a type that lives as long as the process, made on first use: in place, so that
// it needs no host memory of its own, and never destroyed, because calls come until the very end of
// exit(). Thread-safe.
#pragma once

#include <cstddef>
#include <new>

namespace gmlake {

template <typename T>
T& lasting() {
  alignas(T) static std::byte place[sizeof(T)];
  static T* const made = new (place) T;
  return *made;
}

}  // namespace gmlake
