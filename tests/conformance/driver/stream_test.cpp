// Streams: how they are made, what they tell about themselves, how they end.
#include <set>

#include "../fixture.h"

namespace conformance {
namespace {

class Streams : public DeviceTest {
 protected:
  unsigned long long id(CUstream stream) {
    unsigned long long value = 0;
    EXPECT_EQ(d.cuStreamGetId(stream, &value), CUDA_SUCCESS);
    return value;
  }
  int priority(CUstream stream) {
    int value = 99;
    EXPECT_EQ(d.cuStreamGetPriority(stream, &value), CUDA_SUCCESS);
    return value;
  }
  CUstream make_with_priority(int wanted) {
    CUstream stream = nullptr;
    EXPECT_EQ(d.cuStreamCreateWithPriority(&stream, CU_STREAM_NON_BLOCKING, wanted), CUDA_SUCCESS);
    later([this, stream] { EXPECT_EQ(d.cuStreamDestroy_v2(stream), CUDA_SUCCESS); });
    return stream;
  }
};

// [H 14918] "Valid values for Flags".
TEST_F(Streams, KnowTwoFlags) {
  CUstream none = nullptr;
  EXPECT_EQ(d.cuStreamCreate(&none, 2), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuStreamCreateWithPriority(&none, 2, 0), CUDA_ERROR_INVALID_VALUE);
}

// [H 14932] CUDA_ERROR_INVALID_VALUE without a place for the handle.
TEST_F(Streams, NeedAPlaceForTheHandle) {
  EXPECT_EQ(d.cuStreamCreate(nullptr, 0), CUDA_ERROR_INVALID_VALUE);
}

// [H 15070] "a logical 'OR' of all flags that were used while creating this stream."
TEST_F(Streams, KnowTheirFlags) {
  unsigned flags = 99;
  EXPECT_EQ(d.cuStreamGetFlags(make_stream(CU_STREAM_NON_BLOCKING), &flags), CUDA_SUCCESS);
  EXPECT_EQ(flags, CU_STREAM_NON_BLOCKING);
  EXPECT_EQ(d.cuStreamGetFlags(make_stream(CU_STREAM_DEFAULT), &flags), CUDA_SUCCESS);
  EXPECT_EQ(flags, CU_STREAM_DEFAULT);
}

// [H 14961] "'0' represents default priority."
TEST_F(Streams, HaveTheDefaultPriority) {
  EXPECT_EQ(priority(make_stream()), 0);
}

// [H 14963] outside the range "it will automatically be clamped".
TEST_F(Streams, ClampTheirPriority) {
  int least = 99;
  int greatest = 99;
  ASSERT_EQ(d.cuCtxGetStreamPriorityRange(&least, &greatest), CUDA_SUCCESS);
  EXPECT_EQ(priority(make_with_priority(1000)), least);
  EXPECT_EQ(priority(make_with_priority(-1000)), greatest);
  EXPECT_EQ(priority(make_with_priority(greatest)), greatest);
}

// [H 15139] "the context that was active in the calling thread when the stream was created."
TEST_F(Streams, KnowTheirContext) {
  const CUstream stream = make_stream();
  const CUcontext other = make_context();
  ASSERT_EQ(d.cuCtxSetCurrent(other), CUDA_SUCCESS);
  CUcontext owner = nullptr;
  EXPECT_EQ(d.cuStreamGetCtx(stream, &owner), CUDA_SUCCESS);
  EXPECT_EQ(owner, context);
}

// [H 15144] "any of the special handles will return the context current to the calling thread."
TEST_F(Streams, SpecialOnesAreOfTheCurrentContext) {
  const CUcontext other = make_context();
  for (const CUcontext now : {context, other}) {
    ASSERT_EQ(d.cuCtxSetCurrent(now), CUDA_SUCCESS);
    for (const CUstream special : {CUstream{nullptr}, CU_STREAM_LEGACY, CU_STREAM_PER_THREAD}) {
      CUcontext owner = nullptr;
      EXPECT_EQ(d.cuStreamGetCtx(special, &owner), CUDA_SUCCESS);
      EXPECT_EQ(owner, now);
    }
  }
}

// [H 15039] the device of the stream.
TEST_F(Streams, KnowTheirDevice) {
  CUdevice device = -1;
  EXPECT_EQ(d.cuStreamGetDevice(make_stream(), &device), CUDA_SUCCESS);
  EXPECT_EQ(device, 0);
}

// [H 15096] "The Id is unique for the life of the program", though handles come back.
TEST_F(Streams, NeverReuseAnIdentity) {
  std::set<unsigned long long> seen{id(nullptr)};
  for (int i = 0; i < 100; ++i) {
    CUstream stream = nullptr;
    ASSERT_EQ(d.cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING), CUDA_SUCCESS);
    EXPECT_TRUE(seen.insert(id(stream)).second);
    EXPECT_EQ(d.cuStreamDestroy_v2(stream), CUDA_SUCCESS);
  }
}

// [H 15104] the NULL stream is CU_STREAM_LEGACY.
TEST_F(Streams, TheLegacyStreamHasTwoNames) {
  EXPECT_EQ(id(CU_STREAM_LEGACY), id(nullptr));
  EXPECT_NE(id(CU_STREAM_PER_THREAD), id(nullptr));
}

// [PG, Default Stream] per-thread: "each host thread has its own default stream".
TEST_F(Streams, ThePerThreadStreamIsAnotherInEachThread) {
  unsigned long long theirs = 0;
  std::thread([&] {
    EXPECT_EQ(d.cuCtxSetCurrent(context), CUDA_SUCCESS);
    theirs = id(CU_STREAM_PER_THREAD);
  }).join();
  EXPECT_NE(theirs, id(CU_STREAM_PER_THREAD));
}

// [H 210] the variants with _ptsz take the null stream for the calling thread's.
TEST_F(Streams, PerThreadVariantsUseTheCallersStream) {
  unsigned long long mine = 0;
  EXPECT_EQ(d.cuStreamGetId_ptsz(nullptr, &mine), CUDA_SUCCESS);
  EXPECT_EQ(mine, id(CU_STREAM_PER_THREAD));
}

// [H 15741] CUDA_ERROR_NOT_READY while operations are pending.
TEST_F(Streams, AreReadyWhenTheirWorkIsDone) {
  const CUstream stream = make_stream();
  EXPECT_EQ(d.cuStreamQuery(stream), CUDA_SUCCESS);
  {
    Gate gate(stream);
    EXPECT_EQ(d.cuStreamQuery(stream), CUDA_ERROR_NOT_READY);
  }
  EXPECT_EQ(d.cuStreamSynchronize(stream), CUDA_SUCCESS);
  EXPECT_EQ(d.cuStreamQuery(stream), CUDA_SUCCESS);
}

// [H 15771] "Waits until the device has completed all operations in the stream".
TEST_F(Streams, AreWaitedFor) {
  const CUstream stream = make_stream();
  Gate gate(stream);
  LateOpening opening(gate);
  EXPECT_EQ(d.cuStreamSynchronize(stream), CUDA_SUCCESS);
  EXPECT_TRUE(gate.opened());
}

// [PG, Streams] streams run independently: one is waited for beside another that is busy.
TEST_F(Streams, AreWaitedForAlone) {
  const CUstream busy = make_stream();
  const CUstream other = make_stream();
  const CUdeviceptr at = make_memory(4);
  Gate gate(busy);
  EXPECT_EQ(d.cuMemsetD32Async(at, 1, 1, other), CUDA_SUCCESS);
  EXPECT_EQ(d.cuStreamSynchronize(other), CUDA_SUCCESS);
  EXPECT_EQ(d.cuStreamQuery(busy), CUDA_ERROR_NOT_READY);
}

// [H 6594] "Blocks until the current context has completed all preceding requested tasks."
TEST_F(Streams, AreAllWaitedForByTheContext) {
  const CUstream stream = make_stream();
  Gate gate(stream);
  LateOpening opening(gate);
  EXPECT_EQ(d.cuCtxSynchronize(), CUDA_SUCCESS);
  EXPECT_TRUE(gate.opened());
  EXPECT_EQ(d.cuStreamQuery(stream), CUDA_SUCCESS);
}

// [H 6626] "Blocks until the specified context has completed all preceding requested tasks."
TEST_F(Streams, AreWaitedForByTheirContextFromAnother) {
  const CUcontext other = make_context();
  const CUstream stream = make_stream();
  Gate gate(stream);
  ASSERT_EQ(d.cuCtxSetCurrent(other), CUDA_SUCCESS);
  EXPECT_EQ(d.cuCtxSynchronize(), CUDA_SUCCESS);  // the other context has nothing to do
  EXPECT_EQ(d.cuStreamQuery(stream), CUDA_ERROR_NOT_READY);
  LateOpening opening(gate);
  EXPECT_EQ(d.cuCtxSynchronize_v2(context), CUDA_SUCCESS);
  EXPECT_TRUE(gate.opened());
}

// [H 15803] destroyed with work pending "the function will return immediately", and the work is
// done nevertheless.
TEST_F(Streams, FinishTheirWorkAfterTheyAreDestroyed) {
  const CUevent end = make_event();
  CUstream stream = nullptr;
  ASSERT_EQ(d.cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING), CUDA_SUCCESS);
  {
    Gate gate(stream);
    ASSERT_EQ(d.cuEventRecord(end, stream), CUDA_SUCCESS);
    EXPECT_EQ(d.cuStreamDestroy_v2(stream), CUDA_SUCCESS);
    EXPECT_EQ(d.cuEventQuery(end), CUDA_ERROR_NOT_READY);
  }
  EXPECT_EQ(d.cuEventSynchronize(end), CUDA_SUCCESS);
}

// [H 15815] CUDA_ERROR_INVALID_HANDLE: the default stream is not destroyed.
TEST_F(Streams, TheDefaultOneIsNotDestroyed) {
  EXPECT_EQ(d.cuStreamDestroy_v2(nullptr), CUDA_ERROR_INVALID_HANDLE);
}

}  // namespace
}  // namespace conformance
