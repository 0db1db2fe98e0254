// What a capture does not tolerate, by its mode and the thread's (docs/hardware.md has the table).
#include "../capture.h"

namespace conformance {
namespace {

constexpr auto kGlobal = CU_STREAM_CAPTURE_MODE_GLOBAL;
constexpr auto kThreadLocal = CU_STREAM_CAPTURE_MODE_THREAD_LOCAL;
constexpr auto kRelaxed = CU_STREAM_CAPTURE_MODE_RELAXED;
constexpr auto kRefused = CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;

class CaptureRules : public CaptureTest {
 protected:
  void SetUp() override {
    CaptureTest::SetUp();
    event = make_event(CU_EVENT_DISABLE_TIMING);
    EXPECT_EQ(d.cuEventRecord(event, other), CUDA_SUCCESS);
    EXPECT_EQ(d.cuCtxSynchronize(), CUDA_SUCCESS);
  }
  CUresult allocate() {
    CUdeviceptr made = 0;
    const CUresult result = d.cuMemAlloc_v2(&made, 100);
    if (result == CUDA_SUCCESS) {
      later([this, made] { EXPECT_EQ(d.cuMemFree_v2(made), CUDA_SUCCESS); });
    }
    return result;
  }
  // The same call from another thread.
  template <typename Call>
  CUresult elsewhere(Call call) {
    CUresult result = CUDA_ERROR_UNKNOWN;
    std::thread([&] {
      EXPECT_EQ(d.cuCtxSetCurrent(context), CUDA_SUCCESS);
      result = call();
    }).join();
    return result;
  }
  CUstreamCaptureMode exchange(CUstreamCaptureMode mode) {
    EXPECT_EQ(d.cuThreadExchangeStreamCaptureMode(&mode), CUDA_SUCCESS);
    return mode;
  }

