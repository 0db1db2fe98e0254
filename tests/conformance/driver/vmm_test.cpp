// Virtual memory management: handles, reservations, mappings, access.
#include "../fixture.h"

namespace conformance {
namespace {

constexpr std::size_t kFar = std::size_t{1} << 42;

class Vmm : public DeviceTest {
 protected:
  // A reservation of eight chunks with one handle of one chunk (a) and one of two (b).
  void SetUp() override {
    DeviceTest::SetUp();
    at = reserve(8 * kChunk);
    a = create(kChunk);
    b = create(2 * kChunk);
  }
  CUresult try_map(CUdeviceptr where, std::size_t size, CUmemGenericAllocationHandle handle) {
    return d.cuMemMap(where, size, 0, handle, 0);
  }
  CUresult try_allow(CUdeviceptr where, std::size_t size) {
    const auto access = read_write();
    return d.cuMemSetAccess(where, size, &access, 1);
  }
  unsigned long long access_at(CUdeviceptr where) {
    unsigned long long flags = 99;
    const CUmemLocation here{CU_MEM_LOCATION_TYPE_DEVICE, 0};
    EXPECT_EQ(d.cuMemGetAccess(&flags, &here, where), CUDA_SUCCESS);
    return flags;
  }

  CUdeviceptr at = 0;
  CUmemGenericAllocationHandle a = 0;
  CUmemGenericAllocationHandle b = 0;
};

// [H 13204] "either the minimal or recommended granularity"; both are 2 MiB [M].
TEST_F(Vmm, GranularityIsTwoMebibytes) {
  const auto properties = device_memory();
  for (const auto option :
       {CU_MEM_ALLOC_GRANULARITY_MINIMUM, CU_MEM_ALLOC_GRANULARITY_RECOMMENDED}) {
    std::size_t granularity = 0;
    EXPECT_EQ(d.cuMemGetAllocationGranularity(&granularity, &properties, option), CUDA_SUCCESS);
    EXPECT_EQ(granularity, kChunk);
  }
}

// [H 13213] CUDA_ERROR_INVALID_VALUE.
TEST_F(Vmm, GranularityIsThatOfProperties) {
  std::size_t granularity = 0;
  EXPECT_EQ(
      d.cuMemGetAllocationGranularity(&granularity, nullptr, CU_MEM_ALLOC_GRANULARITY_MINIMUM),
      CUDA_ERROR_INVALID_VALUE);
}

// [H 12781] the size "must be a multiple of the the value given via
// cuMemGetAllocationGranularity".
TEST_F(Vmm, HandlesHaveWholeGranules) {
  CUmemGenericAllocationHandle handle = 0;
  const auto good = device_memory();
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, kChunk + 4096})
    EXPECT_EQ(d.cuMemCreate(&handle, size, &good, 0), CUDA_ERROR_INVALID_VALUE) << size;
}

// [H 12820] "flags for future use, must be zero now."
TEST_F(Vmm, HandlesTakeNoFlags) {
  CUmemGenericAllocationHandle handle = 0;
  const auto good = device_memory();
  EXPECT_EQ(d.cuMemCreate(&handle, kChunk, &good, 1), CUDA_ERROR_INVALID_VALUE);
}

// [H 12823, 12825] their errors.
TEST_F(Vmm, HandlesNeedValidProperties) {
  CUmemGenericAllocationHandle handle = 0;
  EXPECT_EQ(d.cuMemCreate(&handle, kChunk, nullptr, 0), CUDA_ERROR_INVALID_VALUE);
  auto bad = device_memory();
  bad.type = CU_MEM_ALLOCATION_TYPE_INVALID;
  EXPECT_EQ(d.cuMemCreate(&handle, kChunk, &bad, 0), CUDA_ERROR_INVALID_VALUE);
  bad = device_memory(77);
  EXPECT_EQ(d.cuMemCreate(&handle, kChunk, &bad, 0), CUDA_ERROR_INVALID_DEVICE);
}

// [H 12824] CUDA_ERROR_OUT_OF_MEMORY.
TEST_F(Vmm, HandlesRunOut) {
  CUmemGenericAllocationHandle handle = 0;
  const auto good = device_memory();
  EXPECT_EQ(d.cuMemCreate(&handle, std::size_t{1} << 50, &good, 0), CUDA_ERROR_OUT_OF_MEMORY);
}

