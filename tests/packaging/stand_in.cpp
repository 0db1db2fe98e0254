// A program that uses libgmlake_torch.so as PyTorch does: opened by its path, its two functions by
// name, called as std::function, exceptions caught as what the Python layer would make an error of.
//
//   stand_in PLUGIN
#include <cstdio>
#include <exception>
#include <functional>
#include <stdexcept>
#include <string>

#include <dlfcn.h>
#include <sys/types.h>

namespace {

using Stream = void*;

template <typename Function>
Function* find(void* library, const char* name) {
  return reinterpret_cast<Function*>(dlsym(library, name));
}

}  // namespace

int main(int argc, char** argv) {
  void* library = argc > 1 ? dlopen(argv[1], RTLD_LAZY) : nullptr;
  if (!library) {
    std::fprintf(stderr, "%s\n", dlerror());
    return 1;
  }
  const std::function<void*(size_t, int, Stream)> take =
      find<void*(ssize_t, int, Stream)>(library, "gmlake_torch_malloc");
  const std::function<void(void*, size_t, int, Stream)> give =
      find<void(void*, size_t, int, Stream)>(library, "gmlake_torch_free");
  const std::function<void(void*, Stream)> record =
      find<void(void*, Stream)>(library, "gmlake_torch_record_stream");
  const std::function<void()> empty = find<void()>(library, "gmlake_torch_empty_cache");

  constexpr size_t kBlock = size_t{64} << 20;
  void* first = take(kBlock, 0, nullptr);
  std::printf("nothing %d\n", take(0, 0, nullptr) == nullptr);
  for (int i = 0; i < 2; ++i) {
    try {
      (void)take(size_t{1} << 40, 0, nullptr);
      std::printf("no exception\n");
    } catch (const std::runtime_error& error) {
      std::printf("caught %s\n", error.what());
    }
  }
  try {
    (void)take(kBlock, 7, nullptr);
  } catch (const std::runtime_error& error) {
    std::printf("caught %s\n", error.what());
  }
  void* second = take(kBlock, 0, nullptr);
  std::printf("goes on %d\n", first && second && first != second);
  record(second, nullptr);
  give(first, kBlock, 0, nullptr);
  give(second, kBlock, 0, nullptr);
  void* third = take(kBlock, 0, nullptr);
  std::printf("again %d\n", third == first || third == second);
  empty();
  return 0;
}
