// Allocates and frees one size over and over, the cheapest thing an allocator can be asked. Prints
// the mean time of a pair, and for scale that of glibc's malloc and free of 64 bytes in the same
// run. With work the block is written in between: `given` frees it at once, `awaited` waits for the
// stream first, as Thrust's algorithms do with their temporary memory.
//
//   hit_loop [--api async|malloc] [--stream default|own] [--work none|given|awaited] [--bytes N]
//   PAIRS
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "device.h"

namespace {

constexpr int kWarmUp = 10;  // the first pairs create memory; they are not timed

enum class Work { none, given, awaited };

int pair(bool async, Work work, std::size_t bytes, device::Stream stream) {
  void* at = nullptr;
  int code = async ? device::allocate_async(&at, bytes, stream) : device::allocate(&at, bytes);
  if (code == 0 && work != Work::none) code = device::fill(at, bytes, stream);
  if (code == 0 && work == Work::awaited) code = device::wait(stream);
  if (code != 0) return code;
  return async ? device::release_async(at, stream) : device::release(at);
}

template <typename Body>
double nanoseconds_each(long count, Body body) {
  auto start = std::chrono::steady_clock::now();
  for (long i = 0; i < count; ++i) body();
  auto time = std::chrono::steady_clock::now() - start;
  return std::chrono::duration<double, std::nano>(time).count() / static_cast<double>(count);
}

}  // namespace

int main(int argc, char** argv) {
  bool async = true, own_stream = false;
  Work work = Work::none;
  std::size_t bytes = std::size_t{4} << 20;
  long pairs = 0;
  for (int i = 1; i < argc; ++i) {
    std::string name = argv[i];
    if (name == "--api" && i + 1 < argc) {
      async = std::string(argv[++i]) != "malloc";
    } else if (name == "--stream" && i + 1 < argc) {
      own_stream = std::string(argv[++i]) == "own";
    } else if (name == "--work" && i + 1 < argc) {
      const std::string word = argv[++i];
      work = word == "given" ? Work::given : word == "awaited" ? Work::awaited : Work::none;
    } else if (name == "--bytes" && i + 1 < argc) {
      bytes = std::strtoull(argv[++i], nullptr, 10);
    } else {
      pairs = std::atol(name.c_str());
    }
  }
  if (pairs <= 0) {
    std::fputs(
        "usage: hit_loop [--api async|malloc] [--stream default|own] [--work none|given|awaited] "
        "[--bytes N] PAIRS\n",
        stderr);
    return 2;
  }
  int code = device::open();
  device::Stream stream = nullptr;
  if (own_stream && code == 0) code = device::create_stream(&stream);
  for (int i = 0; i < kWarmUp && code == 0; ++i) code = pair(async, work, bytes, stream);
  double device_ns = nanoseconds_each(pairs, [&] {
    if (code == 0) code = pair(async, work, bytes, stream);
  });
  if (code != 0) {
    std::fprintf(stderr, "hit_loop: CUDA error %d\n", code);
    return 2;
  }
  double host_ns = nanoseconds_each(pairs, [] {
    void* volatile at = std::malloc(64);  // volatile: or the pair is optimised away
    std::free(at);
  });
  std::printf("{\"pairs\": %ld, \"device_pair_ns\": %.1f, \"malloc_pair_ns\": %.1f}\n", pairs,
              device_ns, host_ns);
  return 0;
}
