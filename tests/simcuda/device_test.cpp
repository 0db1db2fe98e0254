// What only the simulated device does or shows: exact memory, strict rules, counts, kernels as host
// functions. Two devices of 64 MiB. Each test wants a process of its own, as ctest runs them: what
// one leaves allocated is its own affair.
#include <memory>
#include <vector>

#include "driver.h"
#include "simcuda.h"

namespace gmlake::simcuda::test {
namespace {

constexpr std::size_t kMemory = 64 << 20;
constexpr std::size_t kPage = 4096;

// cuInit reads them, in the first test.
[[maybe_unused]] const bool kSettings =
    setenv("SIMCUDA_MEMORY", "64MiB", 1) == 0 && setenv("SIMCUDA_DEVICES", "2", 1) == 0;

class SimulatedDevice : public DeviceTest {
 protected:
  unsigned long long count(const char* name) {
    return d.find<decltype(simcuda_call_count)>("simcuda_call_count")(name);
  }
  unsigned long long physical() {
    return d.find<decltype(simcuda_physical_bytes)>("simcuda_physical_bytes")();
  }
  std::size_t free_memory() {
    std::size_t free = 0;
    EXPECT_EQ(d.cuMemGetInfo_v2(&free, nullptr), CUDA_SUCCESS);
    return free;
  }
};

TEST_F(SimulatedDevice, MemoryRunsOutAtTheLastPage) {
  CUdeviceptr most = 0;
  CUdeviceptr page = 0;
  CUdeviceptr none = 0;
  EXPECT_EQ(free_memory(), kMemory);
  ASSERT_EQ(d.cuMemAlloc_v2(&most, kMemory - kPage), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemAlloc_v2(&none, kPage + 1), CUDA_ERROR_OUT_OF_MEMORY);
  ASSERT_EQ(d.cuMemAlloc_v2(&page, 1), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemAlloc_v2(&none, 1), CUDA_ERROR_OUT_OF_MEMORY);
  EXPECT_EQ(free_memory(), 0U);
  EXPECT_EQ(physical(), kMemory);
  EXPECT_EQ(d.cuMemFree_v2(most), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemFree_v2(page), CUDA_SUCCESS);
  EXPECT_EQ(physical(), 0U);
  const auto whole = create(kMemory);
  const auto properties = device_memory();
  CUmemGenericAllocationHandle more = 0;
  EXPECT_EQ(d.cuMemCreate(&more, kChunk, &properties, 0), CUDA_ERROR_OUT_OF_MEMORY);
  EXPECT_EQ(d.cuMemRelease(whole), CUDA_SUCCESS);
  EXPECT_EQ(free_memory(), kMemory);
}

TEST_F(SimulatedDevice, NativeMemoryNeverFragments) {
  constexpr std::size_t kBlock = 1 << 20;
  std::vector<CUdeviceptr> blocks(kMemory / kBlock);
  for (auto& block : blocks) ASSERT_EQ(d.cuMemAlloc_v2(&block, kBlock), CUDA_SUCCESS);
  for (std::size_t i = 0; i < blocks.size(); i += 2)
    ASSERT_EQ(d.cuMemFree_v2(blocks[i]), CUDA_SUCCESS);
  CUdeviceptr scattered = 0;
  ASSERT_EQ(d.cuMemAlloc_v2(&scattered, kMemory / 2), CUDA_SUCCESS);
  ASSERT_EQ(d.cuMemsetD32_v2(blocks[1], 1, kBlock / 4), CUDA_SUCCESS);
  ASSERT_EQ(d.cuMemsetD32_v2(scattered, 2, kMemory / 8), CUDA_SUCCESS);
  EXPECT_EQ(read(blocks[1] + kBlock - 4), 1U);
  EXPECT_EQ(read(scattered + kMemory / 2 - 4), 2U);
}

TEST_F(SimulatedDevice, EveryAddressOfALiveBlockIsItsOwnMemory) {
  std::vector<CUdeviceptr> blocks(64);
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    ASSERT_EQ(d.cuMemAlloc_v2(&blocks[i], 100 * (i + 1)), CUDA_SUCCESS);
    write(blocks[i], static_cast<std::uint32_t>(i));
  }
  for (std::size_t i = 0; i < blocks.size(); ++i) EXPECT_EQ(read(blocks[i]), i);
}

TEST_F(SimulatedDevice, AStreamOrderedFreeGivesItsPagesBackAtItsTurn) {
  const CUstream stream = make_stream();
  CUdeviceptr at = 0;
  ASSERT_EQ(d.cuMemAllocAsync(&at, kMemory, stream), CUDA_SUCCESS);
  {
    Gate gate(stream);
    ASSERT_EQ(d.cuMemFreeAsync(at, stream), CUDA_SUCCESS);
    EXPECT_EQ(d.cuMemFreeAsync(at, stream), CUDA_ERROR_INVALID_VALUE);  // given already
    EXPECT_EQ(free_memory(), 0U);
    CUdeviceptr none = 0;
    EXPECT_EQ(d.cuMemAlloc_v2(&none, 1), CUDA_ERROR_OUT_OF_MEMORY);
  }
  ASSERT_EQ(d.cuStreamSynchronize(stream), CUDA_SUCCESS);
  EXPECT_EQ(free_memory(), kMemory);
}

TEST_F(SimulatedDevice, AStreamHasThePagesOfItsOwnFreesAtOnce) {
  const CUstream stream = make_stream();
  CUdeviceptr whole = 0;
  CUdeviceptr halves[2] = {};
  ASSERT_EQ(d.cuMemAllocAsync(&whole, kMemory, stream), CUDA_SUCCESS);
  {
    Gate gate(stream);
    ASSERT_EQ(d.cuMemFreeAsync(whole, stream), CUDA_SUCCESS);
    for (auto& half : halves)
      ASSERT_EQ(d.cuMemAllocAsync(&half, kMemory / 2, stream), CUDA_SUCCESS);
    EXPECT_NE(halves[0], whole);
    EXPECT_EQ(physical(), kMemory);
    CUdeviceptr none = 0;
    EXPECT_EQ(d.cuMemAlloc_v2(&none, 1), CUDA_ERROR_OUT_OF_MEMORY);
  }
  ASSERT_EQ(d.cuStreamSynchronize(stream), CUDA_SUCCESS);
  EXPECT_EQ(free_memory(), 0U);
  for (const auto half : halves) EXPECT_EQ(d.cuMemFreeAsync(half, stream), CUDA_SUCCESS);
  ASSERT_EQ(d.cuStreamSynchronize(stream), CUDA_SUCCESS);
  EXPECT_EQ(free_memory(), kMemory);
}

TEST_F(SimulatedDevice, FreeingWaitsForTheContextsWork) {
  const CUstream stream = make_stream();
  CUdeviceptr at = 0;
  ASSERT_EQ(d.cuMemAlloc_v2(&at, 4), CUDA_SUCCESS);
  auto gate = std::make_unique<Gate>(stream);
  const CUevent end = make_event();
  ASSERT_EQ(d.cuEventRecord(end, stream), CUDA_SUCCESS);
  std::thread opener([&] { gate->open(); });
  EXPECT_EQ(d.cuMemFree_v2(at), CUDA_SUCCESS);
  EXPECT_EQ(d.cuEventQuery(end), CUDA_SUCCESS);
  opener.join();
}

// cuda.h does not allow these; driver 580 lets them pass. A program that relies on that is found
// here.
TEST_F(SimulatedDevice, RulesAreStricterThanTheDriversWhereItIsLax) {
  const auto access = read_write();
  const auto a = create(kChunk);
  const auto b = create(2 * kChunk);
  const CUdeviceptr at = reserve(8 * kChunk);
  EXPECT_EQ(d.cuMemUnmap(at, kChunk), CUDA_ERROR_INVALID_VALUE);  // nothing mapped
  EXPECT_EQ(d.cuMemMap(at + 7 * kChunk, 2 * kChunk, 0, b, 0),
            CUDA_ERROR_INVALID_VALUE);  // over the end
  ASSERT_EQ(d.cuMemMap(at, kChunk, 0, a, 0), CUDA_SUCCESS);
  ASSERT_EQ(d.cuMemMap(at + 2 * kChunk, 2 * kChunk, 0, b, 0), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemSetAccess(at, 4 * kChunk, &access, 1), CUDA_ERROR_INVALID_VALUE);  // a hole
  EXPECT_EQ(d.cuMemUnmap(at, 4 * kChunk), CUDA_ERROR_INVALID_VALUE);
}

TEST_F(SimulatedDevice, StaleHandlesAreRecognised) {
  const auto handle = create(kChunk);
  const CUdeviceptr at = reserve(kChunk);
  ASSERT_EQ(d.cuMemRelease(handle), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemRelease(handle), CUDA_ERROR_INVALID_VALUE);
  const auto other = create(kChunk);
  EXPECT_NE(other, handle);
  EXPECT_EQ(d.cuMemMap(at, kChunk, 0, handle, 0), CUDA_ERROR_INVALID_VALUE);
  const CUevent event = make_event();
  ASSERT_EQ(d.cuEventDestroy_v2(event), CUDA_SUCCESS);
  EXPECT_EQ(d.cuEventQuery(event), CUDA_ERROR_INVALID_HANDLE);
  EXPECT_EQ(d.cuEventDestroy_v2(event), CUDA_ERROR_INVALID_HANDLE);
  const CUstream stream = make_stream();
  ASSERT_EQ(d.cuStreamDestroy_v2(stream), CUDA_SUCCESS);
  EXPECT_EQ(d.cuStreamQuery(stream), CUDA_ERROR_INVALID_HANDLE);
  EXPECT_EQ(make_stream(), stream);  // stream handles come back, as the real driver's do
  CUcontext created = nullptr;
  ASSERT_EQ(d.cuCtxCreate_v2(&created, 0, 0), CUDA_SUCCESS);
  ASSERT_EQ(d.cuCtxDestroy_v2(created), CUDA_SUCCESS);
  EXPECT_EQ(d.cuCtxSetCurrent(created), CUDA_ERROR_CONTEXT_IS_DESTROYED);
  EXPECT_EQ(d.cuCtxSetCurrent(context), CUDA_SUCCESS);
}

TEST_F(SimulatedDevice, MappedMemoryWithoutAccessCanNotBeTouched) {
  const auto handle = create(kChunk);
  const CUdeviceptr at = reserve(2 * kChunk);
  const auto access = read_write();
  ASSERT_EQ(d.cuMemMap(at, kChunk, 0, handle, 0), CUDA_SUCCESS);
  auto* bytes = reinterpret_cast<volatile char*>(at);
  EXPECT_DEATH(bytes[0] = 1, "");
  ASSERT_EQ(d.cuMemSetAccess(at, kChunk, &access, 1), CUDA_SUCCESS);
  bytes[0] = 1;  // kernels are host functions: they see device memory where it is
  EXPECT_DEATH(bytes[kChunk] = 1, "");
  auto read_only = access;
  read_only.flags = CU_MEM_ACCESS_FLAGS_PROT_READ;
  ASSERT_EQ(d.cuMemSetAccess(at, kChunk, &read_only, 1), CUDA_SUCCESS);
  EXPECT_EQ(bytes[0], 1);
  EXPECT_DEATH(bytes[0] = 2, "");
  EXPECT_EQ(d.cuMemsetD8_v2(at, 1, 1), CUDA_ERROR_INVALID_VALUE);
}

TEST_F(SimulatedDevice, CallsAreCountedByName) {
  const auto before = count("cuMemAlloc_v2");
  CUdeviceptr at = 0;
  EXPECT_EQ(d.cuMemAlloc_v2(&at, 100), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemAlloc_v2(&at, 0), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(count("cuMemAlloc_v2"), before + 2);
  EXPECT_EQ(count("cuMemAlloc"), 0U);
  const auto plain = count("cuStreamQuery");
  const auto per_thread = count("cuStreamQuery_ptsz");
  EXPECT_EQ(d.cuStreamQuery_ptsz(nullptr), CUDA_SUCCESS);
  EXPECT_EQ(count("cuStreamQuery"), plain);
  EXPECT_EQ(count("cuStreamQuery_ptsz"), per_thread + 1);
  const auto mappings = d.find<decltype(simcuda_mappings)>("simcuda_mappings");
  const CUdeviceptr range = reserve(kChunk);
  ASSERT_EQ(d.cuMemMap(range, kChunk, 0, create(kChunk), 0), CUDA_SUCCESS);
  EXPECT_EQ(mappings(), 1U);
  ASSERT_EQ(d.cuMemUnmap(range, kChunk), CUDA_SUCCESS);
  EXPECT_EQ(mappings(), 0U);
}

TEST_F(SimulatedDevice, EveryListedFunctionIsExported) {
#define F(symbol, base, version, flavour) EXPECT_NE(d.symbol, nullptr) << #symbol;
#include "driver/functions.def"
}

TEST_F(SimulatedDevice, HostCodeThatBlocksDoesNotStopOtherStreams) {
  std::vector<std::unique_ptr<Gate>> gates;
  for (int i = 0; i < 12; ++i) gates.push_back(std::make_unique<Gate>(make_stream()));
  CUdeviceptr at = 0;
  ASSERT_EQ(d.cuMemAlloc_v2(&at, 4), CUDA_SUCCESS);
  const CUstream stream = make_stream();
  EXPECT_EQ(d.cuMemsetD32Async(at, 9, 1, stream), CUDA_SUCCESS);
  EXPECT_EQ(d.cuStreamSynchronize(stream), CUDA_SUCCESS);
}

TEST_F(SimulatedDevice, RegisteredKernelsRunInStreamOrderOnCopiedArguments) {
  const auto add = [](simcuda_dim3 grid, simcuda_dim3 block, void** arguments) {
    auto* data = *static_cast<std::uint32_t**>(arguments[0]);
    const auto value = *static_cast<std::uint32_t*>(arguments[1]);
    for (unsigned i = 0; i < grid.x * block.x; ++i) data[i] += value;
  };
  const std::size_t sizes[] = {sizeof(void*), sizeof(std::uint32_t)};
  d.find<decltype(simcuda_register_kernel)>("simcuda_register_kernel")("add", add, sizes, 2);

  const char image[] = "any";
  CUmodule module = nullptr;
  CUfunction function = nullptr;
  CUfunction unknown = nullptr;
  CUmodule other = nullptr;
  ASSERT_EQ(d.cuModuleLoadData(&other, image), CUDA_SUCCESS);
  EXPECT_EQ(d.cuModuleUnload(other), CUDA_SUCCESS);
  ASSERT_EQ(d.cuModuleLoadFatBinary(&other, image), CUDA_SUCCESS);
  EXPECT_EQ(d.cuModuleUnload(other), CUDA_SUCCESS);
  ASSERT_EQ(d.cuModuleLoadDataEx(&module, image, 0, nullptr, nullptr), CUDA_SUCCESS);
  ASSERT_EQ(d.cuModuleGetFunction(&function, module, "add"), CUDA_SUCCESS);
  ASSERT_EQ(d.cuModuleGetFunction(&unknown, module, "unknown"), CUDA_SUCCESS);
  const CUstream stream = make_stream();
  CUdeviceptr at = 0;
  ASSERT_EQ(d.cuMemAlloc_v2(&at, 64 * 4), CUDA_SUCCESS);
  {
    Gate gate(stream);
    ASSERT_EQ(d.cuMemsetD32Async(at, 1, 64, stream), CUDA_SUCCESS);
    CUdeviceptr where = at;
    std::uint32_t value = 41;
    void* parameters[] = {&where, &value};
    ASSERT_EQ(d.cuLaunchKernel(function, 2, 1, 1, 32, 1, 1, 0, stream, parameters, nullptr),
              CUDA_SUCCESS);
    ASSERT_EQ(d.cuLaunchCooperativeKernel(function, 2, 1, 1, 16, 1, 1, 0, stream, parameters),
              CUDA_SUCCESS);
    ASSERT_EQ(d.cuLaunchKernel(unknown, 1, 1, 1, 1, 1, 1, 0, stream, parameters, nullptr),
              CUDA_SUCCESS);
    EXPECT_EQ(d.cuLaunchKernel(function, 0, 1, 1, 1, 1, 1, 0, stream, parameters, nullptr),
              CUDA_ERROR_INVALID_VALUE);
    where = 0;
    value = 0;
  }
  ASSERT_EQ(d.cuStreamSynchronize(stream), CUDA_SUCCESS);
  EXPECT_EQ(read(at), 83U);  // two launches
  EXPECT_EQ(read(at + 63 * 4), 42U);
  const auto launches = d.find<decltype(simcuda_launch_count)>("simcuda_launch_count");
  EXPECT_EQ(launches("add"), 2U);
  EXPECT_EQ(launches("unknown"), 1U);
  EXPECT_EQ(launches("never"), 0U);
  EXPECT_EQ(d.cuModuleUnload(module), CUDA_SUCCESS);
  EXPECT_EQ(d.cuModuleUnload(module), CUDA_ERROR_INVALID_HANDLE);
}

TEST_F(SimulatedDevice, DevicesHaveMemoriesOfTheirOwn) {
  int devices = 0;
  ASSERT_EQ(d.cuDeviceGetCount(&devices), CUDA_SUCCESS);
  ASSERT_EQ(devices, 2);
  CUdeviceptr at = 0;
  ASSERT_EQ(d.cuMemAlloc_v2(&at, kMemory), CUDA_SUCCESS);
  CUcontext other = nullptr;
  ASSERT_EQ(d.cuDevicePrimaryCtxRetain(&other, 1), CUDA_SUCCESS);
  ASSERT_EQ(d.cuCtxSetCurrent(other), CUDA_SUCCESS);
  EXPECT_EQ(free_memory(), kMemory);
  CUdeviceptr there = 0;
  ASSERT_EQ(d.cuMemAlloc_v2(&there, kMemory), CUDA_SUCCESS);
  int ordinal = 0;
  EXPECT_EQ(d.cuPointerGetAttribute(&ordinal, CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL, there),
            CUDA_SUCCESS);
  EXPECT_EQ(ordinal, 1);
  write(at, 1);
  write(there, 2);
  EXPECT_EQ(read(at), 1U);

  EXPECT_EQ(d.cuCtxEnablePeerAccess(other, 0), CUDA_ERROR_PEER_ACCESS_UNSUPPORTED);
  EXPECT_EQ(d.cuCtxDisablePeerAccess(context), CUDA_ERROR_PEER_ACCESS_NOT_ENABLED);
  EXPECT_EQ(d.cuCtxEnablePeerAccess(context, 0), CUDA_SUCCESS);
  EXPECT_EQ(d.cuCtxEnablePeerAccess(context, 0), CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED);
  EXPECT_EQ(d.cuCtxDisablePeerAccess(context), CUDA_SUCCESS);
  EXPECT_EQ(d.cuDevicePrimaryCtxRelease_v2(1), CUDA_SUCCESS);
  ASSERT_EQ(d.cuCtxSetCurrent(context), CUDA_SUCCESS);
}

TEST_F(SimulatedDevice, ErrorsHaveNamesAndWords) {
  const char* text = nullptr;
  EXPECT_EQ(d.cuGetErrorName(CUDA_ERROR_OUT_OF_MEMORY, &text), CUDA_SUCCESS);
  EXPECT_STREQ(text, "CUDA_ERROR_OUT_OF_MEMORY");
  EXPECT_EQ(d.cuGetErrorString(CUDA_ERROR_OUT_OF_MEMORY, &text), CUDA_SUCCESS);
  EXPECT_STREQ(text, "out of memory");
  EXPECT_EQ(d.cuGetErrorName(static_cast<CUresult>(1000), &text), CUDA_ERROR_INVALID_VALUE);
}

TEST_F(SimulatedDevice, UndocumentedTablesAreNotThere) {
  const CUuuid id{};
  const void* table = &id;
  EXPECT_EQ(d.cuGetExportTable(&table, &id), CUDA_ERROR_NOT_SUPPORTED);
}

TEST(SimulatedDriver, NeedsToBeInitialised) {
  const Driver& d = driver();
  CUdeviceptr at = 0;
  int number = 0;
  EXPECT_EQ(d.cuMemAlloc_v2(&at, 100), CUDA_ERROR_NOT_INITIALIZED);
  EXPECT_EQ(d.cuDeviceGetCount(&number), CUDA_ERROR_NOT_INITIALIZED);
  EXPECT_EQ(d.cuDriverGetVersion(&number), CUDA_SUCCESS);
  EXPECT_EQ(number, 13050);
  EXPECT_EQ(d.cuInit(1), CUDA_ERROR_INVALID_VALUE);
}

}  // namespace
}  // namespace gmlake::simcuda::test
