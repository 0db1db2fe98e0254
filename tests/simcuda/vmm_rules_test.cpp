// The rules of virtual memory management, as a real device answers too.
#include "driver.h"

namespace gmlake::simcuda::test {
namespace {

class VmmRules : public DeviceTest {
 protected:
  // A reservation of eight chunks with one handle of one chunk (a) and one of two (b).
  void SetUp() override {
    DeviceTest::SetUp();
    at = reserve(8 * kChunk);
    a = create(kChunk);
    b = create(2 * kChunk);
  }
  CUresult map(CUdeviceptr where, std::size_t size, CUmemGenericAllocationHandle handle) {
    return d.cuMemMap(where, size, 0, handle, 0);
  }
  CUresult allow(CUdeviceptr where, std::size_t size) {
    const auto access = read_write();
    return d.cuMemSetAccess(where, size, &access, 1);
  }

  CUdeviceptr at = 0;
  CUmemGenericAllocationHandle a = 0;
  CUmemGenericAllocationHandle b = 0;
};

TEST_F(VmmRules, GranularityIsTwoMebibytes) {
  const auto properties = device_memory();
  for (const auto option :
       {CU_MEM_ALLOC_GRANULARITY_MINIMUM, CU_MEM_ALLOC_GRANULARITY_RECOMMENDED}) {
    std::size_t granularity = 0;
    EXPECT_EQ(d.cuMemGetAllocationGranularity(&granularity, &properties, option), CUDA_SUCCESS);
    EXPECT_EQ(granularity, kChunk);
  }
}

TEST_F(VmmRules, CreateChecksSizeFlagsAndProperties) {
  CUmemGenericAllocationHandle handle = 0;
  const auto good = device_memory();
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, kChunk + 4096})
    EXPECT_EQ(d.cuMemCreate(&handle, size, &good, 0), CUDA_ERROR_INVALID_VALUE) << size;
  EXPECT_EQ(d.cuMemCreate(&handle, kChunk, &good, 1), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemCreate(&handle, kChunk, nullptr, 0), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemCreate(&handle, std::size_t{1} << 50, &good, 0), CUDA_ERROR_OUT_OF_MEMORY);
  auto bad = good;
  bad.type = CU_MEM_ALLOCATION_TYPE_INVALID;
  EXPECT_EQ(d.cuMemCreate(&handle, kChunk, &bad, 0), CUDA_ERROR_INVALID_VALUE);
  bad = device_memory(77);
  EXPECT_EQ(d.cuMemCreate(&handle, kChunk, &bad, 0), CUDA_ERROR_INVALID_DEVICE);
}

TEST_F(VmmRules, ReserveChecksSizeAlignmentAndHint) {
  CUdeviceptr other = 0;
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{65536}})
    EXPECT_EQ(d.cuMemAddressReserve(&other, size, 0, 0, 0), CUDA_ERROR_INVALID_VALUE) << size;
  EXPECT_EQ(d.cuMemAddressReserve(&other, kChunk, 3, 0, 0), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemAddressReserve(&other, kChunk, 0, 12345, 0), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemAddressReserve(&other, kChunk, 0, 0, 1), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemAddressReserve(&other, std::size_t{1} << 60, 0, 0, 0), CUDA_ERROR_OUT_OF_MEMORY);

  constexpr std::size_t kGiB = 1 << 30;
  ASSERT_EQ(d.cuMemAddressReserve(&other, kChunk, kGiB, 0, 0), CUDA_SUCCESS);
  EXPECT_EQ(other % kGiB, 0U);
  EXPECT_EQ(d.cuMemAddressFree(other, kChunk), CUDA_SUCCESS);
  // A hint that is taken gives another place; one that is free is followed.
  ASSERT_EQ(d.cuMemAddressReserve(&other, kChunk, 0, at, 0), CUDA_SUCCESS);
  EXPECT_NE(other, at);
  EXPECT_EQ(d.cuMemAddressFree(other, kChunk), CUDA_SUCCESS);
  CUdeviceptr again = 0;
  ASSERT_EQ(d.cuMemAddressReserve(&again, kChunk, 0, other, 0), CUDA_SUCCESS);
  EXPECT_EQ(again, other);
}

