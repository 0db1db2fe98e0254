// Green contexts: what is theirs, what is the primary context's, and how they end.
#include "../fixture.h"

namespace conformance {
namespace {

class GreenContexts : public DeviceTest {
 protected:
  // Of the whole device.
  CUgreenCtx make_green() {
    CUdevResource whole{};
    CUdevResourceDesc described = nullptr;
    CUgreenCtx made = nullptr;
    EXPECT_EQ(d.cuDeviceGetDevResource(0, &whole, CU_DEV_RESOURCE_TYPE_SM), CUDA_SUCCESS);
    EXPECT_EQ(d.cuDevResourceGenerateDesc(&described, &whole, 1), CUDA_SUCCESS);
    EXPECT_EQ(d.cuGreenCtxCreate(&made, described, 0, CU_GREEN_CTX_DEFAULT_STREAM), CUDA_SUCCESS);
    return made;
  }
  CUstream make_stream_of(CUgreenCtx green) {
    CUstream stream = nullptr;
    EXPECT_EQ(d.cuGreenCtxStreamCreate(&stream, green, CU_STREAM_NON_BLOCKING, 0), CUDA_SUCCESS);
    return stream;
  }
  CUcontext context_of(CUgreenCtx green) {
    CUcontext own = nullptr;
    EXPECT_EQ(d.cuCtxFromGreenCtx(&own, green), CUDA_SUCCESS);
    return own;
  }
};

// [H 15131] "the returned context is equivalent to the one returned by cuCtxFromGreenCtx()".
TEST_F(GreenContexts, AreKnownByTheirStreams) {
  const CUgreenCtx green = make_green();
  const CUstream stream = make_stream_of(green);
  CUcontext owner = nullptr;
  EXPECT_EQ(d.cuStreamGetCtx(stream, &owner), CUDA_SUCCESS);
  EXPECT_EQ(owner, context_of(green));
  EXPECT_EQ(context_of(green), owner) << "the same each time";
  EXPECT_EQ(d.cuStreamDestroy_v2(stream), CUDA_SUCCESS);
  EXPECT_EQ(d.cuGreenCtxDestroy(green), CUDA_SUCCESS);
}

// [H 24862] "any subsequent API calls involving these streams (including cuStreamDestroy) will
// return CUDA_ERROR_CONTEXT_IS_DESTROYED."
TEST_F(GreenContexts, TakeTheirStreamsWithThem) {
  const CUgreenCtx green = make_green();
  const CUstream stream = make_stream_of(green);
  EXPECT_EQ(d.cuGreenCtxDestroy(green), CUDA_SUCCESS);
  EXPECT_EQ(d.cuStreamQuery(stream), CUDA_ERROR_CONTEXT_IS_DESTROYED);
  EXPECT_EQ(d.cuStreamDestroy_v2(stream), CUDA_ERROR_CONTEXT_IS_DESTROYED);
}

// [H 24885] "a normal primary context but with the resources of the specified green context":
// memory is the primary context's, and stays.
TEST_F(GreenContexts, LeaveMemoryBehind) {
  const CUgreenCtx green = make_green();
  const CUstream stream = make_stream_of(green);
  CUdeviceptr plain = 0;
  CUdeviceptr ordered = 0;
  ASSERT_EQ(d.cuCtxPushCurrent_v2(context_of(green)), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemAlloc_v2(&plain, 1000), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemAllocAsync(&ordered, 1000, stream), CUDA_SUCCESS);
  EXPECT_EQ(d.cuStreamSynchronize(stream), CUDA_SUCCESS);
  EXPECT_EQ(d.cuCtxPopCurrent_v2(nullptr), CUDA_SUCCESS);
  EXPECT_EQ(d.cuStreamDestroy_v2(stream), CUDA_SUCCESS);
  EXPECT_EQ(d.cuGreenCtxDestroy(green), CUDA_SUCCESS);
  write(plain, 4711);
  EXPECT_EQ(read(plain), 4711U);
  EXPECT_EQ(d.cuMemFree_v2(plain), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemFree_v2(ordered), CUDA_SUCCESS);
}

// Events of the primary context are recorded on their streams, and the other way round.
TEST_F(GreenContexts, ShareEvents) {
  const CUgreenCtx green = make_green();
  const CUstream stream = make_stream_of(green);
  const CUevent event = make_event();
  EXPECT_EQ(d.cuEventRecord(event, stream), CUDA_SUCCESS);
  EXPECT_EQ(d.cuStreamWaitEvent(make_stream(), event, 0), CUDA_SUCCESS);
  EXPECT_EQ(d.cuEventSynchronize(event), CUDA_SUCCESS);
  EXPECT_EQ(d.cuStreamDestroy_v2(stream), CUDA_SUCCESS);
  EXPECT_EQ(d.cuGreenCtxDestroy(green), CUDA_SUCCESS);
}

// [H 6293] and they are no contexts to be destroyed as others are.
TEST_F(GreenContexts, AreNotDestroyedAsOthers) {
  const CUgreenCtx green = make_green();
  EXPECT_EQ(d.cuCtxDestroy_v2(context_of(green)), CUDA_ERROR_INVALID_CONTEXT);
  EXPECT_EQ(d.cuGreenCtxDestroy(green), CUDA_SUCCESS);
}

}  // namespace
}  // namespace conformance
