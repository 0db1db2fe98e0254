// The stand-in runtime, linked shared and static from this one file. EXPECTED_RUNTIME is the
// library that must serve it: an installed CUDA Toolkit would be found silently otherwise.
#include <cuda_runtime_api.h>
#include <dlfcn.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <thread>
#include <vector>

namespace {

std::string mapped_path(const std::string& name) {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);)
    if (const auto at = line.find('/'); at != line.npos && line.find(name, at) != line.npos)
      return line.substr(at);
  return {};
}

TEST(Runtime, IsTheSimulatedOne) {
  int version = 0;
  ASSERT_EQ(cudaDriverGetVersion(&version), cudaSuccess);
  EXPECT_EQ(version, 13050);
  EXPECT_EQ(cudaRuntimeGetVersion(&version), cudaSuccess);
  EXPECT_EQ(version, 13000);
  EXPECT_EQ(mapped_path("libcuda.so"), SIMCUDA_LIBRARY);
  EXPECT_EQ(mapped_path("libcudart.so"), EXPECTED_RUNTIME);
}

TEST(Runtime, NothingIsOpenedBeforeTheFirstCall) {
  EXPECT_EQ(mapped_path("libcuda.so"), "");
  int count = 0;
  EXPECT_EQ(cudaGetDeviceCount(&count), cudaSuccess);
  EXPECT_EQ(count, 1);
  EXPECT_NE(mapped_path("libcuda.so"), "");
}

TEST(Runtime, MemoryGoesThereAndBack) {
  void* device = nullptr;
  const std::vector<int> source(1000, 7);
  std::vector<int> back(1000);
  ASSERT_EQ(cudaMalloc(&device, 4000), cudaSuccess);
  EXPECT_EQ(cudaMemcpy(device, source.data(), 4000, cudaMemcpyHostToDevice), cudaSuccess);
  EXPECT_EQ(cudaMemcpy(back.data(), device, 4000, cudaMemcpyDeviceToHost), cudaSuccess);
  EXPECT_EQ(back, source);
  EXPECT_EQ(cudaMemset(device, 1, 4000), cudaSuccess);
  EXPECT_EQ(cudaMemcpy(back.data(), device, 4000, cudaMemcpyDefault), cudaSuccess);
  EXPECT_EQ(back[999], 0x01010101);
  EXPECT_EQ(cudaMemcpy(back.data(), device, 4000, static_cast<cudaMemcpyKind>(9)),
            cudaErrorInvalidMemcpyDirection);
  EXPECT_EQ(cudaFree(device), cudaSuccess);
}

TEST(Runtime, ErrorsAreKeptPerThread) {
  void* device = nullptr;
  EXPECT_EQ(cudaMalloc(&device, std::size_t{1} << 50), cudaErrorMemoryAllocation);
  std::thread([] { EXPECT_EQ(cudaPeekAtLastError(), cudaSuccess); }).join();
  EXPECT_EQ(cudaPeekAtLastError(), cudaErrorMemoryAllocation);
  EXPECT_EQ(cudaMalloc(&device, 100), cudaSuccess);
  EXPECT_EQ(cudaGetLastError(), cudaErrorMemoryAllocation);
  EXPECT_EQ(cudaGetLastError(), cudaSuccess);
  EXPECT_EQ(cudaFree(device), cudaSuccess);
  EXPECT_EQ(cudaFree(device), cudaErrorInvalidValue);
  EXPECT_STREQ(cudaGetErrorName(cudaErrorMemoryAllocation), "cudaErrorMemoryAllocation");
  EXPECT_STREQ(cudaGetErrorString(cudaErrorMemoryAllocation), "out of memory");
}

TEST(Runtime, NothingIsFreedAndAllocatedWithoutError) {
  EXPECT_EQ(cudaFree(nullptr), cudaSuccess);
  void* device = &device;
  EXPECT_EQ(cudaMalloc(&device, 0), cudaSuccess);
  EXPECT_EQ(device, nullptr);
  EXPECT_EQ(cudaFreeHost(nullptr), cudaSuccess);
}

TEST(Runtime, StreamsOrderTheirWork) {
  cudaStream_t stream = nullptr;
  cudaEvent_t begin = nullptr;
  cudaEvent_t end = nullptr;
  void* pinned = nullptr;
  void* device = nullptr;
  ASSERT_EQ(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), cudaSuccess);
  ASSERT_EQ(cudaEventCreate(&begin), cudaSuccess);
  ASSERT_EQ(cudaEventCreate(&end), cudaSuccess);
  ASSERT_EQ(cudaMallocHost(&pinned, 4), cudaSuccess);
  ASSERT_EQ(cudaMallocAsync(&device, 4, stream), cudaSuccess);
  EXPECT_EQ(cudaEventRecord(begin, stream), cudaSuccess);
  EXPECT_EQ(cudaMemsetAsync(device, 5, 4, stream), cudaSuccess);
  EXPECT_EQ(cudaMemcpyAsync(pinned, device, 4, cudaMemcpyDeviceToHost, stream), cudaSuccess);
  EXPECT_EQ(cudaFreeAsync(device, stream), cudaSuccess);
  EXPECT_EQ(cudaEventRecord(end, stream), cudaSuccess);
  EXPECT_EQ(cudaStreamWaitEvent(nullptr, end, 0), cudaSuccess);
  EXPECT_EQ(cudaStreamSynchronize(stream), cudaSuccess);
  EXPECT_EQ(*static_cast<int*>(pinned), 0x05050505);
  EXPECT_EQ(cudaEventQuery(end), cudaSuccess);
  float milliseconds = -1;
  EXPECT_EQ(cudaEventElapsedTime(&milliseconds, begin, end), cudaSuccess);
  EXPECT_GE(milliseconds, 0);
  EXPECT_EQ(cudaEventDestroy(begin), cudaSuccess);
  EXPECT_EQ(cudaEventDestroy(end), cudaSuccess);
  EXPECT_EQ(cudaStreamDestroy(stream), cudaSuccess);
  EXPECT_EQ(cudaFreeHost(pinned), cudaSuccess);
  EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess);
}

