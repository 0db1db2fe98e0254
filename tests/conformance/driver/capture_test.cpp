// Stream capture: how it begins, spreads to other streams, and ends.
#include "../capture.h"

namespace conformance {
namespace {

class Capture : public CaptureTest {};

// [H 15351] "a graph, which will be returned via cuStreamEndCapture".
TEST_F(Capture, GivesAGraph) {
  begin();
  EXPECT_EQ(fill(stream, 1), CUDA_SUCCESS);
  EXPECT_EQ(count(end()), 1U);
}

// [H 15350] also when nothing was captured.
TEST_F(Capture, OfNothingGivesAnEmptyGraph) {
  begin();
  EXPECT_EQ(count(end()), 0U);
}

// [H 15348] operations "will not be executed".
TEST_F(Capture, ExecutesNothing) {
  begin();
  EXPECT_EQ(fill(stream, 7), CUDA_SUCCESS);
  end();
  EXPECT_EQ(read(at), 0U);
}

// [H 15518] the stream's status.
TEST_F(Capture, IsSeenInTheStreamsStatus) {
  EXPECT_EQ(status(stream), CU_STREAM_CAPTURE_STATUS_NONE);
  begin();
  EXPECT_EQ(status(stream), CU_STREAM_CAPTURE_STATUS_ACTIVE);
  EXPECT_EQ(status(other), CU_STREAM_CAPTURE_STATUS_NONE);
  end();
  EXPECT_EQ(status(stream), CU_STREAM_CAPTURE_STATUS_NONE);
}

// [H 15542] CUDA_ERROR_INVALID_VALUE.
TEST_F(Capture, StatusNeedsAPlace) {
  EXPECT_EQ(d.cuStreamIsCapturing(stream, nullptr), CUDA_ERROR_INVALID_VALUE);
}

// [H 15350] "Capture may not be initiated if stream is CU_STREAM_LEGACY."
TEST_F(Capture, IsNotForTheLegacyStream) {
  EXPECT_EQ(d.cuStreamBeginCapture_v2(nullptr, CU_STREAM_CAPTURE_MODE_RELAXED),
            CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
  EXPECT_EQ(d.cuStreamBeginCapture_v2(CU_STREAM_LEGACY, CU_STREAM_CAPTURE_MODE_RELAXED),
            CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
}

// [H 15350] but for the per-thread stream.
TEST_F(Capture, IsForThePerThreadStream) {
  CUgraph graph = nullptr;
  EXPECT_EQ(d.cuStreamBeginCapture_v2(CU_STREAM_PER_THREAD, CU_STREAM_CAPTURE_MODE_RELAXED),
            CUDA_SUCCESS);
  EXPECT_EQ(d.cuStreamEndCapture(CU_STREAM_PER_THREAD, &graph), CUDA_SUCCESS);
  EXPECT_EQ(d.cuGraphDestroy(graph), CUDA_SUCCESS);
}

// [H 15352] "may only be initiated if the stream is not already in capture mode."
TEST_F(Capture, BeginsOnce) {
  begin();
  EXPECT_EQ(d.cuStreamBeginCapture_v2(stream, CU_STREAM_CAPTURE_MODE_GLOBAL),
            CUDA_ERROR_ILLEGAL_STATE);
}

// [H 15372] CUDA_ERROR_INVALID_VALUE.
TEST_F(Capture, HasThreeModes) {
  EXPECT_EQ(d.cuStreamBeginCapture_v2(stream, static_cast<CUstreamCaptureMode>(3)),
            CUDA_ERROR_INVALID_VALUE);
}

// [H 15486] "Capture must have been initiated on hStream".
TEST_F(Capture, EndsOnlyIfItBegan) {
  CUgraph graph = nullptr;
  EXPECT_EQ(d.cuStreamEndCapture(stream, &graph), CUDA_ERROR_ILLEGAL_STATE);
  EXPECT_EQ(graph, nullptr);
}

// [H 15490] outside relaxed mode "this call must be from the same thread".
TEST_F(Capture, EndsInItsThread) {
  begin(CU_STREAM_CAPTURE_MODE_THREAD_LOCAL);
  std::thread([&] {
    CUgraph graph = nullptr;
    EXPECT_EQ(d.cuCtxSetCurrent(context), CUDA_SUCCESS);
    EXPECT_EQ(d.cuStreamEndCapture(stream, &graph), CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD);
  }).join();
}

// [H 15490] in relaxed mode any thread ends it.
TEST_F(Capture, EndsInAnotherThreadWhenRelaxed) {
  begin(CU_STREAM_CAPTURE_MODE_RELAXED);
  std::thread([&] {
    CUgraph graph = nullptr;
    EXPECT_EQ(d.cuCtxSetCurrent(context), CUDA_SUCCESS);
    EXPECT_EQ(d.cuStreamEndCapture(stream, &graph), CUDA_SUCCESS);
    EXPECT_EQ(d.cuGraphDestroy(graph), CUDA_SUCCESS);
  }).join();
}

// [PG, Cross-stream Dependencies and Events] waiting on a captured event places a stream into the
// same capture.
TEST_F(Capture, SpreadsByEvents) {
  begin();
  EXPECT_EQ(fill(stream, 1), CUDA_SUCCESS);
  fork();
  EXPECT_EQ(status(other), CU_STREAM_CAPTURE_STATUS_ACTIVE);
  EXPECT_EQ(fill(other, 2), CUDA_SUCCESS);
  join();
  const CUgraph graph = end();
  EXPECT_EQ(count(graph), 2U);
  EXPECT_EQ(edges(graph), 1U);
  EXPECT_EQ(status(other), CU_STREAM_CAPTURE_STATUS_NONE);
}

// [PG, Cross-stream Dependencies and Events] work of forked streams is not ordered.
TEST_F(Capture, KeepsBranchesApart) {
  begin();
  EXPECT_EQ(fill(stream, 1), CUDA_SUCCESS);
  fork();
  EXPECT_EQ(fill(stream, 2), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemsetD32Async(at + 64, 3, 1, other), CUDA_SUCCESS);
  join();
  EXPECT_EQ(fill(stream, 4), CUDA_SUCCESS);
  const CUgraph graph = end();
  EXPECT_EQ(count(graph), 4U);
  EXPECT_EQ(edges(graph), 4U);
}

// [H 3097] CUDA_ERROR_STREAM_CAPTURE_UNJOINED: "a fork that was not joined to the primary stream."
TEST_F(Capture, EndsWhenAllIsJoined) {
  begin();
  fork();
  EXPECT_EQ(fill(other, 1), CUDA_SUCCESS);
  expect_broken(CUDA_ERROR_STREAM_CAPTURE_UNJOINED);
  EXPECT_EQ(status(other), CU_STREAM_CAPTURE_STATUS_NONE);
}

// [H 3091] CUDA_ERROR_STREAM_CAPTURE_UNMATCHED: "not initiated in this stream."
TEST_F(Capture, EndsInItsStream) {
  begin();
  fork();
  CUgraph graph = nullptr;
  EXPECT_EQ(d.cuStreamEndCapture(other, &graph), CUDA_ERROR_STREAM_CAPTURE_UNMATCHED);
  EXPECT_EQ(graph, nullptr);
}

// [H 3104] CUDA_ERROR_STREAM_CAPTURE_ISOLATION: a dependency from outside the capture.
TEST_F(Capture, DoesNotWaitForWorkOutside) {
  const CUevent outside = make_event(CU_EVENT_DISABLE_TIMING);
  EXPECT_EQ(d.cuEventRecord(outside, other), CUDA_SUCCESS);
  begin();
  EXPECT_EQ(d.cuStreamWaitEvent(stream, outside, 0), CUDA_ERROR_STREAM_CAPTURE_ISOLATION);
  expect_broken();
}

// [H 3086] CUDA_ERROR_STREAM_CAPTURE_MERGE: "a merge of two independent capture sequences."
TEST_F(Capture, DoesNotMergeWithAnother) {
  const CUevent edge = make_event(CU_EVENT_DISABLE_TIMING);
  begin();
  ASSERT_EQ(d.cuStreamBeginCapture_v2(other, CU_STREAM_CAPTURE_MODE_GLOBAL), CUDA_SUCCESS);
  EXPECT_EQ(fill(other, 1), CUDA_SUCCESS);
  EXPECT_EQ(d.cuEventRecord(edge, other), CUDA_SUCCESS);
  EXPECT_EQ(d.cuStreamWaitEvent(stream, edge, 0), CUDA_ERROR_STREAM_CAPTURE_MERGE);
  CUgraph graph = nullptr;
  (void)d.cuStreamEndCapture(other, &graph);
  if (graph != nullptr) (void)d.cuGraphDestroy(graph);
  expect_broken();
}

// [H 15520] INVALIDATED until it is ended; [H 3076] and further work is refused.
TEST_F(Capture, StaysBrokenUntilItIsEnded) {
  begin();
  CUdeviceptr none = 0;
  EXPECT_EQ(d.cuMemAlloc_v2(&none, 100), CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
  EXPECT_EQ(status(stream), CU_STREAM_CAPTURE_STATUS_INVALIDATED);
  EXPECT_EQ(fill(stream, 1), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
  expect_broken();
  EXPECT_EQ(status(stream), CU_STREAM_CAPTURE_STATUS_NONE);
}

// [H 15522] ended "in order to continue using hStream."
TEST_F(Capture, LeavesAUsableStream) {
  begin();
  CUdeviceptr none = 0;
  EXPECT_EQ(d.cuMemAlloc_v2(&none, 100), CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
  expect_broken();
  EXPECT_EQ(fill(stream, 7), CUDA_SUCCESS);
  EXPECT_EQ(d.cuStreamSynchronize(stream), CUDA_SUCCESS);
  EXPECT_EQ(read(at), 7U);
}

// [H 15353] "A unique id representing the capture sequence".
TEST_F(Capture, HasAnIdentity) {
  cuuint64_t first = 0;
  cuuint64_t second = 0;
  CUstreamCaptureStatus now{};
  begin();
  EXPECT_EQ(d.cuStreamGetCaptureInfo_v2(stream, &now, &first, nullptr, nullptr, nullptr),
            CUDA_SUCCESS);
  EXPECT_EQ(now, CU_STREAM_CAPTURE_STATUS_ACTIVE);
  end();
  begin();
  EXPECT_EQ(d.cuStreamGetCaptureInfo_v2(stream, &now, &second, nullptr, nullptr, nullptr),
            CUDA_SUCCESS);
  end();
  EXPECT_NE(first, second);
}

// [H 15574 ff.] the graph being captured into and the nodes that the next one will depend on.
TEST_F(Capture, ShowsItsGraphAndWhereItStands) {
  CUstreamCaptureStatus now{};
  CUgraph graph = nullptr;
  const CUgraphNode* last = nullptr;
  std::size_t many = 99;
  begin();
  EXPECT_EQ(d.cuStreamGetCaptureInfo_v2(stream, &now, nullptr, &graph, &last, &many), CUDA_SUCCESS);
  EXPECT_EQ(many, 0U);
  EXPECT_EQ(fill(stream, 1), CUDA_SUCCESS);
  EXPECT_EQ(d.cuStreamGetCaptureInfo_v2(stream, &now, nullptr, &graph, &last, &many), CUDA_SUCCESS);
  ASSERT_EQ(many, 1U);
  EXPECT_EQ(type(last[0]), CU_GRAPH_NODE_TYPE_MEMSET);
  EXPECT_EQ(end(), graph);
}

// [H 15561 ff.] outside a capture only the status is told.
TEST_F(Capture, ShowsNothingWhenThereIsNone) {
  CUstreamCaptureStatus now = CU_STREAM_CAPTURE_STATUS_ACTIVE;
  EXPECT_EQ(d.cuStreamGetCaptureInfo_v2(stream, &now, nullptr, nullptr, nullptr, nullptr),
            CUDA_SUCCESS);
  EXPECT_EQ(now, CU_STREAM_CAPTURE_STATUS_NONE);
}

// [H 15386] "placing new nodes into an existing graph."
TEST_F(Capture, GoesIntoAnExistingGraph) {
  CUgraph graph = nullptr;
  ASSERT_EQ(d.cuGraphCreate(&graph, 0), CUDA_SUCCESS);
  EXPECT_EQ(d.cuStreamBeginCaptureToGraph(stream, graph, nullptr, nullptr, 0,
                                          CU_STREAM_CAPTURE_MODE_GLOBAL),
            CUDA_SUCCESS);
  EXPECT_EQ(fill(stream, 1), CUDA_SUCCESS);
  CUgraph ended = nullptr;
  EXPECT_EQ(d.cuStreamEndCapture(stream, &ended), CUDA_SUCCESS);
  EXPECT_EQ(ended, graph);
  EXPECT_EQ(count(graph), 1U);
  EXPECT_EQ(d.cuGraphDestroy(graph), CUDA_SUCCESS);
}

}  // namespace
}  // namespace conformance
