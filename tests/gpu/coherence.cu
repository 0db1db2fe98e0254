// Whether physical memory stays one and the same when it is used through two addresses: the pool's
// home address of a chunk, and a window that maps the chunk again.
//
//   coherence [--seconds N]
//
// "concurrent": two kernels that run at once write and read back alternating parts of the same
// chunks, one through the home address and one through a window; then every element is verified
// through both addresses, by kernels and by copies to the host. "ordered": one address written,
// then in stream order the other read, by kernels, copies and fills. One line of JSON for each
// combination. Exit status 1 if a byte was wrong in parts of 512 bytes or more.
#include <chrono>
#include <cstdint>
#include <vector>

#include "block.h"
#include "runtime.h"

namespace {

constexpr int kBlocks = 48;  // both kernels fit on any device at once
constexpr int kThreads = 256;
constexpr int kRepeats = 4;

// Where element i of the home range lies: as it is, or with the chunks in reverse order.
struct View {
  CUdeviceptr at;
  std::size_t chunks;
  bool reversed;
};

__device__ std::uint32_t mixed(std::uint32_t seed, std::uint64_t i) {
  std::uint64_t x = i * 0x9e3779b97f4a7c15ULL + seed;
  x ^= x >> 29;
  x *= 0xbf58476d1ce4e5b9ULL;
  return static_cast<std::uint32_t>(x >> 32);
}
template <typename T>
__device__ T value(std::uint32_t seed, std::uint64_t i) {
  return static_cast<T>(mixed(seed, i));
}
template <>
__device__ uint4 value<uint4>(std::uint32_t seed, std::uint64_t i) {
  const std::uint32_t x = mixed(seed, i);
  return make_uint4(x, ~x, x * 3, x ^ 0x55555555U);
}
template <typename T>
__device__ bool same(T a, T b) {
  return a == b;
}
template <>
__device__ bool same<uint4>(uint4 a, uint4 b) {
  return a.x == b.x && a.y == b.y && a.z == b.z && a.w == b.w;
}

template <typename T>
__device__ T* element(View view, std::uint64_t i) {
  const std::uint64_t each = gpu::kChunk / sizeof(T);
  const std::uint64_t chunk = i / each;
  const std::uint64_t place = view.reversed ? view.chunks - 1 - chunk : chunk;
  return reinterpret_cast<T*>(view.at) + place * each + i % each;
}

struct Counts {
  unsigned arrived;
  unsigned overlapped;
  unsigned long long wrong_at_once;   // read back by the writer
  unsigned long long wrong_verified;  // afterwards, through either address
};

// Writes and reads back the parts of one parity while the other kernel does the others.
template <typename T>
__global__ void write_parts(View view, std::uint64_t part, unsigned parity, std::uint32_t seed,
                            Counts* counts) {
  if (threadIdx.x == 0) {  // both kernels are under way, or this one has waited long enough
    atomicAdd(&counts->arrived, 1);
    const long long until = clock64() + 50'000'000;
    while (atomicAdd(&counts->arrived, 0) < 2 * gridDim.x && clock64() < until) {
    }
    if (blockIdx.x == 0 && atomicAdd(&counts->arrived, 0) >= 2 * gridDim.x)
      atomicAdd(&counts->overlapped, 1);
  }
  __syncthreads();
  const std::uint64_t count = view.chunks * gpu::kChunk / sizeof(T);
  const std::uint64_t first = blockIdx.x * blockDim.x + threadIdx.x;
  const std::uint64_t step = gridDim.x * blockDim.x;
  unsigned long long wrong = 0;
  for (std::uint32_t repeat = 0; repeat < kRepeats; ++repeat) {
    for (std::uint64_t i = first; i < count; i += step)
      if (i / part % 2 == parity) __stwb(element<T>(view, i), value<T>(seed + repeat, i));
    for (std::uint64_t i = first; i < count; i += step) {
      if (i / part % 2 != parity) continue;
      T* at = element<T>(view, i);
      wrong += !same<T>(repeat % 2 ? __ldca(at) : __ldcg(at), value<T>(seed + repeat, i));
    }
  }
  if (wrong != 0) atomicAdd(&counts->wrong_at_once, wrong);
}

template <typename T>
__global__ void write_all(View view, std::uint32_t seed) {
  const std::uint64_t count = view.chunks * gpu::kChunk / sizeof(T);
  for (std::uint64_t i = blockIdx.x * blockDim.x + threadIdx.x; i < count;
       i += gridDim.x * blockDim.x)
    __stwb(element<T>(view, i), value<T>(seed, i));
}

template <typename T>
__global__ void verify_all(View view, std::uint32_t seed, Counts* counts) {
  const std::uint64_t count = view.chunks * gpu::kChunk / sizeof(T);
  unsigned long long wrong = 0;
  for (std::uint64_t i = blockIdx.x * blockDim.x + threadIdx.x; i < count;
       i += gridDim.x * blockDim.x)
    wrong += !same<T>(__ldca(element<T>(view, i)), value<T>(seed, i));
  if (wrong != 0) atomicAdd(&counts->wrong_verified, wrong);
}

// A block, the same chunks in another order through a second range, and what the runs share.
class Scene {
 public:
  Scene(std::size_t chunks, bool reversed) : block_(chunks), window_(chunks * gpu::kChunk) {
    for (std::size_t i = 0; i < chunks; ++i)
      window_.map(i * gpu::kChunk, gpu::kChunk,
                  block_.handles().list()[reversed ? chunks - 1 - i : i]);
    gpu::check(gpu::set_access(window_.at(), window_.bytes()), "cuMemSetAccess");
    home = {block_.at(), chunks, false};
    window = {window_.at(), chunks, reversed};
    CUDA(cudaMalloc(&counts, sizeof *counts));
    CUDA(cudaMemset(counts, 0, sizeof *counts));
    for (auto& stream : streams) CUDA(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  }
  ~Scene() {
    CUDA(cudaDeviceSynchronize());
    for (auto& stream : streams) CUDA(cudaStreamDestroy(stream));
    CUDA(cudaFree(counts));
  }
  std::size_t bytes() const { return block_.bytes(); }
  Counts read() const {
    Counts out{};
    CUDA(cudaDeviceSynchronize());
    CUDA(cudaMemcpy(&out, counts, sizeof out, cudaMemcpyDeviceToHost));
    return out;
  }

  View home{};
  View window{};
  Counts* counts = nullptr;
  cudaStream_t streams[2] = {};

 private:
  gpu::Block block_;
  gpu::Range window_;
};

using Clock = std::chrono::steady_clock;

// Both views agree when copied to the host, chunk by chunk.
std::uint64_t host_difference(const Scene& scene) {
  std::vector<unsigned char> a(gpu::kChunk);
  std::vector<unsigned char> b(gpu::kChunk);
  std::uint64_t wrong = 0;
  for (std::size_t chunk = 0; chunk < scene.home.chunks; ++chunk) {
    const std::size_t other = scene.window.reversed ? scene.home.chunks - 1 - chunk : chunk;
    GPU(cuMemcpyDtoH_v2_(a.data(), scene.home.at + chunk * gpu::kChunk, gpu::kChunk));
    GPU(cuMemcpyDtoH_v2_(b.data(), scene.window.at + other * gpu::kChunk, gpu::kChunk));
    for (std::size_t i = 0; i < gpu::kChunk; ++i) wrong += a[i] != b[i];
  }
  return wrong;
}

template <typename T>
__global__ void verify_parts(View view, std::uint64_t part, std::uint32_t even, std::uint32_t odd,
                             Counts* counts) {
  const std::uint64_t count = view.chunks * gpu::kChunk / sizeof(T);
  unsigned long long wrong = 0;
  for (std::uint64_t i = blockIdx.x * blockDim.x + threadIdx.x; i < count;
       i += gridDim.x * blockDim.x)
    wrong += !same<T>(__ldca(element<T>(view, i)), value<T>(i / part % 2 ? odd : even, i));
  if (wrong != 0) atomicAdd(&counts->wrong_verified, wrong);
}

template <typename T>
std::uint64_t concurrent(std::size_t chunks, bool reversed, std::size_t part_bytes,
                         double seconds) {
  Scene scene(chunks, reversed);
  const std::uint64_t part = part_bytes / sizeof(T);
  std::uint64_t host_wrong = 0;
  unsigned rounds = 0;
  const auto start = Clock::now();
  while (Clock::now() - start < std::chrono::duration<double>(seconds)) {
    const std::uint32_t even = 1000 * rounds + 1;
    const std::uint32_t odd = 1000 * rounds + 501;
    const unsigned turn = rounds % 2;  // which of the two is given to the device first
    CUDA(cudaMemset(&scene.counts->arrived, 0, sizeof(unsigned)));
    CUDA(cudaDeviceSynchronize());
    for (unsigned k : {turn, 1 - turn}) {
      write_parts<T><<<kBlocks, kThreads, 0, scene.streams[k]>>>(
          k == 0 ? scene.home : scene.window, part, k, k == 0 ? even : odd, scene.counts);
    }
    CUDA(cudaGetLastError());
    CUDA(cudaDeviceSynchronize());
    for (View view : {scene.home, scene.window})
      verify_parts<T><<<4 * kBlocks, kThreads>>>(view, part, even + kRepeats - 1,
                                                 odd + kRepeats - 1, scene.counts);
    CUDA(cudaDeviceSynchronize());
    if (rounds == 0 || (rounds % 64 == 0 && chunks <= 4)) host_wrong += host_difference(scene);
    ++rounds;
  }
  const Counts counts = scene.read();
  const std::uint64_t wrong = counts.wrong_at_once + counts.wrong_verified + host_wrong;
  std::printf(
      "{\"check\": \"concurrent\", \"part_bytes\": %zu, \"access_bytes\": %zu, \"chunks\": %zu, "
      "\"window\": \"%s\", \"rounds\": %u, \"rounds_at_once\": %u, \"bytes_written\": %llu, "
      "\"mismatches\": %llu}\n",
      part_bytes, sizeof(T), chunks, reversed ? "reversed" : "same order", rounds,
      counts.overlapped / 2, static_cast<unsigned long long>(scene.bytes()) * kRepeats * rounds,
      static_cast<unsigned long long>(wrong));
  std::fflush(stdout);
  return wrong;
}

// Written through one address and read through the other, next in the same stream.
std::uint64_t ordered(std::size_t chunks, bool reversed, double seconds) {
  Scene scene(chunks, reversed);
  const cudaStream_t stream = scene.streams[0];
  const cudaStream_t other = scene.streams[1];
  const auto bytes = scene.bytes();
  cudaEvent_t event = nullptr;
  CUDA(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
  void* staging = nullptr;
  CUDA(cudaMalloc(&staging, bytes));
  const View staged{reinterpret_cast<CUdeviceptr>(staging), chunks, false};
  unsigned rounds = 0;
  const auto start = Clock::now();
  const auto verify = [&](View view, std::uint32_t seed, cudaStream_t on) {
    verify_all<unsigned><<<4 * kBlocks, kThreads, 0, on>>>(view, seed, scene.counts);
  };
  while (Clock::now() - start < std::chrono::duration<double>(seconds)) {
    const std::uint32_t seed = 100 * rounds;
    // Kernels, to and fro: the reader's view was read before and may lie in a cache.
    write_all<unsigned><<<4 * kBlocks, kThreads, 0, stream>>>(scene.home, seed);
    verify(scene.window, seed, stream);
    write_all<unsigned><<<4 * kBlocks, kThreads, 0, stream>>>(scene.window, seed + 1);
    verify(scene.home, seed + 1, stream);
    // Another stream, behind an event.
    write_all<unsigned><<<4 * kBlocks, kThreads, 0, stream>>>(scene.home, seed + 2);
    CUDA(cudaEventRecord(event, stream));
    CUDA(cudaStreamWaitEvent(other, event, 0));
    verify(scene.window, seed + 2, other);
    CUDA(cudaEventRecord(event, other));
    CUDA(cudaStreamWaitEvent(stream, event, 0));
    // A copy into one address, a kernel reads the other; then a copy reads what a kernel wrote.
    write_all<unsigned><<<4 * kBlocks, kThreads, 0, stream>>>(staged, seed + 3);
    CUDA(cudaMemcpyAsync(reinterpret_cast<void*>(scene.home.at), staging, bytes,
                         cudaMemcpyDeviceToDevice, stream));
    View forward = scene.window;
    verify(forward, seed + 3, stream);
    write_all<unsigned><<<4 * kBlocks, kThreads, 0, stream>>>(scene.window, seed + 4);
    CUDA(cudaMemcpyAsync(staging, reinterpret_cast<void*>(scene.home.at), bytes,
                         cudaMemcpyDeviceToDevice, stream));
    verify(staged, seed + 4, stream);
    CUDA(cudaGetLastError());
    ++rounds;
    if (rounds % 8 == 0) CUDA(cudaStreamSynchronize(stream));
  }
  const std::uint64_t wrong = scene.read().wrong_verified;
  std::printf(
      "{\"check\": \"ordered\", \"access_bytes\": 4, \"chunks\": %zu, \"window\": \"%s\", "
      "\"rounds\": %u, \"bytes_written\": %llu, \"mismatches\": %llu}\n",
      chunks, reversed ? "reversed" : "same order", rounds,
      static_cast<unsigned long long>(bytes) * 5 * rounds, static_cast<unsigned long long>(wrong));
  std::fflush(stdout);
  CUDA(cudaFree(staging));
  CUDA(cudaEventDestroy(event));
  return wrong;
}

}  // namespace

int main(int argc, char** argv) {
  const double seconds = gpu::option(argc, argv, "--seconds", 40);
  CUDA(cudaFree(nullptr));
  gpu::open_device();
  const std::size_t sizes[] = {1, 4, 100};  // chunks: within the L2 cache and beyond
  const std::size_t parts[] = {512, 1536, 65536, 128, 32};  // the last two: neighbouring sectors
  const double each = seconds / (3 * 2 * (5 * 3 + 1));
  std::uint64_t wrong = 0;
  std::uint64_t wrong_close = 0;
  for (std::size_t chunks : sizes) {
    for (bool reversed : {false, true}) {
      for (std::size_t part : parts) {
        auto& count = part >= 512 ? wrong : wrong_close;
        count += concurrent<unsigned char>(chunks, reversed, part, each);
        count += concurrent<unsigned>(chunks, reversed, part, each);
        count += concurrent<uint4>(chunks, reversed, part, each);
      }
      wrong += ordered(chunks, reversed, each);
    }
  }
  std::printf("{\"check\": \"all\", \"mismatches\": %llu, \"mismatches_below_512\": %llu}\n",
              static_cast<unsigned long long>(wrong), static_cast<unsigned long long>(wrong_close));
  return wrong == 0 ? 0 : 1;
}
