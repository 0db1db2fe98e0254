// What the pool itself costs: an allocation and its free that need no driver call, on a device that
// backs nothing, by size, by live blocks, by holes, by threads and by devices.
//
// Every line carries counters: pair_ns, the mean time of a pair as its thread sees it (the
// library's own column divides by all threads' pairs); malloc_ns, a malloc(64) and free of glibc
// measured right after it; ratio, the one by the other; driver_calls, per pair, which is 0 in the
// steady state. pool_pair.py runs it and holds the figures to their bounds.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "bench/null_device.h"
#include "pool/device_pool.h"

namespace {

using gmlake::Bytes;
using gmlake::KiB;
using gmlake::MiB;
using gmlake::bench::NullDevice;
using gmlake::driver::Address;
using Clock = std::chrono::steady_clock;

double nanoseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::nano>(Clock::now() - start).count();
}

gmlake::pool::Origin stream(int number) {
  gmlake::pool::Origin origin;
  origin.context = reinterpret_cast<void*>(1);
  origin.stream_id = static_cast<std::uint64_t>(number) + 1;
  origin.stream = reinterpret_cast<void*>(origin.stream_id);
  return origin;
}

// One device and its pool.
struct Side {
  explicit Side(Bytes memory) : device(memory), pool(0, device, config) {}
  Address take(Bytes bytes, const gmlake::pool::Origin& origin) {
    const auto at = pool.allocate(bytes, origin);
    if (!at) std::abort();  // the device has room for all that is asked here
    return *at;
  }

  gmlake::config::Config config;
  NullDevice device;
  gmlake::pool::DevicePool pool;
};

// The pools of a benchmark, filled once for all its runs: a benchmark is run several times over.
struct World {
  std::string name;
  std::vector<std::unique_ptr<Side>> sides;
};
World world;
std::mutex preparing;

// By every thread of the benchmark, before it looks at the world.
template <typename Fill>
void prepare(const std::string& name, int devices, Bytes memory, Fill fill) {
  const std::lock_guard lock(preparing);
  if (world.name == name) return;
  world.sides.clear();
  for (int i = 0; i < devices; ++i) {
    world.sides.push_back(std::make_unique<Side>(memory));
    fill(*world.sides.back());
  }
  world.name = name;
}

constexpr int kMostThreads = 8;
constexpr int kFill = 100;  // the stream of blocks that stay

void fill_live(Side& side, Bytes size, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) side.take(size, stream(kFill));
}

// `count` holes of `hole` bytes, each between two live blocks of `size`, free to `of`.
void fill_holes(Side& side, Bytes size, Bytes hole, std::int64_t count, int of) {
  std::vector<Address> holes;
  for (std::int64_t i = 0; i < count; ++i) {
    side.take(size, stream(of));
    holes.push_back(side.take(hole, stream(of)));
  }
  side.take(size, stream(of));
  for (const auto at : holes) side.pool.free(at, stream(of));
}

double malloc_pair() {
  constexpr int kPairs = 20000;
  double best = 1e9;
  for (int run = 0; run < 5; ++run) {
    const auto start = Clock::now();
    for (int i = 0; i < kPairs; ++i) {
      void* at = std::malloc(64);
      benchmark::DoNotOptimize(at);
      std::free(at);
    }
    best = std::min(best, nanoseconds_since(start) / kPairs);
  }
  return best;
}

// Runs `pair` as the benchmark's loop and adds the counters.
template <typename Pair>
void measure(benchmark::State& state, const Side& side, Pair pair) {
  const auto calls = side.device.calls();
  auto start = Clock::time_point{};
  for (auto _ : state) {
    if (start == Clock::time_point{}) start = Clock::now();  // all threads have arrived
    pair();
  }
  const double ns = nanoseconds_since(start) / static_cast<double>(state.iterations());
  const auto called = static_cast<double>(side.device.calls() - calls);
  const double host = malloc_pair();
  const auto mean = [](double value) {
    return benchmark::Counter(value, benchmark::Counter::kAvgThreads);
  };
  state.counters["pair_ns"] = mean(ns);
  state.counters["malloc_ns"] = mean(host);
  state.counters["ratio"] = mean(ns / host);
  state.counters["driver_calls"] = mean(called / static_cast<double>(state.iterations()));
}