// [H 13226] "the information about this handle".
TEST_F(Vmm, HandlesKnowTheirProperties) {
  CUmemAllocationProp found{};
  EXPECT_EQ(d.cuMemGetAllocationPropertiesFromHandle(&found, a), CUDA_SUCCESS);
  EXPECT_EQ(found.type, CU_MEM_ALLOCATION_TYPE_PINNED);
  EXPECT_EQ(found.location.type, CU_MEM_LOCATION_TYPE_DEVICE);
  EXPECT_EQ(found.location.id, 0);
  EXPECT_EQ(found.requestedHandleTypes, CU_MEM_HANDLE_TYPE_NONE);
}

// [H 12725] "multiple of the host page size"; driver 580 wants whole granules [M].
TEST_F(Vmm, ReservationsHaveWholeGranules) {
  CUdeviceptr other = 0;
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{65536}})
    EXPECT_EQ(d.cuMemAddressReserve(&other, size, 0, 0, 0), CUDA_ERROR_INVALID_VALUE) << size;
}

// [H 12726] "the alignment must be a power of two or zero"; [H 12725] the address is of pages.
TEST_F(Vmm, ReservationsCheckAlignmentAndHint) {
  CUdeviceptr other = 0;
  EXPECT_EQ(d.cuMemAddressReserve(&other, kChunk, 3, 0, 0), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemAddressReserve(&other, kChunk, 0, 12345, 0), CUDA_ERROR_INVALID_VALUE);
}

// [H 12735] "Currently unused, must be zero".
TEST_F(Vmm, ReservationsTakeNoFlags) {
  CUdeviceptr other = 0;
  EXPECT_EQ(d.cuMemAddressReserve(&other, kChunk, 0, 0, 1), CUDA_ERROR_INVALID_VALUE);
}

// [H 12739] CUDA_ERROR_OUT_OF_MEMORY.
TEST_F(Vmm, ReservationsRunOut) {
  CUdeviceptr other = 0;
  EXPECT_EQ(d.cuMemAddressReserve(&other, std::size_t{1} << 60, 0, 0, 0), CUDA_ERROR_OUT_OF_MEMORY);
}

// [H 12733] "Alignment of the reserved virtual address range requested".
TEST_F(Vmm, ReservationsAreAligned) {
  constexpr std::size_t kGiB = 1 << 30;
  CUdeviceptr other = 0;
  ASSERT_EQ(d.cuMemAddressReserve(&other, kChunk, kGiB, 0, 0), CUDA_SUCCESS);
  EXPECT_EQ(other % kGiB, 0U);
  EXPECT_EQ(d.cuMemAddressFree(other, kChunk), CUDA_SUCCESS);
}

// [H 12729] an address is "a hint about where to place the reservation": followed when it is free.
TEST_F(Vmm, ReservationsFollowAFreeHint) {
  CUdeviceptr other = 0;
  ASSERT_EQ(d.cuMemAddressReserve(&other, kChunk, 0, 0, 0), CUDA_SUCCESS);
  ASSERT_EQ(d.cuMemAddressFree(other, kChunk), CUDA_SUCCESS);
  CUdeviceptr again = 0;
  ASSERT_EQ(d.cuMemAddressReserve(&again, kChunk, 0, other, 0), CUDA_SUCCESS);
  EXPECT_EQ(again, other);
  EXPECT_EQ(d.cuMemAddressFree(again, kChunk), CUDA_SUCCESS);
}

// [H 12729] and another place is given when it is taken.
TEST_F(Vmm, ReservationsGoElsewhereWhenTheHintIsTaken) {
  CUdeviceptr other = 0;
  ASSERT_EQ(d.cuMemAddressReserve(&other, kChunk, 0, at, 0), CUDA_SUCCESS);
  EXPECT_NE(other, at);
  EXPECT_EQ(d.cuMemAddressFree(other, kChunk), CUDA_SUCCESS);
}

// [H 12752] size and address must match those of the reservation.
TEST_F(Vmm, ReservationsGoAsTheyCame) {
  EXPECT_EQ(d.cuMemAddressFree(at, 4 * kChunk), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemAddressFree(at + kChunk, 7 * kChunk), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemAddressFree(0, 0), CUDA_ERROR_INVALID_VALUE);
}

// [M] a reservation goes once, and not while something is mapped in it.
TEST_F(Vmm, ReservationsGoEmpty) {
  CUdeviceptr other = 0;
  ASSERT_EQ(d.cuMemAddressReserve(&other, 2 * kChunk, 0, 0, 0), CUDA_SUCCESS);
  ASSERT_EQ(try_map(other, kChunk, a), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemAddressFree(other, 2 * kChunk), CUDA_ERROR_INVALID_VALUE);
  ASSERT_EQ(d.cuMemUnmap(other, kChunk), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemAddressFree(other, 2 * kChunk), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemAddressFree(other, 2 * kChunk), CUDA_ERROR_INVALID_VALUE);
}

