// What needs a process of its own: the time before cuInit, and primary contexts that go away.
#include "../driver.h"

namespace conformance {
namespace {

class BeforeInit : public testing::Test {
 protected:
  const Driver& d = driver();
};

class PrimaryContexts : public testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(d.cuInit(0), CUDA_SUCCESS); }
  CUcontext retain() {
    CUcontext context = nullptr;
    EXPECT_EQ(d.cuDevicePrimaryCtxRetain(&context, 0), CUDA_SUCCESS);
    EXPECT_EQ(d.cuCtxSetCurrent(context), CUDA_SUCCESS);
    return context;
  }
  void release() { EXPECT_EQ(d.cuDevicePrimaryCtxRelease_v2(0), CUDA_SUCCESS); }
  void reset() { EXPECT_EQ(d.cuDevicePrimaryCtxReset_v2(0), CUDA_SUCCESS); }
  bool active() {
    unsigned flags = 0;
    int now = -1;
    EXPECT_EQ(d.cuDevicePrimaryCtxGetState(0, &flags, &now), CUDA_SUCCESS);
    return now == 1;
  }
  CUresult allocate(CUdeviceptr* at) { return d.cuMemAlloc_v2(at, 1000); }

  const Driver& d = driver();
};

// [H 5189] "If cuInit() has not been called, any function ... will return
// CUDA_ERROR_NOT_INITIALIZED."
TEST_F(BeforeInit, NothingIsDone) {
  int count = 0;
  CUdevice device = 0;
  CUcontext context = nullptr;
  CUdeviceptr at = 0;
  EXPECT_EQ(d.cuDeviceGetCount(&count), CUDA_ERROR_NOT_INITIALIZED);
  EXPECT_EQ(d.cuDeviceGet(&device, 0), CUDA_ERROR_NOT_INITIALIZED);
  EXPECT_EQ(d.cuDevicePrimaryCtxRetain(&context, 0), CUDA_ERROR_NOT_INITIALIZED);
  EXPECT_EQ(d.cuCtxGetCurrent(&context), CUDA_ERROR_NOT_INITIALIZED);
  EXPECT_EQ(d.cuMemAlloc_v2(&at, 100), CUDA_ERROR_NOT_INITIALIZED);
}

// [H 5239] CUDA_SUCCESS or CUDA_ERROR_INVALID_VALUE: the version is told at any time.
TEST_F(BeforeInit, TheVersionIsTold) {
  int version = 0;
  EXPECT_EQ(d.cuDriverGetVersion(&version), CUDA_SUCCESS);
  EXPECT_GE(version, 12000);
}

// [H 5141] likewise the names of errors.
TEST_F(BeforeInit, ErrorsHaveNames) {
  const char* text = nullptr;
  EXPECT_EQ(d.cuGetErrorName(CUDA_ERROR_NOT_INITIALIZED, &text), CUDA_SUCCESS);
  EXPECT_STREQ(text, "CUDA_ERROR_NOT_INITIALIZED");
}

// [M] the runtime looks functions up before it initialises the driver.
TEST_F(BeforeInit, FunctionsAreFound) {
  void* function = nullptr;
  EXPECT_EQ(d.cuGetProcAddress_v2("cuInit", &function, 12000, 0, nullptr), CUDA_SUCCESS);
  EXPECT_EQ(function, dlsym(d.library, "cuInit"));
}

// [H 5908] "Releasing a primary context that has not been previously retained will fail with
// CUDA_ERROR_INVALID_CONTEXT."
TEST_F(PrimaryContexts, AreReleasedOnlyIfRetained) {
  EXPECT_EQ(d.cuDevicePrimaryCtxRelease_v2(0), CUDA_ERROR_INVALID_CONTEXT);
}

// [H 5853] "will be active ... until the user releases it"; [H 5903] with the last reference.
TEST_F(PrimaryContexts, AreActiveUntilTheLastRelease) {
  EXPECT_FALSE(active());
  retain();
  retain();
  EXPECT_TRUE(active());
  release();
  EXPECT_TRUE(active());
  release();
  EXPECT_FALSE(active());
}

// [H 6042] the flags "overwriting" earlier ones, for the context to come.
TEST_F(PrimaryContexts, TakeFlagsBeforehand) {
  EXPECT_EQ(d.cuDevicePrimaryCtxSetFlags_v2(0, CU_CTX_SCHED_BLOCKING_SYNC), CUDA_SUCCESS);
  retain();
  unsigned flags = 0;
  EXPECT_EQ(d.cuCtxGetFlags(&flags), CUDA_SUCCESS);
  EXPECT_EQ(flags & CU_CTX_SCHED_MASK, CU_CTX_SCHED_BLOCKING_SYNC);
  release();
}

// [H 6021] CUDA_ERROR_INVALID_VALUE: two ways to wait at once.
TEST_F(PrimaryContexts, TakeOneWayOfWaiting) {
  EXPECT_EQ(d.cuDevicePrimaryCtxSetFlags_v2(0, CU_CTX_SCHED_SPIN | CU_CTX_SCHED_YIELD),
            CUDA_ERROR_INVALID_VALUE);
}