void one_size(benchmark::State& state, Side& side, Bytes size, const gmlake::pool::Origin& origin) {
  const auto pair = [&] { side.pool.free(side.take(size, origin), origin); };
  for (int i = 0; i < 10; ++i) pair();
  measure(state, side, pair);
}

Bytes room(Bytes size, std::int64_t blocks) {
  return size * static_cast<Bytes>(blocks) * 2 + 4 * gmlake::GiB;
}

void live(const std::string& name, Bytes size, std::int64_t count, benchmark::State& state) {
  prepare(name, 1, room(size, count), [&](Side& side) { fill_live(side, size, count); });
  one_size(state, *world.sides.front(), size, stream(state.thread_index()));
}

// As live(), asked for by the host and not on a stream, as cudaMalloc is.
void host(const std::string& name, Bytes size, std::int64_t count, benchmark::State& state) {
  prepare(name, 1, room(size, count), [&](Side& side) { fill_live(side, size, count); });
  auto origin = stream(0);
  origin.stream_id = 0;
  origin.stream = nullptr;
  one_size(state, *world.sides.front(), size, origin);
}

// As live(), each thread on a device of its own.
void devices(const std::string& name, Bytes size, std::int64_t count, benchmark::State& state) {
  prepare(name, kMostThreads, room(size, count), [&](Side& side) { fill_live(side, size, count); });
  one_size(state, *world.sides[static_cast<std::size_t>(state.thread_index())], size,
           stream(state.thread_index()));
}

void holes(const std::string& name, Bytes size, Bytes hole, std::int64_t count,
           benchmark::State& state) {
  prepare(name, 1, room(size, 2 * count),
          [&](Side& side) { fill_holes(side, size, hole, count, 0); });
  one_size(state, *world.sides.front(), size, stream(state.thread_index()));
}

// Sizes in turn: a block of the next size is taken and the oldest of 16 goes. There is free memory
// enough for none to be stitched: what is measured is to find, split and join it.
void sizes_in_turn(const std::string& name, const std::vector<Bytes>& sizes, std::int64_t count,
                   benchmark::State& state) {
  const Bytes largest = *std::max_element(sizes.begin(), sizes.end());
  std::size_t turn = 0;
  std::size_t oldest = 0;
  std::array<Address, 16> window{};
  const auto origin = stream(0);
  prepare(name, 1, room(largest, count + 64), [&](Side& side) {
    fill_live(side, largest, count);
    for (auto& slot : window) slot = side.take(4 * largest, origin);
    for (auto& slot : window) side.pool.free(std::exchange(slot, 0), origin);
  });
  auto& side = *world.sides.front();
  const auto step = [&] {
    auto& slot = window[oldest];
    if (slot != 0) side.pool.free(slot, origin);
    slot = side.take(sizes[turn], origin);
    if (++turn == sizes.size()) turn = 0;
    if (++oldest == window.size()) oldest = 0;
  };
  for (std::size_t i = 0; i < 4 * sizes.size() + 64; ++i) step();
  measure(state, side, step);
  for (const auto at : window)
    if (at != 0) side.pool.free(at, origin);
}

void by_streams(benchmark::State& state, std::int64_t count, Bytes size) {
  auto& side = *world.sides.front();
  int turn = 0;
  const auto pair = [&] {
    const auto origin = stream(turn);
    side.pool.free(side.take(size, origin), origin);
    if (++turn == count) turn = 0;
  };
  for (std::int64_t i = 0; i < 4 * count; ++i) pair();
  measure(state, side, pair);
}