// [H 12870] ptr, size and offset are multiples of the granularity; [H 12902] no flags.
TEST_F(Vmm, MappingsHaveWholeGranules) {
  EXPECT_EQ(try_map(at, 0, a), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(try_map(at + 65536, kChunk, a), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemMap(at, kChunk, 0, a, 1), CUDA_ERROR_INVALID_VALUE);
}

// [H 12901] the offset "currently must be zero"; [M] and the handle is mapped as a whole.
TEST_F(Vmm, MappingsAreWholeHandles) {
  EXPECT_EQ(d.cuMemMap(at, kChunk, kChunk, b, 0), CUDA_ERROR_NOT_SUPPORTED);
  EXPECT_EQ(try_map(at, kChunk, b), CUDA_ERROR_NOT_SUPPORTED);
  EXPECT_EQ(try_map(at, 2 * kChunk, a), CUDA_ERROR_NOT_SUPPORTED);
}

// [H 12867] the range "must be an address reservation".
TEST_F(Vmm, MappingsNeedAReservation) {
  EXPECT_EQ(try_map(at + kFar, kChunk, a), CUDA_ERROR_INVALID_VALUE);
}

// [H 12895] only addresses "that are not currently mapped".
TEST_F(Vmm, MappingsNeedAFreePlace) {
  map(at, kChunk, a);
  EXPECT_EQ(try_map(at, kChunk, a), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(try_map(at, 2 * kChunk, b), CUDA_ERROR_INVALID_VALUE);
  map(at + kChunk, 2 * kChunk, b);
}

// [H 12885] "cuMemMap does not make the address accessible".
TEST_F(Vmm, MappingsStartWithoutAccess) {
  map(at, kChunk, a);
  EXPECT_EQ(access_at(at), CU_MEM_ACCESS_FLAGS_PROT_NONE);
  EXPECT_EQ(d.cuMemsetD8_v2(at, 1, 8), CUDA_ERROR_INVALID_VALUE);
}

// [H 13088] the access of a location.
TEST_F(Vmm, AccessMakesUsable) {
  map(at, kChunk, a);
  EXPECT_EQ(try_allow(at, kChunk), CUDA_SUCCESS);
  EXPECT_EQ(access_at(at), CU_MEM_ACCESS_FLAGS_PROT_READWRITE);
  write(at, 4711);
  EXPECT_EQ(read(at), 4711U);
}

// [H 13089] "containing all allocations": several mappings at once.
TEST_F(Vmm, AccessIsGivenToNeighbours) {
  map(at, kChunk, a);
  map(at + kChunk, 2 * kChunk, b);
  EXPECT_EQ(try_allow(at, 3 * kChunk), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemsetD8_v2(at, 1, 3 * kChunk), CUDA_SUCCESS);
  EXPECT_EQ(read(at + 3 * kChunk - 4), 0x01010101U);
}

// [H 13089] "must be a fully mapped address range": not a part of a mapping.
TEST_F(Vmm, AccessIsGivenToWholeMappings) {
  map(at, kChunk, a);
  map(at + kChunk, 2 * kChunk, b);
  EXPECT_EQ(try_allow(at + kChunk, kChunk), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(try_allow(at, 2 * kChunk), CUDA_ERROR_INVALID_VALUE);
}

// [H 13089] and not beyond what is mapped.
TEST_F(Vmm, AccessIsGivenToWhatIsMapped) {
  map(at, kChunk, a);
  EXPECT_EQ(try_allow(at, 2 * kChunk), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(try_allow(at + 3 * kChunk, kChunk), CUDA_ERROR_INVALID_VALUE);
}

// [H 13109] CUDA_ERROR_INVALID_VALUE.
TEST_F(Vmm, AccessChecksItsArguments) {
  map(at, kChunk, a);
  auto access = read_write();
  EXPECT_EQ(try_allow(at, 0), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(try_allow(at, 4096), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemSetAccess(at, kChunk, &access, 0), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemSetAccess(at, kChunk, nullptr, 1), CUDA_ERROR_INVALID_VALUE);
  access.flags = static_cast<CUmemAccess_flags>(2);
  EXPECT_EQ(d.cuMemSetAccess(at, kChunk, &access, 1), CUDA_ERROR_INVALID_VALUE);
  access = read_write(77);
  EXPECT_EQ(d.cuMemSetAccess(at, kChunk, &access, 1), CUDA_ERROR_INVALID_VALUE);
}

// [M] a fill may cross from one mapping to the next, and not beyond the last.
TEST_F(Vmm, AccessEndsWithTheMapping) {
  map(at, kChunk, a);
  map(at + kChunk, 2 * kChunk, b);
  allow(at, 3 * kChunk);
  EXPECT_EQ(d.cuMemsetD8_v2(at + kChunk - 100, 1, 200), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemsetD8_v2(at + 3 * kChunk - 100, 1, 200), CUDA_ERROR_INVALID_VALUE);
}

// [M] access may be given that is there already.
TEST_F(Vmm, AccessIsGivenAgain) {
  map(at, kChunk, a);
  allow(at, kChunk);
  EXPECT_EQ(try_allow(at, kChunk), CUDA_SUCCESS);
}

// [H 4148] CU_MEM_ACCESS_FLAGS_PROT_NONE: "make the address range not accessible".
TEST_F(Vmm, AccessIsTakenBack) {
  map(at, kChunk, a);
  allow(at, kChunk);
  auto none = read_write();
  none.flags = CU_MEM_ACCESS_FLAGS_PROT_NONE;
  EXPECT_EQ(d.cuMemSetAccess(at, kChunk, &none, 1), CUDA_SUCCESS);
  EXPECT_EQ(access_at(at), CU_MEM_ACCESS_FLAGS_PROT_NONE);
  EXPECT_EQ(d.cuMemsetD8_v2(at, 1, 8), CUDA_ERROR_INVALID_VALUE);
}

// [H 13128] CUDA_ERROR_INVALID_VALUE.
TEST_F(Vmm, AccessIsThatOfAMapping) {
  unsigned long long flags = 0;
  const CUmemLocation here{CU_MEM_LOCATION_TYPE_DEVICE, 0};
  EXPECT_EQ(d.cuMemGetAccess(&flags, &here, at), CUDA_ERROR_INVALID_VALUE);
}

// [PG, Virtual Aliasing Support] one allocation mapped at two addresses is the same memory.
TEST_F(Vmm, TwoMappingsShareTheirBytes) {
  map(at, kChunk, a);
  map(at + 4 * kChunk, kChunk, a);
  allow(at, kChunk);
  allow(at + 4 * kChunk, kChunk);
  write(at + 100, 4711);
  EXPECT_EQ(read(at + 4 * kChunk + 100), 4711U);
  write(at + 4 * kChunk + 100, 4712);
  EXPECT_EQ(read(at + 100), 4712U);
}

// [H 13087] each has its own access.
TEST_F(Vmm, TwoMappingsHaveTheirOwnAccess) {
  map(at, kChunk, a);
  map(at + kChunk, kChunk, a);
  allow(at, kChunk);
  EXPECT_EQ(access_at(at), CU_MEM_ACCESS_FLAGS_PROT_READWRITE);
  EXPECT_EQ(access_at(at + kChunk), CU_MEM_ACCESS_FLAGS_PROT_NONE);
}

// [PG, Virtual Memory Management] handles are mapped side by side in any order.
TEST_F(Vmm, MappingsAreStitched) {
  map(at + 2 * kChunk, kChunk, a);
  map(at, 2 * kChunk, b);
  allow(at, 3 * kChunk);
  ASSERT_EQ(d.cuMemsetD32_v2(at, 1, 3 * kChunk / 4), CUDA_SUCCESS);
  EXPECT_EQ(read(at + 2 * kChunk - 4), 1U);
  EXPECT_EQ(read(at + 2 * kChunk), 1U);
}

// [H 13058] "cuMemUnmap cannot unmap a sub-range of an address range mapped".
TEST_F(Vmm, UnmapNeverCutsAMapping) {
  map(at, kChunk, a);
  map(at + kChunk, 2 * kChunk, b);
  EXPECT_EQ(d.cuMemUnmap(at + kChunk, kChunk), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemUnmap(at + 2 * kChunk, kChunk), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemUnmap(at, 2 * kChunk), CUDA_ERROR_INVALID_VALUE);
}

// [M] several whole mappings go at once.
TEST_F(Vmm, UnmapTakesNeighboursTogether) {
  ASSERT_EQ(try_map(at, kChunk, a), CUDA_SUCCESS);
  ASSERT_EQ(try_map(at + kChunk, 2 * kChunk, b), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemUnmap(at, 3 * kChunk), CUDA_SUCCESS);
}

// [H 13072] CUDA_ERROR_INVALID_VALUE.
TEST_F(Vmm, UnmapNeedsAReservation) {
  EXPECT_EQ(d.cuMemUnmap(at, 0), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemUnmap(at + kFar, kChunk), CUDA_ERROR_INVALID_VALUE);
}

// [H 13063] the place "can be used for a future calls to cuMemMap", which start without access.
TEST_F(Vmm, UnmappedPlacesAreFreeAgain) {
  ASSERT_EQ(try_map(at, 2 * kChunk, b), CUDA_SUCCESS);
  ASSERT_EQ(try_allow(at, 2 * kChunk), CUDA_SUCCESS);
  ASSERT_EQ(d.cuMemUnmap(at, 2 * kChunk), CUDA_SUCCESS);
  map(at, 2 * kChunk, b);
  EXPECT_EQ(d.cuMemsetD8_v2(at, 1, 4), CUDA_ERROR_INVALID_VALUE);
}

// [H 12843] "can be freed when there are still outstanding mappings made with this handle."
TEST_F(Vmm, MemoryLivesUntilItsLastMappingGoes) {
  const auto properties = device_memory();
  CUmemGenericAllocationHandle handle = 0;
  ASSERT_EQ(d.cuMemCreate(&handle, kChunk, &properties, 0), CUDA_SUCCESS);
  ASSERT_EQ(try_map(at, kChunk, handle), CUDA_SUCCESS);
  map(at + kChunk, kChunk, handle);
  allow(at, 2 * kChunk);
  write(at, 4711);
  EXPECT_EQ(d.cuMemRelease(handle), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemUnmap(at, kChunk), CUDA_SUCCESS);
  EXPECT_EQ(read(at + kChunk), 4711U);
}

// [H 13243] "guaranteed to be the same handle value used to map the memory"; [H 13247] any address
// of the mapping will do.
TEST_F(Vmm, HandlesAreFoundByAddress) {
  map(at, 2 * kChunk, b);
  CUmemGenericAllocationHandle again = 0;
  EXPECT_EQ(d.cuMemRetainAllocationHandle(&again, pointer(at + kChunk + 7)), CUDA_SUCCESS);
  EXPECT_EQ(again, b);
  EXPECT_EQ(d.cuMemRelease(again), CUDA_SUCCESS);
}

// [H 13244] it must be released as often as it was returned, and lives as long.
TEST_F(Vmm, HandlesFoundByAddressAreHeld) {
  const auto properties = device_memory();
  CUmemGenericAllocationHandle handle = 0;
  CUmemGenericAllocationHandle again = 0;
  ASSERT_EQ(d.cuMemCreate(&handle, kChunk, &properties, 0), CUDA_SUCCESS);
  ASSERT_EQ(try_map(at, kChunk, handle), CUDA_SUCCESS);
  ASSERT_EQ(try_allow(at, kChunk), CUDA_SUCCESS);
  write(at, 4711);
  EXPECT_EQ(d.cuMemRetainAllocationHandle(&again, pointer(at)), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemRelease(handle), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemUnmap(at, kChunk), CUDA_SUCCESS);
  map(at + kChunk, kChunk, again);
  allow(at + kChunk, kChunk);
  EXPECT_EQ(read(at + kChunk), 4711U);
  EXPECT_EQ(d.cuMemRelease(again), CUDA_SUCCESS);
}

// [H 13243] "If the address requested is not mapped, the function will fail."
TEST_F(Vmm, HandlesAreFoundOnlyWhereTheyAreMapped) {
  CUmemGenericAllocationHandle none = 0;
  EXPECT_EQ(d.cuMemRetainAllocationHandle(&none, pointer(at)), CUDA_ERROR_INVALID_VALUE);
}

// [M] mapped memory is not freed by the allocators' calls.
TEST_F(Vmm, MappedMemoryIsNotFreed) {
  map(at, kChunk, a);
  allow(at, kChunk);
  EXPECT_EQ(d.cuMemFree_v2(at), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemFreeAsync(at, nullptr), CUDA_ERROR_INVALID_VALUE);
}

// [M] none of it waits for work, unlike cuMemFree.
TEST_F(Vmm, NothingWaitsForWork) {
  Gate gate(make_stream());
  map(at, kChunk, create(kChunk));
  allow(at, kChunk);
  ASSERT_EQ(try_map(at + kChunk, kChunk, a), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemUnmap(at + kChunk, kChunk), CUDA_SUCCESS);
  EXPECT_FALSE(gate.opened());
}

}  // namespace
}  // namespace conformance
