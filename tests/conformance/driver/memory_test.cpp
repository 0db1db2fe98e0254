// Device memory: cuMemAlloc and its relatives, and what frees it.
#include "../fixture.h"

namespace conformance {
namespace {

constexpr std::size_t kTooMuch = std::size_t{1} << 50;

class Memory : public DeviceTest {
 protected:
  std::size_t free_memory() {
    std::size_t free = 0;
    std::size_t total = 0;
    EXPECT_EQ(d.cuMemGetInfo_v2(&free, &total), CUDA_SUCCESS);
    EXPECT_LE(free, total);
    return free;
  }
  CUdeviceptr at = 0;
};

// [H 8582] "If bytesize is 0, cuMemAlloc() returns CUDA_ERROR_INVALID_VALUE."
TEST_F(Memory, IsNotAllocatedByTheZero) {
  EXPECT_EQ(d.cuMemAlloc_v2(&at, 0), CUDA_ERROR_INVALID_VALUE);
}

// [H 8593] CUDA_ERROR_INVALID_VALUE.
TEST_F(Memory, NeedsAPlaceForItsAddress) {
  EXPECT_EQ(d.cuMemAlloc_v2(nullptr, 1), CUDA_ERROR_INVALID_VALUE);
}

// [H 8594] CUDA_ERROR_OUT_OF_MEMORY.
TEST_F(Memory, RunsOut) {
  EXPECT_EQ(d.cuMemAlloc_v2(&at, kTooMuch), CUDA_ERROR_OUT_OF_MEMORY);
  EXPECT_EQ(d.cuMemAlloc_v2(&at, ~std::size_t{0}), CUDA_ERROR_OUT_OF_MEMORY);
}

// [H 8581] "suitably aligned for any kind of variable"; [PG, Device Memory Accesses] "aligned to
// at least 256 bytes".
TEST_F(Memory, IsAligned) {
  for (const std::size_t size : {1U, 100U, 1000U, 100000U}) EXPECT_EQ(make_memory(size) % 256, 0U);
}

// [H 8538] "the amount of memory on the device that is free".
TEST_F(Memory, IsMissingFromWhatIsFree) {
  constexpr std::size_t kSize = 256 << 20;
  const std::size_t before = free_memory();
  ASSERT_EQ(d.cuMemAlloc_v2(&at, kSize), CUDA_SUCCESS);
  EXPECT_LE(free_memory(), before - kSize);
  ASSERT_EQ(d.cuMemFree_v2(at), CUDA_SUCCESS);
  EXPECT_GE(free_memory(), before);
}

// [M] CUDA_ERROR_INVALID_VALUE for what is freed already.
TEST_F(Memory, IsFreedOnce) {
  ASSERT_EQ(d.cuMemAlloc_v2(&at, 1000), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemFree_v2(at), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemFree_v2(at), CUDA_ERROR_INVALID_VALUE);
}

// [H 8676] the pointer "must have been returned by a previous call".
TEST_F(Memory, IsFreedByItsFirstAddress) {
  at = make_memory(1000);
  EXPECT_EQ(d.cuMemFree_v2(at + 256), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemFree_v2(0xdeadbee000), CUDA_ERROR_INVALID_VALUE);
}

// [M] nothing is freed by address 0.
TEST_F(Memory, NullIsFreedWithoutError) {
  EXPECT_EQ(d.cuMemFree_v2(0), CUDA_SUCCESS);
}

// [H 8684] "this API may perform implicit synchronization"; driver 580 waits for all work [M].
TEST_F(Memory, FreeingWaitsForWork) {
  ASSERT_EQ(d.cuMemAlloc_v2(&at, 1000), CUDA_SUCCESS);
  Gate gate(make_stream());
  LateOpening opening(gate);
  EXPECT_EQ(d.cuMemFree_v2(at), CUDA_SUCCESS);
  EXPECT_TRUE(gate.opened());
}

// [M] cuMemAlloc does not wait.
TEST_F(Memory, AllocatingDoesNotWaitForWork) {
  Gate gate(make_stream());
  at = make_memory(64 << 20);
  EXPECT_FALSE(gate.opened());
}

// [H 8713] "the base address ... and size ... of the allocation ... that contains the input
// pointer".
TEST_F(Memory, TellsItsRange) {
  at = make_memory(1000);
  CUdeviceptr begin = 0;
  std::size_t size = 0;
  EXPECT_EQ(d.cuMemGetAddressRange_v2(&begin, &size, at + 999), CUDA_SUCCESS);
  EXPECT_EQ(begin, at);
  EXPECT_EQ(size, 1000U);
}

// [H 8715] "If one of them is NULL, it is ignored."
TEST_F(Memory, TellsItsRangeInPart) {
  at = make_memory(1000);
  CUdeviceptr begin = 0;
  std::size_t size = 0;
  EXPECT_EQ(d.cuMemGetAddressRange_v2(&begin, nullptr, at), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemGetAddressRange_v2(nullptr, &size, at), CUDA_SUCCESS);
  EXPECT_EQ(begin, at);
  EXPECT_EQ(size, 1000U);
}

// [H 8727] CUDA_ERROR_NOT_FOUND.
TEST_F(Memory, HasNoRangeOutsideIt) {
  at = make_memory(1000);
  CUdeviceptr begin = 0;
  std::size_t size = 0;
  EXPECT_EQ(d.cuMemGetAddressRange_v2(&begin, &size, at + 1000), CUDA_ERROR_NOT_FOUND);
}

// [H 8618] rows are padded so that "corresponding pointers in any given row" stay aligned.
TEST_F(Memory, WithAPitchHasAlignedRows) {
  std::size_t pitch = 0;
  ASSERT_EQ(d.cuMemAllocPitch_v2(&at, &pitch, 100, 10, 4), CUDA_SUCCESS);
  EXPECT_EQ(pitch, 512U);  // [M]
  EXPECT_EQ(d.cuMemsetD8_v2(at, 1, pitch * 9 + 100), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemFree_v2(at), CUDA_SUCCESS);
}

// [H 8620] "ElementSizeBytes may be 4, 8 or 16".
TEST_F(Memory, WithAPitchHasElementsOfThreeSizes) {
  std::size_t pitch = 0;
  EXPECT_EQ(d.cuMemAllocPitch_v2(&at, &pitch, 100, 10, 3), CUDA_ERROR_INVALID_VALUE);
  for (const unsigned size : {4U, 8U, 16U}) {
    EXPECT_EQ(d.cuMemAllocPitch_v2(&at, &pitch, 100, 10, size), CUDA_SUCCESS);
    EXPECT_EQ(d.cuMemFree_v2(at), CUDA_SUCCESS);
  }
}

// [M] CUDA_ERROR_INVALID_VALUE.
TEST_F(Memory, WithAPitchIsNotEmpty) {
  std::size_t pitch = 0;
  EXPECT_EQ(d.cuMemAllocPitch_v2(&at, &pitch, 0, 10, 4), CUDA_ERROR_INVALID_VALUE);
}

// [H 8998] "The pointer is valid on the CPU and on all GPUs".
TEST_F(Memory, ManagedIsForHostAndDevice) {
  ASSERT_EQ(d.cuMemAllocManaged(&at, 100, CU_MEM_ATTACH_GLOBAL), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemsetD8_v2(at, 7, 100), CUDA_SUCCESS);
  EXPECT_EQ(d.cuCtxSynchronize(), CUDA_SUCCESS);
  EXPECT_EQ(static_cast<unsigned char*>(pointer(at))[99], 7);
  EXPECT_EQ(d.cuMemFree_v2(at), CUDA_SUCCESS);
}

// [H 9071] "Must be one of CU_MEM_ATTACH_GLOBAL or CU_MEM_ATTACH_HOST".
TEST_F(Memory, ManagedIsAttachedInOneOfTwoWays) {
  EXPECT_EQ(d.cuMemAllocManaged(&at, 100, 0), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemAllocManaged(&at, 100, CU_MEM_ATTACH_SINGLE), CUDA_ERROR_INVALID_VALUE);
}

// [H 8996] "If bytesize is 0, cuMemAllocManaged returns CUDA_ERROR_INVALID_VALUE."
TEST_F(Memory, ManagedIsNotEmpty) {
  EXPECT_EQ(d.cuMemAllocManaged(&at, 0, CU_MEM_ATTACH_GLOBAL), CUDA_ERROR_INVALID_VALUE);
}

// [M] no bytes are no error for cuMemAllocAsync, and give address 0.
TEST_F(Memory, InStreamOrderMayBeEmpty) {
  at = 77;
  EXPECT_EQ(d.cuMemAllocAsync(&at, 0, nullptr), CUDA_SUCCESS);
  EXPECT_EQ(at, 0U);
  EXPECT_EQ(d.cuMemFreeAsync(0, nullptr), CUDA_SUCCESS);
}

// [H 13342, 13346] its errors.
TEST_F(Memory, InStreamOrderRunsOut) {
  EXPECT_EQ(d.cuMemAllocAsync(nullptr, 10, nullptr), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemAllocAsync(&at, kTooMuch, nullptr), CUDA_ERROR_OUT_OF_MEMORY);
}

// [H 13325] "A pointer to the allocated memory is returned immediately"; used in stream order.
TEST_F(Memory, InStreamOrderIsUsedByItsStream) {
  const CUstream stream = make_stream();
  std::uint32_t* value = make_pinned();
  {
    Gate gate(stream);
    ASSERT_EQ(d.cuMemAllocAsync(&at, 1000, stream), CUDA_SUCCESS);
    EXPECT_NE(at, 0U);
    EXPECT_EQ(d.cuMemsetD32Async(at, 5, 250, stream), CUDA_SUCCESS);
    EXPECT_EQ(d.cuMemcpyDtoHAsync_v2(value, at + 996, 4, stream), CUDA_SUCCESS);
    EXPECT_EQ(d.cuMemFreeAsync(at, stream), CUDA_SUCCESS);
  }
  EXPECT_EQ(d.cuStreamSynchronize(stream), CUDA_SUCCESS);
  EXPECT_EQ(*value, 5U);
}

// [H 13331] an event tells another stream that the allocation is complete.
TEST_F(Memory, InStreamOrderIsUsedByAnotherStreamAfterAnEvent) {
  const CUstream first = make_stream();
  const CUstream second = make_stream();
  const CUevent made = make_event(CU_EVENT_DISABLE_TIMING);
  ASSERT_EQ(d.cuMemAllocAsync(&at, 1000, first), CUDA_SUCCESS);
  ASSERT_EQ(d.cuEventRecord(made, first), CUDA_SUCCESS);
  ASSERT_EQ(d.cuStreamWaitEvent(second, made, 0), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemsetD32Async(at, 6, 250, second), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemFreeAsync(at, second), CUDA_SUCCESS);
  EXPECT_EQ(d.cuStreamSynchronize(second), CUDA_SUCCESS);
}

// [H 13302] the free waits its turn in the stream: the call does not wait.
TEST_F(Memory, InStreamOrderIsFreedWithoutWaiting) {
  const CUstream stream = make_stream();
  ASSERT_EQ(d.cuMemAllocAsync(&at, 1000, stream), CUDA_SUCCESS);
  Gate gate(stream);
  EXPECT_EQ(d.cuMemFreeAsync(at, stream), CUDA_SUCCESS);
  EXPECT_FALSE(gate.opened());
}

// [H 8680] cuMemFree "will not perform any implict synchronization" for a stream-ordered pointer.
TEST_F(Memory, InStreamOrderIsFreedPlainlyWithoutWaiting) {
  const CUstream stream = make_stream();
  ASSERT_EQ(d.cuMemAllocAsync(&at, 1000, stream), CUDA_SUCCESS);
  ASSERT_EQ(d.cuStreamSynchronize(stream), CUDA_SUCCESS);
  Gate gate(make_stream());
  EXPECT_EQ(d.cuMemFree_v2(at), CUDA_SUCCESS);
  EXPECT_FALSE(gate.opened());
}

// [M] CUDA_ERROR_INVALID_VALUE for what was freed, or never was.
TEST_F(Memory, InStreamOrderIsFreedOnce) {
  ASSERT_EQ(d.cuMemAllocAsync(&at, 1000, nullptr), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemFreeAsync(at, nullptr), CUDA_SUCCESS);
  EXPECT_EQ(d.cuCtxSynchronize(), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemFreeAsync(at, nullptr), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemFreeAsync(0xdeadbee000, nullptr), CUDA_ERROR_INVALID_VALUE);
}

// [M] memory of cuMemAlloc may be freed in stream order.
TEST_F(Memory, PlainIsFreedInStreamOrder) {
  ASSERT_EQ(d.cuMemAlloc_v2(&at, 1000), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemFreeAsync(at, nullptr), CUDA_SUCCESS);
  EXPECT_EQ(d.cuCtxSynchronize(), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemFree_v2(at), CUDA_ERROR_INVALID_VALUE);
}

}  // namespace
}  // namespace conformance
