// Memory pools: the device's own and those that a program makes.
#include <vector>

#include "../fixture.h"

namespace conformance {
namespace {

constexpr std::size_t kBlock = 4 << 20;
constexpr cuuint64_t kKeepAll = ~cuuint64_t{0};

CUmemPoolProps device_pool() {
  CUmemPoolProps properties{};
  properties.allocType = CU_MEM_ALLOCATION_TYPE_PINNED;
  properties.handleTypes = CU_MEM_HANDLE_TYPE_NONE;
  properties.location = {CU_MEM_LOCATION_TYPE_DEVICE, 0};
  return properties;
}

class Pools : public DeviceTest {
 protected:
  void SetUp() override {
    DeviceTest::SetUp();
    stream = make_stream();
    pool = make_pool();
  }
  CUmemoryPool make_pool(const CUmemPoolProps& properties = device_pool()) {
    CUmemoryPool made = nullptr;
    EXPECT_EQ(d.cuMemPoolCreate(&made, &properties), CUDA_SUCCESS);
    later([this, made] { EXPECT_EQ(d.cuMemPoolDestroy(made), CUDA_SUCCESS); });
    return made;
  }
  CUmemoryPool default_pool() {
    CUmemoryPool found = nullptr;
    EXPECT_EQ(d.cuDeviceGetDefaultMemPool(&found, 0), CUDA_SUCCESS);
    return found;
  }
  CUmemoryPool current_pool() {
    CUmemoryPool found = nullptr;
    EXPECT_EQ(d.cuDeviceGetMemPool(&found, 0), CUDA_SUCCESS);
    return found;
  }
  CUmemoryPool pool_of(CUdeviceptr at) {
    CUmemoryPool found = nullptr;
    EXPECT_EQ(d.cuPointerGetAttribute(&found, CU_POINTER_ATTRIBUTE_MEMPOOL_HANDLE, at),
              CUDA_SUCCESS);
    return found;
  }
  cuuint64_t get(CUmemPool_attribute attribute) {
    cuuint64_t value = 77;
    EXPECT_EQ(d.cuMemPoolGetAttribute(pool, attribute, &value), CUDA_SUCCESS);
    return value;
  }
  int get_flag(CUmemPool_attribute attribute) {
    int value = 77;
    EXPECT_EQ(d.cuMemPoolGetAttribute(pool, attribute, &value), CUDA_SUCCESS);
    return value;
  }
  CUresult set(CUmemPool_attribute attribute, cuuint64_t value) {
    return d.cuMemPoolSetAttribute(pool, attribute, &value);
  }
  void keep_all() { EXPECT_EQ(set(CU_MEMPOOL_ATTR_RELEASE_THRESHOLD, kKeepAll), CUDA_SUCCESS); }
  CUdeviceptr allocate(std::size_t size = kBlock) {
    CUdeviceptr at = 0;
    EXPECT_EQ(d.cuMemAllocFromPoolAsync(&at, size, pool, stream), CUDA_SUCCESS);
    return at;
  }
  void free(CUdeviceptr at) { EXPECT_EQ(d.cuMemFreeAsync(at, stream), CUDA_SUCCESS); }
  void synchronize() { EXPECT_EQ(d.cuStreamSynchronize(stream), CUDA_SUCCESS); }

