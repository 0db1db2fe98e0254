// Memory pools as objects, and memory shared with another process.
#include "runtime_fixture.h"

namespace gmlake::simcuda::test {
namespace {

class RuntimePools : public RuntimeTest {
 protected:
  cudaMemPool_t make_pool(cudaMemAllocationHandleType handles = cudaMemHandleTypeNone) {
    cudaMemPoolProps properties{};
    properties.allocType = cudaMemAllocationTypePinned;
    properties.handleTypes = handles;
    properties.location = device;
    cudaMemPool_t pool = nullptr;
    EXPECT_EQ(cudaMemPoolCreate(&pool, &properties), cudaSuccess);
    return pool;
  }
  std::uint64_t attribute(cudaMemPool_t pool, cudaMemPoolAttr wanted) {
    std::uint64_t value = ~std::uint64_t{0};
    EXPECT_EQ(cudaMemPoolGetAttribute(pool, wanted, &value), cudaSuccess);
    return value;
  }

  cudaMemLocation device{cudaMemLocationTypeDevice, 0};
};

TEST_F(RuntimePools, TheDefaultPoolIsTheDevicesAtFirst) {
  cudaMemPool_t standard = nullptr;
  cudaMemPool_t current = nullptr;
  ASSERT_EQ(cudaDeviceGetDefaultMemPool(&standard, 0), cudaSuccess);
  ASSERT_EQ(cudaDeviceGetMemPool(&current, 0), cudaSuccess);
  EXPECT_EQ(standard, current);
  EXPECT_EQ(cudaDeviceGetDefaultMemPool(&standard, 99), cudaErrorInvalidDevice);
  cudaMemPool_t found = nullptr;
  EXPECT_EQ(cudaMemGetDefaultMemPool(&found, &device, cudaMemAllocationTypePinned), cudaSuccess);
  EXPECT_EQ(found, standard);
}

TEST_F(RuntimePools, AnotherPoolServesTheDevice) {
  cudaMemPool_t standard = nullptr;
  ASSERT_EQ(cudaDeviceGetDefaultMemPool(&standard, 0), cudaSuccess);
  cudaMemPool_t pool = make_pool();
  cudaMemPool_t found = nullptr;
  ASSERT_EQ(cudaDeviceSetMemPool(0, pool), cudaSuccess);
  EXPECT_EQ(cudaDeviceGetMemPool(&found, 0), cudaSuccess);
  EXPECT_EQ(found, pool);
  void* memory = nullptr;
  ASSERT_EQ(cudaMallocAsync(&memory, 1 << 20, stream), cudaSuccess);
  EXPECT_GE(attribute(pool, cudaMemPoolAttrUsedMemCurrent), 1U << 20);
  EXPECT_EQ(cudaFreeAsync(memory, stream), cudaSuccess);
  EXPECT_EQ(cudaStreamSynchronize(stream), cudaSuccess);
  EXPECT_EQ(attribute(pool, cudaMemPoolAttrUsedMemCurrent), 0U);
  EXPECT_EQ(cudaDeviceSetMemPool(0, standard), cudaSuccess);
  EXPECT_EQ(cudaMemPoolDestroy(pool), cudaSuccess);
}

TEST_F(RuntimePools, MemoryIsKeptUpToTheThreshold) {
  cudaMemPool_t pool = make_pool();
  std::uint64_t threshold = ~std::uint64_t{0};
  ASSERT_EQ(cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &threshold),
            cudaSuccess);
  void* memory = nullptr;
  ASSERT_EQ(cudaMallocFromPoolAsync(&memory, 1 << 20, pool, stream), cudaSuccess);
  EXPECT_EQ(cudaMemsetAsync(memory, 4, 1 << 20, stream), cudaSuccess);
  EXPECT_EQ(cudaFreeAsync(memory, stream), cudaSuccess);
  EXPECT_EQ(cudaStreamSynchronize(stream), cudaSuccess);
  EXPECT_GE(attribute(pool, cudaMemPoolAttrReservedMemCurrent), 1U << 20);
  EXPECT_EQ(cudaMemPoolTrimTo(pool, 0), cudaSuccess);
  EXPECT_EQ(attribute(pool, cudaMemPoolAttrReservedMemCurrent), 0U);
  EXPECT_GE(attribute(pool, cudaMemPoolAttrUsedMemHigh), 1U << 20);
  EXPECT_EQ(cudaMemPoolDestroy(pool), cudaSuccess);
}

TEST_F(RuntimePools, ADeviceCanAlwaysReachItsOwn) {
  cudaMemPool_t pool = make_pool();
  cudaMemAccessFlags flags{};
  EXPECT_EQ(cudaMemPoolGetAccess(&flags, pool, &device), cudaSuccess);
  EXPECT_EQ(flags, cudaMemAccessFlagsProtReadWrite);
  const cudaMemAccessDesc none{device, cudaMemAccessFlagsProtNone};
  EXPECT_EQ(cudaMemPoolSetAccess(pool, &none, 1), cudaErrorInvalidDevice);  // measured
  EXPECT_EQ(cudaMemPoolDestroy(pool), cudaSuccess);
}

TEST_F(RuntimePools, WrongPropertiesAreRefused) {
  cudaMemPoolProps properties{};
  cudaMemPool_t pool = nullptr;
  EXPECT_EQ(cudaMemPoolCreate(&pool, nullptr), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemPoolCreate(&pool, &properties), cudaErrorInvalidValue);
  cudaMemPool_t standard = nullptr;
  ASSERT_EQ(cudaDeviceGetDefaultMemPool(&standard, 0), cudaSuccess);
  EXPECT_EQ(cudaMemPoolDestroy(standard), cudaErrorInvalidValue);
}

TEST_F(RuntimePools, APoolIsExportedOnlyAsItWasMade) {
  cudaMemPool_t pool = make_pool(cudaMemHandleTypePosixFileDescriptor);
  cudaMemPool_t closed = make_pool();
  int descriptor = -1;
  EXPECT_EQ(cudaMemPoolExportToShareableHandle(&descriptor, pool,
                                               cudaMemHandleTypePosixFileDescriptor, 0),
            cudaSuccess);
  EXPECT_GE(descriptor, 0);
  EXPECT_EQ(cudaMemPoolExportToShareableHandle(&descriptor, closed,
                                               cudaMemHandleTypePosixFileDescriptor, 0),
            cudaErrorInvalidValue);
  void* memory = nullptr;
  cudaMemPoolPtrExportData data{};
  ASSERT_EQ(cudaMallocFromPoolAsync(&memory, 4096, pool, stream), cudaSuccess);
  EXPECT_EQ(cudaStreamSynchronize(stream), cudaSuccess);
  EXPECT_EQ(cudaMemPoolExportPointer(&data, memory), cudaSuccess);
  EXPECT_EQ(cudaFreeAsync(memory, stream), cudaSuccess);
  EXPECT_EQ(cudaStreamSynchronize(stream), cudaSuccess);
  EXPECT_EQ(cudaMemPoolDestroy(pool), cudaSuccess);
  EXPECT_EQ(cudaMemPoolDestroy(closed), cudaSuccess);
}

TEST_F(RuntimePools, MemoryHasAHandleForOthers) {
  void* memory = allocate(1 << 20);
  cudaIpcMemHandle_t handle{};
  EXPECT_EQ(cudaIpcGetMemHandle(&handle, memory), cudaSuccess);
  EXPECT_EQ(cudaIpcCloseMemHandle(memory), cudaErrorInvalidValue);
  EXPECT_EQ(cudaFree(memory), cudaSuccess);
  EXPECT_EQ(cudaIpcGetMemHandle(&handle, memory), cudaErrorInvalidValue);
  // cuda_runtime_api.h, cudaIpcGetEventHandle: an event made with cudaEventInterprocess only.
  cudaEvent_t event = nullptr;
  cudaIpcEventHandle_t event_handle{};
  ASSERT_EQ(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), cudaSuccess);
  EXPECT_NE(cudaIpcGetEventHandle(&event_handle, event), cudaSuccess);
  EXPECT_EQ(cudaEventDestroy(event), cudaSuccess);
}

}  // namespace
}  // namespace gmlake::simcuda::test
