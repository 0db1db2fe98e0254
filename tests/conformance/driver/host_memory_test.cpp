// Page-locked host memory: allocated by the driver, or the program's own, registered.
#include <sys/mman.h>

#include "../fixture.h"

namespace conformance {
namespace {

constexpr std::size_t kSize = 1 << 20;

class HostMemory : public DeviceTest {
 protected:
  // A program's own memory, on pages of its own.
  void* make_pages() {
    void* pages = mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    EXPECT_NE(pages, MAP_FAILED);
    later([pages] { munmap(pages, kSize); });
    return pages;
  }
  void* make_registered(unsigned flags = 0) {
    void* pages = make_pages();
    EXPECT_EQ(d.cuMemHostRegister_v2(pages, kSize, flags), CUDA_SUCCESS);
    later([this, pages] { EXPECT_EQ(d.cuMemHostUnregister(pages), CUDA_SUCCESS); });
    return pages;
  }
  unsigned type_of(const void* at, CUresult expected = CUDA_SUCCESS) {
    unsigned type = 0;
    EXPECT_EQ(d.cuPointerGetAttribute(&type, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, address(at)),
              expected);
    return type;
  }
};

// [H 8747] "host memory that is page-locked and accessible to the device."
TEST_F(HostMemory, IsKnownToBeHostMemory) {
  EXPECT_EQ(type_of(make_pinned()), CU_MEMORYTYPE_HOST);
}

// [M] no bytes are no error.
TEST_F(HostMemory, MayBeEmpty) {
  void* host = &host;
  EXPECT_EQ(d.cuMemHostAlloc(&host, 0, 0), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemFreeHost(host), CUDA_SUCCESS);
}

// [H 8843] three flags.
TEST_F(HostMemory, KnowsThreeFlags) {
  void* host = nullptr;
  EXPECT_EQ(d.cuMemHostAlloc(&host, 10, 0x100), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemHostAlloc(nullptr, 10, 0), CUDA_ERROR_INVALID_VALUE);
  ASSERT_EQ(d.cuMemHostAlloc(&host, 10, CU_MEMHOSTALLOC_PORTABLE | CU_MEMHOSTALLOC_DEVICEMAP),
            CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemFreeHost(host), CUDA_SUCCESS);
}

// [H 8798] the pointer "must have been returned by a previous call".
TEST_F(HostMemory, IsFreedOnlyIfItIsPinned) {
  int local = 0;
  EXPECT_EQ(d.cuMemFreeHost(&local), CUDA_ERROR_INVALID_VALUE);
}

// [M] nothing is freed by a null pointer.
TEST_F(HostMemory, NullIsFreedWithoutError) {
  EXPECT_EQ(d.cuMemFreeHost(nullptr), CUDA_SUCCESS);
}

// [H 8765] the device pointer "is always equal to the returned host pointer".
TEST_F(HostMemory, HasTheSameAddressOnTheDevice) {
  const void* host = make_pinned();
  CUdeviceptr at = 0;
  EXPECT_EQ(d.cuMemHostGetDevicePointer_v2(&at, const_cast<void*>(host), 0), CUDA_SUCCESS);
  EXPECT_EQ(at, address(host));
}

// [H 8936] "Options (must be 0)"; and only mapped memory has a device pointer.
TEST_F(HostMemory, HasADevicePointerIfItIsMapped) {
  CUdeviceptr at = 0;
  int local = 0;
  EXPECT_EQ(d.cuMemHostGetDevicePointer_v2(&at, make_pinned(), 1), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemHostGetDevicePointer_v2(&at, &local, 0), CUDA_ERROR_INVALID_VALUE);
}

// [H 8964] "the flags ... that were specified when allocating".
TEST_F(HostMemory, KnowsItsFlags) {
  void* host = nullptr;
  ASSERT_EQ(d.cuMemHostAlloc(&host, 10, CU_MEMHOSTALLOC_PORTABLE | CU_MEMHOSTALLOC_DEVICEMAP),
            CUDA_SUCCESS);
  unsigned flags = 0;
  EXPECT_EQ(d.cuMemHostGetFlags(&flags, host), CUDA_SUCCESS);
  EXPECT_EQ(flags, CU_MEMHOSTALLOC_PORTABLE | CU_MEMHOSTALLOC_DEVICEMAP);
  EXPECT_EQ(d.cuMemFreeHost(host), CUDA_SUCCESS);
  int local = 0;
  EXPECT_EQ(d.cuMemHostGetFlags(&flags, &local), CUDA_ERROR_INVALID_VALUE);
}

// [API, API synchronization behavior] an asynchronous copy reads pinned memory at its turn.
TEST_F(HostMemory, IsReadWhenTheCopyRuns) {
  const CUstream stream = make_stream();
  const CUdeviceptr at = make_memory(4);
  std::uint32_t* source = make_pinned();
  *source = 5;
  {
    Gate gate(stream);
    ASSERT_EQ(d.cuMemcpyHtoDAsync_v2(at, source, 4, stream), CUDA_SUCCESS);
    *source = 6;
  }
  EXPECT_EQ(d.cuStreamSynchronize(stream), CUDA_SUCCESS);
  EXPECT_EQ(read(at), 6U);
}

// [H 8747] the device writes it.
TEST_F(HostMemory, IsWrittenByTheDevice) {
  const CUstream stream = make_stream();
  std::uint32_t* value = make_pinned(8);
  EXPECT_EQ(d.cuMemsetD32Async(address(value), 9, 8, stream), CUDA_SUCCESS);
  EXPECT_EQ(d.cuStreamSynchronize(stream), CUDA_SUCCESS);
  EXPECT_EQ(value[7], 9U);
}

// [H 9455] "Page-locks the memory range ... and maps it for the device(s)".
TEST_F(HostMemory, RegisteredIsHostMemory) {
  EXPECT_EQ(type_of(make_registered()), CU_MEMORYTYPE_HOST);
}

// [H 9456] its bytes are those of the program.
TEST_F(HostMemory, RegisteredIsCopied) {
  const CUstream stream = make_stream();
  auto* own = static_cast<std::uint32_t*>(make_registered());
  const CUdeviceptr at = make_memory(4);
  *own = 5;
  {
    Gate gate(stream);
    ASSERT_EQ(d.cuMemcpyHtoDAsync_v2(at, own, 4, stream), CUDA_SUCCESS);
    *own = 6;  // pinned: read at its turn
  }
  EXPECT_EQ(d.cuStreamSynchronize(stream), CUDA_SUCCESS);
  EXPECT_EQ(read(at), 6U);
}

// [H 9478] "The device pointer to the memory may be obtained by calling
// cuMemHostGetDevicePointer()."
TEST_F(HostMemory, RegisteredHasADevicePointer) {
  auto* own = static_cast<std::uint32_t*>(make_registered(CU_MEMHOSTREGISTER_DEVICEMAP));
  CUdeviceptr at = 0;
  ASSERT_EQ(d.cuMemHostGetDevicePointer_v2(&at, own, 0), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemsetD32_v2(at, 3, 1), CUDA_SUCCESS);
  EXPECT_EQ(d.cuCtxSynchronize(), CUDA_SUCCESS);
  EXPECT_EQ(*own, 3U);
}

// [H 9528, 9530] CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED.
TEST_F(HostMemory, IsRegisteredOnce) {
  EXPECT_EQ(d.cuMemHostRegister_v2(make_registered(), kSize, 0),
            CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED);
}

// [H 9528] CUDA_ERROR_INVALID_VALUE.
TEST_F(HostMemory, IsRegisteredWithASizeAndKnownFlags) {
  void* pages = make_pages();
  EXPECT_EQ(d.cuMemHostRegister_v2(pages, 0, 0), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemHostRegister_v2(nullptr, kSize, 0), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemHostRegister_v2(pages, kSize, 0x100), CUDA_ERROR_INVALID_VALUE);
}

// [H 9560] CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED.
TEST_F(HostMemory, IsUnregisteredIfItWasRegistered) {
  EXPECT_EQ(d.cuMemHostUnregister(make_pages()), CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED);
}

// [H 9549] "The base address must be the same one specified to cuMemHostRegister()."
TEST_F(HostMemory, IsUnregisteredByItsFirstAddress) {
  auto* own = static_cast<char*>(make_registered());
  EXPECT_NE(d.cuMemHostUnregister(own + 4096), CUDA_SUCCESS);
}

// [H 9546] "and makes it pageable again."
TEST_F(HostMemory, IsUnknownOnceUnregistered) {
  void* pages = make_pages();
  ASSERT_EQ(d.cuMemHostRegister_v2(pages, kSize, 0), CUDA_SUCCESS);
  ASSERT_EQ(d.cuMemHostUnregister(pages), CUDA_SUCCESS);
  type_of(pages, CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemHostRegister_v2(pages, kSize, 0), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemHostUnregister(pages), CUDA_SUCCESS);
}

// [H 8798, 9516] each is given back in its own way.
TEST_F(HostMemory, RegisteredIsNotFreed) {
  EXPECT_EQ(d.cuMemFreeHost(make_registered()), CUDA_ERROR_INVALID_VALUE);
}

}  // namespace
}  // namespace conformance