  CUstream stream = nullptr;
  CUmemoryPool pool = nullptr;
};

// [H 13611] "By default the current mempool of a location is the default mempool".
TEST_F(Pools, ADeviceStartsWithItsDefaultPool) {
  EXPECT_NE(default_pool(), nullptr);
  EXPECT_EQ(current_pool(), default_pool());
}

// [H 5641] CUDA_ERROR_INVALID_DEVICE.
TEST_F(Pools, BelongToADevice) {
  CUmemoryPool none = nullptr;
  EXPECT_EQ(d.cuDeviceGetDefaultMemPool(&none, 77), CUDA_ERROR_INVALID_DEVICE);
  EXPECT_EQ(d.cuDeviceGetDefaultMemPool(nullptr, 0), CUDA_ERROR_INVALID_VALUE);
}

// [H 13545] CUDA_ERROR_INVALID_VALUE.
TEST_F(Pools, NeedValidProperties) {
  CUmemoryPool none = nullptr;
  EXPECT_EQ(d.cuMemPoolCreate(&none, nullptr), CUDA_ERROR_INVALID_VALUE);
  auto properties = device_pool();
  EXPECT_EQ(d.cuMemPoolCreate(nullptr, &properties), CUDA_ERROR_INVALID_VALUE);
  properties.allocType = CU_MEM_ALLOCATION_TYPE_INVALID;
  EXPECT_EQ(d.cuMemPoolCreate(&none, &properties), CUDA_ERROR_INVALID_VALUE);
}

// [H 13545] no such device.
TEST_F(Pools, NeedADevice) {
  CUmemoryPool none = nullptr;
  auto properties = device_pool();
  properties.location.id = 77;
  EXPECT_NE(d.cuMemPoolCreate(&none, &properties), CUDA_SUCCESS);
}

// [H 13516] CU_MEM_LOCATION_TYPE_HOST_NUMA_CURRENT "will result in CUDA_ERROR_INVALID_VALUE."
TEST_F(Pools, AreNotOfTheCurrentNode) {
  CUmemoryPool none = nullptr;
  auto properties = device_pool();
  properties.location = {CU_MEM_LOCATION_TYPE_HOST_NUMA_CURRENT, 0};
  EXPECT_EQ(d.cuMemPoolCreate(&none, &properties), CUDA_ERROR_INVALID_VALUE);
}

// [H 13654] the memory comes from the pool that was named.
TEST_F(Pools, GiveMemory) {
  const CUdeviceptr at = allocate();
  EXPECT_EQ(pool_of(at), pool);
  EXPECT_EQ(d.cuMemsetD32Async(at, 7, kBlock / 4, stream), CUDA_SUCCESS);
  synchronize();
  EXPECT_EQ(read(at + kBlock - 4), 7U);
  free(at);
}

// [H 13675] CUDA_ERROR_INVALID_VALUE.
TEST_F(Pools, AreNamedWhenMemoryComesFromThem) {
  CUdeviceptr at = 0;
  EXPECT_EQ(d.cuMemAllocFromPoolAsync(&at, kBlock, nullptr, stream), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemAllocFromPoolAsync(nullptr, kBlock, pool, stream), CUDA_ERROR_INVALID_VALUE);
}

// [H 13679] CUDA_ERROR_OUT_OF_MEMORY.
TEST_F(Pools, RunOut) {
  CUdeviceptr at = 0;
  EXPECT_EQ(d.cuMemAllocFromPoolAsync(&at, std::size_t{1} << 50, pool, stream),
            CUDA_ERROR_OUT_OF_MEMORY);
}

// [H 13522] "the maximum size of the pool".
TEST_F(Pools, HaveALimit) {
  auto properties = device_pool();
  properties.maxSize = 64 << 20;
  pool = make_pool(properties);
  CUdeviceptr at = 0;
  EXPECT_EQ(d.cuMemAllocFromPoolAsync(&at, 512 << 20, pool, stream), CUDA_ERROR_OUT_OF_MEMORY);
  free(allocate(16 << 20));
}

// [H 13327] "The allocation comes from the memory pool current to the stream's device."
TEST_F(Pools, MayBeCurrent) {
  ASSERT_EQ(d.cuDeviceSetMemPool(0, pool), CUDA_SUCCESS);
  EXPECT_EQ(current_pool(), pool);
  CUdeviceptr at = 0;
  EXPECT_EQ(d.cuMemAllocAsync(&at, kBlock, stream), CUDA_SUCCESS);
  EXPECT_EQ(pool_of(at), pool);
  free(at);
  EXPECT_EQ(d.cuDeviceSetMemPool(0, default_pool()), CUDA_SUCCESS);
  EXPECT_EQ(current_pool(), default_pool());
}

// [H 13564] "Destroying the current mempool of a device sets the default mempool ... as the
// current mempool".
TEST_F(Pools, LeaveTheirPlaceToTheDefault) {
  const auto properties = device_pool();
  CUmemoryPool made = nullptr;
  ASSERT_EQ(d.cuMemPoolCreate(&made, &properties), CUDA_SUCCESS);
  ASSERT_EQ(d.cuDeviceSetMemPool(0, made), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemPoolDestroy(made), CUDA_SUCCESS);
  EXPECT_EQ(current_pool(), default_pool());
}

// [H 13567] "A device's default memory pool cannot be destroyed."
TEST_F(Pools, TheDefaultOneIsNotDestroyed) {
  EXPECT_EQ(d.cuMemPoolDestroy(default_pool()), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemPoolDestroy(nullptr), CUDA_ERROR_INVALID_VALUE);
}

// [H 13558] destroyed with memory in use, "the function will return immediately and the resources
// ... released automatically once there are no more outstanding allocations."
TEST_F(Pools, LiveUntilTheirMemoryIsFreed) {
  const auto properties = device_pool();
  CUmemoryPool made = nullptr;
  ASSERT_EQ(d.cuMemPoolCreate(&made, &properties), CUDA_SUCCESS);
  CUdeviceptr at = 0;
  ASSERT_EQ(d.cuMemAllocFromPoolAsync(&at, kBlock, made, stream), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemPoolDestroy(made), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemsetD32Async(at, 7, kBlock / 4, stream), CUDA_SUCCESS);
  synchronize();
  EXPECT_EQ(read(at), 7U);
  free(at);
}

// [H 13389] "(default 0)".
TEST_F(Pools, KeepNothingByDefault) {
  EXPECT_EQ(get(CU_MEMPOOL_ATTR_RELEASE_THRESHOLD), 0U);
}

// [H 13384] the threshold is set.
TEST_F(Pools, KeepWhatTheyAreTold) {
  EXPECT_EQ(set(CU_MEMPOOL_ATTR_RELEASE_THRESHOLD, 12345), CUDA_SUCCESS);
  EXPECT_EQ(get(CU_MEMPOOL_ATTR_RELEASE_THRESHOLD), 12345U);
}

// [H 13395, 13398, 13402] "(default enabled)".
TEST_F(Pools, ReuseMemoryInThreeWaysByDefault) {
  EXPECT_EQ(get_flag(CU_MEMPOOL_ATTR_REUSE_FOLLOW_EVENT_DEPENDENCIES), 1);
  EXPECT_EQ(get_flag(CU_MEMPOOL_ATTR_REUSE_ALLOW_OPPORTUNISTIC), 1);
  EXPECT_EQ(get_flag(CU_MEMPOOL_ATTR_REUSE_ALLOW_INTERNAL_DEPENDENCIES), 1);
}

// [H 13390] each of the three is switched on its own.
TEST_F(Pools, ReuseMemoryAsTheyAreTold) {
  int off = 0;
  EXPECT_EQ(d.cuMemPoolSetAttribute(pool, CU_MEMPOOL_ATTR_REUSE_ALLOW_OPPORTUNISTIC, &off),
            CUDA_SUCCESS);
  EXPECT_EQ(get_flag(CU_MEMPOOL_ATTR_REUSE_ALLOW_OPPORTUNISTIC), 0);
  EXPECT_EQ(get_flag(CU_MEMPOOL_ATTR_REUSE_FOLLOW_EVENT_DEPENDENCIES), 1);
  EXPECT_EQ(get_flag(CU_MEMPOOL_ATTR_REUSE_ALLOW_INTERNAL_DEPENDENCIES), 1);
}

// [H 13446, 13451] nothing is reserved or used yet.
TEST_F(Pools, StartEmpty) {
  EXPECT_EQ(get(CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT), 0U);
  EXPECT_EQ(get(CU_MEMPOOL_ATTR_RESERVED_MEM_HIGH), 0U);
  EXPECT_EQ(get(CU_MEMPOOL_ATTR_USED_MEM_CURRENT), 0U);
  EXPECT_EQ(get(CU_MEMPOOL_ATTR_USED_MEM_HIGH), 0U);
}

// [H 13451] "Amount of memory from the pool that is currently in use by the application."
TEST_F(Pools, CountWhatIsUsed) {
  const CUdeviceptr one = allocate();
  EXPECT_EQ(get(CU_MEMPOOL_ATTR_USED_MEM_CURRENT), kBlock);
  const CUdeviceptr two = allocate();
  EXPECT_EQ(get(CU_MEMPOOL_ATTR_USED_MEM_CURRENT), 2 * kBlock);
  free(one);
  free(two);
  synchronize();
  EXPECT_EQ(get(CU_MEMPOOL_ATTR_USED_MEM_CURRENT), 0U);
}

// [M] memory counts as used until its free is given to the stream, not until its turn.
TEST_F(Pools, StopCountingWithTheFree) {
  const CUdeviceptr at = allocate();
  Gate gate(stream);
  free(at);
  EXPECT_EQ(get(CU_MEMPOOL_ATTR_USED_MEM_CURRENT), 0U);
}

// [H 13451] "from the pool": not of another one, nor without one.
TEST_F(Pools, CountTheirOwn) {
  const CUdeviceptr at = allocate();
  CUdeviceptr other = 0;
  EXPECT_EQ(d.cuMemAllocAsync(&other, kBlock, stream), CUDA_SUCCESS);
  const CUdeviceptr plain = make_memory(kBlock);
  EXPECT_NE(plain, 0U);
  EXPECT_EQ(get(CU_MEMPOOL_ATTR_USED_MEM_CURRENT), kBlock);
  free(other);
  EXPECT_EQ(get(CU_MEMPOOL_ATTR_USED_MEM_CURRENT), kBlock);
  free(at);
  EXPECT_EQ(get(CU_MEMPOOL_ATTR_USED_MEM_CURRENT), 0U);
}

// [H 13522] memory that is freed may be had again within the limit.
TEST_F(Pools, HaveALimitOnWhatIsUsed) {
  auto properties = device_pool();
  properties.maxSize = 64 << 20;
  pool = make_pool(properties);
  for (int i = 0; i < 4; ++i) {
    free(allocate(48 << 20));
    synchronize();
  }
}

// [H 13404] the watermark is that of what came since.
TEST_F(Pools, RememberTheMostUsedSinceTheReset) {
  keep_all();
  const CUdeviceptr one = allocate();
  free(allocate());
  free(one);
  EXPECT_EQ(set(CU_MEMPOOL_ATTR_USED_MEM_HIGH, 0), CUDA_SUCCESS);
  EXPECT_EQ(get(CU_MEMPOOL_ATTR_USED_MEM_HIGH), 0U);
  free(allocate());
  EXPECT_EQ(get(CU_MEMPOOL_ATTR_USED_MEM_HIGH), kBlock);
}

// [H 13446] "Amount of backing memory currently allocated for the mempool".
TEST_F(Pools, CountWhatIsReserved) {
  const CUdeviceptr at = allocate();
  EXPECT_GE(get(CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT), kBlock);
  free(at);
}

// [H 13453] "High watermark of the amount of memory from the pool that was in use".
TEST_F(Pools, RememberTheMostUsed) {
  const CUdeviceptr one = allocate();
  free(allocate());
  synchronize();
  EXPECT_EQ(get(CU_MEMPOOL_ATTR_USED_MEM_HIGH), 2 * kBlock);
  free(one);
}

// [H 13448] "High watermark of backing memory allocated for the mempool".
TEST_F(Pools, RememberTheMostReserved) {
  free(allocate());
  synchronize();
  EXPECT_GE(get(CU_MEMPOOL_ATTR_RESERVED_MEM_HIGH), kBlock);
}

// [H 13404, 13407] the watermarks are reset, to what is current.
TEST_F(Pools, ForgetTheMostUsed) {
  const CUdeviceptr one = allocate();
  free(allocate());
  synchronize();
  EXPECT_EQ(set(CU_MEMPOOL_ATTR_USED_MEM_HIGH, 0), CUDA_SUCCESS);
  EXPECT_EQ(get(CU_MEMPOOL_ATTR_USED_MEM_HIGH), kBlock);
  free(one);
}

// [H 13405] "It is illegal to set this attribute to a non-zero value."
TEST_F(Pools, ResetTheirWatermarksToZeroOnly) {
  EXPECT_EQ(set(CU_MEMPOOL_ATTR_RESERVED_MEM_HIGH, 5), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(set(CU_MEMPOOL_ATTR_USED_MEM_HIGH, 5), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(set(CU_MEMPOOL_ATTR_RESERVED_MEM_HIGH, 0), CUDA_SUCCESS);
}

// [H 13383] what can be set does not include the current counters.
TEST_F(Pools, CountForThemselves) {
  EXPECT_EQ(set(CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT, 0), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(set(CU_MEMPOOL_ATTR_USED_MEM_CURRENT, 0), CUDA_ERROR_INVALID_VALUE);
}

// [H 13416, 13463] CUDA_ERROR_INVALID_VALUE.
TEST_F(Pools, KnowNoOtherAttributes) {
  cuuint64_t value = 0;
  const auto unknown = static_cast<CUmemPool_attribute>(120);
  EXPECT_EQ(d.cuMemPoolGetAttribute(pool, unknown, &value), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemPoolSetAttribute(pool, unknown, &value), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemPoolGetAttribute(nullptr, CU_MEMPOOL_ATTR_RELEASE_THRESHOLD, &value),
            CUDA_ERROR_INVALID_VALUE);
}

// [H 13386] above the threshold memory goes back "on the next call to stream, event or context
// synchronize."
TEST_F(Pools, ReleaseMemoryWhenTheStreamIsSynchronised) {
  free(allocate());
  synchronize();
  EXPECT_EQ(get(CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT), 0U);
}

// [H 13385] below it "to hold onto before trying to release memory back".
TEST_F(Pools, KeepMemoryBelowTheThreshold) {
  keep_all();
  free(allocate());
  synchronize();
  EXPECT_GE(get(CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT), kBlock);
  EXPECT_EQ(get(CU_MEMPOOL_ATTR_USED_MEM_CURRENT), 0U);
}

// [H 13357] "until the pool contains fewer than minBytesToKeep reserved bytes".
TEST_F(Pools, AreTrimmed) {
  keep_all();
  free(allocate());
  synchronize();
  EXPECT_EQ(d.cuMemPoolTrimTo(pool, 0), CUDA_SUCCESS);
  EXPECT_EQ(get(CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT), 0U);
}

// [H 13368] "the pool will be guaranteed to have at least minBytesToKeep bytes reserved".
TEST_F(Pools, AreTrimmedToWhatShallStay) {
  keep_all();
  std::vector<CUdeviceptr> blocks;
  for (int i = 0; i < 4; ++i) blocks.push_back(allocate(32 << 20));
  for (const CUdeviceptr at : blocks) free(at);
  synchronize();
  EXPECT_EQ(d.cuMemPoolTrimTo(pool, 64 << 20), CUDA_SUCCESS);
  EXPECT_GE(get(CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT), std::size_t{64} << 20);
}

// [H 13367] with less reserved "the TrimTo operation is a no-op."
TEST_F(Pools, AreNotTrimmedBelowWhatTheyHave) {
  keep_all();
  free(allocate());
  synchronize();
  const auto before = get(CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT);
  EXPECT_EQ(d.cuMemPoolTrimTo(pool, std::size_t{1} << 30), CUDA_SUCCESS);
  EXPECT_EQ(get(CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT), before);
}

// [H 13359] "cannot release OS allocations that back outstanding asynchronous allocations."
TEST_F(Pools, AreNotTrimmedOfWhatIsUsed) {
  const CUdeviceptr at = allocate();
  synchronize();
  EXPECT_EQ(d.cuMemPoolTrimTo(pool, 0), CUDA_SUCCESS);
  EXPECT_GE(get(CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT), kBlock);
  EXPECT_EQ(d.cuMemsetD32Async(at, 7, kBlock / 4, stream), CUDA_SUCCESS);
  free(at);
}

// [H 13330] freed memory serves the same stream again: the pool does not grow.
TEST_F(Pools, ReuseMemoryInTheSameStream) {
  keep_all();
  free(allocate());
  const auto reserved = get(CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT);
  Gate gate(stream);
  for (int i = 0; i < 20; ++i) free(allocate());
  EXPECT_EQ(get(CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT), reserved);
}

// [H 13518] "By default, the pool's memory will be accessible from the device it is allocated on."
TEST_F(Pools, AreAccessibleFromTheirDevice) {
  CUmemAccess_flags flags{};
  CUmemLocation here{CU_MEM_LOCATION_TYPE_DEVICE, 0};
  EXPECT_EQ(d.cuMemPoolGetAccess(&flags, pool, &here), CUDA_SUCCESS);
  EXPECT_EQ(flags, CU_MEM_ACCESS_FLAGS_PROT_READWRITE);
}

// [H 13473] access is set for a device.
TEST_F(Pools, HaveTheirAccessSet) {
  const auto access = read_write();
  EXPECT_EQ(d.cuMemPoolSetAccess(pool, &access, 1), CUDA_SUCCESS);
  const auto nowhere = read_write(77);
  EXPECT_NE(d.cuMemPoolSetAccess(pool, &nowhere, 1), CUDA_SUCCESS);
}

}  // namespace
}  // namespace conformance
