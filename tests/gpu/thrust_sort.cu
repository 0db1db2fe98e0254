// A Thrust program: sorts vectors of many sizes, all of them allocated and freed in each iteration
// as Thrust does. Prints a checksum that must not depend on who serves the memory.
//
//   thrust_sort [--iterations N] [--most ELEMENTS]
#include <thrust/device_vector.h>
#include <thrust/reduce.h>
#include <thrust/sequence.h>
#include <thrust/sort.h>
#include <thrust/transform.h>

#include <chrono>
#include <cstdint>

#include "runtime.h"

namespace {

struct Scramble {
  std::uint32_t seed;
  __host__ __device__ std::uint32_t operator()(std::uint32_t i) const {
    std::uint64_t x = (i + 1ULL) * 0x9e3779b97f4a7c15ULL + seed;
    x ^= x >> 29;
    x *= 0xbf58476d1ce4e5b9ULL;
    return static_cast<std::uint32_t>(x >> 32);
  }
};
// Depends on where each key ended up.
struct Weigh {
  __host__ __device__ std::uint64_t operator()(std::uint32_t key, std::uint32_t place) const {
    return (key + 1ULL) * (place * 2ULL + 1);
  }
};

std::uint64_t sort_once(std::uint32_t count, std::uint32_t seed) {
  thrust::device_vector<std::uint32_t> keys(count);
  thrust::device_vector<std::uint32_t> places(count);
  thrust::sequence(places.begin(), places.end());
  thrust::transform(places.begin(), places.end(), keys.begin(), Scramble{seed});
  thrust::sort_by_key(keys.begin(), keys.end(), places.begin());
  thrust::device_vector<std::uint64_t> weights(count);
  thrust::transform(keys.begin(), keys.end(), places.begin(), weights.begin(), Weigh{});
  thrust::sort(places.begin(), places.end());
  return thrust::reduce(weights.begin(), weights.end()) + places[count / 2];
}

}  // namespace

int main(int argc, char** argv) {
  const int iterations = static_cast<int>(gpu::option(argc, argv, "--iterations", 200));
  const double most = gpu::option(argc, argv, "--most", 1 << 25);
  std::uint64_t checksum = sort_once(1000, 0);
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < iterations; ++i) {
    const auto part = static_cast<double>(Scramble{7}(static_cast<std::uint32_t>(i))) / 4294967296;
    const auto count = static_cast<std::uint32_t>(1000 + part * most);
    checksum = checksum * 31 + sort_once(count, static_cast<std::uint32_t>(i));
  }
  CUDA(cudaDeviceSynchronize());
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  std::printf("{\"iterations\": %d, \"checksum\": %llu, \"ms_per_iteration\": %.3f}\n", iterations,
              static_cast<unsigned long long>(checksum), seconds * 1e3 / iterations);
  return 0;
}