TEST_F(VmmRules, MapTakesWholeHandlesAtFreePlaces) {
  EXPECT_EQ(map(at, 0, a), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(map(at + 65536, kChunk, a), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemMap(at, kChunk, 0, a, 1), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemMap(at, kChunk, kChunk, b, 0), CUDA_ERROR_NOT_SUPPORTED);  // an offset
  EXPECT_EQ(map(at, kChunk, b), CUDA_ERROR_NOT_SUPPORTED);                    // a part
  EXPECT_EQ(map(at, 2 * kChunk, a), CUDA_ERROR_NOT_SUPPORTED);                // more than there is
  EXPECT_EQ(map(at + (std::size_t{1} << 42), kChunk, a), CUDA_ERROR_INVALID_VALUE);  // not reserved

  EXPECT_EQ(map(at, kChunk, a), CUDA_SUCCESS);
  EXPECT_EQ(map(at, kChunk, a), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(map(at, 2 * kChunk, b), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(map(at + kChunk, 2 * kChunk, b), CUDA_SUCCESS);
}

TEST_F(VmmRules, AccessIsGivenToWholeMappings) {
  ASSERT_EQ(map(at, kChunk, a), CUDA_SUCCESS);
  ASSERT_EQ(map(at + kChunk, 2 * kChunk, b), CUDA_SUCCESS);
  unsigned long long flags = 99;
  const CUmemLocation here{CU_MEM_LOCATION_TYPE_DEVICE, 0};
  EXPECT_EQ(d.cuMemGetAccess(&flags, &here, at), CUDA_SUCCESS);
  EXPECT_EQ(flags, CU_MEM_ACCESS_FLAGS_PROT_NONE);
  EXPECT_EQ(d.cuMemsetD8_v2(at, 1, 8), CUDA_ERROR_INVALID_VALUE);

  EXPECT_EQ(allow(at + kChunk, kChunk), CUDA_ERROR_INVALID_VALUE);      // a part of b
  EXPECT_EQ(allow(at, 2 * kChunk), CUDA_ERROR_INVALID_VALUE);           // a and a part of b
  EXPECT_EQ(allow(at, 4 * kChunk), CUDA_ERROR_INVALID_VALUE);           // beyond what is mapped
  EXPECT_EQ(allow(at + 3 * kChunk, kChunk), CUDA_ERROR_INVALID_VALUE);  // not mapped
  EXPECT_EQ(allow(at, 0), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(allow(at, 4096), CUDA_ERROR_INVALID_VALUE);
  auto bad = read_write();
  EXPECT_EQ(d.cuMemSetAccess(at, kChunk, &bad, 0), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemSetAccess(at, kChunk, nullptr, 1), CUDA_ERROR_INVALID_VALUE);
  bad.location.id = 77;
  EXPECT_EQ(d.cuMemSetAccess(at, kChunk, &bad, 1), CUDA_ERROR_INVALID_VALUE);
  bad = read_write();
  bad.flags = static_cast<CUmemAccess_flags>(2);
  EXPECT_EQ(d.cuMemSetAccess(at, kChunk, &bad, 1), CUDA_ERROR_INVALID_VALUE);

  EXPECT_EQ(allow(at, 3 * kChunk), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemGetAccess(&flags, &here, at + 4096), CUDA_SUCCESS);
  EXPECT_EQ(flags, CU_MEM_ACCESS_FLAGS_PROT_READWRITE);
  EXPECT_EQ(d.cuMemGetAccess(&flags, &here, at + 3 * kChunk), CUDA_ERROR_INVALID_VALUE);
  // A fill may cross from one handle to the next and not beyond the last.
  EXPECT_EQ(d.cuMemsetD8_v2(at + kChunk - 100, 1, 200), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemsetD8_v2(at + 3 * kChunk - 100, 1, 200), CUDA_ERROR_INVALID_VALUE);
}

TEST_F(VmmRules, TwoAddressesOfOneHandleAreTheSameMemory) {
  ASSERT_EQ(map(at, kChunk, a), CUDA_SUCCESS);
  ASSERT_EQ(map(at + 4 * kChunk, kChunk, a), CUDA_SUCCESS);
  ASSERT_EQ(allow(at, kChunk), CUDA_SUCCESS);
  ASSERT_EQ(allow(at + 4 * kChunk, kChunk), CUDA_SUCCESS);
  write(at + 64, 0x12345678);
  EXPECT_EQ(read(at + 4 * kChunk + 64), 0x12345678U);
  write(at + 5 * kChunk - 4, 77);
  EXPECT_EQ(read(at + kChunk - 4), 77U);
}

TEST_F(VmmRules, StitchedHandlesAreOneRangeInTheirOrder) {
  const auto c = create(kChunk);
  ASSERT_EQ(map(at, kChunk, a), CUDA_SUCCESS);
  ASSERT_EQ(map(at + kChunk, kChunk, c), CUDA_SUCCESS);
  ASSERT_EQ(map(at + 4 * kChunk, kChunk, c), CUDA_SUCCESS);  // the other order
  ASSERT_EQ(map(at + 5 * kChunk, kChunk, a), CUDA_SUCCESS);
  ASSERT_EQ(allow(at, 2 * kChunk), CUDA_SUCCESS);
  ASSERT_EQ(allow(at + 4 * kChunk, 2 * kChunk), CUDA_SUCCESS);
  ASSERT_EQ(d.cuMemsetD32_v2(at, 1, kChunk / 4), CUDA_SUCCESS);
  ASSERT_EQ(d.cuMemsetD32_v2(at + kChunk, 2, kChunk / 4), CUDA_SUCCESS);
  EXPECT_EQ(read(at + 5 * kChunk - 4), 2U);
  EXPECT_EQ(read(at + 5 * kChunk), 1U);
}

TEST_F(VmmRules, UnmapNeverCutsAMapping) {
  ASSERT_EQ(map(at, kChunk, a), CUDA_SUCCESS);
  ASSERT_EQ(map(at + kChunk, 2 * kChunk, b), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemUnmap(at + kChunk, kChunk), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemUnmap(at + 2 * kChunk, kChunk), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemUnmap(at, 2 * kChunk), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemUnmap(at, 0), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemUnmap(at + (std::size_t{1} << 42), kChunk), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemUnmap(at, 3 * kChunk), CUDA_SUCCESS);  // several whole ones at once
  // The place is free again, and a new mapping starts without access.
  EXPECT_EQ(map(at + kChunk, 2 * kChunk, b), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemsetD8_v2(at + kChunk, 1, 4), CUDA_ERROR_INVALID_VALUE);
}

TEST_F(VmmRules, MemoryLivesUntilItsLastMappingGoes) {
  ASSERT_EQ(map(at, kChunk, a), CUDA_SUCCESS);
  ASSERT_EQ(map(at + kChunk, kChunk, a), CUDA_SUCCESS);
  ASSERT_EQ(allow(at, 2 * kChunk), CUDA_SUCCESS);
  write(at, 4711);
  EXPECT_EQ(d.cuMemRelease(a), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemUnmap(at, kChunk), CUDA_SUCCESS);
  EXPECT_EQ(read(at + kChunk), 4711U);
  CUmemGenericAllocationHandle again = 0;
  EXPECT_EQ(d.cuMemRetainAllocationHandle(&again, reinterpret_cast<void*>(at + kChunk + 7)),
            CUDA_SUCCESS);
  EXPECT_EQ(again, a);
  EXPECT_EQ(d.cuMemRelease(again), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemRetainAllocationHandle(&again, reinterpret_cast<void*>(at)),
            CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemUnmap(at + kChunk, kChunk), CUDA_SUCCESS);
}

TEST_F(VmmRules, ReservationsGoAsTheyCame) {
  ASSERT_EQ(map(at + kChunk, kChunk, a), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemAddressFree(at, 8 * kChunk), CUDA_ERROR_INVALID_VALUE);  // something is mapped
  ASSERT_EQ(d.cuMemUnmap(at + kChunk, kChunk), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemAddressFree(at, 4 * kChunk), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemAddressFree(at + kChunk, 7 * kChunk), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemAddressFree(0, 0), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemAddressFree(at, 8 * kChunk), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemAddressFree(at, 8 * kChunk), CUDA_ERROR_INVALID_VALUE);
}

TEST_F(VmmRules, PointersIntoMappingsSayWhereTheyAre) {
  ASSERT_EQ(map(at + kChunk, 2 * kChunk, b), CUDA_SUCCESS);
  ASSERT_EQ(allow(at + kChunk, 2 * kChunk), CUDA_SUCCESS);
  const CUdeviceptr inside = at + kChunk + 5;
  CUdeviceptr begin = 0;
  std::size_t size = 0;
  EXPECT_EQ(d.cuMemGetAddressRange_v2(&begin, &size, inside), CUDA_SUCCESS);
  EXPECT_EQ(begin, at + kChunk);  // the mapping
  EXPECT_EQ(size, 2 * kChunk);
  EXPECT_EQ(d.cuPointerGetAttribute(&begin, CU_POINTER_ATTRIBUTE_MAPPING_BASE_ADDR, inside),
            CUDA_SUCCESS);
  EXPECT_EQ(d.cuPointerGetAttribute(&size, CU_POINTER_ATTRIBUTE_MAPPING_SIZE, inside),
            CUDA_SUCCESS);
  EXPECT_EQ(begin, at + kChunk);
  EXPECT_EQ(size, 2 * kChunk);
  EXPECT_EQ(d.cuPointerGetAttribute(&begin, CU_POINTER_ATTRIBUTE_RANGE_START_ADDR, inside),
            CUDA_SUCCESS);
  EXPECT_EQ(d.cuPointerGetAttribute(&size, CU_POINTER_ATTRIBUTE_RANGE_SIZE, inside), CUDA_SUCCESS);
  EXPECT_EQ(begin, at);  // the reservation
  EXPECT_EQ(size, 8 * kChunk);
  CUcontext owner = context;
  EXPECT_EQ(d.cuPointerGetAttribute(&owner, CU_POINTER_ATTRIBUTE_CONTEXT, inside), CUDA_SUCCESS);
  EXPECT_EQ(owner, nullptr);
  int ordinal = 99;
  EXPECT_EQ(d.cuPointerGetAttribute(&ordinal, CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL, inside),
            CUDA_SUCCESS);
  EXPECT_EQ(ordinal, 0);
  EXPECT_EQ(d.cuPointerGetAttribute(&ordinal, CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL, at),
            CUDA_ERROR_INVALID_VALUE);
}

}  // namespace
}  // namespace gmlake::simcuda::test
