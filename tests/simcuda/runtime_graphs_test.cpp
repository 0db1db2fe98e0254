// Capture, graphs and their nodes.
#include <algorithm>

#include "runtime_fixture.h"

namespace gmlake::simcuda::test {
namespace {

class RuntimeGraphs : public RuntimeTest {
 protected:
  void launch(cudaGraph_t graph) {
    cudaGraphExec_t executable = nullptr;
    ASSERT_EQ(cudaGraphInstantiate(&executable, graph, 0), cudaSuccess);
    EXPECT_EQ(cudaGraphLaunch(executable, stream), cudaSuccess);
    EXPECT_EQ(cudaStreamSynchronize(stream), cudaSuccess);
    EXPECT_EQ(cudaGraphExecDestroy(executable), cudaSuccess);
  }
  std::size_t nodes(cudaGraph_t graph) {
    std::size_t count = 0;
    EXPECT_EQ(cudaGraphGetNodes(graph, nullptr, &count), cudaSuccess);
    return count;
  }
  // The node of that type, of a graph that has one.
  cudaGraphNode_t node_of(cudaGraph_t graph, cudaGraphNodeType wanted) {
    std::size_t count = nodes(graph);
    std::vector<cudaGraphNode_t> all(count);
    EXPECT_EQ(cudaGraphGetNodes(graph, all.data(), &count), cudaSuccess);
    const auto found = std::find_if(all.begin(), all.end(), [wanted](cudaGraphNode_t node) {
      cudaGraphNodeType type{};
      return cudaGraphNodeGetType(node, &type) == cudaSuccess && type == wanted;
    });
    EXPECT_NE(found, all.end());
    return found != all.end() ? *found : nullptr;
  }
};

TEST_F(RuntimeGraphs, CapturedWorkRunsAtLaunch) {
  void* device = allocate(64);
  ASSERT_EQ(cudaMemset(device, 1, 64), cudaSuccess);
  cudaStreamCaptureStatus status{};
  cudaGraph_t graph = nullptr;
  ASSERT_EQ(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), cudaSuccess);
  EXPECT_EQ(cudaStreamIsCapturing(stream, &status), cudaSuccess);
  EXPECT_EQ(status, cudaStreamCaptureStatusActive);
  EXPECT_EQ(cudaMemsetAsync(device, 2, 64, stream), cudaSuccess);
  unsigned long long id = 0;
  std::size_t count = 0;
  EXPECT_EQ(cudaStreamGetCaptureInfo(stream, &status, &id, nullptr, nullptr, nullptr, &count),
            cudaSuccess);
  EXPECT_NE(id, 0U);
  EXPECT_EQ(count, 1U);
  ASSERT_EQ(cudaStreamEndCapture(stream, &graph), cudaSuccess);
  EXPECT_EQ(nodes(graph), 1U);
  EXPECT_EQ(read(device, 1)[0], 1);
  launch(graph);
  EXPECT_EQ(read(device, 1)[0], 2);
  EXPECT_EQ(cudaGraphDestroy(graph), cudaSuccess);
  EXPECT_EQ(cudaFree(device), cudaSuccess);
}

TEST_F(RuntimeGraphs, AnUnsafeCallEndsTheCapture) {
  cudaGraph_t graph = nullptr;
  ASSERT_EQ(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal), cudaSuccess);
  EXPECT_EQ(cudaStreamSynchronize(stream), cudaErrorStreamCaptureUnsupported);
  EXPECT_EQ(cudaGetLastError(), cudaErrorStreamCaptureUnsupported);
  EXPECT_EQ(cudaStreamEndCapture(stream, &graph), cudaErrorStreamCaptureInvalidated);
  EXPECT_EQ(graph, nullptr);
  EXPECT_EQ(cudaGetLastError(), cudaErrorStreamCaptureInvalidated);
}

