// Events: what they hold, how they are asked, what they measure.
#include <chrono>

#include "../fixture.h"

namespace conformance {
namespace {

class Events : public DeviceTest {
 protected:
  CUresult elapsed(CUevent from, CUevent to) {
    return d.cuEventElapsedTime(&milliseconds, from, to);
  }
  float milliseconds = -1;
};

// [H 15911] "Valid flags".
TEST_F(Events, KnowFourFlags) {
  CUevent bad = nullptr;
  EXPECT_EQ(d.cuEventCreate(&bad, 0x100), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuEventCreate(nullptr, 0), CUDA_ERROR_INVALID_VALUE);
}

// [H 15922] "CU_EVENT_INTERPROCESS must be specified along with CU_EVENT_DISABLE_TIMING."
TEST_F(Events, BetweenProcessesMeasureNoTime) {
  CUevent bad = nullptr;
  EXPECT_EQ(d.cuEventCreate(&bad, CU_EVENT_INTERPROCESS), CUDA_ERROR_INVALID_VALUE);
  make_event(CU_EVENT_INTERPROCESS | CU_EVENT_DISABLE_TIMING);
}

// [H 15964] never recorded, an event "represents an empty set of work".
TEST_F(Events, AreCompleteBeforeTheyAreRecorded) {
  const CUevent event = make_event();
  EXPECT_EQ(d.cuEventQuery(event), CUDA_SUCCESS);
  EXPECT_EQ(d.cuEventSynchronize(event), CUDA_SUCCESS);
  const CUstream stream = make_stream();
  EXPECT_EQ(d.cuStreamWaitEvent(stream, event, 0), CUDA_SUCCESS);
  EXPECT_EQ(d.cuStreamSynchronize(stream), CUDA_SUCCESS);
}

// [H 16047] CUDA_SUCCESS when the work is complete, or CUDA_ERROR_NOT_READY.
TEST_F(Events, AreCompleteWithTheirWork) {
  const CUstream stream = make_stream();
  const CUevent event = make_event();
  {
    Gate gate(stream);
    ASSERT_EQ(d.cuEventRecord(event, stream), CUDA_SUCCESS);
    EXPECT_EQ(d.cuEventQuery(event), CUDA_ERROR_NOT_READY);
  }
  EXPECT_EQ(d.cuEventSynchronize(event), CUDA_SUCCESS);
  EXPECT_EQ(d.cuEventQuery(event), CUDA_SUCCESS);
}

// [H 15955] "Uses of hStream after this call do not modify hEvent."
TEST_F(Events, DoNotHoldLaterWork) {
  const CUstream stream = make_stream();
  const CUevent event = make_event();
  ASSERT_EQ(d.cuEventRecord(event, stream), CUDA_SUCCESS);
  Gate gate(stream);
  EXPECT_EQ(d.cuEventSynchronize(event), CUDA_SUCCESS);
}

// [H 16076] "Waits until the completion of all work currently captured in hEvent."
TEST_F(Events, AreWaitedFor) {
  const CUstream stream = make_stream();
  const CUevent event = make_event(CU_EVENT_BLOCKING_SYNC);
  Gate gate(stream);
  ASSERT_EQ(d.cuEventRecord(event, stream), CUDA_SUCCESS);
  LateOpening opening(gate);
  EXPECT_EQ(d.cuEventSynchronize(event), CUDA_SUCCESS);
  EXPECT_TRUE(gate.opened());
}

// [H 15960] recording again "will overwrite the previously captured state."
TEST_F(Events, AreOverwrittenByTheNextRecord) {
  const CUstream busy = make_stream();
  const CUstream idle = make_stream();
  const CUevent event = make_event();
  Gate gate(busy);
  ASSERT_EQ(d.cuEventRecord(event, busy), CUDA_SUCCESS);
  ASSERT_EQ(d.cuEventRecord(event, idle), CUDA_SUCCESS);
  EXPECT_EQ(d.cuEventSynchronize(event), CUDA_SUCCESS);
  EXPECT_EQ(d.cuStreamQuery(busy), CUDA_ERROR_NOT_READY);
}

// [H 15952] event and stream "must be from the same context otherwise CUDA_ERROR_INVALID_HANDLE".
TEST_F(Events, AreRecordedInTheirContext) {
  const CUcontext other = make_context();
  ASSERT_EQ(d.cuCtxSetCurrent(other), CUDA_SUCCESS);
  const CUevent foreign = make_event();
  ASSERT_EQ(d.cuCtxSetCurrent(context), CUDA_SUCCESS);
  EXPECT_EQ(d.cuEventRecord(foreign, make_stream()), CUDA_ERROR_INVALID_HANDLE);
  EXPECT_EQ(d.cuEventRecord(foreign, nullptr), CUDA_ERROR_INVALID_HANDLE);
}

// [H 7014] likewise for the whole context.
TEST_F(Events, AreRecordedForTheirContext) {
  const CUcontext other = make_context();
  EXPECT_EQ(d.cuCtxRecordEvent(other, make_event()), CUDA_ERROR_INVALID_HANDLE);
}

// [H 15975, 16059] CUDA_ERROR_INVALID_HANDLE.
TEST_F(Events, MayNotBeNull) {
  EXPECT_EQ(d.cuEventRecord(nullptr, make_stream()), CUDA_ERROR_INVALID_HANDLE);
  EXPECT_EQ(d.cuEventQuery(nullptr), CUDA_ERROR_INVALID_HANDLE);
  EXPECT_EQ(d.cuEventSynchronize(nullptr), CUDA_ERROR_INVALID_HANDLE);
  EXPECT_EQ(d.cuStreamWaitEvent(make_stream(), nullptr, 0), CUDA_ERROR_INVALID_HANDLE);
  EXPECT_EQ(d.cuEventDestroy_v2(nullptr), CUDA_ERROR_INVALID_HANDLE);
}

// [H 16012, 15243] external events are for captures: "This flag is invalid outside".
TEST_F(Events, AreExternalOnlyInACapture) {
  const CUstream stream = make_stream();
  const CUevent event = make_event();
  EXPECT_EQ(d.cuEventRecordWithFlags(event, stream, CU_EVENT_RECORD_EXTERNAL),
            CUDA_ERROR_ILLEGAL_STATE);
  EXPECT_EQ(d.cuStreamWaitEvent(stream, event, CU_EVENT_WAIT_EXTERNAL), CUDA_ERROR_ILLEGAL_STATE);
}

// [H 16010, 15241] there is one flag for each.
TEST_F(Events, KnowNoOtherFlagsWhenUsed) {
  const CUstream stream = make_stream();
  const CUevent event = make_event();
  EXPECT_EQ(d.cuEventRecordWithFlags(event, stream, 2), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuStreamWaitEvent(stream, event, 2), CUDA_ERROR_INVALID_VALUE);
}

// [H 16109] "An event may be destroyed before it is complete"; the call "does not block".
TEST_F(Events, AreDestroyedBeforeTheyAreComplete) {
  const CUstream stream = make_stream();
  CUevent event = nullptr;
  ASSERT_EQ(d.cuEventCreate(&event, 0), CUDA_SUCCESS);
  Gate gate(stream);
  ASSERT_EQ(d.cuEventRecord(event, stream), CUDA_SUCCESS);
  EXPECT_EQ(d.cuEventDestroy_v2(event), CUDA_SUCCESS);
  EXPECT_EQ(d.cuStreamQuery(stream), CUDA_ERROR_NOT_READY);
}

// [H 16136] milliseconds between the two: no more than passed on the host around them.
TEST_F(Events, MeasureTime) {
  const CUstream stream = make_stream();
  const CUevent from = make_event();
  const CUevent to = make_event();
  const auto begin = std::chrono::steady_clock::now();
  ASSERT_EQ(d.cuEventRecord(from, stream), CUDA_SUCCESS);
  ASSERT_EQ(d.cuLaunchHostFunc(
                stream, [](void*) { std::this_thread::sleep_for(std::chrono::milliseconds(20)); },
                nullptr),
            CUDA_SUCCESS);
  ASSERT_EQ(d.cuEventRecord(to, stream), CUDA_SUCCESS);
  ASSERT_EQ(d.cuEventSynchronize(to), CUDA_SUCCESS);
  const std::chrono::duration<float, std::milli> passed = std::chrono::steady_clock::now() - begin;
  EXPECT_EQ(elapsed(from, to), CUDA_SUCCESS);
  EXPECT_GT(milliseconds, 0);
  EXPECT_LE(milliseconds, passed.count() * 1.01F);
}

// [H 16150] "If cuEventRecord() has not been called on either event then
// CUDA_ERROR_INVALID_HANDLE".
TEST_F(Events, MeasureOnlyWhatIsRecorded) {
  const CUevent recorded = make_event();
  ASSERT_EQ(d.cuEventRecord(recorded, nullptr), CUDA_SUCCESS);
  ASSERT_EQ(d.cuEventSynchronize(recorded), CUDA_SUCCESS);
  EXPECT_EQ(elapsed(recorded, make_event()), CUDA_ERROR_INVALID_HANDLE);
  EXPECT_EQ(elapsed(make_event(), recorded), CUDA_ERROR_INVALID_HANDLE);
}

// [H 16154] CUDA_ERROR_INVALID_HANDLE when either has CU_EVENT_DISABLE_TIMING.
TEST_F(Events, MeasureOnlyWithTiming) {
  const CUevent timed = make_event();
  const CUevent untimed = make_event(CU_EVENT_DISABLE_TIMING);
  ASSERT_EQ(d.cuEventRecord(timed, nullptr), CUDA_SUCCESS);
  ASSERT_EQ(d.cuEventRecord(untimed, nullptr), CUDA_SUCCESS);
  ASSERT_EQ(d.cuCtxSynchronize(), CUDA_SUCCESS);
  EXPECT_EQ(elapsed(timed, untimed), CUDA_ERROR_INVALID_HANDLE);
  EXPECT_EQ(elapsed(untimed, timed), CUDA_ERROR_INVALID_HANDLE);
}

// [H 16154] CUDA_ERROR_NOT_READY while one of them is not complete.
TEST_F(Events, MeasureWhenBothAreComplete) {
  const CUstream stream = make_stream();
  const CUevent from = make_event();
  const CUevent to = make_event();
  ASSERT_EQ(d.cuEventRecord(from, stream), CUDA_SUCCESS);
  Gate gate(stream);
  ASSERT_EQ(d.cuEventRecord(to, stream), CUDA_SUCCESS);
  EXPECT_EQ(elapsed(from, to), CUDA_ERROR_NOT_READY);
}

}  // namespace
}  // namespace conformance
