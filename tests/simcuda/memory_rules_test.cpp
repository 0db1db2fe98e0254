// The rules of cuMemAlloc and its relatives, of copies, and of contexts, as a real device answers
// too.
#include <vector>

#include "driver.h"

namespace gmlake::simcuda::test {
namespace {

class MemoryRules : public DeviceTest {};

TEST_F(MemoryRules, AllocationsAreAlignedAndFreedOnce) {
  CUdeviceptr at = 0;
  EXPECT_EQ(d.cuMemAlloc_v2(&at, 0), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemAlloc_v2(nullptr, 1), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemAlloc_v2(&at, std::size_t{1} << 50), CUDA_ERROR_OUT_OF_MEMORY);
  EXPECT_EQ(d.cuMemAlloc_v2(&at, ~std::size_t{0}), CUDA_ERROR_OUT_OF_MEMORY);
  ASSERT_EQ(d.cuMemAlloc_v2(&at, 1000), CUDA_SUCCESS);
  EXPECT_EQ(at % 512, 0U);
  EXPECT_EQ(d.cuMemFree_v2(at + 256), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemFree_v2(at), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemFree_v2(at), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemFree_v2(0), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemFree_v2(0xdeadbee000), CUDA_ERROR_INVALID_VALUE);
}

TEST_F(MemoryRules, AddressRangeIsTheRequest) {
  CUdeviceptr at = 0;
  ASSERT_EQ(d.cuMemAlloc_v2(&at, 1000), CUDA_SUCCESS);
  CUdeviceptr begin = 0;
  std::size_t size = 0;
  EXPECT_EQ(d.cuMemGetAddressRange_v2(&begin, &size, at + 999), CUDA_SUCCESS);
  EXPECT_EQ(begin, at);
  EXPECT_EQ(size, 1000U);
  EXPECT_EQ(d.cuMemGetAddressRange_v2(nullptr, nullptr, at), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemGetAddressRange_v2(&begin, &size, at + 1000), CUDA_ERROR_NOT_FOUND);
  EXPECT_EQ(d.cuMemFree_v2(at), CUDA_SUCCESS);
}

TEST_F(MemoryRules, StreamOrderedAllocationsMixWithTheOthers) {
  CUdeviceptr at = 77;
  EXPECT_EQ(d.cuMemAllocAsync(&at, 0, nullptr), CUDA_SUCCESS);
  EXPECT_EQ(at, 0U);
  EXPECT_EQ(d.cuMemFreeAsync(0, nullptr), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemFreeAsync(0xdeadbee000, nullptr), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemAllocAsync(nullptr, 10, nullptr), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemAllocAsync(&at, std::size_t{1} << 50, nullptr), CUDA_ERROR_OUT_OF_MEMORY);
  ASSERT_EQ(d.cuMemAllocAsync(&at, 1000, nullptr), CUDA_SUCCESS);
  CUcontext owner = context;
  EXPECT_EQ(d.cuPointerGetAttribute(&owner, CU_POINTER_ATTRIBUTE_CONTEXT, at), CUDA_SUCCESS);
  EXPECT_EQ(owner, nullptr);
  EXPECT_EQ(d.cuMemFree_v2(at), CUDA_SUCCESS);
  ASSERT_EQ(d.cuMemAlloc_v2(&at, 1000), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemFreeAsync(at, nullptr), CUDA_SUCCESS);
  EXPECT_EQ(d.cuCtxSynchronize(), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemFree_v2(at), CUDA_ERROR_INVALID_VALUE);
}

TEST_F(MemoryRules, PitchedAndHostAllocationsCheckTheirArguments) {
  CUdeviceptr at = 0;
  std::size_t pitch = 0;
  EXPECT_EQ(d.cuMemAllocPitch_v2(&at, &pitch, 100, 10, 3), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemAllocPitch_v2(&at, &pitch, 0, 10, 4), CUDA_ERROR_INVALID_VALUE);
  ASSERT_EQ(d.cuMemAllocPitch_v2(&at, &pitch, 100, 10, 4), CUDA_SUCCESS);
  EXPECT_EQ(pitch, 512U);
  EXPECT_EQ(d.cuMemFree_v2(at), CUDA_SUCCESS);

  void* host = &at;
  EXPECT_EQ(d.cuMemHostAlloc(&host, 0, 0), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemHostAlloc(&host, 10, 0x100), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemFreeHost(&at), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemFreeHost(nullptr), CUDA_SUCCESS);
  ASSERT_EQ(d.cuMemAllocHost_v2(&host, 1000), CUDA_SUCCESS);
  unsigned type = 0;
  const auto address = reinterpret_cast<CUdeviceptr>(host);
  EXPECT_EQ(d.cuPointerGetAttribute(&type, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, address),
            CUDA_SUCCESS);
  EXPECT_EQ(type, CU_MEMORYTYPE_HOST);
  EXPECT_EQ(d.cuMemFreeHost(host), CUDA_SUCCESS);

  EXPECT_EQ(d.cuMemAllocManaged(&at, 100, 0), CUDA_ERROR_INVALID_VALUE);
  ASSERT_EQ(d.cuMemAllocManaged(&at, 100, CU_MEM_ATTACH_GLOBAL), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemsetD8_v2(at, 7, 100), CUDA_SUCCESS);
  EXPECT_EQ(d.cuCtxSynchronize(), CUDA_SUCCESS);
  EXPECT_EQ(*reinterpret_cast<unsigned char*>(at + 99), 7);
  EXPECT_EQ(d.cuMemFree_v2(at), CUDA_SUCCESS);
}

TEST_F(MemoryRules, CopiesStayInsideWhatIsAllocated) {
  std::vector<char> host(8 << 20);
  CUdeviceptr at = 0;
  ASSERT_EQ(d.cuMemAlloc_v2(&at, 1000), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemsetD8_v2(at, 1, 4 << 20), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemcpyDtoH_v2(host.data(), at, 4 << 20), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemsetD32_v2(at + 1, 1, 10), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemsetD16_v2(at + 1, 1, 10), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemsetD8_v2(0, 1, 1), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemsetD8_v2(0, 1, 0), CUDA_SUCCESS);
  const auto pageable = reinterpret_cast<CUdeviceptr>(host.data());
  EXPECT_EQ(d.cuMemsetD8_v2(pageable, 1, 1), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemcpyHtoD_v2(pageable, host.data() + 100, 10), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemcpy(pageable, pageable + 100, 10), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemFree_v2(at), CUDA_SUCCESS);
}

TEST_F(MemoryRules, FillsAndCopiesOfEveryWidthArrive) {
  CUdeviceptr at = 0;
  CUdeviceptr other = 0;
  ASSERT_EQ(d.cuMemAlloc_v2(&at, 4096), CUDA_SUCCESS);
  ASSERT_EQ(d.cuMemAlloc_v2(&other, 4096), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemsetD8_v2(at, 0x11, 4096), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemsetD16_v2(at + 100, 0x2233, 2), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemsetD32_v2(at + 200, 0x44556677, 1), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemcpyDtoD_v2(other, at, 4096), CUDA_SUCCESS);
  EXPECT_EQ(read(other), 0x11111111U);
  EXPECT_EQ(read(other + 100), 0x22332233U);
  EXPECT_EQ(read(other + 104), 0x11111111U);
  EXPECT_EQ(read(other + 200), 0x44556677U);
  EXPECT_EQ(read(other + 4092), 0x11111111U);
  EXPECT_EQ(d.cuMemFree_v2(at), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemFree_v2(other), CUDA_SUCCESS);
}

TEST_F(MemoryRules, UnknownPointersAreSaidToBe) {
  int local = 0;
  const auto at = reinterpret_cast<CUdeviceptr>(&local);
  unsigned type = 77;
  int ordinal = 77;
  unsigned managed = 77;
  EXPECT_EQ(d.cuPointerGetAttribute(&type, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, at),
            CUDA_ERROR_INVALID_VALUE);
  CUpointer_attribute wanted[] = {CU_POINTER_ATTRIBUTE_MEMORY_TYPE,
                                  CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL,
                                  CU_POINTER_ATTRIBUTE_IS_MANAGED};
  void* values[] = {&type, &ordinal, &managed};
  EXPECT_EQ(d.cuPointerGetAttributes(3, wanted, values, at), CUDA_SUCCESS);
  EXPECT_EQ(type, 0U);
  EXPECT_EQ(ordinal, -2);
  EXPECT_EQ(managed, 0U);
}

TEST(ContextRules, WhatNeedsACurrentContextSaysSo) {
  const Driver& d = driver();
  ASSERT_EQ(d.cuInit(0), CUDA_SUCCESS);
  ASSERT_EQ(d.cuCtxSetCurrent(nullptr), CUDA_SUCCESS);
  CUdeviceptr at = 0;
  std::size_t free = 0;
  CUstream stream = nullptr;
  CUevent event = nullptr;
  CUdevice device = 0;
  CUcontext context = nullptr;
  unsigned long long id = 0;
  void* host = nullptr;
  EXPECT_EQ(d.cuMemAlloc_v2(&at, 100), CUDA_ERROR_INVALID_CONTEXT);
  EXPECT_EQ(d.cuMemAlloc_v2(&at, 0), CUDA_ERROR_INVALID_CONTEXT);
  EXPECT_EQ(d.cuMemGetInfo_v2(&free, &free), CUDA_ERROR_INVALID_CONTEXT);
  EXPECT_EQ(d.cuMemAllocHost_v2(&host, 100), CUDA_ERROR_INVALID_CONTEXT);
  EXPECT_EQ(d.cuStreamCreate(&stream, 0), CUDA_ERROR_INVALID_CONTEXT);
  EXPECT_EQ(d.cuEventCreate(&event, 0), CUDA_ERROR_INVALID_CONTEXT);
  EXPECT_EQ(d.cuCtxSynchronize(), CUDA_ERROR_INVALID_CONTEXT);
  EXPECT_EQ(d.cuCtxGetDevice(&device), CUDA_ERROR_INVALID_CONTEXT);
  EXPECT_EQ(d.cuCtxPopCurrent_v2(&context), CUDA_ERROR_INVALID_CONTEXT);
  EXPECT_EQ(d.cuStreamQuery(nullptr), CUDA_ERROR_INVALID_CONTEXT);
  EXPECT_EQ(d.cuStreamGetId(nullptr, &id), CUDA_ERROR_INVALID_CONTEXT);
  EXPECT_EQ(d.cuCtxGetCurrent(&context), CUDA_SUCCESS);
  EXPECT_EQ(context, nullptr);
}

TEST(ContextRules, VirtualMemoryNeedsNone) {
  const Driver& d = driver();
  ASSERT_EQ(d.cuInit(0), CUDA_SUCCESS);
  ASSERT_EQ(d.cuCtxSetCurrent(nullptr), CUDA_SUCCESS);
  const auto properties = device_memory();
  const auto access = read_write();
  CUdeviceptr at = 0;
  CUmemGenericAllocationHandle handle = 0;
  ASSERT_EQ(d.cuMemAddressReserve(&at, kChunk, 0, 0, 0), CUDA_SUCCESS);
  ASSERT_EQ(d.cuMemCreate(&handle, kChunk, &properties, 0), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemMap(at, kChunk, 0, handle, 0), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemSetAccess(at, kChunk, &access, 1), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemUnmap(at, kChunk), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemRelease(handle), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemAddressFree(at, kChunk), CUDA_SUCCESS);
}

TEST_F(MemoryRules, ObjectsKnowTheirContext) {
  const CUstream stream = make_stream();
  const CUevent event = make_event();
  CUdeviceptr at = 0;
  CUdeviceptr other = 0;
  ASSERT_EQ(d.cuMemAlloc_v2(&at, 100), CUDA_SUCCESS);
  ASSERT_EQ(d.cuCtxSetCurrent(nullptr), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemsetD8Async(at, 1, 100, stream), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemAllocAsync(&other, 100, stream), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemFreeAsync(other, stream), CUDA_SUCCESS);
  EXPECT_EQ(d.cuEventRecord(event, stream), CUDA_SUCCESS);
  EXPECT_EQ(d.cuStreamWaitEvent(stream, event, 0), CUDA_SUCCESS);
  EXPECT_EQ(d.cuEventSynchronize(event), CUDA_SUCCESS);
  EXPECT_EQ(d.cuStreamSynchronize(stream), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemFree_v2(at), CUDA_SUCCESS);
  EXPECT_EQ(d.cuEventDestroy_v2(event), CUDA_SUCCESS);
  EXPECT_EQ(d.cuStreamDestroy_v2(stream), CUDA_SUCCESS);
  ASSERT_EQ(d.cuCtxSetCurrent(context), CUDA_SUCCESS);
}

TEST_F(MemoryRules, ADestroyedContextTakesItsMemoryWithIt) {
  CUcontext other = nullptr;
  CUcontext current = nullptr;
  CUdeviceptr at = 0;
  ASSERT_EQ(d.cuCtxCreate_v2(&other, 0, 0), CUDA_SUCCESS);
  ASSERT_EQ(d.cuMemAlloc_v2(&at, 1000), CUDA_SUCCESS);
  const CUevent foreign = make_event();
  ASSERT_EQ(d.cuCtxSetCurrent(context), CUDA_SUCCESS);
  EXPECT_EQ(d.cuEventRecord(foreign, nullptr), CUDA_ERROR_INVALID_HANDLE);
  EXPECT_EQ(d.cuCtxDestroy_v2(other), CUDA_SUCCESS);
  EXPECT_EQ(d.cuCtxGetCurrent(&current), CUDA_SUCCESS);
  EXPECT_EQ(current, context);
  EXPECT_EQ(d.cuMemFree_v2(at), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuCtxDestroy_v2(context), CUDA_ERROR_INVALID_CONTEXT);  // a primary context
}

TEST(ContextRules, PrimaryContextsAreCountedAndReset) {
  const Driver& d = driver();
  ASSERT_EQ(d.cuInit(0), CUDA_SUCCESS);
  CUcontext context = nullptr;
  CUcontext again = nullptr;
  unsigned flags = 0;
  int active = 0;
  EXPECT_EQ(d.cuDevicePrimaryCtxRelease_v2(0), CUDA_ERROR_INVALID_CONTEXT);
  ASSERT_EQ(d.cuDevicePrimaryCtxRetain(&context, 0), CUDA_SUCCESS);
  ASSERT_EQ(d.cuDevicePrimaryCtxRetain(&again, 0), CUDA_SUCCESS);
  EXPECT_EQ(again, context);
  ASSERT_EQ(d.cuCtxSetCurrent(context), CUDA_SUCCESS);
  EXPECT_EQ(d.cuDevicePrimaryCtxReset_v2(0), CUDA_SUCCESS);
  EXPECT_EQ(d.cuDevicePrimaryCtxGetState(0, &flags, &active), CUDA_SUCCESS);
  EXPECT_EQ(active, 0);
  CUdeviceptr at = 0;
  EXPECT_EQ(d.cuMemAlloc_v2(&at, 10), CUDA_ERROR_CONTEXT_IS_DESTROYED);
  EXPECT_EQ(d.cuCtxSynchronize(), CUDA_ERROR_CONTEXT_IS_DESTROYED);
  EXPECT_EQ(d.cuDevicePrimaryCtxRelease_v2(0), CUDA_SUCCESS);
  EXPECT_EQ(d.cuDevicePrimaryCtxRelease_v2(0), CUDA_SUCCESS);
  EXPECT_EQ(d.cuDevicePrimaryCtxRelease_v2(0), CUDA_ERROR_INVALID_CONTEXT);
  ASSERT_EQ(d.cuDevicePrimaryCtxRetain(&again, 0), CUDA_SUCCESS);
  EXPECT_EQ(again, context);
  EXPECT_EQ(d.cuMemAlloc_v2(&at, 10), CUDA_SUCCESS);
  EXPECT_EQ(d.cuDevicePrimaryCtxRelease_v2(0), CUDA_SUCCESS);
  d.cuCtxSetCurrent(nullptr);
}

}  // namespace
}  // namespace gmlake::simcuda::test
