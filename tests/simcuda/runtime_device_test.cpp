// Which device a thread uses, its flags, limits and description.
#include <cstring>
#include <string>

#include "runtime_fixture.h"

namespace gmlake::simcuda::test {
namespace {

// These begin without a context: one test a process.
TEST(RuntimeDevice, FlagsAreRecordedAndReadBack) {
  unsigned flags = 0;
  ASSERT_EQ(cudaSetDeviceFlags(cudaDeviceScheduleBlockingSync), cudaSuccess);
  EXPECT_EQ(cudaGetDeviceFlags(&flags), cudaSuccess);
  // cuda_runtime_api.h, cudaGetDeviceFlags: cudaDeviceMapHost "is implicit in runtime API flags".
  EXPECT_EQ(flags, static_cast<unsigned>(cudaDeviceScheduleBlockingSync | cudaDeviceMapHost));
  // "If the current device has been set and that device has already been initialized, the previous
  // flags are overwritten."
  ASSERT_EQ(cudaFree(nullptr), cudaSuccess);
  EXPECT_EQ(cudaSetDeviceFlags(cudaDeviceScheduleYield), cudaSuccess);
  EXPECT_EQ(cudaGetDeviceFlags(&flags), cudaSuccess);
  EXPECT_EQ(flags & cudaDeviceScheduleMask, static_cast<unsigned>(cudaDeviceScheduleYield));
  EXPECT_EQ(cudaSetDeviceFlags(0x100), cudaErrorInvalidValue);
  EXPECT_EQ(cudaSetDeviceFlags(cudaDeviceScheduleSpin | cudaDeviceScheduleYield),
            cudaErrorInvalidValue);
  EXPECT_EQ(cudaGetLastError(), cudaErrorInvalidValue);
}

TEST(RuntimeDevice, InitialisationTakesFlags) {
  unsigned flags = 0;
  ASSERT_EQ(cudaInitDevice(0, cudaDeviceScheduleYield, cudaInitDeviceFlagsAreValid), cudaSuccess);
  EXPECT_EQ(cudaGetDeviceFlags(&flags), cudaSuccess);
  EXPECT_EQ(flags & cudaDeviceScheduleMask, static_cast<unsigned>(cudaDeviceScheduleYield));
  EXPECT_EQ(cudaInitDevice(99, 0, 0), cudaErrorInvalidDevice);
}

// cuda_runtime_api.h, cudaSetValidDevices.
TEST(RuntimeDevice, ValidDevicesAreChecked) {
  int devices[] = {0, 99};
  int count = 0;
  ASSERT_EQ(cudaGetDeviceCount(&count), cudaSuccess);
  EXPECT_EQ(cudaSetValidDevices(devices, 1), cudaSuccess);
  EXPECT_EQ(cudaSetValidDevices(nullptr, 0), cudaSuccess);
  EXPECT_EQ(cudaSetValidDevices(nullptr, 1), cudaErrorInvalidValue);
  EXPECT_EQ(cudaSetValidDevices(devices, count + 1), cudaErrorInvalidValue);
  EXPECT_EQ(cudaSetValidDevices(devices + 1, 1), cudaErrorInvalidDevice);
  int device = -1;
  EXPECT_EQ(cudaGetDevice(&device), cudaSuccess);
  EXPECT_EQ(device, 0);
}

TEST(RuntimeDevice, IsFoundByItsBusId) {
  char id[32] = {};
  int device = -1;
  ASSERT_EQ(cudaDeviceGetPCIBusId(id, sizeof id, 0), cudaSuccess);
  EXPECT_EQ(cudaDeviceGetByPCIBusId(&device, id), cudaSuccess);
  EXPECT_EQ(device, 0);
  EXPECT_EQ(cudaDeviceGetByPCIBusId(&device, "0000:fe:1f.7"), cudaErrorInvalidDevice);
  EXPECT_EQ(cudaDeviceGetByPCIBusId(&device, "nonsense"), cudaErrorInvalidValue);
}

TEST(RuntimeDevice, IsChosenByProperties) {
  cudaDeviceProp wanted{};
  int device = -1;
  EXPECT_EQ(cudaChooseDevice(&device, &wanted), cudaSuccess);
  EXPECT_EQ(device, 0);
}

TEST(RuntimeDevice, LimitsAreReadAndSet) {
  std::size_t size = 0;
  ASSERT_EQ(cudaDeviceSetLimit(cudaLimitStackSize, 4096), cudaSuccess);
  EXPECT_EQ(cudaDeviceGetLimit(&size, cudaLimitStackSize), cudaSuccess);
  EXPECT_EQ(size, 4096U);
  EXPECT_EQ(cudaDeviceSetLimit(cudaLimitStackSize, std::size_t{1} << 30), cudaErrorInvalidValue);
  EXPECT_EQ(cudaDeviceGetLimit(&size, cudaLimitMallocHeapSize), cudaSuccess);
  EXPECT_GT(size, 0U);
  EXPECT_EQ(cudaDeviceSetLimit(cudaLimitMaxL2FetchGranularity, 500), cudaErrorInvalidValue);
  EXPECT_EQ(cudaDeviceGetLimit(&size, cudaLimitDevRuntimeSyncDepth), cudaErrorUnsupportedLimit);
  EXPECT_EQ(cudaDeviceGetLimit(&size, static_cast<cudaLimit>(77)), cudaErrorInvalidValue);
}

TEST(RuntimeDevice, PropertiesAreItsAttributes) {
  cudaDeviceProp properties{};
  ASSERT_EQ(cudaGetDeviceProperties(&properties, 0), cudaSuccess);
  const auto attribute = [](cudaDeviceAttr wanted) {
    int value = -1;
    EXPECT_EQ(cudaDeviceGetAttribute(&value, wanted, 0), cudaSuccess);
    return value;
  };
  EXPECT_EQ(properties.major, attribute(cudaDevAttrComputeCapabilityMajor));
  EXPECT_EQ(properties.maxBlocksPerMultiProcessor,
            attribute(cudaDevAttrMaxBlocksPerMultiprocessor));
  EXPECT_EQ(properties.memoryPoolsSupported, attribute(cudaDevAttrMemoryPoolsSupported));
  EXPECT_EQ(properties.maxGridSize[1], attribute(cudaDevAttrMaxGridDimY));
  EXPECT_EQ(cudaGetDeviceProperties(&properties, 99), cudaErrorInvalidDevice);
  EXPECT_EQ(cudaGetDeviceProperties(nullptr, 0), cudaErrorInvalidValue);
}

TEST(RuntimeDevice, StreamAttributesAreCopied) {
  cudaStream_t first = nullptr;
  cudaStream_t second = nullptr;
  ASSERT_EQ(cudaStreamCreate(&first), cudaSuccess);
  ASSERT_EQ(cudaStreamCreate(&second), cudaSuccess);
  cudaStreamAttrValue value{};
  value.syncPolicy = cudaSyncPolicyYield;
  EXPECT_EQ(cudaStreamSetAttribute(first, cudaLaunchAttributeSynchronizationPolicy, &value),
            cudaSuccess);
  EXPECT_EQ(cudaStreamCopyAttributes(second, first), cudaSuccess);
  value = {};
  EXPECT_EQ(cudaStreamGetAttribute(second, cudaLaunchAttributeSynchronizationPolicy, &value),
            cudaSuccess);
  EXPECT_EQ(value.syncPolicy, cudaSyncPolicyYield);
  EXPECT_EQ(cudaStreamGetAttribute(nullptr, cudaLaunchAttributeSynchronizationPolicy, &value),
            cudaSuccess);
  EXPECT_NE(value.syncPolicy, cudaSyncPolicyYield);
  value.syncPolicy = static_cast<cudaSynchronizationPolicy>(7);
  EXPECT_EQ(cudaStreamSetAttribute(first, cudaLaunchAttributeSynchronizationPolicy, &value),
            cudaErrorInvalidValue);
  EXPECT_EQ(cudaStreamGetAttribute(second, cudaLaunchAttributeCooperative, &value),
            cudaErrorInvalidValue);
  EXPECT_EQ(cudaStreamGetAttribute(second, cudaLaunchAttributePriority, &value), cudaSuccess);
  EXPECT_EQ(value.priority, 0);
  EXPECT_EQ(cudaStreamDestroy(first), cudaSuccess);
  EXPECT_EQ(cudaStreamDestroy(second), cudaSuccess);
}

}  // namespace
}  // namespace gmlake::simcuda::test
