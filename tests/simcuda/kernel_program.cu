// An ordinary CUDA program, built by nvcc: launches with <<<>>> and checks that the launch arrived
// with its name, shape and arguments. Prints what went wrong and fails, else says nothing.
#include <dlfcn.h>

#include <cstdio>
#include <vector>

#include "simcuda.h"

__global__ void add(int* data, int value) {
  data[blockIdx.x * blockDim.x + threadIdx.x] += value;
}

static void add_on_host(simcuda_dim3 grid, simcuda_dim3 block, void** arguments) {
  int* data = *static_cast<int**>(arguments[0]);
  for (unsigned i = 0; i < grid.x * block.x; ++i) data[i] += *static_cast<int*>(arguments[1]);
}

static bool check(cudaError_t error, const char* what) {
  if (error != cudaSuccess) std::printf("%s: %s\n", what, cudaGetErrorString(error));
  return error == cudaSuccess;
}

// What a program asks of a kernel before it launches it.
static bool describe() {
  cudaFuncAttributes attributes{};
  int blocks = 0;
  int block_size = 0;
  cudaFunction_t function = nullptr;
  if (!check(cudaFuncGetAttributes(&attributes, add), "attributes") ||
      !check(cudaFuncSetAttribute(add, cudaFuncAttributeMaxDynamicSharedMemorySize, 100 << 10),
             "more shared memory") ||
      !check(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, add, 256, 100 << 10),
             "occupancy") ||
      !check(cudaGetFuncBySymbol(&function, reinterpret_cast<const void*>(add)), "function"))
    return false;
  if (attributes.maxThreadsPerBlock != 1024 || blocks != 2 || function == nullptr) {
    std::printf("unexpected: %d threads, %d blocks\n", attributes.maxThreadsPerBlock, blocks);
    return false;
  }
  size_t shared = 0;
  if (!check(cudaOccupancyAvailableDynamicSMemPerBlock(&shared, add, 3, 64), "shared memory"))
    return false;
  if (shared != 77824) {
    std::printf("unexpected: %zu bytes of shared memory\n", shared);
    return false;
  }
  return check(cudaOccupancyMaxPotentialBlockSize(&blocks, &block_size, add), "block size");
}

int main() {
  int* data = nullptr;
  std::vector<int> numbers(64, 1);
  cudaStream_t stream;
  if (!check(cudaMalloc(&data, 64 * sizeof(int)), "cudaMalloc")) return 1;
  if (!check(cudaStreamCreate(&stream), "cudaStreamCreate")) return 1;
  void* driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_NOLOAD);
  auto register_kernel = reinterpret_cast<decltype(&simcuda_register_kernel)>(
      dlsym(driver, "simcuda_register_kernel"));
  auto launch_count =
      reinterpret_cast<decltype(&simcuda_launch_count)>(dlsym(driver, "simcuda_launch_count"));
  if (register_kernel == nullptr || launch_count == nullptr) {
    std::printf("this is not simcuda's libcuda.so.1\n");
    return 1;
  }
  if (!check(
          cudaMemcpyAsync(data, numbers.data(), 64 * sizeof(int), cudaMemcpyHostToDevice, stream),
          "copy"))
    return 1;
  if (!describe()) return 1;
  add<<<2, 32, 0, stream>>>(data, 10);  // not registered: counted only
  if (!check(cudaGetLastError(), "launch")) return 1;
  if (!check(cudaStreamSynchronize(stream), "synchronize")) return 1;
  const size_t sizes[] = {sizeof(int*), sizeof(int)};
  register_kernel("_Z3addPii", add_on_host, sizes, 2);
  cudaLaunchConfig_t configuration{};
  cudaLaunchAttribute attribute{};
  attribute.id = cudaLaunchAttributePriority;
  configuration.gridDim = 2;
  configuration.blockDim = 32;
  configuration.stream = stream;
  configuration.attrs = &attribute;
  configuration.numAttrs = 1;
  if (!check(cudaLaunchKernelEx(&configuration, add, data, 41), "launch with attributes")) return 1;
  if (!check(
          cudaMemcpyAsync(numbers.data(), data, 64 * sizeof(int), cudaMemcpyDeviceToHost, stream),
          "copy"))
    return 1;
  if (!check(cudaStreamSynchronize(stream), "synchronize")) return 1;
  for (const int number : numbers)
    if (number != 42) {
      std::printf("expected 42, found %d\n", number);
      return 1;
    }
  if (launch_count("_Z3addPii") != 2) {
    std::printf("expected 2 launches, found %llu\n", launch_count("_Z3addPii"));
    return 1;
  }
  return check(cudaFree(data), "cudaFree") ? 0 : 1;
}
