// Advice about managed memory, its prefetching and attachment, as they can be read back; and host
// memory a program registers. Two devices.
#include <sys/mman.h>
#include <array>

#include "driver.h"

namespace gmlake::simcuda::test {
namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kSize = 16 * kPage;
constexpr CUmemLocation kHost{CU_MEM_LOCATION_TYPE_HOST, 0};
constexpr CUmemLocation device_place(int device) {
  return {CU_MEM_LOCATION_TYPE_DEVICE, device};
}

[[maybe_unused]] const bool kSettings =
    setenv("SIMCUDA_MEMORY", "64MiB", 1) == 0 && setenv("SIMCUDA_DEVICES", "2", 1) == 0;

class Managed : public DeviceTest {
 protected:
  void SetUp() override {
    DeviceTest::SetUp();
    ASSERT_EQ(d.cuMemAllocManaged(&at, kSize, CU_MEM_ATTACH_GLOBAL), CUDA_SUCCESS);
  }
  void TearDown() override {
    EXPECT_EQ(d.cuMemFree_v2(at), CUDA_SUCCESS);
    DeviceTest::TearDown();
  }
  int ask(CUmem_range_attribute attribute, CUdeviceptr where, std::size_t size) {
    int value = -77;
    EXPECT_EQ(d.cuMemRangeGetAttribute(&value, sizeof value, attribute, where, size), CUDA_SUCCESS);
    return value;
  }
  int ask(CUmem_range_attribute attribute) { return ask(attribute, at, kSize); }
  CUdeviceptr at = 0;
};

TEST_F(Managed, AdviceIsReadBackForTheWholeRangeOnly) {
  EXPECT_EQ(ask(CU_MEM_RANGE_ATTRIBUTE_READ_MOSTLY), 0);
  EXPECT_EQ(d.cuMemAdvise_v2(at, kSize, CU_MEM_ADVISE_SET_READ_MOSTLY, kHost), CUDA_SUCCESS);
  EXPECT_EQ(ask(CU_MEM_RANGE_ATTRIBUTE_READ_MOSTLY), 1);
  EXPECT_EQ(d.cuMemAdvise_v2(at + kPage, kPage, CU_MEM_ADVISE_UNSET_READ_MOSTLY, kHost),
            CUDA_SUCCESS);
  EXPECT_EQ(ask(CU_MEM_RANGE_ATTRIBUTE_READ_MOSTLY), 0);
  EXPECT_EQ(ask(CU_MEM_RANGE_ATTRIBUTE_READ_MOSTLY, at, kPage), 1);
  EXPECT_EQ(ask(CU_MEM_RANGE_ATTRIBUTE_READ_MOSTLY, at + 2 * kPage, kSize - 2 * kPage), 1);
}

TEST_F(Managed, APreferredLocationIsADeviceOrTheHost) {
  EXPECT_EQ(ask(CU_MEM_RANGE_ATTRIBUTE_PREFERRED_LOCATION), CU_DEVICE_INVALID);
  constexpr auto kSet = CU_MEM_ADVISE_SET_PREFERRED_LOCATION;
  EXPECT_EQ(d.cuMemAdvise_v2(at, kSize, kSet, device_place(1)), CUDA_SUCCESS);
  EXPECT_EQ(ask(CU_MEM_RANGE_ATTRIBUTE_PREFERRED_LOCATION), 1);
  EXPECT_EQ(ask(CU_MEM_RANGE_ATTRIBUTE_PREFERRED_LOCATION_TYPE), CU_MEM_LOCATION_TYPE_DEVICE);
  EXPECT_EQ(ask(CU_MEM_RANGE_ATTRIBUTE_PREFERRED_LOCATION_ID), 1);
  EXPECT_EQ(d.cuMemAdvise_v2(at, kPage, kSet, kHost), CUDA_SUCCESS);
  EXPECT_EQ(ask(CU_MEM_RANGE_ATTRIBUTE_PREFERRED_LOCATION, at, kPage), CU_DEVICE_CPU);
  EXPECT_EQ(ask(CU_MEM_RANGE_ATTRIBUTE_PREFERRED_LOCATION), CU_DEVICE_INVALID);
  EXPECT_EQ(d.cuMemAdvise_v2(at, kSize, kSet, device_place(9)), CUDA_ERROR_INVALID_DEVICE);
  EXPECT_EQ(d.cuMemAdvise_v2(at, kSize, kSet, {CU_MEM_LOCATION_TYPE_INVALID, 0}),
            CUDA_ERROR_INVALID_VALUE);
  // The first form names a device.
  const auto first = d.cuMemAdvise;
  EXPECT_EQ(first(at, kSize, kSet, 0), CUDA_SUCCESS);
  EXPECT_EQ(ask(CU_MEM_RANGE_ATTRIBUTE_PREFERRED_LOCATION), 0);
}

TEST_F(Managed, ThoseWhoAccessItAreListed) {
  EXPECT_EQ(d.cuMemAdvise_v2(at, kSize, CU_MEM_ADVISE_SET_ACCESSED_BY, device_place(1)),
            CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemAdvise_v2(at, kPage, CU_MEM_ADVISE_SET_ACCESSED_BY, device_place(0)),
            CUDA_SUCCESS);
  std::array<int, 3> ids{};
  constexpr auto kWho = CU_MEM_RANGE_ATTRIBUTE_ACCESSED_BY;
  EXPECT_EQ(d.cuMemRangeGetAttribute(ids.data(), sizeof ids, kWho, at, kSize), CUDA_SUCCESS);
  EXPECT_EQ(ids, (std::array<int, 3>{1, CU_DEVICE_INVALID, CU_DEVICE_INVALID}));
  EXPECT_EQ(d.cuMemRangeGetAttribute(ids.data(), sizeof ids, kWho, at, kPage), CUDA_SUCCESS);
  EXPECT_EQ(ids, (std::array<int, 3>{0, 1, CU_DEVICE_INVALID}));
  EXPECT_EQ(d.cuMemRangeGetAttribute(ids.data(), 6, kWho, at, kSize), CUDA_ERROR_INVALID_VALUE);
}

TEST_F(Managed, ThePlaceOfTheLastPrefetchIsKnown) {
  const CUstream stream = make_stream();
  EXPECT_EQ(ask(CU_MEM_RANGE_ATTRIBUTE_LAST_PREFETCH_LOCATION), CU_DEVICE_INVALID);
  EXPECT_EQ(d.cuMemPrefetchAsync_v2(at, kSize, device_place(1), 0, stream), CUDA_SUCCESS);
  EXPECT_EQ(ask(CU_MEM_RANGE_ATTRIBUTE_LAST_PREFETCH_LOCATION), 1);
  EXPECT_EQ(d.cuMemPrefetchAsync(at, kSize, CU_DEVICE_CPU, stream), CUDA_SUCCESS);
  EXPECT_EQ(ask(CU_MEM_RANGE_ATTRIBUTE_LAST_PREFETCH_LOCATION), CU_DEVICE_CPU);
  EXPECT_EQ(ask(CU_MEM_RANGE_ATTRIBUTE_LAST_PREFETCH_LOCATION_TYPE), CU_MEM_LOCATION_TYPE_HOST);
  EXPECT_EQ(d.cuMemPrefetchAsync_v2(at, kSize, kHost, 1, stream), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemPrefetchAsync_v2(at, kSize + 1, kHost, 0, stream), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuStreamSynchronize(stream), CUDA_SUCCESS);
}

TEST_F(Managed, AttributesAreAskedTogetherAndChecked) {
  int mostly = -1;
  int preferred = -1;
  void* data[] = {&mostly, &preferred};
  std::size_t sizes[] = {sizeof(int), sizeof(int)};
  CUmem_range_attribute wanted[] = {CU_MEM_RANGE_ATTRIBUTE_READ_MOSTLY,
                                    CU_MEM_RANGE_ATTRIBUTE_PREFERRED_LOCATION};
  EXPECT_EQ(d.cuMemRangeGetAttributes(data, sizes, wanted, 2, at, kSize), CUDA_SUCCESS);
  EXPECT_EQ(mostly, 0);
  EXPECT_EQ(preferred, CU_DEVICE_INVALID);
  sizes[1] = 8;
  EXPECT_EQ(d.cuMemRangeGetAttributes(data, sizes, wanted, 2, at, kSize), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemRangeGetAttributes(data, sizes, wanted, 0, at, kSize), CUDA_ERROR_INVALID_VALUE);
  CUdeviceptr native = 0;
  ASSERT_EQ(d.cuMemAlloc_v2(&native, kPage), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemRangeGetAttribute(&mostly, sizeof mostly, CU_MEM_RANGE_ATTRIBUTE_READ_MOSTLY,
                                     native, kPage),
            CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemFree_v2(native), CUDA_SUCCESS);
}

TEST_F(Managed, AttachmentIsOfTheWholeBlockToAStreamOfItsOwn) {
  const CUstream stream = make_stream();
  EXPECT_EQ(d.cuStreamAttachMemAsync(stream, at, 0, CU_MEM_ATTACH_SINGLE), CUDA_SUCCESS);
  EXPECT_EQ(d.cuStreamAttachMemAsync(stream, at, kSize, CU_MEM_ATTACH_GLOBAL), CUDA_SUCCESS);
  EXPECT_EQ(d.cuStreamAttachMemAsync(nullptr, at, 0, CU_MEM_ATTACH_HOST), CUDA_SUCCESS);
  EXPECT_EQ(d.cuStreamAttachMemAsync(nullptr, at, 0, CU_MEM_ATTACH_SINGLE),
            CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuStreamAttachMemAsync(stream, at, kPage, CU_MEM_ATTACH_SINGLE),
            CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuStreamAttachMemAsync(stream, at, 0, 7), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuStreamAttachMemAsync(stream, 0x1000, 0, CU_MEM_ATTACH_GLOBAL),
            CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuStreamSynchronize(stream), CUDA_SUCCESS);
  EXPECT_EQ(d.cuStreamSynchronize(nullptr), CUDA_SUCCESS);
}

TEST_F(Managed, OnlyMappedMemoryOfTheProgramIsRegistered) {
  auto* pages = static_cast<char*>(
      mmap(nullptr, 4 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  ASSERT_EQ(munmap(pages + 2 * kPage, kPage), 0);
  EXPECT_EQ(d.cuMemHostRegister_v2(pages, 4 * kPage, 0), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemHostRegister_v2(pages, 2 * kPage, 0), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemHostRegister_v2(pages + kPage, kPage, 0),
            CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED);
  EXPECT_EQ(d.cuMemHostRegister_v2(pages + 3 * kPage, kPage, CU_MEMHOSTREGISTER_READ_ONLY),
            CUDA_ERROR_NOT_SUPPORTED);
  EXPECT_EQ(d.cuMemHostRegister_v2(reinterpret_cast<void*>(at), kPage, 0),
            CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED);
  CUdeviceptr native = 0;
  ASSERT_EQ(d.cuMemAlloc_v2(&native, kPage), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemHostRegister_v2(reinterpret_cast<void*>(native), kPage, 0),
            CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemFree_v2(native), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemHostUnregister(pages), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemHostUnregister(pages), CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED);
  munmap(pages, 4 * kPage);
}

}  // namespace
}  // namespace gmlake::simcuda::test