TEST_F(RuntimeGraphs, TheThreadsModeIsExchanged) {
  cudaStreamCaptureMode mode = cudaStreamCaptureModeRelaxed;
  EXPECT_EQ(cudaThreadExchangeStreamCaptureMode(&mode), cudaSuccess);
  EXPECT_EQ(mode, cudaStreamCaptureModeGlobal);
  EXPECT_EQ(cudaThreadExchangeStreamCaptureMode(&mode), cudaSuccess);
  EXPECT_EQ(mode, cudaStreamCaptureModeRelaxed);
}

TEST_F(RuntimeGraphs, MemoryNodesGiveAndTakeMemory) {
  cudaGraph_t graph = nullptr;
  ASSERT_EQ(cudaGraphCreate(&graph, 0), cudaSuccess);
  cudaMemAllocNodeParams memory{};
  memory.poolProps.allocType = cudaMemAllocationTypePinned;
  memory.poolProps.location = {cudaMemLocationTypeDevice, 0};
  memory.bytesize = 1 << 20;
  cudaGraphNode_t allocation = nullptr;
  ASSERT_EQ(cudaGraphAddMemAllocNode(&allocation, graph, nullptr, 0, &memory), cudaSuccess);
  EXPECT_NE(memory.dptr, nullptr);
  cudaMemsetParams fill{};
  fill.dst = memory.dptr;
  fill.elementSize = 1;
  fill.value = 7;
  fill.width = 64;
  fill.height = 1;
  cudaGraphNode_t filling = nullptr;
  ASSERT_EQ(cudaGraphAddMemsetNode(&filling, graph, &allocation, 1, &fill), cudaSuccess);
  std::vector<unsigned char> back(64);
  cudaGraphNode_t copying = nullptr;
  ASSERT_EQ(cudaGraphAddMemcpyNode1D(&copying, graph, &filling, 1, back.data(), memory.dptr, 64,
                                     cudaMemcpyDeviceToHost),
            cudaSuccess);
  cudaGraphNode_t freeing = nullptr;
  ASSERT_EQ(cudaGraphAddMemFreeNode(&freeing, graph, &copying, 1, memory.dptr), cudaSuccess);
  void* freed = nullptr;
  EXPECT_EQ(cudaGraphMemFreeNodeGetParams(freeing, &freed), cudaSuccess);
  EXPECT_EQ(freed, memory.dptr);
  launch(graph);
  EXPECT_EQ(back, std::vector<unsigned char>(64, 7));
  std::uint64_t reserved = 1;
  EXPECT_EQ(cudaGraphDestroy(graph), cudaSuccess);
  EXPECT_EQ(cudaDeviceGraphMemTrim(0), cudaSuccess);
  EXPECT_EQ(cudaDeviceGetGraphMemAttribute(0, cudaGraphMemAttrReservedMemCurrent, &reserved),
            cudaSuccess);
  EXPECT_EQ(reserved, 0U);
}

TEST_F(RuntimeGraphs, ACapturedAllocationIsANode) {
  void* memory = nullptr;
  cudaGraph_t graph = nullptr;
  ASSERT_EQ(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), cudaSuccess);
  EXPECT_EQ(cudaMallocAsync(&memory, 4096, stream), cudaSuccess);
  EXPECT_EQ(cudaFreeAsync(memory, stream), cudaSuccess);
  ASSERT_EQ(cudaStreamEndCapture(stream, &graph), cudaSuccess);
  cudaMemAllocNodeParams parameters{};
  EXPECT_EQ(cudaGraphMemAllocNodeGetParams(node_of(graph, cudaGraphNodeTypeMemAlloc), &parameters),
            cudaSuccess);
  EXPECT_EQ(parameters.dptr, memory);
  EXPECT_GE(parameters.bytesize, 4096U);
  node_of(graph, cudaGraphNodeTypeMemFree);
  launch(graph);
  EXPECT_EQ(cudaGraphDestroy(graph), cudaSuccess);
}

