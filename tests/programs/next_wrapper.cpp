// A library that knows nothing of CUDA: wraps a libc function by dlsym(RTLD_NEXT), as tracers,
// allocators and profilers do, and looks its own symbol up by RTLD_DEFAULT. Both answers depend on
// which object the dynamic linker takes for the caller, so they go wrong when another library
// stands between it and dlsym. Built at -O0 too, where a compiler makes no tail calls.
#include <dlfcn.h>

#include <cstdio>

#define EXPORT extern "C" __attribute__((visibility("default")))

// Also defined by the program below: RTLD_NEXT from here must find nothing after this library,
// RTLD_DEFAULT the program's.
EXPORT int next_wrapper_shared() {
  return 2;
}

// Same name and type as libc's. Counts and passes on to the next one.
EXPORT int puts(const char* text) {
  auto next = reinterpret_cast<int (*)(const char*)>(dlsym(RTLD_NEXT, "puts"));
  if (next == nullptr || next == &puts) return -1;
  return next(text);
}

// 1: the program's, 2: this library's, 0: not found.
EXPORT int next_wrapper_default() {
  auto found = reinterpret_cast<int (*)()>(dlsym(RTLD_DEFAULT, "next_wrapper_shared"));
  return found == nullptr ? 0 : found();
}
EXPORT int next_wrapper_next() {
  auto found = reinterpret_cast<int (*)()>(dlsym(RTLD_NEXT, "next_wrapper_shared"));
  return found == nullptr ? 0 : found();
}
