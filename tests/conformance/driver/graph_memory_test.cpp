// Memory that belongs to graphs: allocated and freed by their nodes.
#include <algorithm>

#include "../capture.h"

namespace conformance::graph_memory_test {
namespace {

constexpr std::size_t kBlock = 4 << 20;

class GraphMemory : public CaptureTest {
 protected:
  void SetUp() override {
    CaptureTest::SetUp();
    trim();
  }
  void trim() { EXPECT_EQ(d.cuDeviceGraphMemTrim(0), CUDA_SUCCESS); }
  CUdeviceptr allocate() {
    CUdeviceptr made = 0;
    EXPECT_EQ(d.cuMemAllocAsync(&made, kBlock, stream), CUDA_SUCCESS);
    EXPECT_NE(made, 0U);
    return made;
  }
  void free(CUdeviceptr block) {
    EXPECT_EQ(d.cuMemFreeAsync(block, stream), CUDA_SUCCESS);
    EXPECT_EQ(d.cuStreamSynchronize(stream), CUDA_SUCCESS);
  }
  // A graph that allocates a block, fills it, and leaves it to the program.
  CUgraph open_graph(CUdeviceptr& block) {
    begin();
    block = allocate();
    EXPECT_EQ(d.cuMemsetD32Async(block, 7, kBlock / 4, stream), CUDA_SUCCESS);
    return end();
  }
  // A graph that frees its block too, after a copy of its first word to `at`.
  CUgraph closed_graph() {
    begin();
    const CUdeviceptr block = allocate();
    EXPECT_EQ(d.cuMemsetD32Async(block, 7, kBlock / 4, stream), CUDA_SUCCESS);
    EXPECT_EQ(d.cuMemcpyDtoDAsync_v2(at, block, 4, stream), CUDA_SUCCESS);
    EXPECT_EQ(d.cuMemFreeAsync(block, stream), CUDA_SUCCESS);
    return end();
  }
  CUgraphNode find(CUgraph graph, CUgraphNodeType wanted) {
    const auto all = nodes(graph);
    const auto found = std::find_if(all.begin(), all.end(),
                                    [&](CUgraphNode node) { return type(node) == wanted; });
    EXPECT_NE(found, all.end());
    return found == all.end() ? nullptr : *found;
  }
  cuuint64_t get(CUgraphMem_attribute attribute) {
    cuuint64_t value = 77;
    EXPECT_EQ(d.cuDeviceGetGraphMemAttribute(0, attribute, &value), CUDA_SUCCESS);
    return value;
  }
  CUDA_MEM_ALLOC_NODE_PARAMS request() {
    CUDA_MEM_ALLOC_NODE_PARAMS params{};
    params.poolProps.allocType = CU_MEM_ALLOCATION_TYPE_PINNED;
    params.poolProps.location = {CU_MEM_LOCATION_TYPE_DEVICE, 0};
    params.bytesize = kBlock;
    return params;
  }
};

// [H 13333] "During stream capture, this function results in the creation of an allocation node."
TEST_F(GraphMemory, IsAllocatedByANode) {
  CUdeviceptr block = 0;
  const CUgraph graph = open_graph(block);
  EXPECT_EQ(count(graph), 2U);
  CUDA_MEM_ALLOC_NODE_PARAMS params{};
  EXPECT_EQ(d.cuGraphMemAllocNodeGetParams(find(graph, CU_GRAPH_NODE_TYPE_MEM_ALLOC), &params),
            CUDA_SUCCESS);
  EXPECT_EQ(params.dptr, block);
  EXPECT_EQ(params.bytesize, kBlock);
}

// [H 13307] "this function results in the creation of a free node".
TEST_F(GraphMemory, IsFreedByANode) {
  const CUgraph graph = closed_graph();
  CUDA_MEM_ALLOC_NODE_PARAMS made{};
  CUdeviceptr freed = 0;
  EXPECT_EQ(d.cuGraphMemAllocNodeGetParams(find(graph, CU_GRAPH_NODE_TYPE_MEM_ALLOC), &made),
            CUDA_SUCCESS);
  EXPECT_EQ(d.cuGraphMemFreeNodeGetParams(find(graph, CU_GRAPH_NODE_TYPE_MEM_FREE), &freed),
            CUDA_SUCCESS);
  EXPECT_EQ(freed, made.dptr);
}

// [H 13308] "must therefore be passed the address of a graph allocation."
TEST_F(GraphMemory, OnlyIsFreedByANode) {
  CUdeviceptr plain = 0;
  ASSERT_EQ(d.cuMemAllocAsync(&plain, kBlock, stream), CUDA_SUCCESS);
  ASSERT_EQ(d.cuStreamSynchronize(stream), CUDA_SUCCESS);
  begin();
  EXPECT_EQ(d.cuMemFreeAsync(plain, stream), CUDA_ERROR_INVALID_VALUE);
  CUgraph graph = nullptr;
  (void)d.cuStreamEndCapture(stream, &graph);
  if (graph != nullptr) {
    EXPECT_EQ(d.cuGraphDestroy(graph), CUDA_SUCCESS);
  }
  free(plain);
}

// [H 19756] used by nodes "ordered after the allocation node but before the free node."
TEST_F(GraphMemory, IsUsedByTheGraph) {
  launch(instantiate(closed_graph()));
  EXPECT_EQ(read(at), 7U);
}

// [H 19755] freed in the graph, there is nothing to do between launches.
TEST_F(GraphMemory, FreedByTheGraphLetsItRunAgain) {
  const CUgraphExec exec = instantiate(closed_graph());
  for (int i = 0; i < 3; ++i) launch(exec);
  EXPECT_EQ(read(at), 7U);
}

// [H 19761] otherwise also by "stream operations ordered after the graph's execution but before
// the allocation is freed."
TEST_F(GraphMemory, IsUsedAfterTheGraph) {
  CUdeviceptr block = 0;
  const CUgraphExec exec = instantiate(open_graph(block));
  launch(exec);
  EXPECT_EQ(read(block + kBlock - 4), 7U);
  free(block);
}

// [H 19753] "The allocation's address remains fixed across instantiations and launches."
TEST_F(GraphMemory, KeepsItsAddress) {
  CUdeviceptr block = 0;
  const CUgraph graph = open_graph(block);
  for (int i = 0; i < 2; ++i) {
    CUgraphExec exec = nullptr;
    ASSERT_EQ(d.cuGraphInstantiateWithFlags(&exec, graph, 0), CUDA_SUCCESS);
    for (int again = 0; again < 2; ++again) {
      launch(exec);
      EXPECT_EQ(read(block), 7U);
      free(block);
    }
    EXPECT_EQ(d.cuGraphExecDestroy(exec), CUDA_SUCCESS);
  }
}

// [H 21055] unfreed, "the launch will fail with CUDA_ERROR_INVALID_VALUE."
TEST_F(GraphMemory, UnfreedKeepsTheGraphFromRunningAgain) {
  CUdeviceptr block = 0;
  const CUgraphExec exec = instantiate(open_graph(block));
  launch(exec);
  EXPECT_EQ(d.cuGraphLaunch(exec, stream), CUDA_ERROR_INVALID_VALUE);
  free(block);
  launch(exec);
  free(block);
}

// [H 19765] freed by cuMemFree as well.
TEST_F(GraphMemory, IsFreedPlainly) {
  CUdeviceptr block = 0;
  const CUgraphExec exec = instantiate(open_graph(block));
  for (int i = 0; i < 2; ++i) {
    launch(exec);
    EXPECT_EQ(d.cuMemFree_v2(block), CUDA_SUCCESS);
  }
}

// [H 19766] or by "launching a graph with a free node for that allocation".
TEST_F(GraphMemory, IsFreedByAnotherGraph) {
  CUdeviceptr block = 0;
  const CUgraphExec exec = instantiate(open_graph(block));
  begin();
  EXPECT_EQ(d.cuMemcpyDtoDAsync_v2(at, block, 4, stream), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemFreeAsync(block, stream), CUDA_SUCCESS);
  const CUgraphExec freeing = instantiate(end());
  for (int i = 0; i < 2; ++i) {
    launch(exec);
    launch(freeing);
  }
  EXPECT_EQ(read(at), 7U);
}

// [H 19767] with AUTO_FREE_ON_LAUNCH each launch behaves "as though it called cuMemFreeAsync for
// every unfreed allocation."
TEST_F(GraphMemory, IsFreedByTheNextLaunch) {
  CUdeviceptr block = 0;
  const CUgraphExec exec =
      instantiate(open_graph(block), CUDA_GRAPH_INSTANTIATE_FLAG_AUTO_FREE_ON_LAUNCH);
  for (int i = 0; i < 3; ++i) launch(exec);
  EXPECT_EQ(read(block), 7U);
  free(block);
}

// [H 19777] "Only one instantiation of the graph may exist at any point in time."
TEST_F(GraphMemory, MakesItsGraphInstantiableOnce) {
  const CUgraph graph = closed_graph();
  instantiate(graph);
  CUgraphExec second = nullptr;
  EXPECT_NE(d.cuGraphInstantiateWithFlags(&second, graph, 0), CUDA_SUCCESS);
}

// [H 19778] "The graph cannot be cloned."
TEST_F(GraphMemory, KeepsItsGraphFromBeingCloned) {
  CUgraph copy = nullptr;
  EXPECT_NE(d.cuGraphClone(&copy, closed_graph()), CUDA_SUCCESS);
}

// [H 19775] "Nodes and edges of the graph cannot be deleted."
TEST_F(GraphMemory, KeepsTheNodesOfItsGraph) {
  EXPECT_NE(d.cuGraphDestroyNode(find(closed_graph(), CU_GRAPH_NODE_TYPE_MEMSET)), CUDA_SUCCESS);
}

// [H 19752] "it returns the address of the allocation in nodeParams.dptr."
TEST_F(GraphMemory, IsAddedByHand) {
  CUgraph graph = nullptr;
  CUgraphNode made = nullptr;
  CUgraphNode freed = nullptr;
  ASSERT_EQ(d.cuGraphCreate(&graph, 0), CUDA_SUCCESS);
  auto params = request();
  EXPECT_EQ(d.cuGraphAddMemAllocNode(&made, graph, nullptr, 0, &params), CUDA_SUCCESS);
  EXPECT_NE(params.dptr, 0U);
  EXPECT_EQ(d.cuGraphAddMemFreeNode(&freed, graph, &made, 1, params.dptr), CUDA_SUCCESS);
  EXPECT_EQ(type(made), CU_GRAPH_NODE_TYPE_MEM_ALLOC);
  EXPECT_EQ(type(freed), CU_GRAPH_NODE_TYPE_MEM_FREE);
  EXPECT_EQ(d.cuGraphDestroy(graph), CUDA_SUCCESS);
}

// [H 19852] CUDA_ERROR_INVALID_VALUE for "an allocation twice in the same graph".
TEST_F(GraphMemory, IsFreedOnceByItsGraph) {
  CUgraph graph = nullptr;
  CUgraphNode made = nullptr;
  CUgraphNode freed = nullptr;
  ASSERT_EQ(d.cuGraphCreate(&graph, 0), CUDA_SUCCESS);
  auto params = request();
  ASSERT_EQ(d.cuGraphAddMemAllocNode(&made, graph, nullptr, 0, &params), CUDA_SUCCESS);
  ASSERT_EQ(d.cuGraphAddMemFreeNode(&freed, graph, &made, 1, params.dptr), CUDA_SUCCESS);
  EXPECT_EQ(d.cuGraphAddMemFreeNode(&freed, graph, &made, 1, params.dptr),
            CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuGraphDestroy(graph), CUDA_SUCCESS);
}

// [H 19854] "an address that was not returned by an allocation node."
TEST_F(GraphMemory, OnlyIsFreedByHand) {
  CUgraph graph = nullptr;
  CUgraphNode freed = nullptr;
  ASSERT_EQ(d.cuGraphCreate(&graph, 0), CUDA_SUCCESS);
  EXPECT_EQ(d.cuGraphAddMemFreeNode(&freed, graph, nullptr, 0, at), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuGraphAddMemFreeNode(&freed, graph, nullptr, 0, 0xdeadbee000),
            CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuGraphDestroy(graph), CUDA_SUCCESS);
}

// [H 19942, 19945] what graphs use and hold.
TEST_F(GraphMemory, IsCounted) {
  CUdeviceptr block = 0;
  const CUgraphExec exec = instantiate(open_graph(block));
  launch(exec);
  EXPECT_GE(get(CU_GRAPH_MEM_ATTR_USED_MEM_CURRENT), kBlock);
  EXPECT_GE(get(CU_GRAPH_MEM_ATTR_RESERVED_MEM_CURRENT), kBlock);
  free(block);
}

// [H 19943, 19947] the most that was used and held; it "can only be reset to zero."
TEST_F(GraphMemory, IsRememberedAtItsMost) {
  launch(instantiate(closed_graph()));
  EXPECT_GE(get(CU_GRAPH_MEM_ATTR_RESERVED_MEM_HIGH), kBlock);
  cuuint64_t value = 5;
  EXPECT_EQ(d.cuDeviceSetGraphMemAttribute(0, CU_GRAPH_MEM_ATTR_USED_MEM_HIGH, &value),
            CUDA_ERROR_INVALID_VALUE);
  value = 0;
  EXPECT_EQ(d.cuDeviceSetGraphMemAttribute(0, CU_GRAPH_MEM_ATTR_USED_MEM_HIGH, &value),
            CUDA_SUCCESS);
}

// [H 19920] "Blocks which are not in use by a graph ... are freed back to the operating system."
TEST_F(GraphMemory, IsTrimmed) {
  {
    CUgraphExec exec = nullptr;
    ASSERT_EQ(d.cuGraphInstantiateWithFlags(&exec, closed_graph(), 0), CUDA_SUCCESS);
    launch(exec);
    ASSERT_EQ(d.cuGraphExecDestroy(exec), CUDA_SUCCESS);
  }
  trim();
  EXPECT_EQ(get(CU_GRAPH_MEM_ATTR_RESERVED_MEM_CURRENT), 0U);
}

// [H 19927, 19956] CUDA_ERROR_INVALID_DEVICE.
TEST_F(GraphMemory, IsOfADevice) {
  cuuint64_t value = 0;
  EXPECT_EQ(d.cuDeviceGraphMemTrim(77), CUDA_ERROR_INVALID_DEVICE);
  EXPECT_EQ(d.cuDeviceGetGraphMemAttribute(77, CU_GRAPH_MEM_ATTR_USED_MEM_CURRENT, &value),
            CUDA_ERROR_INVALID_DEVICE);
}

}  // namespace
}  // namespace conformance::graph_memory_test