TEST_F(RuntimeGraphs, HostNodesRunInTheirOrder) {
  std::vector<int> order;
  struct Step {
    std::vector<int>* order;
    int number;
  } first{&order, 1}, second{&order, 2};
  const auto run = [](void* data) {
    const auto* step = static_cast<Step*>(data);
    step->order->push_back(step->number);
  };
  cudaGraph_t graph = nullptr;
  cudaGraphNode_t node = nullptr;
  cudaGraphNode_t last = nullptr;
  ASSERT_EQ(cudaGraphCreate(&graph, 0), cudaSuccess);
  cudaHostNodeParams parameters{run, &first};
  ASSERT_EQ(cudaGraphAddHostNode(&node, graph, nullptr, 0, &parameters), cudaSuccess);
  cudaGraphNodeParams generic{};
  generic.type = cudaGraphNodeTypeHost;
  generic.host.fn = run;
  generic.host.userData = &second;
  ASSERT_EQ(cudaGraphAddNode(&last, graph, nullptr, nullptr, 0, &generic), cudaSuccess);
  EXPECT_EQ(cudaGraphAddDependencies(graph, &node, &last, nullptr, 1), cudaSuccess);
  cudaHostNodeParams found{};
  EXPECT_EQ(cudaGraphHostNodeGetParams(last, &found), cudaSuccess);
  EXPECT_EQ(found.userData, &second);
  launch(graph);
  EXPECT_EQ(order, (std::vector<int>{1, 2}));
  EXPECT_EQ(cudaGraphDestroy(graph), cudaSuccess);
}

TEST_F(RuntimeGraphs, CopiesOfRowsAreToldAsTheyWereGiven) {
  void* device = allocate(4096);
  std::vector<unsigned char> host(64, 3);
  cudaGraph_t graph = nullptr;
  cudaGraphNode_t node = nullptr;
  ASSERT_EQ(cudaGraphCreate(&graph, 0), cudaSuccess);
  cudaMemcpy3DParms copy{};
  copy.srcPtr = {host.data(), 16, 16, 4};
  copy.dstPtr = {device, 64, 16, 4};
  copy.extent = {16, 4, 1};
  copy.kind = cudaMemcpyHostToDevice;
  ASSERT_EQ(cudaGraphAddMemcpyNode(&node, graph, nullptr, 0, &copy), cudaSuccess);
  cudaMemcpy3DParms found{};
  EXPECT_EQ(cudaGraphMemcpyNodeGetParams(node, &found), cudaSuccess);
  EXPECT_EQ(found.dstPtr.ptr, device);
  EXPECT_EQ(found.srcPtr.pitch, 16U);
  EXPECT_EQ(found.extent.height, 4U);
  EXPECT_EQ(found.kind, cudaMemcpyHostToDevice);
  launch(graph);
  EXPECT_EQ(read(static_cast<char*>(device) + 3 * 64 + 15, 1)[0], 3);
  EXPECT_EQ(cudaGraphDestroy(graph), cudaSuccess);
  EXPECT_EQ(cudaFree(device), cudaSuccess);
}

TEST_F(RuntimeGraphs, ACloneStandsByItself) {
  cudaGraph_t graph = nullptr;
  cudaGraph_t clone = nullptr;
  cudaGraphNode_t node = nullptr;
  cudaGraphNode_t found = nullptr;
  ASSERT_EQ(cudaGraphCreate(&graph, 0), cudaSuccess);
  ASSERT_EQ(cudaGraphAddEmptyNode(&node, graph, nullptr, 0), cudaSuccess);
  ASSERT_EQ(cudaGraphClone(&clone, graph), cudaSuccess);
  EXPECT_EQ(cudaGraphNodeFindInClone(&found, node, clone), cudaSuccess);
  EXPECT_NE(found, node);
  EXPECT_EQ(cudaGraphDestroy(graph), cudaSuccess);
  EXPECT_EQ(nodes(clone), 1U);
  EXPECT_EQ(cudaGraphDestroy(clone), cudaSuccess);
}

}  // namespace
}  // namespace gmlake::simcuda::test