TEST(Runtime, PointersSayWhatTheyAre) {
  cudaPointerAttributes attributes{};
  int local = 0;
  EXPECT_EQ(cudaPointerGetAttributes(&attributes, &local), cudaSuccess);
  EXPECT_EQ(attributes.type, cudaMemoryTypeUnregistered);
  void* pointer = nullptr;
  ASSERT_EQ(cudaMalloc(&pointer, 100), cudaSuccess);
  EXPECT_EQ(cudaPointerGetAttributes(&attributes, pointer), cudaSuccess);
  EXPECT_EQ(attributes.type, cudaMemoryTypeDevice);
  EXPECT_EQ(attributes.device, 0);
  EXPECT_EQ(attributes.devicePointer, pointer);
  EXPECT_EQ(cudaFree(pointer), cudaSuccess);
  ASSERT_EQ(cudaMallocManaged(&pointer, 100, cudaMemAttachGlobal), cudaSuccess);
  EXPECT_EQ(cudaPointerGetAttributes(&attributes, pointer), cudaSuccess);
  EXPECT_EQ(attributes.type, cudaMemoryTypeManaged);
  EXPECT_EQ(cudaFree(pointer), cudaSuccess);
}

TEST(Runtime, TheDeviceIsDescribed) {
  cudaDeviceProp properties{};
  ASSERT_EQ(cudaGetDeviceProperties(&properties, 0), cudaSuccess);
  std::size_t free = 0;
  std::size_t total = 0;
  ASSERT_EQ(cudaMemGetInfo(&free, &total), cudaSuccess);
  EXPECT_EQ(properties.totalGlobalMem, total);
  EXPECT_EQ(properties.warpSize, 32);
  int value = 0;
  EXPECT_EQ(cudaDeviceGetAttribute(&value, cudaDevAttrMemoryPoolsSupported, 0), cudaSuccess);
  EXPECT_EQ(value, 1);
  EXPECT_EQ(cudaSetDevice(99), cudaErrorInvalidDevice);
}

TEST(Runtime, AResetDeviceStartsAnew) {
  void* device = nullptr;
  std::size_t free = 0;
  std::size_t total = 0;
  ASSERT_EQ(cudaMalloc(&device, 1 << 20), cudaSuccess);
  ASSERT_EQ(cudaDeviceReset(), cudaSuccess);
  ASSERT_EQ(cudaMemGetInfo(&free, &total), cudaSuccess);
  EXPECT_EQ(free, total);
  EXPECT_EQ(cudaFree(device), cudaErrorInvalidValue);
  std::thread([&] { EXPECT_EQ(cudaMalloc(&device, 1 << 20), cudaSuccess); }).join();
  EXPECT_EQ(cudaFree(device), cudaSuccess);
}

TEST(Runtime, WhatIsNotSimulatedSaysSo) {
  cudaArray_t array = nullptr;
  const cudaChannelFormatDesc bytes =
      cudaCreateChannelDesc(8, 0, 0, 0, cudaChannelFormatKindUnsigned);
  EXPECT_EQ(bytes.x, 8);
  EXPECT_EQ(cudaMallocArray(&array, &bytes, 16, 16, 0), cudaErrorNotSupported);
  EXPECT_EQ(cudaPeekAtLastError(), cudaErrorNotSupported);
  EXPECT_EQ(cudaGetLastError(), cudaErrorNotSupported);
  EXPECT_EQ(cudaLogsUnregisterCallback(nullptr), cudaErrorNotSupported);
  int number = 0;
  EXPECT_EQ(cudaMemcpyToSymbol(&number, &number, 4), cudaErrorNotSupported);
}

TEST(Runtime, DriverFunctionsAreHandedOut) {
  void* function = nullptr;
  cudaDriverEntryPointQueryResult status{};
  ASSERT_EQ(
      cudaGetDriverEntryPointByVersion("cuMemCreate", &function, 12000, cudaEnableDefault, &status),
      cudaSuccess);
  EXPECT_EQ(status, cudaDriverEntryPointSuccess);
  void* driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_NOLOAD);
  ASSERT_NE(driver, nullptr);
  EXPECT_EQ(function, dlsym(driver, "cuMemCreate"));
  EXPECT_EQ(
      cudaGetDriverEntryPointByVersion("cuNoSuch", &function, 12000, cudaEnableDefault, &status),
      cudaSuccess);
  EXPECT_EQ(status, cudaDriverEntryPointSymbolNotFound);
}

}  // namespace
