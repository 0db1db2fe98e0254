// Memory nodes: addresses that stay, memory that comes with a launch and goes with a free.
//
// The rules are those of cuda.h, cuGraphAddMemAllocNode and cuGraphLaunch; the codes where it names
// none are those of driver 580 on an H100.
#include <utility>

#include "driver.h"
#include "simcuda.h"

namespace gmlake::simcuda::test {
namespace {

constexpr std::size_t kSize = 1 << 20;

class GraphMemory : public DeviceTest {
 protected:
  void SetUp() override {
    DeviceTest::SetUp();
    stream = make_stream();
    physical_before = physical();
  }
  void TearDown() override {
    DeviceTest::TearDown();
    EXPECT_EQ(physical(), physical_before);
  }

  // Captures an allocation, a fill, and if wanted a free.
  CUgraph capture(bool with_free, std::size_t size = kSize) {
    CUgraph graph = nullptr;
    EXPECT_EQ(d.cuStreamBeginCapture_v2(stream, CU_STREAM_CAPTURE_MODE_RELAXED), CUDA_SUCCESS);
    EXPECT_EQ(d.cuMemAllocAsync(&at, size, stream), CUDA_SUCCESS);
    EXPECT_EQ(d.cuMemsetD32Async(at, 7, size / 4, stream), CUDA_SUCCESS);
    if (with_free) {
      EXPECT_EQ(d.cuMemFreeAsync(at, stream), CUDA_SUCCESS);
    }
    EXPECT_EQ(d.cuStreamEndCapture(stream, &graph), CUDA_SUCCESS);
    return graph;
  }
  CUgraph capture_free(CUdeviceptr what) {
    CUgraph graph = nullptr;
    EXPECT_EQ(d.cuStreamBeginCapture_v2(stream, CU_STREAM_CAPTURE_MODE_RELAXED), CUDA_SUCCESS);
    EXPECT_EQ(d.cuMemFreeAsync(what, stream), CUDA_SUCCESS);
    EXPECT_EQ(d.cuStreamEndCapture(stream, &graph), CUDA_SUCCESS);
    return graph;
  }
  CUgraphExec instantiate(CUgraph graph, unsigned long long flags = 0) {
    CUgraphExec executable = nullptr;
    EXPECT_EQ(d.cuGraphInstantiateWithFlags(&executable, graph, flags), CUDA_SUCCESS);
    return executable;
  }
  CUresult launch(CUgraphExec executable) {
    const CUresult done = d.cuGraphLaunch(executable, stream);
    EXPECT_EQ(d.cuStreamSynchronize(stream), CUDA_SUCCESS);
    return done;
  }
  void destroy(CUgraphExec executable, CUgraph graph) {
    EXPECT_EQ(d.cuGraphExecDestroy(executable), CUDA_SUCCESS);
    EXPECT_EQ(d.cuGraphDestroy(graph), CUDA_SUCCESS);
  }
  cuuint64_t attribute(CUgraphMem_attribute wanted) {
    cuuint64_t value = ~cuuint64_t{0};
    EXPECT_EQ(d.cuDeviceGetGraphMemAttribute(0, wanted, &value), CUDA_SUCCESS);
    return value;
  }
  unsigned long long physical() {
    return d.find<decltype(simcuda_physical_bytes)>("simcuda_physical_bytes")();
  }

