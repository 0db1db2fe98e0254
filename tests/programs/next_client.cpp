// Uses next_wrapper: prints through its puts() and says what its lookups found.
#include <dlfcn.h>

#include <cstdio>

#define EXPORT extern "C" __attribute__((visibility("default")))

extern "C" int next_wrapper_default();
extern "C" int next_wrapper_next();
EXPORT int next_wrapper_shared() {
  return 1;
}

int main() {
  if (std::puts("through the wrapper") < 0) return 1;
  std::printf("default %d, next %d\n", next_wrapper_default(), next_wrapper_next());
  auto next = reinterpret_cast<int (*)()>(dlsym(RTLD_NEXT, "next_wrapper_shared"));
  std::printf("next after the program %d\n", next == nullptr ? 0 : next());
  std::printf("unknown %s", dlsym(RTLD_DEFAULT, "no_such_symbol") == nullptr ? "" : "found");
  std::printf("(%s)\n", dlerror() == nullptr ? "no error" : "error set");
  return 0;
}
