// What it costs to look names up: dlsym of a name that is nobody's business, in a library and in
// what the program can see, and cuGetProcAddress of a driver function. Prints the best mean of
// several rounds for each, in nanoseconds.
//
//   lookup_loop LOOKUPS
#include <dlfcn.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>

#include <cuda.h>

namespace {

constexpr int kRounds = 7;

template <typename Lookup>
double nanoseconds(long count, Lookup lookup) {
  double best = 1e18;
  for (int round = 0; round < kRounds; ++round) {
    const auto start = std::chrono::steady_clock::now();
    for (long i = 0; i < count; ++i)
      if (!lookup()) std::exit(1);
    const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - start;
    best = std::min(best, took.count() / static_cast<double>(count));
  }
  return best;
}

bool found(const char* name) {
  void* function = nullptr;
  return cuGetProcAddress(name, &function, 13000, CU_GET_PROC_ADDRESS_DEFAULT, nullptr) ==
             CUDA_SUCCESS &&
         function != nullptr;
}

}  // namespace

int main(int argc, char** argv) {
  const long count = argc > 1 ? std::atol(argv[1]) : 0;
  void* library = dlopen("libm.so.6", RTLD_NOW | RTLD_LOCAL);
  if (count < 1 || !library || cuInit(0) != CUDA_SUCCESS) {
    std::fprintf(stderr, "usage: lookup_loop LOOKUPS, with a CUDA driver\n");
    return 2;
  }
  std::printf(
      "{\"dlsym_library_ns\": %.1f, \"dlsym_default_ns\": %.1f, \"get_proc_address_ns\": %.1f}\n",
      nanoseconds(count, [&] { return dlsym(library, "cosf") != nullptr; }),
      nanoseconds(count, [] { return dlsym(RTLD_DEFAULT, "getenv") != nullptr; }),
      nanoseconds(count, [] { return found("cuDeviceGetCount"); }));
}
