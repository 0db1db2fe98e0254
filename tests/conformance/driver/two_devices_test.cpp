// Access between two devices: what each kind of memory needs. Needs a machine with two that can be
// peers.
#include "../fixture.h"

namespace conformance {
namespace {

// Device 0 is current; `there` is the primary context of device 1.
class TwoDevices : public DeviceTest {
 protected:
  void SetUp() override {
    DeviceTest::SetUp();
    ASSERT_EQ(d.cuDevicePrimaryCtxRetain(&there, 1), CUDA_SUCCESS) << "a second device is needed";
    later([this] { EXPECT_EQ(d.cuDevicePrimaryCtxRelease_v2(1), CUDA_SUCCESS); });
  }
  template <typename Call>
  auto over_there(Call call) {
    EXPECT_EQ(d.cuCtxSetCurrent(there), CUDA_SUCCESS);
    auto result = call();
    EXPECT_EQ(d.cuCtxSetCurrent(context), CUDA_SUCCESS);
    return result;
  }
  CUdeviceptr make_there(std::size_t size = kChunk) {
    return over_there([&] { return make_memory(size); });
  }
  CUdeviceptr make_async_there() {
    const CUdeviceptr at = over_there([&] {
      CUdeviceptr made = 0;
      EXPECT_EQ(d.cuMemAllocAsync(&made, kChunk, nullptr), CUDA_SUCCESS);
      EXPECT_EQ(d.cuCtxSynchronize(), CUDA_SUCCESS);
      return made;
    });
    later([this, at] {
      over_there([&] {
        EXPECT_EQ(d.cuMemFreeAsync(at, nullptr), CUDA_SUCCESS);
        return d.cuCtxSynchronize();
      });
    });
    return at;
  }
  CUdeviceptr make_mapped(int device) {
    const CUdeviceptr at = reserve(kChunk);
    map(at, kChunk, create(kChunk, device_memory(device)));
    const auto own = read_write(device);
    EXPECT_EQ(d.cuMemSetAccess(at, kChunk, &own, 1), CUDA_SUCCESS);
    return at;
  }
  CUresult copy_out(CUdeviceptr at) {
    std::uint32_t value = 0;
    return d.cuMemcpyDtoH_v2(&value, at, sizeof value);
  }
  CUresult fill(CUdeviceptr at) {
    const CUresult result = d.cuMemsetD32_v2(at, 7, 4);
    return result == CUDA_SUCCESS ? d.cuCtxSynchronize() : result;
  }
  CUcontext there = nullptr;
};

// Unified addressing: "the location ... is inferred from the pointer values".
TEST_F(TwoDevices, CopiesOfPlainMemoryNeedNoAccess) {
  const CUdeviceptr here = make_memory(kChunk);
  const CUdeviceptr at = make_there();
  const std::uint32_t value = 11;
  std::uint32_t back = 0;
  EXPECT_EQ(d.cuMemcpyHtoD_v2(at, &value, sizeof value), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemcpyDtoD_v2(here, at, sizeof value), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemcpyDtoH_v2(&back, here, sizeof value), CUDA_SUCCESS);
  EXPECT_EQ(back, 11U);
  EXPECT_EQ(copy_out(at), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemcpyDtoDAsync_v2(at + 4, here, 4, nullptr), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemcpyPeer(at + 8, there, here, context, 4), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemcpyPeer(here + 8, context, at, there, 4), CUDA_SUCCESS);
  EXPECT_EQ(d.cuCtxSynchronize(), CUDA_SUCCESS);
}

// [H 23862] "On success all allocations from peerContext will immediately be accessible by the
// current context", those to come as well, until it is disabled; sets need it.
TEST_F(TwoDevices, SetsOfPlainMemoryNeedAccessThatIsEnabled) {
  const CUdeviceptr at = make_there();
  EXPECT_EQ(fill(at), CUDA_ERROR_INVALID_VALUE);
  ASSERT_EQ(d.cuCtxEnablePeerAccess(there, 0), CUDA_SUCCESS);
  EXPECT_EQ(d.cuCtxEnablePeerAccess(there, 0), CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED);
  EXPECT_EQ(fill(at), CUDA_SUCCESS);
  EXPECT_EQ(fill(make_there(16 * kChunk)), CUDA_SUCCESS);
  EXPECT_EQ(d.cuCtxDisablePeerAccess(there), CUDA_SUCCESS);
  EXPECT_EQ(d.cuCtxDisablePeerAccess(there), CUDA_ERROR_PEER_ACCESS_NOT_ENABLED);
  EXPECT_EQ(fill(at), CUDA_ERROR_INVALID_VALUE);
}

// [H 13000 ff.] cuMemPoolSetAccess alone decides about a pool's memory, also of what it has given
// out already.
TEST_F(TwoDevices, PoolsSayWhoMayReachTheirMemory) {
  const CUdeviceptr at = make_async_there();
  CUmemoryPool pool = nullptr;
  ASSERT_EQ(d.cuDeviceGetDefaultMemPool(&pool, 1), CUDA_SUCCESS);
  EXPECT_EQ(copy_out(at), CUDA_ERROR_INVALID_VALUE);
  auto access = read_write(0);
  EXPECT_EQ(d.cuMemPoolSetAccess(pool, &access, 1), CUDA_SUCCESS);
  EXPECT_EQ(copy_out(at), CUDA_SUCCESS);
  EXPECT_EQ(fill(make_async_there()), CUDA_SUCCESS);
  access.flags = CU_MEM_ACCESS_FLAGS_PROT_NONE;
  EXPECT_EQ(d.cuMemPoolSetAccess(pool, &access, 1), CUDA_SUCCESS);
  EXPECT_EQ(copy_out(at), CUDA_ERROR_INVALID_VALUE);
}

// Mapped memory is reached by the devices it was opened to and by no other, until that ends; copies
// between contexts need no more than that each device reaches its own.
TEST_F(TwoDevices, MappingsAreReachedByWhomTheyAreOpenedTo) {
  const CUdeviceptr at = make_mapped(1);
  const CUdeviceptr here = make_mapped(0);
  EXPECT_EQ(copy_out(at), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(fill(at), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemcpyDtoD_v2(here, at, 4), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemcpyPeer(at, there, here, context, 4), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemcpyPeerAsync(here, context, at, there, 4, nullptr), CUDA_SUCCESS);
  EXPECT_EQ(d.cuCtxSynchronize(), CUDA_SUCCESS);
  // Boxes too, also where one side is the host's.
  std::uint32_t host = 12;
  CUDA_MEMCPY3D_PEER box{};
  box.srcMemoryType = CU_MEMORYTYPE_HOST;
  box.srcHost = &host;
  box.srcContext = context;
  box.dstMemoryType = CU_MEMORYTYPE_DEVICE;
  box.dstDevice = at;
  box.dstContext = there;
  box.WidthInBytes = sizeof host;
  box.Height = box.Depth = 1;
  EXPECT_EQ(d.cuMemcpy3DPeer(&box), CUDA_SUCCESS);
  host = 0;
  box.srcMemoryType = CU_MEMORYTYPE_DEVICE;
  box.srcDevice = at;
  box.srcContext = there;
  box.dstMemoryType = CU_MEMORYTYPE_HOST;
  box.dstHost = &host;
  box.dstContext = context;
  EXPECT_EQ(d.cuMemcpy3DPeer(&box), CUDA_SUCCESS);
  EXPECT_EQ(host, 12U);
  auto access = read_write(0);
  EXPECT_EQ(d.cuMemSetAccess(at, kChunk, &access, 1), CUDA_SUCCESS);
  EXPECT_EQ(copy_out(at), CUDA_SUCCESS);
  EXPECT_EQ(fill(at), CUDA_SUCCESS);
  access.flags = CU_MEM_ACCESS_FLAGS_PROT_NONE;
  EXPECT_EQ(d.cuMemSetAccess(at, kChunk, &access, 1), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemSetAccess(at, kChunk, &access, 1), CUDA_SUCCESS);  // again is no error
  EXPECT_EQ(copy_out(at), CUDA_ERROR_INVALID_VALUE);
}

// A copy asks what the current context's device reaches, a set what the stream's does.
TEST_F(TwoDevices, CopiesAskTheCurrentContextAndSetsTheStreams) {
  const CUdeviceptr at = make_mapped(1);
  const CUdeviceptr here = make_memory(kChunk);
  const CUstream of_there = over_there([&] { return make_stream(); });
  EXPECT_EQ(d.cuMemcpyDtoDAsync_v2(at, here, 4, of_there), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemsetD8Async(at, 1, 4, of_there), CUDA_SUCCESS);
  EXPECT_EQ(over_there([&] { return d.cuCtxSynchronize(); }), CUDA_SUCCESS);
  const CUstream of_here = make_stream();
  EXPECT_EQ(over_there([&] { return d.cuMemcpyDtoDAsync_v2(at, here, 4, of_here); }), CUDA_SUCCESS);
  EXPECT_EQ(over_there([&] { return d.cuMemsetD8Async(at, 1, 4, of_here); }),
            CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuCtxSynchronize(), CUDA_SUCCESS);
  EXPECT_EQ(over_there([&] { return d.cuCtxSynchronize(); }), CUDA_SUCCESS);
}

}  // namespace
}  // namespace conformance
