// How fast kernels are on memory put together from many physical handles, against native memory:
// a copy kernel, the driver's own copy and fill, random reads, and a large matrix product.
//
//   kernel_speed [--repeats N]
//
// The matrix product needs cuBLAS (libcublas.so.13 or .12, found by the loader); without it that
// test says so. All memory kinds are measured in turn within each repeat, so that clocks and
// temperature meet all of them. One line of JSON for each test and kind.
#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "block.h"
#include "runtime.h"

namespace {

constexpr std::size_t kPieceOf16 = std::size_t{62} << 20;
constexpr std::size_t kBytes = 16 * kPieceOf16;  // what is used of each block
constexpr std::size_t kReads = std::size_t{1} << 27;

__global__ void copy(uint4* to, const uint4* from, std::size_t count) {
  for (std::size_t i = blockIdx.x * std::size_t{blockDim.x} + threadIdx.x; i < count;
       i += std::size_t{gridDim.x} * blockDim.x)
    to[i] = from[i];
}

// Independent reads of 32 bytes all over the block: what address translation costs shows here.
__global__ void read_random(const ulonglong4_32a* from, std::size_t count, std::size_t reads,
                            unsigned long long* out) {
  unsigned long long sum = 0;
  for (std::size_t i = blockIdx.x * std::size_t{blockDim.x} + threadIdx.x; i < reads;
       i += std::size_t{gridDim.x} * blockDim.x) {
    std::uint64_t x = i * 0x9e3779b97f4a7c15ULL;
    x ^= x >> 31;
    x *= 0xbf58476d1ce4e5b9ULL;
    sum += from[(x >> 20) % count].x;
  }
  if (sum == 1) *out = sum;  // never, but the compiler does not know
}

// cuBLAS by its C interface, with the numbers of cublas_api.h and library_types.h.
class Blas {
 public:
  Blas() {
    for (const char* name : {"libcublas.so.13", "libcublas.so.12", "libcublas.so"}) {
      library_ = dlopen(name, RTLD_NOW);
      if (library_ != nullptr) break;
    }
    if (library_ == nullptr) return;
    auto make = reinterpret_cast<int (*)(void**)>(dlsym(library_, "cublasCreate_v2"));
    multiply_ = reinterpret_cast<Multiply>(dlsym(library_, "cublasGemmEx"));
    if (make == nullptr || multiply_ == nullptr || make(&handle_) != 0) multiply_ = nullptr;
  }
  bool there() const { return multiply_ != nullptr; }
  void multiply(int n, const void* a, const void* b, void* c) const {
    constexpr int kHalf = 2;        // CUDA_R_16F
    constexpr int kFloat = 68;      // CUBLAS_COMPUTE_32F
    constexpr int kTranspose = 1;   // CUBLAS_OP_T
    constexpr int kAlgorithm = -1;  // CUBLAS_GEMM_DEFAULT
    const float one = 1;
    const float zero = 0;
    const int code = multiply_(handle_, kTranspose, 0, n, n, n, &one, a, kHalf, n, b, kHalf, n,
                               &zero, c, kHalf, n, kFloat, kAlgorithm);
    if (code != 0) {
      std::fprintf(stderr, "cublasGemmEx: %d\n", code);
      std::exit(2);
    }
  }

