// What the driver says about pointers.
#include <cstring>
#include <vector>

#include "../fixture.h"

namespace conformance {
namespace {

class Pointers : public DeviceTest {
 protected:
  // cuda.h does not say how wide each answer is; none is wider than this.
  template <typename Value>
  Value ask(CUpointer_attribute attribute, CUdeviceptr at, CUresult expected = CUDA_SUCCESS) {
    std::uint64_t answer = 0;
    EXPECT_EQ(d.cuPointerGetAttribute(&answer, attribute, at), expected);
    Value value{};
    std::memcpy(&value, &answer, sizeof value);
    return value;
  }
  CUdeviceptr make_async(std::size_t size) {
    CUdeviceptr at = 0;
    EXPECT_EQ(d.cuMemAllocAsync(&at, size, nullptr), CUDA_SUCCESS);
    EXPECT_EQ(d.cuCtxSynchronize(), CUDA_SUCCESS);
    later([this, at] {
      EXPECT_EQ(d.cuMemFreeAsync(at, nullptr), CUDA_SUCCESS);
      EXPECT_EQ(d.cuCtxSynchronize(), CUDA_SUCCESS);
    });
    return at;
  }
  CUdeviceptr make_managed(std::size_t size) {
    CUdeviceptr at = 0;
    EXPECT_EQ(d.cuMemAllocManaged(&at, size, CU_MEM_ATTACH_GLOBAL), CUDA_SUCCESS);
    later([this, at] { EXPECT_EQ(d.cuMemFree_v2(at), CUDA_SUCCESS); });
    return at;
  }
  // A mapping of two chunks in the second quarter of a reservation of eight.
  CUdeviceptr make_mapping() {
    const CUdeviceptr at = reserve(8 * kChunk) + 2 * kChunk;
    map(at, 2 * kChunk, create(2 * kChunk));
    allow(at, 2 * kChunk);
    return at;
  }
};

// [H 14184] CU_MEMORYTYPE_DEVICE.
TEST_F(Pointers, ToDeviceMemory) {
  for (const CUdeviceptr at : {make_memory(1000), make_async(1000), make_mapping()})
    EXPECT_EQ(ask<unsigned>(CU_POINTER_ATTRIBUTE_MEMORY_TYPE, at), CU_MEMORYTYPE_DEVICE);
}

// [H 14189] CU_MEMORYTYPE_HOST.
TEST_F(Pointers, ToHostMemory) {
  EXPECT_EQ(ask<unsigned>(CU_POINTER_ATTRIBUTE_MEMORY_TYPE, address(make_pinned())),
            CU_MEMORYTYPE_HOST);
}

// [H 14192] CUDA_ERROR_INVALID_VALUE for what the driver does not know.
TEST_F(Pointers, ToUnknownMemory) {
  const int local = 0;
  ask<unsigned>(CU_POINTER_ATTRIBUTE_MEMORY_TYPE, address(&local), CUDA_ERROR_INVALID_VALUE);
  ask<CUcontext>(CU_POINTER_ATTRIBUTE_CONTEXT, address(&local), CUDA_ERROR_INVALID_VALUE);
}

// [H 14192] freed memory is unknown.
TEST_F(Pointers, ToFreedMemory) {
  CUdeviceptr at = 0;
  ASSERT_EQ(d.cuMemAlloc_v2(&at, 1000), CUDA_SUCCESS);
  ASSERT_EQ(d.cuMemFree_v2(at), CUDA_SUCCESS);
  ask<unsigned>(CU_POINTER_ATTRIBUTE_MEMORY_TYPE, at, CUDA_ERROR_INVALID_VALUE);
}

// [H 14170] the context of the allocation.
TEST_F(Pointers, KnowTheirContext) {
  EXPECT_EQ(ask<CUcontext>(CU_POINTER_ATTRIBUTE_CONTEXT, make_memory(1000)), context);
}

// [M] none for memory that belongs to no context.
TEST_F(Pointers, MayHaveNoContext) {
  for (const CUdeviceptr at : {make_async(1000), make_mapping()}) {
    CUcontext owner = context;
    EXPECT_EQ(d.cuPointerGetAttribute(&owner, CU_POINTER_ATTRIBUTE_CONTEXT, at), CUDA_SUCCESS);
    EXPECT_EQ(owner, nullptr);
  }
}

// [H 14272] "a device against which the memory was allocated".
TEST_F(Pointers, KnowTheirDevice) {
  for (const CUdeviceptr at : {make_memory(1000), make_async(1000), make_mapping()}) {
    int ordinal = 99;
    EXPECT_EQ(d.cuPointerGetAttribute(&ordinal, CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL, at),
              CUDA_SUCCESS);
    EXPECT_EQ(ordinal, 0);
  }
}

// [H 14213] "the value returned in *data will equal the input value ptr."
TEST_F(Pointers, AreTheSameOnTheDevice) {
  for (const CUdeviceptr at : {make_memory(1000) + 8, make_async(1000) + 8, make_mapping() + 8,
                               address(make_pinned(4)) + 8})
    EXPECT_EQ(ask<CUdeviceptr>(CU_POINTER_ATTRIBUTE_DEVICE_POINTER, at), at);
}

// [H 14219] the pointer for the host program.
TEST_F(Pointers, AreTheSameOnTheHostIfItIsPinned) {
  void* host = make_pinned();
  EXPECT_EQ(ask<void*>(CU_POINTER_ATTRIBUTE_HOST_POINTER, address(host)), host);
}

// [H 14222] none: CUDA_ERROR_INVALID_VALUE.
TEST_F(Pointers, ToDeviceMemoryAreNotForTheHost) {
  ask<void*>(CU_POINTER_ATTRIBUTE_HOST_POINTER, make_memory(1000), CUDA_ERROR_INVALID_VALUE);
}

// [H 14265] whether it is managed memory.
TEST_F(Pointers, KnowWhetherTheyAreManaged) {
  EXPECT_EQ(ask<unsigned>(CU_POINTER_ATTRIBUTE_IS_MANAGED, make_managed(1000)), 1U);
  EXPECT_EQ(ask<unsigned>(CU_POINTER_ATTRIBUTE_IS_MANAGED, make_memory(1000)), 0U);
}

// [H 14282, 14289] start and size of the allocation.
TEST_F(Pointers, KnowTheirRange) {
  for (const CUdeviceptr at : {make_memory(1000), make_memory(4 * kChunk)}) {
    EXPECT_EQ(ask<CUdeviceptr>(CU_POINTER_ATTRIBUTE_RANGE_START_ADDR, at + 500), at);
  }
  EXPECT_EQ(ask<std::size_t>(CU_POINTER_ATTRIBUTE_RANGE_SIZE, make_memory(1000)), 1000U);
}

// [H 14283] "not necessarily the address of the mapped region, but the address of the mappable
// address range".
TEST_F(Pointers, IntoMappingsKnowTheReservation) {
  const CUdeviceptr at = make_mapping();
  EXPECT_EQ(ask<CUdeviceptr>(CU_POINTER_ATTRIBUTE_RANGE_START_ADDR, at + 5), at - 2 * kChunk);
  EXPECT_EQ(ask<std::size_t>(CU_POINTER_ATTRIBUTE_RANGE_SIZE, at + 5), 8 * kChunk);
}

// [H 4087 ff.] and the mapping itself: base and size.
TEST_F(Pointers, IntoMappingsKnowTheMapping) {
  const CUdeviceptr at = make_mapping();
  EXPECT_EQ(ask<CUdeviceptr>(CU_POINTER_ATTRIBUTE_MAPPING_BASE_ADDR, at + 5), at);
  EXPECT_EQ(ask<std::size_t>(CU_POINTER_ATTRIBUTE_MAPPING_SIZE, at + 5), 2 * kChunk);
}

// [H 14292] "To retrieve the size of the mapped region, see cuMemGetAddressRange".
TEST_F(Pointers, IntoMappingsHaveAnAddressRange) {
  const CUdeviceptr at = make_mapping();
  CUdeviceptr begin = 0;
  std::size_t size = 0;
  EXPECT_EQ(d.cuMemGetAddressRange_v2(&begin, &size, at + kChunk), CUDA_SUCCESS);
  EXPECT_EQ(begin, at);
  EXPECT_EQ(size, 2 * kChunk);
  EXPECT_EQ(d.cuMemGetAddressRange_v2(&begin, &size, at - kChunk), CUDA_ERROR_NOT_FOUND);
}

// [M] a reserved address where nothing is mapped.
TEST_F(Pointers, IntoReservationsAreUnknown) {
  ask<int>(CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL, make_mapping() - kChunk, CUDA_ERROR_INVALID_VALUE);
}

// [H 14297] whether it is mapped to a backing allocation.
TEST_F(Pointers, KnowWhetherTheyAreMapped) {
  for (const CUdeviceptr at : {make_memory(1000), make_mapping()})
    EXPECT_EQ(ask<unsigned>(CU_POINTER_ATTRIBUTE_MAPPED, at), 1U);
}

// [H 14258] "Every memory allocation ... will have a unique ID over a process lifetime."
TEST_F(Pointers, HaveIdentitiesByAllocation) {
  const CUdeviceptr at = make_memory(1000);
  const auto id = ask<unsigned long long>(CU_POINTER_ATTRIBUTE_BUFFER_ID, at);
  EXPECT_EQ(ask<unsigned long long>(CU_POINTER_ATTRIBUTE_BUFFER_ID, at + 100), id);
  EXPECT_NE(ask<unsigned long long>(CU_POINTER_ATTRIBUTE_BUFFER_ID, make_memory(1000)), id);
}

// [H 916] what the current context's device may do.
TEST_F(Pointers, KnowWhatTheDeviceMayDo) {
  for (const CUdeviceptr at : {make_memory(1000), make_async(1000), make_mapping()})
    EXPECT_EQ(ask<unsigned>(CU_POINTER_ATTRIBUTE_ACCESS_FLAGS, at),
              CU_MEM_ACCESS_FLAGS_PROT_READWRITE);
}

// [H 920] "unique id corresponding to the physical allocation".
TEST_F(Pointers, KnowTheirPhysicalMemory) {
  const CUmemGenericAllocationHandle handle = create(kChunk);
  const CUdeviceptr at = reserve(4 * kChunk);
  for (const std::size_t chunk : {0U, 1U}) map(at + chunk * kChunk, kChunk, handle);
  map(at + 2 * kChunk, kChunk, create(kChunk));
  allow(at, 3 * kChunk);
  const auto id = ask<unsigned long long>(CU_POINTER_ATTRIBUTE_MEMORY_BLOCK_ID, at);
  EXPECT_EQ(ask<unsigned long long>(CU_POINTER_ATTRIBUTE_MEMORY_BLOCK_ID, at + kChunk), id);
  EXPECT_NE(ask<unsigned long long>(CU_POINTER_ATTRIBUTE_MEMORY_BLOCK_ID, at + 2 * kChunk), id);
}

// [H 14259] "Subsequent allocations do not reuse IDs from previous freed allocations."
TEST_F(Pointers, NeverReuseAnIdentity) {
  unsigned long long last = 0;
  for (int i = 0; i < 10; ++i) {
    CUdeviceptr at = 0;
    ASSERT_EQ(d.cuMemAlloc_v2(&at, 1000), CUDA_SUCCESS);
    const auto id = ask<unsigned long long>(CU_POINTER_ATTRIBUTE_BUFFER_ID, at);
    EXPECT_NE(id, last);
    last = id;
    ASSERT_EQ(d.cuMemFree_v2(at), CUDA_SUCCESS);
  }
}

// [H 14277] suitable for cuIpcGetMemHandle: memory of cuMemAlloc only [M].
TEST_F(Pointers, KnowWhetherTheyGoToOtherProcesses) {
  constexpr auto kCapable = CU_POINTER_ATTRIBUTE_IS_LEGACY_CUDA_IPC_CAPABLE;
  EXPECT_EQ(ask<unsigned>(kCapable, make_memory(1000)), 1U);
  EXPECT_EQ(ask<unsigned>(kCapable, make_async(1000)), 0U);
  EXPECT_EQ(ask<unsigned>(kCapable, make_mapping()), 0U);
}

// [H 14307] "the mempool that the allocation was obtained from."
TEST_F(Pointers, KnowTheirPool) {
  CUmemoryPool pool = nullptr;
  ASSERT_EQ(d.cuDeviceGetMemPool(&pool, 0), CUDA_SUCCESS);
  EXPECT_EQ(ask<CUmemoryPool>(CU_POINTER_ATTRIBUTE_MEMPOOL_HANDLE, make_async(1000)), pool);
  EXPECT_EQ(ask<CUmemoryPool>(CU_POINTER_ATTRIBUTE_MEMPOOL_HANDLE, make_memory(1000)), nullptr);
}

// [H 14302] "allowed handle types ... that may be passed to cuMemExportToShareableHandle."
TEST_F(Pointers, KnowHowTheirMemoryIsShared) {
  EXPECT_EQ(ask<unsigned>(CU_POINTER_ATTRIBUTE_ALLOWED_HANDLE_TYPES, make_mapping()), 0U);
  auto properties = device_memory();
  properties.requestedHandleTypes = CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR;
  const CUdeviceptr at = reserve(kChunk);
  map(at, kChunk, create(kChunk, properties));
  EXPECT_EQ(ask<unsigned>(CU_POINTER_ATTRIBUTE_ALLOWED_HANDLE_TYPES, at),
            CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR);
}

// [H 14876] cuPointerGetAttributes: no error for an unknown pointer, but "default NULL values".
TEST_F(Pointers, AreAskedForSeveralAttributes) {
  const int local = 0;
  unsigned type = 77;
  int ordinal = 77;
  unsigned managed = 77;
  CUpointer_attribute wanted[] = {CU_POINTER_ATTRIBUTE_MEMORY_TYPE,
                                  CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL,
                                  CU_POINTER_ATTRIBUTE_IS_MANAGED};
  void* values[] = {&type, &ordinal, &managed};
  EXPECT_EQ(d.cuPointerGetAttributes(3, wanted, values, address(&local)), CUDA_SUCCESS);
  EXPECT_EQ(type, 0U);
  EXPECT_EQ(ordinal, -2);  // [M]
  EXPECT_EQ(managed, 0U);
  EXPECT_EQ(d.cuPointerGetAttributes(3, wanted, values, make_memory(100)), CUDA_SUCCESS);
  EXPECT_EQ(type, CU_MEMORYTYPE_DEVICE);
  EXPECT_EQ(ordinal, 0);
}

// [H 14841] CUDA_ERROR_INVALID_VALUE.
TEST_F(Pointers, AreAskedWithAPlaceForTheAnswer) {
  EXPECT_EQ(d.cuPointerGetAttribute(nullptr, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, make_memory(100)),
            CUDA_ERROR_INVALID_VALUE);
}

// [H 14246] CU_POINTER_ATTRIBUTE_SYNC_MEMOPS may be set, on memory of cuMemAlloc; [M] not on
// mapped memory.
TEST_F(Pointers, AreSetToSynchronise) {
  unsigned on = 1;
  const CUdeviceptr at = make_memory(1000);
  EXPECT_EQ(d.cuPointerSetAttribute(&on, CU_POINTER_ATTRIBUTE_SYNC_MEMOPS, at), CUDA_SUCCESS);
  EXPECT_EQ(ask<unsigned>(CU_POINTER_ATTRIBUTE_SYNC_MEMOPS, at), 1U);
  EXPECT_EQ(d.cuPointerSetAttribute(&on, CU_POINTER_ATTRIBUTE_SYNC_MEMOPS, make_mapping()),
            CUDA_ERROR_NOT_SUPPORTED);
  on = 0;
  EXPECT_EQ(d.cuPointerSetAttribute(&on, CU_POINTER_ATTRIBUTE_SYNC_MEMOPS, at + 500), CUDA_SUCCESS);
  EXPECT_EQ(ask<unsigned>(CU_POINTER_ATTRIBUTE_SYNC_MEMOPS, at), 0U);
}

// [H 14246] "ensures that synchronous memory operations initiated on the memory region that ptr
// points to will always synchronize". So a set does; of the copies between two blocks one returned
// before it was over [M].
TEST_F(Pointers, SetToSynchroniseAreWaitedFor) {
  const unsigned on = 1;
  for (const CUdeviceptr at : {make_memory(1000), make_async(1000)}) {
    EXPECT_EQ(d.cuPointerSetAttribute(&on, CU_POINTER_ATTRIBUTE_SYNC_MEMOPS, at), CUDA_SUCCESS);
    const auto expect_wait = [&](auto call) {
      Gate gate(nullptr);
      const LateOpening opening(gate);
      EXPECT_EQ(call(), CUDA_SUCCESS);
      EXPECT_TRUE(gate.opened());
    };
    expect_wait([&] { return d.cuMemsetD8_v2(at + 8, 7, 100); });
  }
}

// [M] memory of cuMemAlloc and cuMemAllocAsync is no mapping of a handle that a program could have,
// nor is its access the program's to change.
TEST_F(Pointers, ToPlainMemoryAreNoMappings) {
  for (const CUdeviceptr at : {make_memory(kChunk), make_async(kChunk)}) {
    CUmemGenericAllocationHandle handle = 0;
    EXPECT_EQ(d.cuMemRetainAllocationHandle(&handle, pointer(at)), CUDA_ERROR_INVALID_VALUE);
    unsigned long long flags = 0;
    const auto here = read_write().location;
    EXPECT_EQ(d.cuMemGetAccess(&flags, &here, at), CUDA_SUCCESS);
    const auto all = read_write();
    EXPECT_EQ(d.cuMemSetAccess(at, kChunk, &all, 1), CUDA_ERROR_INVALID_VALUE);
  }
}

// [M] every kind of memory knows the whole allocation.
TEST_F(Pointers, HaveTheAddressRangeOfTheirAllocation) {
  for (const std::size_t size : {std::size_t{1000}, std::size_t{3} << 20}) {
    for (const CUdeviceptr at : {make_memory(size), make_async(size)}) {
      CUdeviceptr start = 0;
      std::size_t bytes = 0;
      EXPECT_EQ(d.cuMemGetAddressRange_v2(&start, &bytes, at + size - 1), CUDA_SUCCESS);
      EXPECT_EQ(start, at);
      EXPECT_EQ(bytes, size);
      EXPECT_EQ(d.cuMemGetAddressRange_v2(nullptr, &bytes, at), CUDA_SUCCESS);
      EXPECT_EQ(ask<CUdeviceptr>(CU_POINTER_ATTRIBUTE_RANGE_START_ADDR, at + size / 2), at);
      EXPECT_EQ(ask<std::size_t>(CU_POINTER_ATTRIBUTE_RANGE_SIZE, at + size / 2), size);
    }
  }
}

// [M] once freed there is no range.
TEST_F(Pointers, ToFreedMemoryHaveNoRange) {
  CUdeviceptr at = 0;
  ASSERT_EQ(d.cuMemAlloc_v2(&at, 3 << 20), CUDA_SUCCESS);
  ASSERT_EQ(d.cuMemFree_v2(at), CUDA_SUCCESS);
  CUdeviceptr start = 0;
  std::size_t bytes = 0;
  EXPECT_EQ(d.cuMemGetAddressRange_v2(&start, &bytes, at), CUDA_ERROR_NOT_FOUND);
}

// [H 14876] all of them at once are what each is alone.
TEST_F(Pointers, AreAskedForEverything) {
  std::vector<CUpointer_attribute> wanted;
  for (const int each :
       {CU_POINTER_ATTRIBUTE_CONTEXT, CU_POINTER_ATTRIBUTE_MEMORY_TYPE,
        CU_POINTER_ATTRIBUTE_DEVICE_POINTER, CU_POINTER_ATTRIBUTE_SYNC_MEMOPS,
        CU_POINTER_ATTRIBUTE_BUFFER_ID, CU_POINTER_ATTRIBUTE_IS_MANAGED,
        CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL, CU_POINTER_ATTRIBUTE_RANGE_START_ADDR,
        CU_POINTER_ATTRIBUTE_RANGE_SIZE, CU_POINTER_ATTRIBUTE_MAPPED,
        CU_POINTER_ATTRIBUTE_ALLOWED_HANDLE_TYPES, CU_POINTER_ATTRIBUTE_MEMPOOL_HANDLE})
    wanted.push_back(static_cast<CUpointer_attribute>(each));
  const CUdeviceptr plain = make_memory(1000);
  for (const CUdeviceptr at : {plain, make_async(3 << 20) + 7, make_mapping() + 7}) {
    std::vector<std::uint64_t> values(wanted.size(), 0);
    std::vector<void*> places;
    for (auto& value : values) places.push_back(&value);
    ASSERT_EQ(d.cuPointerGetAttributes(static_cast<unsigned>(wanted.size()), wanted.data(),
                                       places.data(), at),
              CUDA_SUCCESS);
    for (std::size_t i = 0; i < wanted.size(); ++i)
      EXPECT_EQ(values[i], ask<std::uint64_t>(wanted[i], at)) << wanted[i];
  }
}

}  // namespace
}  // namespace conformance
