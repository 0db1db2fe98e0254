// Memory pools: their properties and attributes, what they keep, and which frees an allocation may
// use. Two devices of 64 MiB.
#include <memory>

#include "driver.h"

namespace gmlake::simcuda::test {
namespace {

constexpr std::size_t kMemory = 64 << 20;
constexpr cuuint64_t kKeepAll = ~cuuint64_t{0};

[[maybe_unused]] const bool kSettings =
    setenv("SIMCUDA_MEMORY", "64MiB", 1) == 0 && setenv("SIMCUDA_DEVICES", "2", 1) == 0;

class Pools : public DeviceTest {
 protected:
  static CUmemPoolProps properties(int device = 0) {
    CUmemPoolProps wanted{};
    wanted.allocType = CU_MEM_ALLOCATION_TYPE_PINNED;
    wanted.location = {CU_MEM_LOCATION_TYPE_DEVICE, device};
    return wanted;
  }
  CUmemoryPool create(const CUmemPoolProps& wanted) {
    CUmemoryPool pool = nullptr;
    EXPECT_EQ(d.cuMemPoolCreate(&pool, &wanted), CUDA_SUCCESS);
    return pool;
  }
  CUmemoryPool default_pool(int device = 0) {
    CUmemoryPool pool = nullptr;
    EXPECT_EQ(d.cuDeviceGetDefaultMemPool(&pool, device), CUDA_SUCCESS);
    return pool;
  }
  CUmemoryPool current_pool(int device = 0) {
    CUmemoryPool pool = nullptr;
    EXPECT_EQ(d.cuDeviceGetMemPool(&pool, device), CUDA_SUCCESS);
    return pool;
  }
  cuuint64_t bytes(CUmemoryPool pool, CUmemPool_attribute wanted) {
    cuuint64_t value = 0;
    EXPECT_EQ(d.cuMemPoolGetAttribute(pool, wanted, &value), CUDA_SUCCESS);
    return value;
  }
  void set(CUmemoryPool pool, CUmemPool_attribute wanted, cuuint64_t value) {
    EXPECT_EQ(d.cuMemPoolSetAttribute(pool, wanted, &value), CUDA_SUCCESS);
  }
  void allow(CUmemoryPool pool, CUmemPool_attribute policy, int allowed) {
    EXPECT_EQ(d.cuMemPoolSetAttribute(pool, policy, &allowed), CUDA_SUCCESS);
  }
  CUdeviceptr allocate(std::size_t size, CUstream stream) {
    CUdeviceptr at = 0;
    EXPECT_EQ(d.cuMemAllocAsync(&at, size, stream), CUDA_SUCCESS);
    return at;
  }
  std::size_t free_memory() {
    std::size_t free = 0;
    EXPECT_EQ(d.cuMemGetInfo_v2(&free, nullptr), CUDA_SUCCESS);
    return free;
  }
  void finish(CUstream stream) {
    while (d.cuStreamQuery(stream) != CUDA_SUCCESS) std::this_thread::yield();
  }
};

TEST_F(Pools, ADeviceAllocatesFromItsCurrentPool) {
  const CUmemoryPool standard = default_pool();
  EXPECT_NE(standard, nullptr);
  EXPECT_NE(standard, default_pool(1));
  EXPECT_EQ(current_pool(), standard);
  const CUmemoryPool mine = create(properties());
  const CUmemoryPool other = create(properties(1));
  EXPECT_EQ(d.cuDeviceSetMemPool(0, other), CUDA_ERROR_INVALID_VALUE);  // not of this device
  EXPECT_EQ(d.cuDeviceSetMemPool(2, mine), CUDA_ERROR_INVALID_DEVICE);
  EXPECT_EQ(d.cuDeviceSetMemPool(0, nullptr), CUDA_ERROR_INVALID_VALUE);
  ASSERT_EQ(d.cuDeviceSetMemPool(0, mine), CUDA_SUCCESS);
  EXPECT_EQ(current_pool(), mine);
  EXPECT_EQ(default_pool(), standard);
  const CUdeviceptr at = allocate(1000, nullptr);
  CUmemoryPool owner = nullptr;
  EXPECT_EQ(d.cuPointerGetAttribute(&owner, CU_POINTER_ATTRIBUTE_MEMPOOL_HANDLE, at), CUDA_SUCCESS);
  EXPECT_EQ(owner, mine);
  EXPECT_EQ(d.cuStreamSynchronize(nullptr), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemFree_v2(at), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemPoolDestroy(mine), CUDA_SUCCESS);
  EXPECT_EQ(current_pool(), standard);
  EXPECT_EQ(d.cuMemPoolDestroy(mine), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemPoolDestroy(standard), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemPoolDestroy(other), CUDA_SUCCESS);
  EXPECT_EQ(d.cuDeviceGetMemPool(nullptr, 0), CUDA_ERROR_INVALID_VALUE);
  CUmemoryPool none = nullptr;
  EXPECT_EQ(d.cuDeviceGetDefaultMemPool(&none, 7), CUDA_ERROR_INVALID_DEVICE);
}

TEST_F(Pools, PlacesOtherThanADeviceAreNotSupported) {
  CUmemLocation device{CU_MEM_LOCATION_TYPE_DEVICE, 0};
  CUmemLocation host{CU_MEM_LOCATION_TYPE_HOST, 0};
  CUmemLocation nowhere{CU_MEM_LOCATION_TYPE_NONE, 0};
  constexpr auto kPinned = CU_MEM_ALLOCATION_TYPE_PINNED;
  CUmemoryPool pool = nullptr;
  ASSERT_EQ(d.cuMemGetDefaultMemPool(&pool, &device, kPinned), CUDA_SUCCESS);
  EXPECT_EQ(pool, default_pool());
  const CUmemoryPool mine = create(properties());
  EXPECT_EQ(d.cuMemSetMemPool(&device, kPinned, mine), CUDA_SUCCESS);
  EXPECT_EQ(current_pool(), mine);
  EXPECT_EQ(d.cuMemGetMemPool(&pool, &device, kPinned), CUDA_SUCCESS);
  EXPECT_EQ(pool, mine);
  EXPECT_EQ(d.cuMemPoolDestroy(mine), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemGetMemPool(&pool, &host, kPinned), CUDA_ERROR_NOT_SUPPORTED);
  EXPECT_EQ(d.cuMemGetMemPool(&pool, &device, CU_MEM_ALLOCATION_TYPE_MANAGED),
            CUDA_ERROR_NOT_SUPPORTED);
  EXPECT_EQ(d.cuMemGetMemPool(&pool, &nowhere, kPinned), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemGetMemPool(&pool, nullptr, kPinned), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemGetMemPool(&pool, &device, CU_MEM_ALLOCATION_TYPE_INVALID),
            CUDA_ERROR_INVALID_VALUE);
}

TEST_F(Pools, CreationChecksItsProperties) {
  const auto refused = [&](CUmemPoolProps wanted) {
    CUmemoryPool pool = nullptr;
    return d.cuMemPoolCreate(&pool, &wanted);
  };
  auto wanted = properties();
  EXPECT_EQ(d.cuMemPoolCreate(nullptr, &wanted), CUDA_ERROR_INVALID_VALUE);
  CUmemoryPool pool = nullptr;
  EXPECT_EQ(d.cuMemPoolCreate(&pool, nullptr), CUDA_ERROR_INVALID_VALUE);
  wanted.allocType = CU_MEM_ALLOCATION_TYPE_INVALID;
  EXPECT_EQ(refused(wanted), CUDA_ERROR_INVALID_VALUE);
  wanted = properties(5);
  EXPECT_EQ(refused(wanted), CUDA_ERROR_INVALID_VALUE);
  wanted = properties();
  wanted.location.type = CU_MEM_LOCATION_TYPE_HOST_NUMA_CURRENT;
  EXPECT_EQ(refused(wanted), CUDA_ERROR_INVALID_VALUE);
  wanted.location.type = CU_MEM_LOCATION_TYPE_HOST;
  EXPECT_EQ(refused(wanted), CUDA_ERROR_NOT_SUPPORTED);
  wanted = properties();
  wanted.reserved[53] = 1;
  EXPECT_EQ(refused(wanted), CUDA_ERROR_INVALID_VALUE);
  wanted = properties();
  wanted.usage = 1;
  EXPECT_EQ(refused(wanted), CUDA_ERROR_INVALID_VALUE);
  wanted = properties();
  wanted.win32SecurityAttributes = &wanted;
  EXPECT_EQ(refused(wanted), CUDA_ERROR_INVALID_VALUE);
}

TEST_F(Pools, AttributesHaveTheirDefaultsAndChecks) {
  const CUmemoryPool pool = create(properties());
  for (const auto policy :
       {CU_MEMPOOL_ATTR_REUSE_FOLLOW_EVENT_DEPENDENCIES, CU_MEMPOOL_ATTR_REUSE_ALLOW_OPPORTUNISTIC,
        CU_MEMPOOL_ATTR_REUSE_ALLOW_INTERNAL_DEPENDENCIES}) {
    int on = 0;
    EXPECT_EQ(d.cuMemPoolGetAttribute(pool, policy, &on), CUDA_SUCCESS);
    EXPECT_EQ(on, 1);
    allow(pool, policy, 0);
    EXPECT_EQ(d.cuMemPoolGetAttribute(pool, policy, &on), CUDA_SUCCESS);
    EXPECT_EQ(on, 0);
  }
  EXPECT_EQ(bytes(pool, CU_MEMPOOL_ATTR_RELEASE_THRESHOLD), 0U);
  set(pool, CU_MEMPOOL_ATTR_RELEASE_THRESHOLD, 12345);
  EXPECT_EQ(bytes(pool, CU_MEMPOOL_ATTR_RELEASE_THRESHOLD), 12345U);
  cuuint64_t value = 0;
  for (const auto fixed : {CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT, CU_MEMPOOL_ATTR_USED_MEM_CURRENT})
    EXPECT_EQ(d.cuMemPoolSetAttribute(pool, fixed, &value), CUDA_ERROR_INVALID_VALUE);
  value = 1;
  for (const auto high : {CU_MEMPOOL_ATTR_RESERVED_MEM_HIGH, CU_MEMPOOL_ATTR_USED_MEM_HIGH})
    EXPECT_EQ(d.cuMemPoolSetAttribute(pool, high, &value), CUDA_ERROR_INVALID_VALUE);
  const auto unknown = static_cast<CUmemPool_attribute>(99);
  EXPECT_EQ(d.cuMemPoolSetAttribute(pool, unknown, &value), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemPoolGetAttribute(pool, unknown, &value), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemPoolGetAttribute(pool, CU_MEMPOOL_ATTR_RELEASE_THRESHOLD, nullptr),
            CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemPoolDestroy(pool), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemPoolGetAttribute(pool, CU_MEMPOOL_ATTR_RELEASE_THRESHOLD, &value),
            CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemPoolTrimTo(pool, 0), CUDA_ERROR_INVALID_VALUE);
}

TEST_F(Pools, UsedAndReservedMemoryAreCounted) {
  const CUmemoryPool pool = default_pool();
  const CUstream stream = make_stream();
  set(pool, CU_MEMPOOL_ATTR_RELEASE_THRESHOLD, kKeepAll);
  const CUdeviceptr a = allocate(8 << 20, stream);
  const CUdeviceptr b = allocate(4 << 20, stream);
  EXPECT_EQ(bytes(pool, CU_MEMPOOL_ATTR_USED_MEM_CURRENT), 12U << 20);
  EXPECT_EQ(bytes(pool, CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT), 12U << 20);
  EXPECT_EQ(d.cuMemFreeAsync(a, stream), CUDA_SUCCESS);
  EXPECT_EQ(d.cuStreamSynchronize(stream), CUDA_SUCCESS);
  EXPECT_EQ(bytes(pool, CU_MEMPOOL_ATTR_USED_MEM_CURRENT), 4U << 20);
  EXPECT_EQ(bytes(pool, CU_MEMPOOL_ATTR_USED_MEM_HIGH), 12U << 20);
  EXPECT_EQ(bytes(pool, CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT), 12U << 20);
  set(pool, CU_MEMPOOL_ATTR_USED_MEM_HIGH, 0);
  EXPECT_EQ(bytes(pool, CU_MEMPOOL_ATTR_USED_MEM_HIGH), 4U << 20);
  EXPECT_EQ(d.cuMemPoolTrimTo(pool, 10 << 20), CUDA_SUCCESS);
  EXPECT_EQ(bytes(pool, CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT), 10U << 20);
  EXPECT_EQ(bytes(pool, CU_MEMPOOL_ATTR_RESERVED_MEM_HIGH), 12U << 20);
  set(pool, CU_MEMPOOL_ATTR_RESERVED_MEM_HIGH, 0);
  EXPECT_EQ(bytes(pool, CU_MEMPOOL_ATTR_RESERVED_MEM_HIGH), 10U << 20);
  EXPECT_EQ(d.cuMemPoolTrimTo(pool, kMemory), CUDA_SUCCESS);  // less is reserved: nothing to do
  EXPECT_EQ(d.cuMemPoolTrimTo(pool, 0), CUDA_SUCCESS);        // what is in use stays
  EXPECT_EQ(bytes(pool, CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT), 4U << 20);
  EXPECT_EQ(d.cuMemFreeAsync(b, stream), CUDA_SUCCESS);
}

TEST_F(Pools, WhatIsAboveTheThresholdGoesBackAtTheNextSynchronisation) {
  const CUmemoryPool pool = default_pool();
  const CUstream stream = make_stream();
  const CUevent event = make_event();
  ASSERT_EQ(d.cuEventRecord(event, stream), CUDA_SUCCESS);
  for (int way = 0; way < 3; ++way) {
    set(pool, CU_MEMPOOL_ATTR_RELEASE_THRESHOLD, 4 << 20);
    EXPECT_EQ(d.cuMemFreeAsync(allocate(kMemory, stream), stream), CUDA_SUCCESS);
    finish(stream);  // complete, but nothing has synchronised
    EXPECT_EQ(free_memory(), 0U);
    CUdeviceptr at = 0;
    EXPECT_EQ(d.cuMemAlloc_v2(&at, 4096), CUDA_ERROR_OUT_OF_MEMORY);  // reserved is used
    EXPECT_EQ(way == 0   ? d.cuStreamSynchronize(stream)
              : way == 1 ? d.cuEventSynchronize(event)
                         : d.cuCtxSynchronize(),
              CUDA_SUCCESS);
    EXPECT_EQ(free_memory(), kMemory - (4 << 20));
    set(pool, CU_MEMPOOL_ATTR_RELEASE_THRESHOLD, kKeepAll);
    EXPECT_EQ(d.cuMemFreeAsync(allocate(kMemory, stream), stream), CUDA_SUCCESS);
    EXPECT_EQ(d.cuStreamSynchronize(stream), CUDA_SUCCESS);
    EXPECT_EQ(free_memory(), 0U);
  }
  EXPECT_EQ(d.cuMemPoolTrimTo(pool, 0), CUDA_SUCCESS);
  EXPECT_EQ(free_memory(), kMemory);
}

TEST_F(Pools, AFreeThatIsStillToComeCanNotBeTrimmed) {
  const CUstream stream = make_stream();
  const CUdeviceptr at = allocate(kMemory, stream);
  {
    Gate gate(stream);
    EXPECT_EQ(d.cuMemFreeAsync(at, stream), CUDA_SUCCESS);
    EXPECT_EQ(d.cuMemPoolTrimTo(default_pool(), 0), CUDA_SUCCESS);
    EXPECT_EQ(free_memory(), 0U);
  }
  finish(stream);
  EXPECT_EQ(d.cuMemPoolTrimTo(default_pool(), 0), CUDA_SUCCESS);
  EXPECT_EQ(free_memory(), kMemory);
}

// The whole device is freed on one stream, behind a gate, and wanted on another.
class PoolReuse : public Pools {
 protected:
  void SetUp() override {
    Pools::SetUp();
    if (HasFatalFailure()) return;
    pool = default_pool();
    for (const auto policy : {kFollow, kOpportunistic, kInternal}) allow(pool, policy, 0);
    stream = make_stream();
    other = make_stream();
    const CUdeviceptr at = allocate(kMemory, stream);
    gate = std::make_unique<Gate>(stream);
    EXPECT_EQ(d.cuMemFreeAsync(at, stream), CUDA_SUCCESS);
  }
  void TearDown() override {
    gate.reset();
    Pools::TearDown();
  }
  CUresult want(CUstream on) {
    CUdeviceptr at = 0;
    const CUresult result = d.cuMemAllocAsync(&at, kMemory, on);
    if (result == CUDA_SUCCESS) {
      EXPECT_EQ(d.cuMemFreeAsync(at, on), CUDA_SUCCESS);
    }
    return result;
  }
  static constexpr auto kFollow = CU_MEMPOOL_ATTR_REUSE_FOLLOW_EVENT_DEPENDENCIES;
  static constexpr auto kOpportunistic = CU_MEMPOOL_ATTR_REUSE_ALLOW_OPPORTUNISTIC;
  static constexpr auto kInternal = CU_MEMPOOL_ATTR_REUSE_ALLOW_INTERNAL_DEPENDENCIES;
  CUmemoryPool pool = nullptr;
  CUstream stream = nullptr;
  CUstream other = nullptr;
  std::unique_ptr<Gate> gate;
};

TEST_F(PoolReuse, OnTheFreeingStreamNeedsNoPolicy) {
  EXPECT_EQ(want(other), CUDA_ERROR_OUT_OF_MEMORY);
  EXPECT_EQ(want(stream), CUDA_SUCCESS);
  EXPECT_EQ(free_memory(), 0U);
}

TEST_F(PoolReuse, FollowsEventDependencies) {
  const CUevent before = make_event();
  const CUevent after = make_event();
  const CUstream between = make_stream();
  ASSERT_EQ(d.cuEventRecord(before, stream), CUDA_SUCCESS);
  ASSERT_EQ(d.cuStreamWaitEvent(between, before, 0), CUDA_SUCCESS);
  ASSERT_EQ(d.cuEventRecord(after, between), CUDA_SUCCESS);
  EXPECT_EQ(want(other), CUDA_ERROR_OUT_OF_MEMORY);
  ASSERT_EQ(d.cuStreamWaitEvent(other, after, 0), CUDA_SUCCESS);
  EXPECT_EQ(want(other), CUDA_ERROR_OUT_OF_MEMORY);
  allow(pool, kFollow, 1);
  EXPECT_EQ(want(make_stream()), CUDA_ERROR_OUT_OF_MEMORY);
  EXPECT_EQ(want(other), CUDA_SUCCESS);
  EXPECT_EQ(d.cuStreamQuery(other), CUDA_ERROR_NOT_READY);
}

TEST_F(PoolReuse, FollowsTheLegacyStream) {
  allow(pool, kFollow, 1);
  const CUstream blocking = make_stream(CU_STREAM_DEFAULT);
  EXPECT_EQ(want(nullptr), CUDA_ERROR_OUT_OF_MEMORY);  // `stream` does not block
  const CUevent freed = make_event();
  ASSERT_EQ(d.cuEventRecord(freed, stream), CUDA_SUCCESS);
  ASSERT_EQ(d.cuStreamWaitEvent(blocking, freed, 0), CUDA_SUCCESS);
  EXPECT_EQ(want(nullptr), CUDA_SUCCESS);  // comes after the work of every blocking stream
}

TEST_F(PoolReuse, OfACompleteFreeIsOpportunistic) {
  allow(pool, kOpportunistic, 1);
  EXPECT_EQ(want(other), CUDA_ERROR_OUT_OF_MEMORY);
  gate->open();
  finish(stream);
  EXPECT_EQ(free_memory(), 0U);
  EXPECT_EQ(want(other), CUDA_SUCCESS);
}

TEST_F(PoolReuse, WithoutAnyPolicyMemoryGoesThroughTheDevice) {
  gate->open();
  finish(stream);
  EXPECT_EQ(want(other), CUDA_SUCCESS);  // released, and had as new
}

TEST_F(PoolReuse, InternalDependenciesMakeTheStreamWait) {
  allow(pool, kInternal, 1);
  EXPECT_EQ(d.cuStreamQuery(other), CUDA_SUCCESS);
  CUdeviceptr at = 0;
  ASSERT_EQ(d.cuMemAllocAsync(&at, kMemory, other), CUDA_SUCCESS);  // the program does not
  ASSERT_EQ(d.cuMemsetD32Async(at, 7, 1, other), CUDA_SUCCESS);
  EXPECT_EQ(d.cuStreamQuery(other), CUDA_ERROR_NOT_READY);
  gate->open();
  EXPECT_EQ(d.cuStreamSynchronize(other), CUDA_SUCCESS);
  EXPECT_EQ(d.cuStreamQuery(stream), CUDA_SUCCESS);
  EXPECT_EQ(read(at), 7U);
  EXPECT_EQ(d.cuMemFreeAsync(at, other), CUDA_SUCCESS);
}

TEST_F(Pools, NewMemoryIsPreferredToWaiting) {
  const CUstream stream = make_stream();
  const CUstream other = make_stream();
  const CUdeviceptr half = allocate(kMemory / 2, stream);
  Gate gate(stream);
  ASSERT_EQ(d.cuMemFreeAsync(half, stream), CUDA_SUCCESS);
  const CUdeviceptr more = allocate(kMemory / 2, other);
  finish(other);  // although `stream` has not
  EXPECT_EQ(d.cuMemFreeAsync(more, other), CUDA_SUCCESS);
}

TEST_F(Pools, ADestroyedPoolLastsAsLongAsItsMemory) {
  const CUmemoryPool pool = create(properties());
  set(pool, CU_MEMPOOL_ATTR_RELEASE_THRESHOLD, kKeepAll);
  const CUstream stream = make_stream();
  CUdeviceptr a = 0;
  CUdeviceptr b = 0;
  ASSERT_EQ(d.cuMemAllocFromPoolAsync(&a, 1 << 20, pool, stream), CUDA_SUCCESS);
  ASSERT_EQ(d.cuMemAllocFromPoolAsync(&b, 1 << 20, pool, stream), CUDA_SUCCESS);
  ASSERT_EQ(d.cuMemFreeAsync(a, stream), CUDA_SUCCESS);
  ASSERT_EQ(d.cuStreamSynchronize(stream), CUDA_SUCCESS);
  EXPECT_EQ(free_memory(), kMemory - (2 << 20));
  ASSERT_EQ(d.cuMemPoolDestroy(pool), CUDA_SUCCESS);
  EXPECT_EQ(free_memory(), kMemory - (1 << 20));
  EXPECT_EQ(d.cuMemAllocFromPoolAsync(&a, 1, pool, stream), CUDA_ERROR_INVALID_VALUE);
  write(b, 5);
  EXPECT_EQ(read(b), 5U);
  {
    Gate gate(stream);
    ASSERT_EQ(d.cuMemFreeAsync(b, stream), CUDA_SUCCESS);
    EXPECT_EQ(free_memory(), kMemory - (1 << 20));
  }
  finish(stream);
  EXPECT_EQ(free_memory(), kMemory);
}

TEST_F(Pools, APoolHasALargestSizeIfItIsGivenOne) {
  auto wanted = properties();
  wanted.maxSize = 1 << 20;
  const CUmemoryPool pool = create(wanted);
  CUdeviceptr at = 0;
  CUdeviceptr none = 0;
  ASSERT_EQ(d.cuMemAllocFromPoolAsync(&at, 1 << 20, pool, nullptr), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemAllocFromPoolAsync(&none, 1, pool, nullptr), CUDA_ERROR_OUT_OF_MEMORY);
  EXPECT_EQ(d.cuMemFreeAsync(at, nullptr), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemAllocFromPoolAsync(&at, 1 << 20, pool, nullptr), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemFreeAsync(at, nullptr), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemAllocFromPoolAsync(&at, 1, nullptr, nullptr), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemAllocFromPoolAsync(nullptr, 1, pool, nullptr), CUDA_ERROR_INVALID_VALUE);
}

TEST_F(Pools, AStreamMayAllocateFromAnotherDevicesPool) {
  const CUmemoryPool there = default_pool(1);
  CUdeviceptr at = 0;
  ASSERT_EQ(d.cuMemAllocFromPoolAsync(&at, kMemory, there, nullptr), CUDA_SUCCESS);
  EXPECT_EQ(free_memory(), kMemory);
  int device = 0;
  EXPECT_EQ(d.cuPointerGetAttribute(&device, CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL, at),
            CUDA_SUCCESS);
  EXPECT_EQ(device, 1);
  EXPECT_EQ(d.cuMemFreeAsync(at, nullptr), CUDA_SUCCESS);
}

TEST_F(Pools, AccessIsGivenByDevice) {
  const CUmemoryPool pool = create(properties());
  CUmemLocation here{CU_MEM_LOCATION_TYPE_DEVICE, 0};
  CUmemLocation there{CU_MEM_LOCATION_TYPE_DEVICE, 1};
  CUmemAccess_flags flags{};
  EXPECT_EQ(d.cuMemPoolGetAccess(&flags, pool, &here), CUDA_SUCCESS);
  EXPECT_EQ(flags, CU_MEM_ACCESS_FLAGS_PROT_READWRITE);
  EXPECT_EQ(d.cuMemPoolGetAccess(&flags, pool, &there), CUDA_SUCCESS);
  EXPECT_EQ(flags, CU_MEM_ACCESS_FLAGS_PROT_NONE);
  auto access = read_write(1);
  EXPECT_EQ(d.cuMemPoolSetAccess(pool, &access, 1), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemPoolGetAccess(&flags, pool, &there), CUDA_SUCCESS);
  EXPECT_EQ(flags, CU_MEM_ACCESS_FLAGS_PROT_READWRITE);
  access = read_write(0);
  access.flags = CU_MEM_ACCESS_FLAGS_PROT_NONE;
  EXPECT_EQ(d.cuMemPoolSetAccess(pool, &access, 1), CUDA_ERROR_INVALID_DEVICE);
  access = read_write(9);
  EXPECT_EQ(d.cuMemPoolSetAccess(pool, &access, 1), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemPoolSetAccess(pool, nullptr, 1), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemPoolGetAccess(&flags, nullptr, &here), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemPoolDestroy(pool), CUDA_SUCCESS);
}

TEST_F(Pools, MemoryFreedWithoutAStreamIsThereAtOnce) {
  const CUstream stream = make_stream();
  const CUdeviceptr at = allocate(kMemory, stream);
  EXPECT_EQ(d.cuStreamSynchronize(stream), CUDA_SUCCESS);
  Gate gate(stream);
  EXPECT_EQ(d.cuMemFree_v2(at), CUDA_SUCCESS);  // "performs no further synchronization"
  EXPECT_EQ(d.cuMemFree_v2(at), CUDA_ERROR_INVALID_VALUE);
  const CUstream other = make_stream();
  EXPECT_EQ(d.cuMemFreeAsync(allocate(kMemory, other), other), CUDA_SUCCESS);
  finish(other);
}

}  // namespace
}  // namespace gmlake::simcuda::test