  CUevent event = nullptr;  // recorded in the other stream, and complete
};

// [H 15454] "This is the default mode"; [H 15433] the previous mode is handed out.
TEST_F(CaptureRules, AThreadStartsInGlobalMode) {
  EXPECT_EQ(exchange(kRelaxed), kGlobal);
  EXPECT_EQ(exchange(kGlobal), kRelaxed);
}

// [H 15432] the mode is the thread's own.
TEST_F(CaptureRules, EachThreadHasItsMode) {
  exchange(kRelaxed);
  std::thread([&] { EXPECT_EQ(exchange(kGlobal), kGlobal); }).join();
  EXPECT_EQ(exchange(kGlobal), kRelaxed);
}

// [H 15442] "a call to cudaMalloc, may be unsafe": global mode.
TEST_F(CaptureRules, AllocationBreaksAGlobalCapture) {
  begin(kGlobal);
  EXPECT_EQ(allocate(), kRefused);
  expect_broken();
}

// [H 15459] thread-local mode, the capturing thread.
TEST_F(CaptureRules, AllocationBreaksAThreadLocalCapture) {
  begin(kThreadLocal);
  EXPECT_EQ(allocate(), kRefused);
  expect_broken();
}

// [H 15455] "a capture sequence that was not initiated with RELAXED": this one was.
TEST_F(CaptureRules, AllocationDoesNotBreakARelaxedCapture) {
  begin(kRelaxed);
  EXPECT_EQ(allocate(), CUDA_SUCCESS);
  expect_intact();
}

// [H 15456] "or if any other thread has a concurrent capture sequence initiated with GLOBAL".
TEST_F(CaptureRules, AnotherThreadBreaksAGlobalCapture) {
  begin(kGlobal);
  EXPECT_EQ(elsewhere([&] { return allocate(); }), kRefused);
  expect_broken();
}

// [H 15461] "Concurrent capture sequences in other threads are ignored."
TEST_F(CaptureRules, AnotherThreadDoesNotBreakAThreadLocalCapture) {
  begin(kThreadLocal);
  EXPECT_EQ(elsewhere([&] { return allocate(); }), CUDA_SUCCESS);
  expect_intact();
}

// [H 15463] a relaxed thread "is not prohibited from potentially unsafe API calls."
TEST_F(CaptureRules, ARelaxedThreadMayAllocate) {
  begin(kGlobal);
  exchange(kRelaxed);
  EXPECT_EQ(allocate(), CUDA_SUCCESS);
  exchange(kGlobal);
  expect_intact();
}

// [M] cuMemFree is as unsafe.
TEST_F(CaptureRules, FreeingBreaksACapture) {
  CUdeviceptr made = 0;
  ASSERT_EQ(d.cuMemAlloc_v2(&made, 100), CUDA_SUCCESS);
  begin();
  EXPECT_EQ(d.cuMemFree_v2(made), kRefused);
  expect_broken();
  EXPECT_EQ(d.cuMemFree_v2(made), CUDA_SUCCESS);
}

// [M] asking whether an event is complete.
TEST_F(CaptureRules, QueryingAnEventBreaksACapture) {
  begin();
  EXPECT_EQ(d.cuEventQuery(event), kRefused);
  expect_broken();
}

// [M] waiting for one.
TEST_F(CaptureRules, WaitingForAnEventBreaksACapture) {
  begin();
  EXPECT_EQ(d.cuEventSynchronize(event), kRefused);
  expect_broken();
}

// [M] in relaxed mode both are allowed.
TEST_F(CaptureRules, EventsAreAskedInARelaxedCapture) {
  begin(kRelaxed);
  EXPECT_EQ(d.cuEventQuery(event), CUDA_SUCCESS);
  EXPECT_EQ(d.cuEventSynchronize(event), CUDA_SUCCESS);
  expect_intact();
}

// [M] asking whether another stream is idle.
TEST_F(CaptureRules, QueryingAnotherStreamBreaksACapture) {
  begin();
  EXPECT_EQ(d.cuStreamQuery(other), kRefused);
  expect_broken();
}

// [M] waiting for another stream.
TEST_F(CaptureRules, WaitingForAnotherStreamBreaksACapture) {
  begin();
  EXPECT_EQ(d.cuStreamSynchronize(other), kRefused);
  expect_broken();
}

// [M] stream-ordered allocation in a stream that is not captured.
TEST_F(CaptureRules, AllocatingInAnotherStreamBreaksACapture) {
  begin();
  CUdeviceptr made = 0;
  EXPECT_EQ(d.cuMemAllocAsync(&made, 100, other), kRefused);
  expect_broken();
}

// [PG, Prohibited and Unhandled Operations] "It is invalid to synchronize or query the execution
// status of a stream which is being captured", in any mode.
TEST_F(CaptureRules, ACapturingStreamIsNotQueried) {
  begin(kRelaxed);
  EXPECT_EQ(d.cuStreamQuery(stream), kRefused);
  expect_broken();
}

// [PG, Prohibited and Unhandled Operations] nor synchronised.
TEST_F(CaptureRules, ACapturingStreamIsNotWaitedFor) {
  begin(kRelaxed);
  EXPECT_EQ(d.cuStreamSynchronize(stream), kRefused);
  expect_broken();
}

// [H 15464] "attempting cuEventQuery on an event that was last recorded inside a capture
// sequence": CUDA_ERROR_CAPTURED_EVENT [H 3113].
TEST_F(CaptureRules, ACapturedEventIsNotQueried) {
  begin(kRelaxed);
  EXPECT_EQ(fill(stream, 1), CUDA_SUCCESS);
  ASSERT_EQ(d.cuEventRecord(event, stream), CUDA_SUCCESS);
  EXPECT_EQ(d.cuEventQuery(event), CUDA_ERROR_CAPTURED_EVENT);
}

// [H 3113] nor waited for by the host.
TEST_F(CaptureRules, ACapturedEventIsNotWaitedFor) {
  begin(kRelaxed);
  EXPECT_EQ(fill(stream, 1), CUDA_SUCCESS);
  ASSERT_EQ(d.cuEventRecord(event, stream), CUDA_SUCCESS);
  EXPECT_EQ(d.cuEventSynchronize(event), CUDA_ERROR_CAPTURED_EVENT);
}

// [M] the context is not synchronised in any mode.
TEST_F(CaptureRules, WaitingForTheContextBreaksACapture) {
  for (const auto mode : {kGlobal, kThreadLocal, kRelaxed}) {
    begin(mode);
    EXPECT_EQ(d.cuCtxSynchronize(), kRefused);
    expect_broken();
  }
}

// [M] nor by another, relaxed thread.
TEST_F(CaptureRules, WaitingForTheContextBreaksACaptureFromAnywhere) {
  begin(kRelaxed);
  EXPECT_EQ(elsewhere([&] {
              exchange(kRelaxed);
              return d.cuCtxSynchronize();
            }),
            kRefused);
  expect_broken();
}

// [H 7024] cuCtxRecordEvent is refused while a stream of the context is captured, and "will
// invalidate all the conflicting captures."
TEST_F(CaptureRules, RecordingTheContextBreaksACapture) {
  for (const auto mode : {kGlobal, kThreadLocal, kRelaxed}) {
    begin(mode);
    EXPECT_EQ(d.cuCtxRecordEvent(context, event), kRefused);
    expect_broken();
  }
}

// [H 7061] likewise cuCtxWaitEvent.
TEST_F(CaptureRules, AWaitOfTheContextBreaksACapture) {
  begin(kRelaxed);
  EXPECT_EQ(d.cuCtxWaitEvent(context, event), kRefused);
  expect_broken();
}

// [H 15525] on the legacy stream, while a blocking stream is captured, CUDA_ERROR_STREAM_CAPTURE_
// IMPLICIT; "The blocking stream capture is not invalidated."
TEST_F(CaptureRules, TheLegacyStreamsStatusIsImplicit) {
  const CUstream blocking = make_stream(CU_STREAM_DEFAULT);
  CUstreamCaptureStatus now{};
  CUgraph graph = nullptr;
  ASSERT_EQ(d.cuStreamBeginCapture_v2(blocking, kRelaxed), CUDA_SUCCESS);
  EXPECT_EQ(d.cuStreamIsCapturing(nullptr, &now), CUDA_ERROR_STREAM_CAPTURE_IMPLICIT);
  EXPECT_EQ(fill(blocking, 1), CUDA_SUCCESS);
  EXPECT_EQ(d.cuStreamEndCapture(blocking, &graph), CUDA_SUCCESS);
  EXPECT_EQ(d.cuGraphDestroy(graph), CUDA_SUCCESS);
}

// [H 15530] "When a blocking stream is capturing, the legacy stream is in an unusable state".
TEST_F(CaptureRules, TheLegacyStreamIsNotUsedBesideABlockingCapture) {
  const CUstream blocking = make_stream(CU_STREAM_DEFAULT);
  CUgraph graph = nullptr;
  ASSERT_EQ(d.cuStreamBeginCapture_v2(blocking, kRelaxed), CUDA_SUCCESS);
  EXPECT_EQ(fill(nullptr, 1), CUDA_ERROR_STREAM_CAPTURE_IMPLICIT);
  EXPECT_EQ(d.cuStreamEndCapture(blocking, &graph), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
  EXPECT_EQ(graph, nullptr);
}

// [H 15525] a non-blocking capture leaves it alone.
TEST_F(CaptureRules, TheLegacyStreamIsUsedBesideANonBlockingCapture) {
  begin(kRelaxed);
  EXPECT_EQ(status(nullptr), CU_STREAM_CAPTURE_STATUS_NONE);
  EXPECT_EQ(d.cuMemsetD32Async(at + 64, 1, 1, nullptr), CUDA_SUCCESS);
  expect_intact();
}

// [H 15276] callbacks are "not supported with cuStreamBeginCapture".
TEST_F(CaptureRules, CallbacksAreNotCaptured) {
  begin();
  EXPECT_EQ(d.cuStreamAddCallback(
                stream, [](CUstream, CUresult, void*) {}, nullptr, 0),
            kRefused);
  expect_broken();
}

// [M] other streams go on.
TEST_F(CaptureRules, OtherStreamsGoOn) {
  begin();
  EXPECT_EQ(d.cuMemsetD32Async(at + 64, 7, 1, other), CUDA_SUCCESS);
  EXPECT_EQ(d.cuEventRecord(event, other), CUDA_SUCCESS);
  expect_intact();
  EXPECT_EQ(d.cuStreamSynchronize(other), CUDA_SUCCESS);
  EXPECT_EQ(read(at + 64), 7U);
}

// [M] virtual memory is managed beside a capture.
TEST_F(CaptureRules, VirtualMemoryIsManaged) {
  begin();
  const CUdeviceptr place = reserve(kChunk);
  map(place, kChunk, create(kChunk));
  allow(place, kChunk);
  expect_intact();
}

// [M] what only asks does no harm.
TEST_F(CaptureRules, QuestionsAreAsked) {
  begin();
  std::size_t free = 0;
  std::size_t total = 0;
  unsigned long long id = 0;
  EXPECT_EQ(d.cuMemGetInfo_v2(&free, &total), CUDA_SUCCESS);
  EXPECT_EQ(d.cuStreamGetId(other, &id), CUDA_SUCCESS);
  make_event();
  expect_intact();
}

// [M] but for a capturing stream's id.
TEST_F(CaptureRules, AskingACapturingStreamForItsIdBreaksTheCapture) {
  begin();
  unsigned long long id = 0;
  EXPECT_EQ(d.cuStreamGetId(stream, &id), kRefused);
  expect_broken();
}

}  // namespace
}  // namespace conformance
