// What following the program's events costs: around one cuEventRecord and one cuStreamWaitEvent,
// in process, without the driver's own calls. The streams form a ring in which each waits for the
// one before it, so that after one round every clock knows every stream; `free:1` has each step
// allocate and free a block too (its cost alone is the same step's with `free:2`, without events).
#include <benchmark/benchmark.h>

#include "bench/null_device.h"
#include "pool/device_pool.h"

namespace {

using namespace gmlake;

pool::Origin stream(std::uint64_t n) {
  pool::Origin origin;
  origin.context = reinterpret_cast<void*>(0x100);
  origin.stream_id = n + 1;
  origin.stream = reinterpret_cast<void*>(0x1000 + 16 * n);
  return origin;
}

void* event(std::uint64_t n) {
  return reinterpret_cast<void*>(0x10000 + 16 * n);
}

void ring(benchmark::State& state) {
  const auto streams = static_cast<std::uint64_t>(state.range(0));
  const auto kind = state.range(1);
  const bool allocates = kind != 0, orders = kind != 2;
  const config::Config config;
  bench::NullDevice device(16 * GiB);
  pool::DevicePool pool(0, device, config);
  for (std::uint64_t i = 0; i < streams; ++i) (void)pool.allocate(MiB, stream(i));
  std::uint64_t at = 0, number = 0;
  const auto step = [&] {
    const auto here = stream(at), before = stream(at == 0 ? streams - 1 : at - 1);
    auto* const passed = event(before.stream_id);
    if (orders) {
      const auto recording = pool.recording_of(passed);
      if (recording != 0) pool.waits(here, passed, recording);
    }
    if (allocates) pool.free(*pool.allocate(4 * MiB, here), here);
    if (orders) {
      ++number;
      if (pool.recording(event(here.stream_id), here, number))
        pool.recorded(event(here.stream_id), number, true);
    }
    at = at + 1 == streams ? 0 : at + 1;
  };
  for (std::uint64_t i = 0; i < 4 * streams; ++i) step();
  for (auto _ : state) step();
}

BENCHMARK(ring)->ArgNames({"streams", "free"})->ArgsProduct({{2, 8, 256}, {0, 1, 2}});

}  // namespace

BENCHMARK_MAIN();
