// What taking memory costs a program, printed in one line of JSON.
//
//   growth grow [--api async|malloc] [--bytes N] [--total N]
//     Blocks of one size until so much is held, freed at the end, twice: milliseconds for each GiB
//     when the memory is new, and when it has been had before.
//   growth churn [--api async|malloc] [--threads N] [--rounds N] [--total N]
//     Threads with a stream each, 16 blocks each of random sizes up to 16 MiB: one is freed and
//     another taken in each round. Microseconds for a round, once as many have gone before. With
//     --total so much is held first, in blocks of 20 MiB, and freed.
#include <algorithm>
#include <atomic>
#include <barrier>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "device.h"

namespace {

using Clock = std::chrono::steady_clock;

struct Options {
  bool async = true;
  std::size_t bytes = std::size_t{20} << 20;
  std::size_t total = 0;
  unsigned threads = 1;
  unsigned rounds = 1000;
};

double milliseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

int take(const Options& options, void** at, std::size_t bytes, device::Stream stream) {
  return options.async ? device::allocate_async(at, bytes, stream) : device::allocate(at, bytes);
}
int give(const Options& options, void* at, device::Stream stream) {
  return options.async ? device::release_async(at, stream) : device::release(at);
}

// Takes blocks and frees them. Gives the milliseconds that the taking took for each GiB.
int hold(const Options& options, double& milliseconds) {
  std::vector<void*> blocks(options.total / options.bytes);
  const auto start = Clock::now();
  for (void*& block : blocks)
    if (const int code = take(options, &block, options.bytes, nullptr)) return code;
  if (const int code = device::wait(nullptr)) return code;
  milliseconds = milliseconds_since(start) * (1 << 30) / static_cast<double>(blocks.size()) /
                 static_cast<double>(options.bytes);
  for (void* block : blocks)
    if (const int code = give(options, block, nullptr)) return code;
  return 0;
}

int grow(const Options& options) {
  double milliseconds[2] = {};
  for (double& one : milliseconds)
    if (const int code = hold(options, one)) return code;
  std::printf("{\"new_ms_per_gib\": %.3f, \"again_ms_per_gib\": %.3f}\n", milliseconds[0],
              milliseconds[1]);
  return 0;
}

// Gives the microseconds that its timed rounds took. `all_are_warm` waits for the other threads.
template <typename AllAreWarm>
int churn_on(const Options& options, unsigned seed, AllAreWarm all_are_warm, double& microseconds) {
  constexpr std::size_t kLive = 16;
  std::mt19937 random(seed);
  std::uniform_int_distribution<std::size_t> size(1, std::size_t{16} << 20);
  device::Stream stream = nullptr;
  std::vector<void*> live(kLive);
  int code = device::create_stream(&stream);
  for (void*& block : live)
    if (code == 0) code = take(options, &block, size(random), stream);
  const auto rounds = [&] {
    for (unsigned i = 0; i < options.rounds && code == 0; ++i) {
      void*& block = live[random() % kLive];
      code = give(options, block, stream);
      if (code == 0) code = take(options, &block, size(random), stream);
    }
  };
  rounds();
  all_are_warm();
  const auto start = Clock::now();
  rounds();
  microseconds = milliseconds_since(start) * 1000;
  for (void* block : live)
    if (code == 0) code = give(options, block, stream);
  return code != 0 ? code : device::wait(stream);
}

int churn(const Options& options) {
  double unused = 0;
  if (options.total != 0)
    if (const int code = hold(options, unused)) return code;
  if (const int code = device::wait(nullptr)) return code;
  std::atomic<int> failed{0};
  std::barrier warm(options.threads);
  std::vector<double> microseconds(options.threads);
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < options.threads; ++i)
    threads.emplace_back([&, i] {
      const auto wait = [&] { warm.arrive_and_wait(); };
      if (const int code = churn_on(options, i + 1, wait, microseconds[i])) failed = code;
    });
  for (auto& thread : threads) thread.join();
  std::printf("{\"us_per_round\": %.3f}\n",
              *std::max_element(microseconds.begin(), microseconds.end()) / options.rounds);
  return failed;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  const std::string what = argc > 1 ? argv[1] : "";
  bool known = argc % 2 == 0 && (what == "grow" || what == "churn");
  for (int i = 2; known && i + 1 < argc; i += 2) {
    const std::string name = argv[i];
    const auto number = std::strtoull(argv[i + 1], nullptr, 10);
    if (name == "--api")
      options.async = std::string(argv[i + 1]) != "malloc";
    else if (name == "--bytes" && number != 0)
      options.bytes = number;
    else if (name == "--total" && number != 0)
      options.total = number;
    else if (name == "--threads" && number != 0)
      options.threads = static_cast<unsigned>(number);
    else if (name == "--rounds" && number != 0)
      options.rounds = static_cast<unsigned>(number);
    else
      known = false;
  }
  if (what == "grow" && options.total == 0) options.total = std::size_t{1} << 30;
  if (!known || (options.total != 0 && options.bytes > options.total)) {
    std::fputs(
        "usage: growth grow [--api async|malloc] [--bytes N] [--total N]\n"
        "       growth churn [--api async|malloc] [--threads N] [--rounds N] [--total N]\n",
        stderr);
    return 2;
  }
  int code = device::open();
  if (code == 0) code = what == "grow" ? grow(options) : churn(options);
  if (code != 0) std::fprintf(stderr, "growth: CUDA error %d\n", code);
  return code == 0 ? 0 : 1;
}