// As live(), with `count` streams alive that have a block and free memory each; by one of them, or
// by all in turn.
void alive(const std::string& name, Bytes size, std::int64_t count, bool in_turn,
           benchmark::State& state) {
  prepare(name, 1, room(size, count), [&](Side& side) {
    std::vector<Address> freed;
    for (int i = 0; i < count; ++i) {
      side.take(size, stream(i));
      freed.push_back(side.take(size, stream(i)));
    }
    for (int i = 0; i < count; ++i) side.pool.free(freed[static_cast<std::size_t>(i)], stream(i));
  });
  by_streams(state, in_turn ? count : 1, size);
}

// By streams in turn that hand one free block on: each time an event and a query, and no hit.
void handed_on(const std::string& name, Bytes size, std::int64_t count, benchmark::State& state) {
  prepare(name, 1, room(size, count), [&](Side& side) {
    for (int i = 0; i < count; ++i) side.take(size, stream(i));
  });
  by_streams(state, count, size);
}

// Between a 64th of `size` and `size`.
std::vector<Bytes> some_sizes(Bytes size, std::size_t count) {
  std::mt19937_64 random(7);
  std::vector<Bytes> sizes(count);
  for (auto& one : sizes)
    one = std::uniform_int_distribution<Bytes>(std::max<Bytes>(1, size / 64), size)(random);
  return sizes;
}

// Seven sizes, each round in another order.
std::vector<Bytes> seven_sizes(Bytes size) {
  std::mt19937_64 random(7);
  auto round = some_sizes(size, 7);
  std::vector<Bytes> sizes;
  for (int i = 0; i < 100; ++i) {
    std::shuffle(round.begin(), round.end(), random);
    sizes.insert(sizes.end(), round.begin(), round.end());
  }
  return sizes;
}

template <typename Body, typename... Args>
benchmark::internal::Benchmark* add(const std::string& name, Body body, Args... args) {
  return benchmark::RegisterBenchmark(name.c_str(),
                                      [=](benchmark::State& state) { body(name, args..., state); });
}

std::string named(const char* kind, Bytes size, const char* what, std::int64_t count) {
  return std::string(kind) + "/" + gmlake::exact_bytes(size) + "/" + what + ":" +
         std::to_string(count);
}

void register_all() {
  constexpr std::array<Bytes, 4> kSizes{512, 64 * KiB, 2 * MiB, 100 * MiB};
  constexpr std::array<std::int64_t, 3> kCounts{10, 1000, 100000};
  for (const auto size : kSizes)
    for (const auto count : kCounts) add(named("live", size, "live", count), live, size, count);
  for (const auto size : kSizes) {  // with no other block, as hit_loop does it
    add(named("alone", size, "live", 0), live, size, std::int64_t{0});
    add(named("host", size, "live", 0), host, size, std::int64_t{0});
  }
  for (const auto size : kSizes)
    for (const auto count : kCounts) {
      add(named("fitting", size, "holes", count), holes, size, size, count);
      // One step of the alignment too small. No block is smaller than one: there the request is
      // two.
      const Bytes wanted = std::max<Bytes>(size, 1 * KiB);
      add(named("too_small", wanted, "holes", count), holes, wanted, wanted - 512, count);
    }
  for (const auto size : kSizes)
    for (const std::int64_t count : {1, 8, 256}) {
      add(named("alive", size, "streams", count), alive, size, count, false);
      add(named("alive_in_turn", size, "streams", count), alive, size, count, true);
      if (count != 1) add(named("handed_on", size, "among", count), handed_on, size, count);
    }
  for (const auto size : {64 * KiB, 100 * MiB})
    for (const auto count : kCounts) {
      add(named("seven", size, "live", count), sizes_in_turn, seven_sizes(size), count);
      add(named("random", size, "live", count), sizes_in_turn, some_sizes(size, 4096), count);
    }
  for (const auto size : kSizes)
    for (int threads = 1; threads <= kMostThreads; threads *= 2) {
      add(named("streams", size, "live", 1000), live, size, std::int64_t{1000})
          ->Threads(threads)
          ->UseRealTime();
      add(named("devices", size, "live", 1000), devices, size, std::int64_t{1000})
          ->Threads(threads)
          ->UseRealTime();
    }
}

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  register_all();
  benchmark::RunSpecifiedBenchmarks();
  world.sides.clear();
  return 0;
}
