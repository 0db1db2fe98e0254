// The runtime's memory: allocation, copies, pools, pointers.
#include <vector>

#include "fixture.h"

namespace conformance {
namespace {

constexpr std::size_t kTooMuch = std::size_t{1} << 50;

class RuntimeMemory : public RuntimeTest {
 protected:
  cudaPointerAttributes attributes(const void* of) {
    cudaPointerAttributes found{};
    EXPECT_EQ(r.cudaPointerGetAttributes(&found, of), cudaSuccess);
    return found;
  }
  void* at = nullptr;
};

// [M] no bytes are no error, unlike for the driver.
TEST_F(RuntimeMemory, MayBeEmpty) {
  at = &at;
  EXPECT_EQ(r.cudaMalloc(&at, 0), cudaSuccess);
  EXPECT_EQ(at, nullptr);
}

// [HR 4567] cudaErrorMemoryAllocation.
TEST_F(RuntimeMemory, RunsOut) {
  EXPECT_EQ(r.cudaMalloc(&at, kTooMuch), cudaErrorMemoryAllocation);
}

// [HR 4575] cudaErrorInvalidValue.
TEST_F(RuntimeMemory, NeedsAPlaceForItsAddress) {
  EXPECT_EQ(r.cudaMalloc(nullptr, 100), cudaErrorInvalidValue);
}

// [HR 4729] "If devPtr is 0, no operation is performed."
TEST_F(RuntimeMemory, NullIsFreedWithoutError) {
  EXPECT_EQ(r.cudaFree(nullptr), cudaSuccess);
  EXPECT_EQ(r.cudaFreeHost(nullptr), cudaSuccess);
}

// [HR 4728] "if cudaFree(devPtr) has already been called before, an error is returned."
TEST_F(RuntimeMemory, IsFreedOnce) {
  ASSERT_EQ(r.cudaMalloc(&at, 1000), cudaSuccess);
  EXPECT_EQ(r.cudaFree(at), cudaSuccess);
  EXPECT_EQ(r.cudaFree(at), cudaErrorInvalidValue);
}

// [HR 5919 ff.] the kind of the copy.
TEST_F(RuntimeMemory, IsCopiedThereAndBack) {
  const std::vector<int> source(1000, 7);
  std::vector<int> back(1000);
  int* one = make_memory();
  int* two = make_memory();
  EXPECT_EQ(r.cudaMemcpy(one, source.data(), 4000, cudaMemcpyHostToDevice), cudaSuccess);
  EXPECT_EQ(r.cudaMemcpy(two, one, 4000, cudaMemcpyDeviceToDevice), cudaSuccess);
  EXPECT_EQ(r.cudaMemcpy(back.data(), two, 4000, cudaMemcpyDeviceToHost), cudaSuccess);
  EXPECT_EQ(back, source);
}

// [HR 5921] cudaMemcpyDefault: "the type of transfer is inferred from the pointer values."
TEST_F(RuntimeMemory, FindsTheDirectionOfACopy) {
  const int source = 7;
  int back = 0;
  int* device = make_memory();
  EXPECT_EQ(r.cudaMemcpy(device, &source, 4, cudaMemcpyDefault), cudaSuccess);
  EXPECT_EQ(r.cudaMemcpy(&back, device, 4, cudaMemcpyDefault), cudaSuccess);
  EXPECT_EQ(back, 7);
}

// [HR 5934] cudaErrorInvalidMemcpyDirection.
TEST_F(RuntimeMemory, IsCopiedInAKnownDirection) {
  int value = 0;
  EXPECT_EQ(r.cudaMemcpy(make_memory(), &value, 4, static_cast<cudaMemcpyKind>(7)),
            cudaErrorInvalidMemcpyDirection);
}

// [HR 6744 ff.] "each byte of the specified memory".
TEST_F(RuntimeMemory, IsFilled) {
  int* device = make_memory();
  EXPECT_EQ(r.cudaMemset(device, 1, 4000), cudaSuccess);
  EXPECT_EQ(read(device + 999), 0x01010101);
}

// [HR 4618 ff.] rows of a pitch, copied and filled as rectangles.
TEST_F(RuntimeMemory, IsCopiedInRows) {
  std::size_t pitch = 0;
  ASSERT_EQ(r.cudaMallocPitch(&at, &pitch, 100, 3), cudaSuccess);
  EXPECT_GE(pitch, 100U);
  std::vector<char> host(300, 5);
  EXPECT_EQ(r.cudaMemset2D(at, pitch, 1, 100, 3), cudaSuccess);
  EXPECT_EQ(r.cudaMemcpy2D(at, pitch, host.data(), 100, 50, 2, cudaMemcpyHostToDevice),
            cudaSuccess);
  EXPECT_EQ(r.cudaMemcpy2D(host.data(), 100, at, pitch, 100, 3, cudaMemcpyDeviceToHost),
            cudaSuccess);
  for (std::size_t i = 0; i < host.size(); ++i)
    ASSERT_EQ(host[i], i / 100 < 2 && i % 100 < 50 ? 5 : 1) << i;
  EXPECT_EQ(r.cudaFree(at), cudaSuccess);
}

// [HR 6007] "width must not exceed either dpitch or spitch": cudaErrorInvalidPitchValue, of a
// single row cudaErrorInvalidValue [M].
TEST_F(RuntimeMemory, IsCopiedInRowsThatFit) {
  std::vector<char> host(300);
  EXPECT_EQ(r.cudaMemcpy2D(make_memory(), 50, host.data(), 100, 100, 3, cudaMemcpyHostToDevice),
            cudaErrorInvalidPitchValue);
  EXPECT_EQ(r.cudaMemcpy2D(make_memory(), 50, host.data(), 100, 100, 1, cudaMemcpyHostToDevice),
            cudaErrorInvalidValue);
}

// [HR 4541] cudaErrorInvalidValue for another attachment. Nothing is allocated with success [M],
// where the header has an error too.
TEST_F(RuntimeMemory, ManagedIsForHostAndDevice) {
  EXPECT_EQ(r.cudaMallocManaged(&at, 0, cudaMemAttachGlobal), cudaSuccess);
  EXPECT_EQ(r.cudaMallocManaged(&at, 100, 0), cudaErrorInvalidValue);
  ASSERT_EQ(r.cudaMallocManaged(&at, 100, cudaMemAttachGlobal), cudaSuccess);
  EXPECT_EQ(r.cudaMemset(at, 7, 100), cudaSuccess);
  EXPECT_EQ(r.cudaDeviceSynchronize(), cudaSuccess);
  EXPECT_EQ(static_cast<char*>(at)[99], 7);
  EXPECT_EQ(r.cudaFree(at), cudaSuccess);
}

// [HR 5033] the device pointer of mapped host memory.
TEST_F(RuntimeMemory, PinnedHasADevicePointer) {
  void* device = nullptr;
  ASSERT_EQ(r.cudaHostAlloc(&at, 100, cudaHostAllocMapped), cudaSuccess);
  EXPECT_EQ(r.cudaHostGetDevicePointer(&device, at, 0), cudaSuccess);
  EXPECT_EQ(device, at);
  EXPECT_EQ(r.cudaFreeHost(at), cudaSuccess);
}

// [HR 4975, 4997] registered once, and unregistered once.
TEST_F(RuntimeMemory, IsRegisteredOnce) {
  std::vector<char> own(1 << 16);
  EXPECT_EQ(r.cudaHostRegister(own.data(), own.size(), cudaHostRegisterDefault), cudaSuccess);
  EXPECT_EQ(r.cudaHostRegister(own.data(), own.size(), cudaHostRegisterDefault),
            cudaErrorHostMemoryAlreadyRegistered);
  EXPECT_EQ(r.cudaHostUnregister(own.data()), cudaSuccess);
  EXPECT_EQ(r.cudaHostUnregister(own.data()), cudaErrorHostMemoryNotRegistered);
}

// [HR 8395 ff.] type and device of a pointer.
TEST_F(RuntimeMemory, KnowsItsPointers) {
  int* device = make_memory();
  EXPECT_EQ(attributes(device).type, cudaMemoryTypeDevice);
  EXPECT_EQ(attributes(device).device, 0);
  EXPECT_EQ(attributes(device).devicePointer, device);
  int* pinned = make_pinned();
  EXPECT_EQ(attributes(pinned).type, cudaMemoryTypeHost);
  EXPECT_EQ(attributes(pinned).hostPointer, pinned);
  ASSERT_EQ(r.cudaMallocManaged(&at, 100, cudaMemAttachGlobal), cudaSuccess);
  EXPECT_EQ(attributes(at).type, cudaMemoryTypeManaged);
  EXPECT_EQ(r.cudaFree(at), cudaSuccess);
}

// [HR 8385] since CUDA 11 an unknown pointer is no error, but cudaMemoryTypeUnregistered.
TEST_F(RuntimeMemory, KnowsWhichPointersAreNotItsOwn) {
  const int local = 0;
  EXPECT_EQ(attributes(&local).type, cudaMemoryTypeUnregistered);
}

// [HR 5727 ff.] free and total memory.
TEST_F(RuntimeMemory, IsMissingFromWhatIsFree) {
  std::size_t before = 0;
  std::size_t after = 0;
  std::size_t total = 0;
  ASSERT_EQ(r.cudaMemGetInfo(&before, &total), cudaSuccess);
  make_memory(256 << 20);
  ASSERT_EQ(r.cudaMemGetInfo(&after, &total), cudaSuccess);
  EXPECT_LE(after + (256 << 20), before);
  EXPECT_LE(before, total);
}

// [HR 7805 ff.] in stream order.
TEST_F(RuntimeMemory, InStreamOrderIsUsedByItsStream) {
  cudaStream_t stream = make_stream();
  int* value = make_pinned();
  ASSERT_EQ(r.cudaMallocAsync(&at, 1000, stream), cudaSuccess);
  EXPECT_EQ(r.cudaMemsetAsync(at, 5, 1000, stream), cudaSuccess);
  EXPECT_EQ(r.cudaMemcpyAsync(value, at, 4, cudaMemcpyDeviceToHost, stream), cudaSuccess);
  EXPECT_EQ(r.cudaFreeAsync(at, stream), cudaSuccess);
  EXPECT_EQ(r.cudaStreamSynchronize(stream), cudaSuccess);
  EXPECT_EQ(*value, 0x05050505);
}

// [HR 4720] cudaFree takes it too.
TEST_F(RuntimeMemory, InStreamOrderIsFreedPlainly) {
  ASSERT_EQ(r.cudaMallocAsync(&at, 1000, nullptr), cudaSuccess);
  EXPECT_EQ(r.cudaFree(at), cudaSuccess);
}

// [HR 7984 ff.] pools: made, allocated from, trimmed.
TEST_F(RuntimeMemory, ComesFromAPool) {
  cudaStream_t stream = make_stream();
  cudaMemPoolProps properties{};
  properties.allocType = cudaMemAllocationTypePinned;
  properties.location = {cudaMemLocationTypeDevice, 0};
  cudaMemPool_t pool = nullptr;
  ASSERT_EQ(r.cudaMemPoolCreate(&pool, &properties), cudaSuccess);
  std::uint64_t bytes = ~std::uint64_t{0};
  EXPECT_EQ(r.cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &bytes), cudaSuccess);
  ASSERT_EQ(r.cudaMallocFromPoolAsync(&at, 1 << 20, pool, stream), cudaSuccess);
  EXPECT_EQ(r.cudaMemPoolGetAttribute(pool, cudaMemPoolAttrUsedMemCurrent, &bytes), cudaSuccess);
  EXPECT_EQ(bytes, 1U << 20);
  EXPECT_EQ(r.cudaFreeAsync(at, stream), cudaSuccess);
  EXPECT_EQ(r.cudaStreamSynchronize(stream), cudaSuccess);
  EXPECT_EQ(r.cudaMemPoolTrimTo(pool, 0), cudaSuccess);
  EXPECT_EQ(r.cudaMemPoolGetAttribute(pool, cudaMemPoolAttrReservedMemCurrent, &bytes),
            cudaSuccess);
  EXPECT_EQ(bytes, 0U);
  EXPECT_EQ(r.cudaMemPoolDestroy(pool), cudaSuccess);
}

// [HR 1409] the current pool starts as the default one.
TEST_F(RuntimeMemory, ComesFromTheDefaultPool) {
  cudaMemPool_t standard = nullptr;
  cudaMemPool_t current = nullptr;
  EXPECT_EQ(r.cudaDeviceGetDefaultMemPool(&standard, 0), cudaSuccess);
  EXPECT_EQ(r.cudaDeviceGetMemPool(&current, 0), cudaSuccess);
  EXPECT_EQ(current, standard);
  EXPECT_NE(standard, nullptr);
}

}  // namespace
}  // namespace conformance
