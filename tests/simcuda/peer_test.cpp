// Access between devices: what each kind of memory needs, and who may copy and fill it. Two devices
// of 64 MiB.
#include "driver.h"

namespace gmlake::simcuda::test {
namespace {

[[maybe_unused]] const bool kSettings =
    setenv("SIMCUDA_MEMORY", "64MiB", 1) == 0 && setenv("SIMCUDA_DEVICES", "2", 1) == 0;

// Device 0 is current; `there` is the primary context of device 1.
class PeerAccess : public DeviceTest {
 protected:
  void SetUp() override {
    DeviceTest::SetUp();
    ASSERT_EQ(d.cuDevicePrimaryCtxRetain(&there, 1), CUDA_SUCCESS);
  }
  void TearDown() override {
    EXPECT_EQ(d.cuDevicePrimaryCtxRelease_v2(1), CUDA_SUCCESS);
    DeviceTest::TearDown();
  }
  // With the other device's context current.
  template <typename Call>
  auto over_there(Call call) {
    EXPECT_EQ(d.cuCtxSetCurrent(there), CUDA_SUCCESS);
    auto result = call();
    EXPECT_EQ(d.cuCtxSetCurrent(context), CUDA_SUCCESS);
    return result;
  }
  CUdeviceptr native_there() {
    return over_there([&] {
      CUdeviceptr at = 0;
      EXPECT_EQ(d.cuMemAlloc_v2(&at, kChunk), CUDA_SUCCESS);
      return at;
    });
  }
  CUdeviceptr mapped(int device) {
    const auto properties = device_memory(device);
    const auto access = read_write(device);
    CUmemGenericAllocationHandle handle = 0;
    const CUdeviceptr at = reserve(kChunk);
    EXPECT_EQ(d.cuMemCreate(&handle, kChunk, &properties, 0), CUDA_SUCCESS);
    EXPECT_EQ(d.cuMemMap(at, kChunk, 0, handle, 0), CUDA_SUCCESS);
    EXPECT_EQ(d.cuMemSetAccess(at, kChunk, &access, 1), CUDA_SUCCESS);
    EXPECT_EQ(d.cuMemRelease(handle), CUDA_SUCCESS);
    return at;
  }
  CUresult fill(CUdeviceptr at) { return d.cuMemsetD32_v2(at, 7, 4); }
  CUresult copy_out(CUdeviceptr at) {
    std::uint32_t value = 0;
    return d.cuMemcpyDtoH_v2(&value, at, sizeof value);
  }
  CUcontext there = nullptr;
};

TEST_F(PeerAccess, NativeMemoryIsFilledByAPeerOnceThatIsEnabled) {
  const CUdeviceptr at = native_there();
  EXPECT_EQ(fill(at), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(copy_out(at), CUDA_SUCCESS);  // copies go by way of the host
  ASSERT_EQ(d.cuCtxEnablePeerAccess(there, 0), CUDA_SUCCESS);
  EXPECT_EQ(fill(at), CUDA_SUCCESS);
  EXPECT_EQ(read(at), 7U);
  EXPECT_EQ(d.cuCtxDisablePeerAccess(there), CUDA_SUCCESS);
  EXPECT_EQ(fill(at), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(over_there([&] { return fill(at); }), CUDA_SUCCESS);
}

TEST_F(PeerAccess, IsForOneDirectionAndOneContext) {
  ASSERT_EQ(d.cuCtxEnablePeerAccess(there, 0), CUDA_SUCCESS);
  CUdeviceptr here = 0;
  ASSERT_EQ(d.cuMemAlloc_v2(&here, kChunk), CUDA_SUCCESS);
  EXPECT_EQ(over_there([&] { return fill(here); }), CUDA_ERROR_INVALID_VALUE);
  CUcontext second = nullptr;
  ASSERT_EQ(d.cuCtxCreate_v2(&second, 0, 1), CUDA_SUCCESS);
  CUdeviceptr of_second = 0;
  ASSERT_EQ(d.cuMemAlloc_v2(&of_second, kChunk), CUDA_SUCCESS);
  ASSERT_EQ(d.cuCtxSetCurrent(context), CUDA_SUCCESS);
  EXPECT_EQ(fill(of_second), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(fill(native_there()), CUDA_SUCCESS);
  EXPECT_EQ(d.cuCtxDestroy_v2(second), CUDA_SUCCESS);
}

TEST_F(PeerAccess, EndsWithThePeersContext) {
  CUcontext second = nullptr;
  ASSERT_EQ(d.cuCtxCreate_v2(&second, 0, 1), CUDA_SUCCESS);
  ASSERT_EQ(d.cuCtxSetCurrent(context), CUDA_SUCCESS);
  ASSERT_EQ(d.cuCtxEnablePeerAccess(second, 0), CUDA_SUCCESS);
  EXPECT_EQ(d.cuCtxDestroy_v2(second), CUDA_SUCCESS);
  EXPECT_EQ(d.cuCtxDisablePeerAccess(second), CUDA_ERROR_CONTEXT_IS_DESTROYED);
  ASSERT_EQ(d.cuCtxEnablePeerAccess(there, 0), CUDA_SUCCESS);
  EXPECT_EQ(d.cuDevicePrimaryCtxReset_v2(1), CUDA_SUCCESS);
  CUcontext again = nullptr;
  ASSERT_EQ(d.cuDevicePrimaryCtxRetain(&again, 1), CUDA_SUCCESS);
  EXPECT_EQ(d.cuCtxDisablePeerAccess(again), CUDA_ERROR_PEER_ACCESS_NOT_ENABLED);
  EXPECT_EQ(d.cuDevicePrimaryCtxRelease_v2(1), CUDA_SUCCESS);
}

TEST_F(PeerAccess, VirtualMemoryNeedsAccessForEachDevice) {
  const CUdeviceptr at = mapped(1);
  EXPECT_EQ(fill(at), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(copy_out(at), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(over_there([&] { return fill(at); }), CUDA_SUCCESS);
  ASSERT_EQ(d.cuCtxEnablePeerAccess(there, 0), CUDA_SUCCESS);
  EXPECT_EQ(fill(at), CUDA_ERROR_INVALID_VALUE);  // which is for native memory
  auto access = read_write(0);
  access.flags = CU_MEM_ACCESS_FLAGS_PROT_READ;
  ASSERT_EQ(d.cuMemSetAccess(at, kChunk, &access, 1), CUDA_SUCCESS);
  EXPECT_EQ(copy_out(at), CUDA_SUCCESS);
  EXPECT_EQ(fill(at), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(over_there([&] { return fill(at); }), CUDA_SUCCESS);
  access = read_write(0);
  ASSERT_EQ(d.cuMemSetAccess(at, kChunk, &access, 1), CUDA_SUCCESS);
  EXPECT_EQ(fill(at), CUDA_SUCCESS);
}

TEST_F(PeerAccess, APoolsMemoryNeedsAccessToThePool) {
  CUmemoryPool pool = nullptr;
  CUdeviceptr at = 0;
  ASSERT_EQ(d.cuDeviceGetDefaultMemPool(&pool, 1), CUDA_SUCCESS);
  ASSERT_EQ(over_there([&] { return d.cuMemAllocAsync(&at, kChunk, nullptr); }), CUDA_SUCCESS);
  ASSERT_EQ(over_there([&] { return d.cuStreamSynchronize(nullptr); }), CUDA_SUCCESS);
  EXPECT_EQ(fill(at), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(copy_out(at), CUDA_ERROR_INVALID_VALUE);
  const auto access = read_write(0);
  ASSERT_EQ(d.cuMemPoolSetAccess(pool, &access, 1), CUDA_SUCCESS);
  EXPECT_EQ(fill(at), CUDA_SUCCESS);  // "allocations of the past", too
  EXPECT_EQ(copy_out(at), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemFree_v2(at), CUDA_SUCCESS);
}

TEST_F(PeerAccess, APeerCopyIsMadeByBothDevices) {
  const CUdeviceptr here = mapped(0);
  const CUdeviceptr other = mapped(1);
  write(here, 11);
  EXPECT_EQ(d.cuMemcpyDtoD_v2(other, here, 4), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemcpyPeer(other, there, here, context, 4), CUDA_SUCCESS);
  EXPECT_EQ(over_there([&] { return read(other); }), 11U);
  EXPECT_EQ(d.cuMemcpyPeer(other, context, here, there, 4), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemcpyPeer(other, nullptr, here, context, 4), CUDA_ERROR_INVALID_CONTEXT);
  EXPECT_EQ(d.cuMemcpyPeer(0, there, here, context, 4), CUDA_ERROR_INVALID_VALUE);
  const CUstream stream = make_stream();
  const CUdeviceptr native = native_there();
  {
    Gate gate(stream);
    EXPECT_EQ(d.cuMemcpyPeerAsync(native, there, here, context, 4, stream), CUDA_SUCCESS);
    EXPECT_EQ(d.cuStreamQuery(stream), CUDA_ERROR_NOT_READY);
  }
  EXPECT_EQ(d.cuStreamSynchronize(stream), CUDA_SUCCESS);
  EXPECT_EQ(read(native), 11U);
}

TEST_F(PeerAccess, LinksHaveAttributes) {
  int value = -1;
  EXPECT_EQ(d.cuDeviceGetP2PAttribute(&value, CU_DEVICE_P2P_ATTRIBUTE_ACCESS_SUPPORTED, 0, 1),
            CUDA_SUCCESS);
  EXPECT_EQ(value, 1);
  constexpr auto kRank = CU_DEVICE_P2P_ATTRIBUTE_PERFORMANCE_RANK;
  EXPECT_EQ(d.cuDeviceGetP2PAttribute(&value, kRank, 0, 1), CUDA_SUCCESS);
  EXPECT_EQ(d.cuDeviceGetP2PAttribute(&value, kRank, 1, 1), CUDA_ERROR_INVALID_DEVICE);
  EXPECT_EQ(d.cuDeviceGetP2PAttribute(&value, kRank, 0, 2), CUDA_ERROR_INVALID_DEVICE);
  EXPECT_EQ(d.cuDeviceGetP2PAttribute(nullptr, kRank, 0, 1), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuDeviceGetP2PAttribute(&value, static_cast<CUdevice_P2PAttribute>(99), 0, 1),
            CUDA_ERROR_INVALID_VALUE);
}

}  // namespace
}  // namespace gmlake::simcuda::test
