// What runs before what: within a stream, between streams, and the default streams' own rule.
#include "../fixture.h"

namespace conformance {
namespace {

class Order : public DeviceTest {
 protected:
  // An event behind what the stream has been given so far.
  CUevent mark(CUstream stream) {
    const CUevent event = make_event(CU_EVENT_DISABLE_TIMING);
    EXPECT_EQ(d.cuEventRecord(event, stream), CUDA_SUCCESS);
    return event;
  }
  bool done(CUevent event) { return d.cuEventQuery(event) == CUDA_SUCCESS; }
};

// [PG, Streams] "a sequence of commands ... that execute in order".
TEST_F(Order, AStreamRunsItsWorkInTurn) {
  const CUstream stream = make_stream();
  const CUdeviceptr at = make_memory(4);
  std::uint32_t* value = make_pinned();
  {
    Gate gate(stream);
    for (unsigned i = 1; i <= 50; ++i)
      ASSERT_EQ(d.cuMemsetD32Async(at, i, 1, stream), CUDA_SUCCESS);
    ASSERT_EQ(d.cuMemcpyDtoHAsync_v2(value, at, 4, stream), CUDA_SUCCESS);
    EXPECT_EQ(*value, 0U);
  }
  EXPECT_EQ(d.cuStreamSynchronize(stream), CUDA_SUCCESS);
  EXPECT_EQ(*value, 50U);
}

// [PG, Streams] "different streams may execute their commands out of order ... or concurrently".
TEST_F(Order, StreamsDoNotWaitForEachOther) {
  const CUstream busy = make_stream();
  const CUstream other = make_stream();
  Gate gate(busy);
  const CUevent end = mark(other);
  EXPECT_EQ(d.cuEventSynchronize(end), CUDA_SUCCESS);
  EXPECT_EQ(d.cuStreamQuery(other), CUDA_SUCCESS);
  EXPECT_EQ(d.cuStreamQuery(busy), CUDA_ERROR_NOT_READY);
}

// [PG, Default Stream] legacy: waits for the work of blocking streams.
TEST_F(Order, TheLegacyStreamWaitsForBlockingStreams) {
  const CUstream blocking = make_stream(CU_STREAM_DEFAULT);
  CUevent in_legacy = nullptr;
  {
    Gate gate(blocking);
    EXPECT_EQ(d.cuStreamQuery(nullptr), CUDA_ERROR_NOT_READY);
    in_legacy = mark(nullptr);
    EXPECT_FALSE(done(in_legacy));
  }
  EXPECT_EQ(d.cuEventSynchronize(in_legacy), CUDA_SUCCESS);
}

// [PG, Default Stream] legacy: later work of blocking streams waits for it.
TEST_F(Order, BlockingStreamsWaitForTheLegacyStream) {
  const CUstream blocking = make_stream(CU_STREAM_DEFAULT);
  CUevent end = nullptr;
  {
    Gate gate(nullptr);
    end = mark(blocking);
    EXPECT_FALSE(done(end));
  }
  EXPECT_EQ(d.cuEventSynchronize(end), CUDA_SUCCESS);
}

// [PG, Default Stream] so two blocking streams are ordered by legacy work between them.
TEST_F(Order, LegacyWorkStandsBetweenBlockingStreams) {
  const CUstream first = make_stream(CU_STREAM_DEFAULT);
  const CUstream second = make_stream(CU_STREAM_DEFAULT);
  CUevent in_legacy = nullptr;
  CUevent in_second = nullptr;
  {
    Gate gate(first);
    EXPECT_EQ(d.cuStreamQuery(second), CUDA_SUCCESS);
    in_legacy = mark(nullptr);
    in_second = mark(second);
    EXPECT_FALSE(done(in_second));
  }
  EXPECT_EQ(d.cuEventSynchronize(in_second), CUDA_SUCCESS);
  EXPECT_TRUE(done(in_legacy));
}

// So does a free in the legacy stream, which is work there. An allocation is not where the pool has
// the memory (measured on driver 580); simcuda takes it for work.
TEST_F(Order, AFreeInTheLegacyStreamStandsBetweenBlockingStreams) {
  const CUstream first = make_stream(CU_STREAM_DEFAULT);
  const CUstream second = make_stream(CU_STREAM_DEFAULT);
  CUdeviceptr block = 0;
  ASSERT_EQ(d.cuMemAllocAsync(&block, 1 << 20, nullptr), CUDA_SUCCESS);
  ASSERT_EQ(d.cuCtxSynchronize(), CUDA_SUCCESS);
  CUevent after_free = nullptr;
  {
    Gate gate(first);
    ASSERT_EQ(d.cuMemFreeAsync(block, nullptr), CUDA_SUCCESS);
    after_free = mark(second);
    EXPECT_FALSE(done(after_free));
  }
  EXPECT_EQ(d.cuEventSynchronize(after_free), CUDA_SUCCESS);
}

// [H 14921] CU_STREAM_NON_BLOCKING: "should perform no implicit synchronization with stream 0."
TEST_F(Order, NonBlockingStreamsAreExempt) {
  const CUstream exempt = make_stream(CU_STREAM_NON_BLOCKING);
  Gate gate(nullptr);
  EXPECT_EQ(d.cuEventSynchronize(mark(exempt)), CUDA_SUCCESS);
}

// [H 14921] and stream 0 does not wait for them.
TEST_F(Order, TheLegacyStreamDoesNotWaitForNonBlockingStreams) {
  const CUstream exempt = make_stream(CU_STREAM_NON_BLOCKING);
  Gate gate(exempt);
  EXPECT_EQ(d.cuEventSynchronize(mark(nullptr)), CUDA_SUCCESS);
}

// [PG, Default Stream] the per-thread stream "is not a non-blocking stream".
TEST_F(Order, ThePerThreadStreamWaitsForTheLegacyStream) {
  CUevent end = nullptr;
  {
    Gate gate(nullptr);
    end = mark(CU_STREAM_PER_THREAD);
    EXPECT_FALSE(done(end));
  }
  EXPECT_EQ(d.cuEventSynchronize(end), CUDA_SUCCESS);
}

// [PG, Default Stream] per-thread streams do not wait for each other.
TEST_F(Order, PerThreadStreamsAreIndependent) {
  Gate gate(CU_STREAM_PER_THREAD);
  EXPECT_EQ(d.cuStreamQuery_ptsz(nullptr), CUDA_ERROR_NOT_READY);
  std::thread([&] {
    EXPECT_EQ(d.cuCtxSetCurrent(context), CUDA_SUCCESS);
    EXPECT_EQ(d.cuStreamQuery_ptsz(nullptr), CUDA_SUCCESS);
  }).join();
}

// [H 15236] "Makes all future work submitted to hStream wait for all work captured in hEvent."
TEST_F(Order, AWaitOrdersTwoStreams) {
  const CUstream first = make_stream();
  const CUstream second = make_stream();
  CUevent end = nullptr;
  {
    Gate gate(first);
    ASSERT_EQ(d.cuStreamWaitEvent(second, mark(first), 0), CUDA_SUCCESS);
    end = mark(second);
    EXPECT_FALSE(done(end));
    EXPECT_EQ(d.cuStreamQuery(second), CUDA_ERROR_NOT_READY);
  }
  EXPECT_EQ(d.cuEventSynchronize(end), CUDA_SUCCESS);
}

// [H 15239] "hEvent may be from a different context or device than hStream."
TEST_F(Order, AWaitReachesAcrossContexts) {
  const CUstream first = make_stream();
  const CUcontext other = make_context();
  ASSERT_EQ(d.cuCtxSetCurrent(other), CUDA_SUCCESS);
  const CUstream second = make_stream();
  const CUevent end = make_event(CU_EVENT_DISABLE_TIMING);
  ASSERT_EQ(d.cuCtxSetCurrent(context), CUDA_SUCCESS);
  {
    Gate gate(first);
    ASSERT_EQ(d.cuStreamWaitEvent(second, mark(first), 0), CUDA_SUCCESS);
    ASSERT_EQ(d.cuEventRecord(end, second), CUDA_SUCCESS);
    EXPECT_FALSE(done(end));
  }
  EXPECT_EQ(d.cuEventSynchronize(end), CUDA_SUCCESS);
}

// [H 15961] a wait examines what was captured "at the time of the API call", whatever is recorded
// later.
TEST_F(Order, AWaitKeepsWhatTheEventHeld) {
  const CUstream busy = make_stream();
  const CUstream idle = make_stream();
  const CUstream waiting = make_stream();
  CUevent end = nullptr;
  {
    Gate gate(busy);
    const CUevent event = mark(busy);
    ASSERT_EQ(d.cuStreamWaitEvent(waiting, event, 0), CUDA_SUCCESS);
    ASSERT_EQ(d.cuEventRecord(event, idle), CUDA_SUCCESS);
    EXPECT_EQ(d.cuEventSynchronize(event), CUDA_SUCCESS);
    end = mark(waiting);
    EXPECT_FALSE(done(end));
  }
  EXPECT_EQ(d.cuEventSynchronize(end), CUDA_SUCCESS);
}

// [H 7013] "Captures in hEvent all the activities of the context hCtx at the time of this call."
TEST_F(Order, AContextEventFollowsEveryStream) {
  const CUstream one = make_stream();
  const CUstream two = make_stream();
  const CUevent all = make_event(CU_EVENT_DISABLE_TIMING);
  {
    Gate gate(one);
    ASSERT_EQ(d.cuStreamWaitEvent(two, mark(one), 0), CUDA_SUCCESS);
    ASSERT_EQ(d.cuCtxRecordEvent(context, all), CUDA_SUCCESS);
    EXPECT_FALSE(done(all));
  }
  EXPECT_EQ(d.cuEventSynchronize(all), CUDA_SUCCESS);
  EXPECT_EQ(d.cuStreamQuery(one), CUDA_SUCCESS);
  EXPECT_EQ(d.cuStreamQuery(two), CUDA_SUCCESS);
}

// [cuda.h, cuEventQuery] "Returns CUDA_SUCCESS if all captured work has been completed": there is
// no more to wait for.
TEST_F(Order, AContextEventHasFiredWhenTheStreamsAreDone) {
  const CUstream busy = make_stream();
  const CUevent all = make_event(CU_EVENT_DISABLE_TIMING);
  {
    Gate gate(busy);
    ASSERT_EQ(d.cuCtxRecordEvent(context, all), CUDA_SUCCESS);
    EXPECT_FALSE(done(all));
  }
  ASSERT_EQ(d.cuStreamSynchronize(busy), CUDA_SUCCESS);
  EXPECT_TRUE(done(all));
}

// [H 7050] "Makes all future work submitted to context hCtx wait for all work captured".
TEST_F(Order, AContextWaitsForAnEvent) {
  const CUstream busy = make_stream();
  const CUstream other = make_stream();
  CUevent end = nullptr;
  {
    Gate gate(busy);
    ASSERT_EQ(d.cuCtxWaitEvent(context, mark(busy)), CUDA_SUCCESS);
    end = mark(other);
    EXPECT_FALSE(done(end));
  }
  EXPECT_EQ(d.cuEventSynchronize(end), CUDA_SUCCESS);
}

}  // namespace
}  // namespace conformance
