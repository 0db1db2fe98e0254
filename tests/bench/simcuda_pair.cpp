// What the simulated device itself costs, so that it is known what it adds to a figure of the pool:
// an allocation and its free with SIMCUDA_BACKING=none, beside malloc and free of 64 bytes in the
// same run.
#include <benchmark/benchmark.h>

#include <cstdlib>

#include "driver/cuda_api.h"

namespace {

void pair_of_malloc(benchmark::State& state) {
  for (auto _ : state) {
    void* at = std::malloc(64);
    benchmark::DoNotOptimize(at);
    std::free(at);
  }
}

void check(benchmark::State& state, CUresult result) {
  if (result != CUDA_SUCCESS) state.SkipWithError("a driver call failed");
}

void pair_of_alloc(benchmark::State& state) {
  const auto size = static_cast<std::size_t>(state.range(0));
  for (auto _ : state) {
    CUdeviceptr at = 0;
    check(state, cuMemAlloc_v2(&at, size));
    check(state, cuMemFree_v2(at));
  }
}

void pair_of_alloc_async(benchmark::State& state) {
  const auto size = static_cast<std::size_t>(state.range(0));
  for (auto _ : state) {
    CUdeviceptr at = 0;
    check(state, cuMemAllocAsync(&at, size, nullptr));
    check(state, cuMemFreeAsync(at, nullptr));
  }
}

// What a pool pays when it grows by a chunk and gives it back.
void pair_of_chunk(benchmark::State& state) {
  constexpr std::size_t kChunk = 2 << 20;
  CUdeviceptr at = 0;
  check(state, cuMemAddressReserve(&at, kChunk, 0, 0, 0));
  CUmemAllocationProp properties{};
  properties.type = CU_MEM_ALLOCATION_TYPE_PINNED;
  properties.location = {CU_MEM_LOCATION_TYPE_DEVICE, 0};
  const CUmemAccessDesc access{properties.location, CU_MEM_ACCESS_FLAGS_PROT_READWRITE};
  for (auto _ : state) {
    CUmemGenericAllocationHandle handle = 0;
    check(state, cuMemCreate(&handle, kChunk, &properties, 0));
    check(state, cuMemMap(at, kChunk, 0, handle, 0));
    check(state, cuMemSetAccess(at, kChunk, &access, 1));
    check(state, cuMemUnmap(at, kChunk));
    check(state, cuMemRelease(handle));
  }
}

BENCHMARK(pair_of_malloc);
BENCHMARK(pair_of_alloc)->Arg(512)->Arg(2 << 20)->Arg(100 << 20);
BENCHMARK(pair_of_alloc_async)->Arg(512)->Arg(2 << 20)->Arg(100 << 20);
BENCHMARK(pair_of_chunk);

}  // namespace

int main(int argc, char** argv) {
  setenv("SIMCUDA_BACKING", "none", 1);
  unsetenv("SIMCUDA_SEED");
  benchmark::Initialize(&argc, argv);
  CUcontext context = nullptr;
  if (cuInit(0) != CUDA_SUCCESS || cuDevicePrimaryCtxRetain(&context, 0) != CUDA_SUCCESS ||
      cuCtxSetCurrent(context) != CUDA_SUCCESS)
    return 1;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