  CUstream stream = nullptr;
  CUdeviceptr at = 0;
  unsigned long long physical_before = 0;
};

TEST_F(GraphMemory, IsThereFromALaunchToAFreeOutside) {
  const CUgraph graph = capture(false);
  EXPECT_EQ(d.cuMemFree_v2(at), CUDA_ERROR_INVALID_VALUE);  // not there yet
  EXPECT_EQ(d.cuMemFreeAsync(at, stream), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(physical(), physical_before);
  const CUgraphExec executable = instantiate(graph);
  ASSERT_EQ(launch(executable), CUDA_SUCCESS);
  EXPECT_EQ(physical(), physical_before + kSize);
  EXPECT_EQ(read(at), 7U);
  EXPECT_EQ(launch(executable), CUDA_ERROR_INVALID_VALUE);  // it still is
  EXPECT_EQ(d.cuMemFree_v2(at), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemFree_v2(at), CUDA_ERROR_INVALID_VALUE);
  ASSERT_EQ(launch(executable), CUDA_SUCCESS);
  EXPECT_EQ(read(at), 7U);
  EXPECT_EQ(d.cuMemFreeAsync(at, stream), CUDA_SUCCESS);
  ASSERT_EQ(launch(executable), CUDA_SUCCESS);
  // It outlives its graph.
  destroy(executable, graph);
  EXPECT_EQ(read(at), 7U);
  EXPECT_EQ(d.cuMemFree_v2(at), CUDA_SUCCESS);
}

TEST_F(GraphMemory, IsFreedInsideTheGraph) {
  const CUgraph graph = capture(true);
  const CUgraphExec executable = instantiate(graph);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(launch(executable), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemFree_v2(at), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(physical(), physical_before);
  std::uint32_t value = 0;
  EXPECT_EQ(d.cuMemcpyDtoH_v2(&value, at, 4), CUDA_ERROR_INVALID_VALUE);
  {  // several at once
    Gate gate(stream);
    for (int i = 0; i < 3; ++i) EXPECT_EQ(d.cuGraphLaunch(executable, stream), CUDA_SUCCESS);
  }
  EXPECT_EQ(d.cuStreamSynchronize(stream), CUDA_SUCCESS);
  destroy(executable, graph);
}

TEST_F(GraphMemory, IsFreedByTheNextLaunchIfItIsToBe) {
  const CUgraph graph = capture(false);
  const CUgraphExec executable =
      instantiate(graph, CUDA_GRAPH_INSTANTIATE_FLAG_AUTO_FREE_ON_LAUNCH);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(launch(executable), CUDA_SUCCESS);
  EXPECT_EQ(physical(), physical_before + kSize);
  EXPECT_EQ(read(at), 7U);
  EXPECT_EQ(d.cuMemFree_v2(at), CUDA_SUCCESS);
  EXPECT_EQ(launch(executable), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemFreeAsync(at, stream), CUDA_SUCCESS);
  EXPECT_EQ(d.cuStreamSynchronize(stream), CUDA_SUCCESS);
  destroy(executable, graph);
}

TEST_F(GraphMemory, IsFreedByAnotherGraph) {
  const CUgraph graph = capture(false);
  const CUgraph freeing = capture_free(at);
  const CUgraphExec makes = instantiate(graph);
  const CUgraphExec frees = instantiate(freeing);
  EXPECT_EQ(launch(frees), CUDA_ERROR_INVALID_VALUE);  // nothing to free
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(launch(makes), CUDA_SUCCESS);
    EXPECT_EQ(launch(frees), CUDA_SUCCESS);
  }
  EXPECT_EQ(launch(frees), CUDA_ERROR_INVALID_VALUE);
  // Now its own graph may not.
  CUgraphNode node = nullptr;
  EXPECT_EQ(d.cuGraphAddMemFreeNode(&node, graph, nullptr, 0, at), CUDA_ERROR_INVALID_VALUE);
  destroy(makes, graph);
  destroy(frees, freeing);
}

TEST_F(GraphMemory, AddressesStay) {
  const CUgraph one = capture(true);
  const CUdeviceptr first = at;
  const CUgraph two = capture(true);
  EXPECT_NE(first, at);
  EXPECT_EQ(d.cuGraphDestroy(one), CUDA_SUCCESS);
  EXPECT_EQ(d.cuGraphDestroy(two), CUDA_SUCCESS);
}

TEST_F(GraphMemory, ACaptureFreesNothingElse) {
  CUdeviceptr ordinary = 0;
  ASSERT_EQ(d.cuMemAllocAsync(&ordinary, 64, stream), CUDA_SUCCESS);
  ASSERT_EQ(d.cuStreamBeginCapture_v2(stream, CU_STREAM_CAPTURE_MODE_GLOBAL), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemFreeAsync(ordinary, stream), CUDA_ERROR_INVALID_VALUE);
  ASSERT_EQ(d.cuMemAllocAsync(&at, 64, stream), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemFreeAsync(at, stream), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemFreeAsync(at, stream), CUDA_ERROR_INVALID_VALUE);
  CUgraph graph = nullptr;
  EXPECT_EQ(d.cuStreamEndCapture(stream, &graph), CUDA_SUCCESS);  // neither has broken it
  size_t count = 0;
  EXPECT_EQ(d.cuGraphGetNodes(graph, nullptr, &count), CUDA_SUCCESS);
  EXPECT_EQ(count, 2U);
  EXPECT_EQ(d.cuGraphDestroy(graph), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemFree_v2(ordinary), CUDA_SUCCESS);
}

TEST_F(GraphMemory, GraphsWithItAreRestricted) {
  const CUgraph graph = capture(true);
  CUgraphNode nodes[3] = {};
  size_t count = 3;
  ASSERT_EQ(d.cuGraphGetNodes(graph, nodes, &count), CUDA_SUCCESS);
  CUgraph other = nullptr;
  CUgraphNode child = nullptr;
  EXPECT_EQ(d.cuGraphDestroyNode(nodes[1]), CUDA_ERROR_NOT_SUPPORTED);
  EXPECT_EQ(d.cuGraphRemoveDependencies(graph, &nodes[0], &nodes[1], 1), CUDA_ERROR_NOT_SUPPORTED);
  EXPECT_EQ(d.cuGraphClone(&other, graph), CUDA_ERROR_NOT_SUPPORTED);
  ASSERT_EQ(d.cuGraphCreate(&other, 0), CUDA_SUCCESS);
  EXPECT_EQ(d.cuGraphAddChildGraphNode(&child, other, nullptr, 0, graph), CUDA_ERROR_NOT_SUPPORTED);
  CUgraphExec executable = instantiate(graph);
  CUgraphExec second = nullptr;
  EXPECT_EQ(d.cuGraphInstantiateWithFlags(&second, graph, 0), CUDA_ERROR_NOT_SUPPORTED);
  EXPECT_EQ(d.cuGraphExecDestroy(executable), CUDA_SUCCESS);
  executable = instantiate(graph);
  EXPECT_EQ(d.cuGraphExecDestroy(executable), CUDA_SUCCESS);
  // Moved into its parent it may be a child.
  CUgraphNodeParams moved{};
  moved.type = CU_GRAPH_NODE_TYPE_GRAPH;
  moved.graph = {graph, CU_GRAPH_CHILD_GRAPH_OWNERSHIP_MOVE};
  ASSERT_EQ(d.cuGraphAddNode_v2(&child, other, nullptr, nullptr, 0, &moved), CUDA_SUCCESS);
  EXPECT_EQ(d.cuGraphAddNode_v2(&child, other, nullptr, nullptr, 0, &moved),
            CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuGraphDestroy(graph), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuGraphInstantiateWithFlags(&second, graph, 0), CUDA_ERROR_INVALID_VALUE);
  executable = instantiate(other);
  EXPECT_EQ(launch(executable), CUDA_SUCCESS);
  destroy(executable, other);
}

TEST_F(GraphMemory, NodesAreAddedOneByOne) {
  CUgraph graph = nullptr;
  ASSERT_EQ(d.cuGraphCreate(&graph, 0), CUDA_SUCCESS);
  CUDA_MEM_ALLOC_NODE_PARAMS params{};
  params.poolProps.allocType = CU_MEM_ALLOCATION_TYPE_PINNED;
  params.poolProps.location = {CU_MEM_LOCATION_TYPE_DEVICE, 0};
  params.bytesize = kSize;
  CUgraphNode alloc = nullptr;
  CUgraphNode free = nullptr;
  ASSERT_EQ(d.cuGraphAddMemAllocNode(&alloc, graph, nullptr, 0, &params), CUDA_SUCCESS);
  EXPECT_NE(params.dptr, 0U);
  CUDA_MEM_ALLOC_NODE_PARAMS told{};
  ASSERT_EQ(d.cuGraphMemAllocNodeGetParams(alloc, &told), CUDA_SUCCESS);
  EXPECT_EQ(told.dptr, params.dptr);
  EXPECT_EQ(told.bytesize, kSize);
  EXPECT_EQ(d.cuGraphAddMemFreeNode(&free, graph, &alloc, 1, params.dptr + 1),
            CUDA_ERROR_INVALID_VALUE);
  ASSERT_EQ(d.cuGraphAddMemFreeNode(&free, graph, nullptr, 0, params.dptr), CUDA_SUCCESS);
  EXPECT_EQ(d.cuGraphAddMemFreeNode(&free, graph, &alloc, 1, params.dptr),
            CUDA_ERROR_INVALID_VALUE);
  CUgraphExec executable = nullptr;
  // The free does not follow the allocation.
  EXPECT_EQ(d.cuGraphInstantiateWithFlags(&executable, graph, 0), CUDA_ERROR_INVALID_VALUE);
  ASSERT_EQ(d.cuGraphAddDependencies(graph, &alloc, &free, 1), CUDA_SUCCESS);
  executable = instantiate(graph);
  EXPECT_EQ(launch(executable), CUDA_SUCCESS);
  CUdeviceptr freed = 0;
  EXPECT_EQ(d.cuGraphMemFreeNodeGetParams(free, &freed), CUDA_SUCCESS);
  EXPECT_EQ(freed, params.dptr);
  destroy(executable, graph);
  params.bytesize = 0;
  ASSERT_EQ(d.cuGraphCreate(&graph, 0), CUDA_SUCCESS);
  EXPECT_EQ(d.cuGraphAddMemAllocNode(&alloc, graph, nullptr, 0, &params), CUDA_ERROR_INVALID_VALUE);
  params.bytesize = kSize;
  params.poolProps.location.id = 77;
  EXPECT_NE(d.cuGraphAddMemAllocNode(&alloc, graph, nullptr, 0, &params), CUDA_SUCCESS);
  EXPECT_EQ(d.cuGraphDestroy(graph), CUDA_SUCCESS);
}

TEST_F(GraphMemory, ALaunchWithoutRoomChangesNothing) {
  size_t free = 0;
  size_t total = 0;
  ASSERT_EQ(d.cuMemGetInfo_v2(&free, &total), CUDA_SUCCESS);
  const CUgraph graph = capture(false, kSize);
  const CUgraphExec executable = instantiate(graph);
  CUdeviceptr rest = 0;
  ASSERT_EQ(d.cuMemAlloc_v2(&rest, free), CUDA_SUCCESS);
  EXPECT_EQ(launch(executable), CUDA_ERROR_OUT_OF_MEMORY);
  EXPECT_EQ(d.cuMemFree_v2(rest), CUDA_SUCCESS);
  EXPECT_EQ(launch(executable), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemFree_v2(at), CUDA_SUCCESS);
  destroy(executable, graph);
}

TEST_F(GraphMemory, IsCounted) {
  cuuint64_t zero = 0;
  ASSERT_EQ(d.cuDeviceSetGraphMemAttribute(0, CU_GRAPH_MEM_ATTR_USED_MEM_HIGH, &zero),
            CUDA_SUCCESS);
  const CUgraph graph = capture(false);
  const CUgraphExec executable = instantiate(graph);
  EXPECT_EQ(attribute(CU_GRAPH_MEM_ATTR_USED_MEM_CURRENT), 0U);
  EXPECT_EQ(launch(executable), CUDA_SUCCESS);
  EXPECT_GE(attribute(CU_GRAPH_MEM_ATTR_USED_MEM_CURRENT), kSize);
  EXPECT_GE(attribute(CU_GRAPH_MEM_ATTR_RESERVED_MEM_CURRENT), kSize);
  EXPECT_EQ(d.cuMemFree_v2(at), CUDA_SUCCESS);
  EXPECT_EQ(d.cuDeviceGraphMemTrim(0), CUDA_SUCCESS);
  EXPECT_EQ(attribute(CU_GRAPH_MEM_ATTR_RESERVED_MEM_CURRENT), 0U);
  EXPECT_GE(attribute(CU_GRAPH_MEM_ATTR_USED_MEM_HIGH), kSize);
  EXPECT_GE(attribute(CU_GRAPH_MEM_ATTR_RESERVED_MEM_HIGH), kSize);
  zero = 1;
  EXPECT_EQ(d.cuDeviceSetGraphMemAttribute(0, CU_GRAPH_MEM_ATTR_USED_MEM_HIGH, &zero),
            CUDA_ERROR_INVALID_VALUE);
  zero = 0;
  EXPECT_EQ(d.cuDeviceSetGraphMemAttribute(0, CU_GRAPH_MEM_ATTR_USED_MEM_CURRENT, &zero),
            CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuDeviceGraphMemTrim(99), CUDA_ERROR_INVALID_DEVICE);
  destroy(executable, graph);
}

}  // namespace
}  // namespace gmlake::simcuda::test
