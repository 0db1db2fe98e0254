// Errors that a context does not get over: memory that is gone when the work's turn comes.
#include "../driver.h"

namespace conformance {
namespace {

class BrokenContexts : public testing::Test {
 protected:
  void SetUp() override {
    const auto properties = device_memory();
    const auto access = read_write();
    ASSERT_EQ(d.cuInit(0), CUDA_SUCCESS);
    ASSERT_EQ(d.cuDevicePrimaryCtxRetain(&context, 0), CUDA_SUCCESS);
    ASSERT_EQ(d.cuCtxSetCurrent(context), CUDA_SUCCESS);
    ASSERT_EQ(d.cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING), CUDA_SUCCESS);
    ASSERT_EQ(d.cuMemAddressReserve(&at, kChunk, 0, 0, 0), CUDA_SUCCESS);
    ASSERT_EQ(d.cuMemCreate(&handle, kChunk, &properties, 0), CUDA_SUCCESS);
    ASSERT_EQ(d.cuMemMap(at, kChunk, 0, handle, 0), CUDA_SUCCESS);
    ASSERT_EQ(d.cuMemSetAccess(at, kChunk, &access, 1), CUDA_SUCCESS);
    ASSERT_EQ(d.cuMemsetD32_v2(at, 0, kChunk / 4), CUDA_SUCCESS);
    ASSERT_EQ(d.cuCtxSynchronize(), CUDA_SUCCESS);
  }
  // [M] cuMemUnmap does not wait for work: unmapped under it, memory breaks the context.
  void fill_what_is_gone() {
    Gate gate(stream);
    ASSERT_EQ(d.cuMemsetD32Async(at, 1, kChunk / 4, stream), CUDA_SUCCESS);
    ASSERT_EQ(d.cuMemUnmap(at, kChunk), CUDA_SUCCESS);
  }
  const Driver& d = driver();
  CUcontext context = nullptr;
  CUstream stream = nullptr;
  CUmemGenericAllocationHandle handle = 0;
  CUdeviceptr at = 0;
};

// [H 2831] "The device encountered a load or store instruction on an invalid memory address."
TEST_F(BrokenContexts, SayWhatBrokeThem) {
  fill_what_is_gone();
  EXPECT_EQ(d.cuStreamSynchronize(stream), CUDA_ERROR_ILLEGAL_ADDRESS);
}

// [H 2833] "any further CUDA work will return the same error."
TEST_F(BrokenContexts, SayItToEveryCall) {
  fill_what_is_gone();
  EXPECT_EQ(d.cuStreamSynchronize(stream), CUDA_ERROR_ILLEGAL_ADDRESS);
  CUdeviceptr more = 0;
  EXPECT_EQ(d.cuMemAlloc_v2(&more, 100), CUDA_ERROR_ILLEGAL_ADDRESS);
  EXPECT_EQ(d.cuCtxSynchronize(), CUDA_ERROR_ILLEGAL_ADDRESS);
  EXPECT_EQ(d.cuStreamQuery(stream), CUDA_ERROR_ILLEGAL_ADDRESS);
}

// [H 2833] also in other threads.
TEST_F(BrokenContexts, SayItToEveryThread) {
  fill_what_is_gone();
  EXPECT_EQ(d.cuStreamSynchronize(stream), CUDA_ERROR_ILLEGAL_ADDRESS);
  std::thread([&] {
    EXPECT_EQ(d.cuCtxSetCurrent(context), CUDA_SUCCESS);
    EXPECT_EQ(d.cuCtxSynchronize(), CUDA_ERROR_ILLEGAL_ADDRESS);
  }).join();
}

// [H 15284] a callback is told: "In the event of a device error, all subsequently executed
// callbacks will receive an appropriate CUresult."
TEST_F(BrokenContexts, TellCallbacks) {
  std::atomic<int> told{-1};
  {
    Gate gate(stream);
    ASSERT_EQ(d.cuMemsetD32Async(at, 1, kChunk / 4, stream), CUDA_SUCCESS);
    ASSERT_EQ(d.cuStreamAddCallback(
                  stream,
                  [](CUstream, CUresult status, void* data) {
                    *static_cast<std::atomic<int>*>(data) = status;
                  },
                  &told, 0),
              CUDA_SUCCESS);
    ASSERT_EQ(d.cuMemUnmap(at, kChunk), CUDA_SUCCESS);
  }
  EXPECT_EQ(d.cuStreamSynchronize(stream), CUDA_ERROR_ILLEGAL_ADDRESS);
  for (int i = 0; i < 1000 && told == -1; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  EXPECT_EQ(told, CUDA_ERROR_ILLEGAL_ADDRESS);
}

// [H 18101] and a host function "will not be called in the event of an error".
TEST_F(BrokenContexts, RunNoHostFunctions) {
  std::atomic<bool> called{false};
  {
    Gate gate(stream);
    ASSERT_EQ(d.cuMemsetD32Async(at, 1, kChunk / 4, stream), CUDA_SUCCESS);
    ASSERT_EQ(
        d.cuLaunchHostFunc(
            stream, [](void* data) { *static_cast<std::atomic<bool>*>(data) = true; }, &called),
        CUDA_SUCCESS);
    ASSERT_EQ(d.cuMemUnmap(at, kChunk), CUDA_SUCCESS);
  }
  EXPECT_EQ(d.cuStreamSynchronize(stream), CUDA_ERROR_ILLEGAL_ADDRESS);
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_FALSE(called);
}

}  // namespace
}  // namespace conformance