// [H 6063] "Destroy all allocations and reset all state"; it stays current, and is destroyed.
TEST_F(PrimaryContexts, AreDestroyedByAReset) {
  retain();
  reset();
  EXPECT_FALSE(active());
  CUdeviceptr at = 0;
  EXPECT_EQ(allocate(&at), CUDA_ERROR_CONTEXT_IS_DESTROYED);
  EXPECT_EQ(d.cuCtxSynchronize(), CUDA_ERROR_CONTEXT_IS_DESTROYED);
  release();
}

// It stays current, and says of which device it is [M]; that it is dead it says when it is asked
// for memory or for its default stream.
TEST_F(PrimaryContexts, SayThatTheyAreDestroyed) {
  retain();
  reset();
  CUdevice device = -1;
  std::size_t free = 0;
  unsigned long long id = 0;
  CUdeviceptr at = 0;
  EXPECT_EQ(d.cuCtxGetDevice(&device), CUDA_SUCCESS);
  EXPECT_EQ(device, 0);
  EXPECT_EQ(d.cuMemGetInfo_v2(&free, &free), CUDA_ERROR_CONTEXT_IS_DESTROYED);
  EXPECT_EQ(d.cuStreamGetId(nullptr, &id), CUDA_ERROR_CONTEXT_IS_DESTROYED);
  EXPECT_EQ(d.cuMemAllocAsync(&at, 1000, nullptr), CUDA_ERROR_CONTEXT_IS_DESTROYED);
  release();
}

// Where it stayed current it is alive again when it comes back.
TEST_F(PrimaryContexts, AreAliveAgainWhereTheyStayedCurrent) {
  const CUcontext first = retain();
  reset();
  release();
  CUcontext again = nullptr;
  EXPECT_EQ(d.cuDevicePrimaryCtxRetain(&again, 0), CUDA_SUCCESS);
  EXPECT_EQ(again, first);
  CUdeviceptr at = 0;
  EXPECT_EQ(allocate(&at), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemFree_v2(at), CUDA_SUCCESS);
  release();
}

// [H 5903] "The context is automatically reset once the last reference to it is released."
TEST_F(PrimaryContexts, AreDestroyedByTheLastRelease) {
  retain();
  release();
  CUdeviceptr at = 0;
  EXPECT_EQ(allocate(&at), CUDA_ERROR_CONTEXT_IS_DESTROYED);
}

// [H 6073] "Resetting the primary context does not release it".
TEST_F(PrimaryContexts, AreReleasedAfterAReset) {
  retain();
  retain();
  reset();
  release();
  release();
  EXPECT_EQ(d.cuDevicePrimaryCtxRelease_v2(0), CUDA_ERROR_INVALID_CONTEXT);
}

// [M] the next one has the same handle, and works.
TEST_F(PrimaryContexts, ComeBack) {
  const CUcontext first = retain();
  reset();
  release();
  EXPECT_EQ(retain(), first);
  CUdeviceptr at = 0;
  EXPECT_EQ(allocate(&at), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemFree_v2(at), CUDA_SUCCESS);
  release();
}

// [H 6065] "all resources associated with the current device": memory of cuMemAlloc is gone.
TEST_F(PrimaryContexts, TakeTheirMemoryWithThem) {
  retain();
  CUdeviceptr at = 0;
  ASSERT_EQ(allocate(&at), CUDA_SUCCESS);
  reset();
  release();
  retain();
  EXPECT_EQ(d.cuMemFree_v2(at), CUDA_ERROR_INVALID_VALUE);
  release();
}

// [H 6299] memory of cuMemCreate belongs to no context, and stays.
TEST_F(PrimaryContexts, LeaveVirtualMemoryBehind) {
  retain();
  const auto properties = device_memory();
  const auto access = read_write();
  CUmemGenericAllocationHandle handle = 0;
  CUdeviceptr at = 0;
  std::uint32_t value = 4711;
  ASSERT_EQ(d.cuMemAddressReserve(&at, kChunk, 0, 0, 0), CUDA_SUCCESS);
  ASSERT_EQ(d.cuMemCreate(&handle, kChunk, &properties, 0), CUDA_SUCCESS);
  ASSERT_EQ(d.cuMemMap(at, kChunk, 0, handle, 0), CUDA_SUCCESS);
  ASSERT_EQ(d.cuMemSetAccess(at, kChunk, &access, 1), CUDA_SUCCESS);
  ASSERT_EQ(d.cuMemcpyHtoD_v2(at, &value, 4), CUDA_SUCCESS);
  ASSERT_EQ(d.cuCtxSynchronize(), CUDA_SUCCESS);
  reset();
  release();
  retain();
  value = 0;
  EXPECT_EQ(d.cuMemcpyDtoH_v2(&value, at, 4), CUDA_SUCCESS);
  EXPECT_EQ(value, 4711U);
  EXPECT_EQ(d.cuMemUnmap(at, kChunk), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemRelease(handle), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemAddressFree(at, kChunk), CUDA_SUCCESS);
  release();
}

}  // namespace
}  // namespace conformance
