// A test with a stream to capture; what it captures is ended and destroyed with it.
#pragma once

#include <vector>

#include "fixture.h"

namespace conformance {

class CaptureTest : public DeviceTest {
 protected:
  void SetUp() override {
    DeviceTest::SetUp();
    stream = make_stream();
    other = make_stream();
    at = make_memory(kChunk);
    EXPECT_EQ(d.cuMemsetD8_v2(at, 0, kChunk), CUDA_SUCCESS);
    EXPECT_EQ(d.cuCtxSynchronize(), CUDA_SUCCESS);
  }
  // Whatever a test left capturing would break the next ones.
  void TearDown() override {
    CUstreamCaptureStatus status = CU_STREAM_CAPTURE_STATUS_NONE;
    if (d.cuStreamIsCapturing(stream, &status) == CUDA_SUCCESS &&
        status != CU_STREAM_CAPTURE_STATUS_NONE)
      (void)d.cuStreamEndCapture(stream, &graph_);
    if (graph_ != nullptr) (void)d.cuGraphDestroy(graph_);
    DeviceTest::TearDown();
  }

  void begin(CUstreamCaptureMode mode = CU_STREAM_CAPTURE_MODE_GLOBAL) {
    ASSERT_EQ(d.cuStreamBeginCapture_v2(stream, mode), CUDA_SUCCESS);
  }
  // Ends the capture and gives its graph, for as long as the test lasts.
  CUgraph end() {
    CUgraph graph = nullptr;
    EXPECT_EQ(d.cuStreamEndCapture(stream, &graph), CUDA_SUCCESS);
    EXPECT_NE(graph, nullptr);
    if (graph != nullptr) {
      later([this, graph] { EXPECT_EQ(d.cuGraphDestroy(graph), CUDA_SUCCESS); });
    }
    return graph;
  }
  // Ends a capture that must have been broken.
  void expect_broken(CUresult why = CUDA_ERROR_STREAM_CAPTURE_INVALIDATED) {
    CUgraph graph = reinterpret_cast<CUgraph>(this);
    EXPECT_EQ(d.cuStreamEndCapture(stream, &graph), why);
    EXPECT_EQ(graph, nullptr);
  }
  void expect_intact() {
    EXPECT_EQ(fill(stream, 1), CUDA_SUCCESS);
    EXPECT_GE(count(end()), 1U);
  }
  CUstreamCaptureStatus status(CUstream of) {
    CUstreamCaptureStatus now{};
    EXPECT_EQ(d.cuStreamIsCapturing(of, &now), CUDA_SUCCESS);
    return now;
  }
  CUresult fill(CUstream in, unsigned value) { return d.cuMemsetD32Async(at, value, 1, in); }
  // Makes the other stream part of the capture.
  void fork() {
    const CUevent edge = make_event(CU_EVENT_DISABLE_TIMING);
    EXPECT_EQ(d.cuEventRecord(edge, stream), CUDA_SUCCESS);
    EXPECT_EQ(d.cuStreamWaitEvent(other, edge, 0), CUDA_SUCCESS);
  }
  void join() {
    const CUevent edge = make_event(CU_EVENT_DISABLE_TIMING);
    EXPECT_EQ(d.cuEventRecord(edge, other), CUDA_SUCCESS);
    EXPECT_EQ(d.cuStreamWaitEvent(stream, edge, 0), CUDA_SUCCESS);
  }

  std::size_t count(CUgraph graph) {
    std::size_t nodes = 0;
    EXPECT_EQ(d.cuGraphGetNodes(graph, nullptr, &nodes), CUDA_SUCCESS);
    return nodes;
  }
  std::size_t edges(CUgraph graph) {
    std::size_t found = 0;
    EXPECT_EQ(d.cuGraphGetEdges(graph, nullptr, nullptr, &found), CUDA_SUCCESS);
    return found;
  }
  std::vector<CUgraphNode> nodes(CUgraph graph) {
    std::size_t found = count(graph);
    std::vector<CUgraphNode> all(found);
    EXPECT_EQ(d.cuGraphGetNodes(graph, all.data(), &found), CUDA_SUCCESS);
    return all;
  }
  CUgraphNodeType type(CUgraphNode node) {
    CUgraphNodeType found{};
    EXPECT_EQ(d.cuGraphNodeGetType(node, &found), CUDA_SUCCESS);
    return found;
  }
  // Instantiates the graph, for as long as the test lasts.
  CUgraphExec instantiate(CUgraph graph, unsigned long long flags = 0) {
    CUgraphExec made = nullptr;
    EXPECT_EQ(d.cuGraphInstantiateWithFlags(&made, graph, flags), CUDA_SUCCESS);
    later([this, made] { EXPECT_EQ(d.cuGraphExecDestroy(made), CUDA_SUCCESS); });
    return made;
  }
  void launch(CUgraphExec exec) {
    EXPECT_EQ(d.cuGraphLaunch(exec, stream), CUDA_SUCCESS);
    EXPECT_EQ(d.cuStreamSynchronize(stream), CUDA_SUCCESS);
  }

  CUstream stream = nullptr;
  CUstream other = nullptr;
  CUdeviceptr at = 0;

 private:
  CUgraph graph_ = nullptr;
};

}  // namespace conformance