 private:
  using Multiply = int (*)(void*, int, int, int, int, int, const void*, const void*, int, int,
                           const void*, int, int, const void*, void*, int, int, int, int);
  void* library_ = nullptr;
  void* handle_ = nullptr;
  Multiply multiply_ = nullptr;
};

// Twice as many handles as needed, of which a random half is kept, in random order.
gpu::Handles scattered(std::size_t count, std::size_t bytes_each, unsigned seed) {
  gpu::Handles handles(2 * count, bytes_each);
  std::mt19937 random(seed);
  std::shuffle(handles.list().begin(), handles.list().end(), random);
  while (handles.list().size() > count) {
    (void)gpu::driver().cuMemRelease_(handles.list().back());
    handles.list().pop_back();
  }
  return handles;
}

struct Kind {
  std::string name;
  char* at;
  std::unique_ptr<gpu::Block> block;
};

std::vector<Kind> make_kinds() {
  std::vector<Kind> kinds;
  void* native = nullptr;
  CUDA(cudaMalloc(&native, 500 * gpu::kChunk));
  kinds.push_back({"native", static_cast<char*>(native), nullptr});
  const auto add = [&](const char* name, std::size_t pieces, std::size_t bytes_each) {
    auto block = std::make_unique<gpu::Block>(scattered(pieces, bytes_each, 1));
    auto* at = reinterpret_cast<char*>(block->at());
    kinds.push_back({name, at, std::move(block)});
  };
  add("1 handle", 1, 500 * gpu::kChunk);
  add("16 handles", 16, kPieceOf16);
  add("500 handles", 500, gpu::kChunk);
  void* again = nullptr;  // what two native blocks differ by is noise
  CUDA(cudaMalloc(&again, 500 * gpu::kChunk));
  kinds.push_back({"native again", static_cast<char*>(again), nullptr});
  return kinds;
}

struct Test {
  const char* name;
  const char* unit;
  double work;  // in 1e9 units for each run
  std::function<void(char*)> run;
};

double milliseconds(const std::function<void()>& run, cudaEvent_t start, cudaEvent_t stop) {
  CUDA(cudaEventRecord(start));
  run();
  CUDA(cudaEventRecord(stop));
  CUDA(cudaEventSynchronize(stop));
  float time = 0;
  CUDA(cudaEventElapsedTime(&time, start, stop));
  return time;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void measure(const Test& test, const std::vector<Kind>& kinds, int repeats) {
  cudaEvent_t start = nullptr;
  cudaEvent_t stop = nullptr;
  CUDA(cudaEventCreate(&start));
  CUDA(cudaEventCreate(&stop));
  std::vector<std::vector<double>> times(kinds.size());
  for (int repeat = -2; repeat < repeats; ++repeat) {  // the first two warm up
    for (std::size_t k = 0; k < kinds.size(); ++k) {
      const double time = milliseconds([&] { test.run(kinds[k].at); }, start, stop);
      CUDA(cudaGetLastError());
      if (repeat >= 0) times[k].push_back(time);
    }
  }
  const double native = median(times[0]);
  for (std::size_t k = 0; k < kinds.size(); ++k) {
    const double time = median(times[k]);
    std::printf(
        "{\"test\": \"%s\", \"memory\": \"%s\", \"median_ms\": %.4f, \"rate\": %.1f, \"unit\": "
        "\"%s\", \"time_to_native\": %.4f}\n",
        test.name, kinds[k].name.c_str(), time, test.work / time * 1e3, test.unit, time / native);
  }
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  const int repeats = static_cast<int>(gpu::option(argc, argv, "--repeats", 21));
  CUDA(cudaFree(nullptr));
  gpu::open_device();
  const auto kinds = make_kinds();
  for (const auto& kind : kinds) CUDA(cudaMemset(kind.at, 0x2c, kBytes));  // halves of about 0.07
  unsigned long long* out = nullptr;
  CUDA(cudaMalloc(&out, sizeof *out));
  const Blas blas;
  constexpr std::size_t kHalf = kBytes / 2;
  constexpr int kSide = 8192;
  constexpr std::size_t kMatrix = std::size_t{kSide} * kSide * 2;

  measure({"copy kernel", "GB/s", 2e-9 * kHalf,
           [](char* at) {
             copy<<<2048, 256>>>(reinterpret_cast<uint4*>(at + kHalf),
                                 reinterpret_cast<const uint4*>(at), kHalf / sizeof(uint4));
           }},
          kinds, repeats);
  measure(
      {"cudaMemcpy DtoD", "GB/s", 2e-9 * kHalf,
       [](char* at) { CUDA(cudaMemcpyAsync(at + kHalf, at, kHalf, cudaMemcpyDeviceToDevice)); }},
      kinds, repeats);
  measure({"cudaMemset", "GB/s", 1e-9 * kBytes,
           [](char* at) { CUDA(cudaMemsetAsync(at, 0x2c, kBytes)); }},
          kinds, repeats);
  measure({"random reads of 32 bytes", "GB/s", 32e-9 * kReads,
           [&](char* at) {
             read_random<<<2048, 256>>>(reinterpret_cast<const ulonglong4_32a*>(at), kBytes / 32,
                                        kReads, out);
           }},
          kinds, repeats);
  if (blas.there()) {
    measure({"matrix product 8192^3 fp16", "GFLOP/s", 2e-9 * kSide * kSide * kSide,
             [&](char* at) { blas.multiply(kSide, at, at + kMatrix, at + 2 * kMatrix); }},
            kinds, repeats);
  } else {
    std::printf(
        "{\"test\": \"matrix product 8192^3 fp16\", \"memory\": \"none\", \"error\": \"no "
        "cuBLAS: %s\"}\n",
        dlerror());
  }
  return 0;
}
