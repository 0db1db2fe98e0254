// Graphs: what captures leave in them, what is added by hand, and how they run.
#include <algorithm>

#include "../capture.h"

namespace conformance {
namespace {

class Graphs : public CaptureTest {
 protected:
  CUgraph make_graph() {
    CUgraph graph = nullptr;
    EXPECT_EQ(d.cuGraphCreate(&graph, 0), CUDA_SUCCESS);
    later([this, graph] { EXPECT_EQ(d.cuGraphDestroy(graph), CUDA_SUCCESS); });
    return graph;
  }
  CUgraphNode add_fill(CUgraph graph, CUdeviceptr where, unsigned value,
                       std::vector<CUgraphNode> after = {}) {
    CUDA_MEMSET_NODE_PARAMS fill_words{};
    fill_words.dst = where;
    fill_words.value = value;
    fill_words.elementSize = 4;
    fill_words.width = 1;
    fill_words.height = 1;
    CUgraphNode node = nullptr;
    EXPECT_EQ(
        d.cuGraphAddMemsetNode(&node, graph, after.data(), after.size(), &fill_words, context),
        CUDA_SUCCESS);
    return node;
  }
  CUgraphNode add_empty(CUgraph graph, std::vector<CUgraphNode> after = {}) {
    CUgraphNode node = nullptr;
    EXPECT_EQ(d.cuGraphAddEmptyNode(&node, graph, after.data(), after.size()), CUDA_SUCCESS);
    return node;
  }
  std::vector<CUgraphNode> roots(CUgraph graph) {
    std::size_t many = 0;
    EXPECT_EQ(d.cuGraphGetRootNodes(graph, nullptr, &many), CUDA_SUCCESS);
    std::vector<CUgraphNode> found(many);
    EXPECT_EQ(d.cuGraphGetRootNodes(graph, found.data(), &many), CUDA_SUCCESS);
    return found;
  }
  // The types of the captured nodes.
  std::vector<CUgraphNodeType> types(CUgraph graph) {
    std::vector<CUgraphNodeType> found;
    for (const CUgraphNode node : nodes(graph)) found.push_back(type(node));
    return found;
  }
};

// [H 18622] "Currently unused, must be zero".
TEST_F(Graphs, TakeNoFlags) {
  CUgraph graph = nullptr;
  EXPECT_EQ(d.cuGraphCreate(&graph, 1), CUDA_ERROR_INVALID_VALUE);
}

// [H 20054] a fill is a memset node.
TEST_F(Graphs, HoldFills) {
  begin();
  EXPECT_EQ(fill(stream, 1), CUDA_SUCCESS);
  EXPECT_EQ(types(end()), std::vector{CU_GRAPH_NODE_TYPE_MEMSET});
}

// [H 20054] a copy is a memcpy node.
TEST_F(Graphs, HoldCopies) {
  begin();
  EXPECT_EQ(d.cuMemcpyDtoDAsync_v2(at + 64, at, 4, stream), CUDA_SUCCESS);
  EXPECT_EQ(types(end()), std::vector{CU_GRAPH_NODE_TYPE_MEMCPY});
}

// [H 20054] a host function is a host node.
TEST_F(Graphs, HoldHostFunctions) {
  begin();
  EXPECT_EQ(d.cuLaunchHostFunc(
                stream, [](void*) {}, nullptr),
            CUDA_SUCCESS);
  EXPECT_EQ(types(end()), std::vector{CU_GRAPH_NODE_TYPE_HOST});
}

// [H 16012] "captured in the graph as an external event node".
TEST_F(Graphs, HoldExternalEvents) {
  const CUevent event = make_event();
  begin();
  EXPECT_EQ(d.cuStreamWaitEvent(stream, event, CU_EVENT_WAIT_EXTERNAL), CUDA_SUCCESS);
  EXPECT_EQ(d.cuEventRecordWithFlags(event, stream, CU_EVENT_RECORD_EXTERNAL), CUDA_SUCCESS);
  const auto found = types(end());
  EXPECT_EQ(std::count(found.begin(), found.end(), CU_GRAPH_NODE_TYPE_WAIT_EVENT), 1);
  EXPECT_EQ(std::count(found.begin(), found.end(), CU_GRAPH_NODE_TYPE_EVENT_RECORD), 1);
}

// [PG, Cross-stream Dependencies and Events] an ordinary record in a capture is no node.
TEST_F(Graphs, HoldNoOtherEvents) {
  begin();
  EXPECT_EQ(d.cuEventRecord(make_event(), stream), CUDA_SUCCESS);
  EXPECT_EQ(count(end()), 0U);
}

// [PG, Stream Capture] the work of one stream is a chain.
TEST_F(Graphs, KeepTheOrderOfAStream) {
  begin();
  for (unsigned i = 0; i < 5; ++i) EXPECT_EQ(fill(stream, i), CUDA_SUCCESS);
  const CUgraph graph = end();
  EXPECT_EQ(count(graph), 5U);
  EXPECT_EQ(edges(graph), 4U);
  EXPECT_EQ(roots(graph).size(), 1U);
}

// [H 20083 ff.] nodes may be NULL to ask how many there are; what does not fit is left out.
TEST_F(Graphs, TellTheirNodes) {
  begin();
  for (unsigned i = 0; i < 3; ++i) EXPECT_EQ(fill(stream, i), CUDA_SUCCESS);
  const CUgraph graph = end();
  CUgraphNode some[5] = {};
  std::size_t many = 5;
  EXPECT_EQ(d.cuGraphGetNodes(graph, some, &many), CUDA_SUCCESS);
  EXPECT_EQ(many, 3U);
  EXPECT_NE(some[2], nullptr);
  EXPECT_EQ(some[3], nullptr);
}

// [H 20187, 20225] what a node depends on, and what depends on it.
TEST_F(Graphs, TellWhatDependsOnWhat) {
  const CUgraph graph = make_graph();
  const CUgraphNode first = add_empty(graph);
  const CUgraphNode second = add_empty(graph, {first});
  CUgraphNode found = nullptr;
  std::size_t many = 1;
  EXPECT_EQ(d.cuGraphNodeGetDependencies(second, &found, &many), CUDA_SUCCESS);
  EXPECT_EQ(many, 1U);
  EXPECT_EQ(found, first);
  many = 1;
  EXPECT_EQ(d.cuGraphNodeGetDependentNodes(first, &found, &many), CUDA_SUCCESS);
  EXPECT_EQ(many, 1U);
  EXPECT_EQ(found, second);
  EXPECT_EQ(roots(graph), std::vector{first});
}

// [H 20320] "Removes hNode from its graph. This operation also severs any dependencies".
TEST_F(Graphs, LoseNodes) {
  const CUgraph graph = make_graph();
  const CUgraphNode first = add_empty(graph);
  add_empty(graph, {first});
  EXPECT_EQ(d.cuGraphDestroyNode(first), CUDA_SUCCESS);
  EXPECT_EQ(count(graph), 1U);
  EXPECT_EQ(edges(graph), 0U);
}

// [H 18943 ff.] the parameters of a node.
TEST_F(Graphs, TellWhatANodeDoes) {
  CUDA_MEMSET_NODE_PARAMS found{};
  EXPECT_EQ(d.cuGraphMemsetNodeGetParams(add_fill(make_graph(), at, 7), &found), CUDA_SUCCESS);
  EXPECT_EQ(found.dst, at);
  EXPECT_EQ(found.value, 7U);
  EXPECT_EQ(found.elementSize, 4U);
}

// [H 20070] CUDA_ERROR_INVALID_VALUE: a fill is no host node.
TEST_F(Graphs, TellItOfTheirOwnKindOnly) {
  CUDA_HOST_NODE_PARAMS wrong{};
  EXPECT_EQ(d.cuGraphHostNodeGetParams(add_fill(make_graph(), at, 7), &wrong),
            CUDA_ERROR_INVALID_VALUE);
}

// [H 19996 ff.] a copy of the graph, on its own.
TEST_F(Graphs, AreCloned) {
  const CUgraph graph = make_graph();
  add_empty(graph, {add_empty(graph)});
  CUgraph copy = nullptr;
  ASSERT_EQ(d.cuGraphClone(&copy, graph), CUDA_SUCCESS);
  add_empty(graph);
  EXPECT_EQ(count(copy), 2U);
  EXPECT_EQ(edges(copy), 1U);
  EXPECT_EQ(d.cuGraphDestroy(copy), CUDA_SUCCESS);
}

// [H 21050] "Executes hGraphExec in hStream."
TEST_F(Graphs, RunFills) {
  begin();
  EXPECT_EQ(fill(stream, 7), CUDA_SUCCESS);
  launch(instantiate(end()));
  EXPECT_EQ(read(at), 7U);
}

// [H 21050] copies read their source when they run.
TEST_F(Graphs, RunCopies) {
  std::uint32_t* source = make_pinned();
  begin();
  EXPECT_EQ(d.cuMemcpyHtoDAsync_v2(at, source, 4, stream), CUDA_SUCCESS);
  const CUgraphExec exec = instantiate(end());
  for (const unsigned value : {5U, 6U}) {
    *source = value;
    launch(exec);
    EXPECT_EQ(read(at), value);
  }
}

// [H 21050] host functions run at each launch.
TEST_F(Graphs, RunHostFunctions) {
  std::atomic<int> calls{0};
  begin();
  EXPECT_EQ(d.cuLaunchHostFunc(
                stream, [](void* data) { ++*static_cast<std::atomic<int>*>(data); }, &calls),
            CUDA_SUCCESS);
  const CUgraphExec exec = instantiate(end());
  EXPECT_EQ(calls, 0);
  for (int i = 0; i < 3; ++i) launch(exec);
  EXPECT_EQ(calls, 3);
}

// [PG, CUDA Graphs] nodes run in the order of their dependencies.
TEST_F(Graphs, RunInOrder) {
  const CUgraph graph = make_graph();
  CUgraphNode last = add_fill(graph, at, 1);
  for (unsigned i = 2; i <= 10; ++i) last = add_fill(graph, at, i, {last});
  launch(instantiate(graph));
  EXPECT_EQ(read(at), 10U);
}

// [PG, CUDA Graphs] both branches of a fork are done when the graph is.
TEST_F(Graphs, RunBranches) {
  begin();
  EXPECT_EQ(fill(stream, 1), CUDA_SUCCESS);
  fork();
  EXPECT_EQ(d.cuMemcpyDtoDAsync_v2(at + 64, at, 4, stream), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemcpyDtoDAsync_v2(at + 128, at, 4, other), CUDA_SUCCESS);
  join();
  launch(instantiate(end()));
  EXPECT_EQ(read(at + 64), 1U);
  EXPECT_EQ(read(at + 128), 1U);
}

// [H 21051] "Each launch is ordered behind both any previous work in hStream".
TEST_F(Graphs, WaitForTheWorkOfTheirStream) {
  begin();
  EXPECT_EQ(fill(stream, 2), CUDA_SUCCESS);
  const CUgraphExec exec = instantiate(end());
  {
    Gate gate(stream);
    EXPECT_EQ(fill(stream, 1), CUDA_SUCCESS);
    EXPECT_EQ(d.cuGraphLaunch(exec, stream), CUDA_SUCCESS);
    EXPECT_EQ(d.cuStreamQuery(stream), CUDA_ERROR_NOT_READY);
  }
  EXPECT_EQ(d.cuStreamSynchronize(stream), CUDA_SUCCESS);
  EXPECT_EQ(read(at), 2U);
}

// [H 21052] "and any previous launches of hGraphExec."
TEST_F(Graphs, WaitForTheirLastLaunch) {
  begin();
  EXPECT_EQ(fill(stream, 2), CUDA_SUCCESS);
  const CUgraphExec exec = instantiate(end());
  const CUevent second = make_event(CU_EVENT_DISABLE_TIMING);
  {
    Gate gate(stream);
    EXPECT_EQ(d.cuGraphLaunch(exec, stream), CUDA_SUCCESS);
    EXPECT_EQ(d.cuGraphLaunch(exec, other), CUDA_SUCCESS);
    EXPECT_EQ(d.cuEventRecord(second, other), CUDA_SUCCESS);
    EXPECT_EQ(d.cuEventQuery(second), CUDA_ERROR_NOT_READY);
  }
  EXPECT_EQ(d.cuEventSynchronize(second), CUDA_SUCCESS);
}

// [H 20348] the executable graph is a thing of its own.
TEST_F(Graphs, RunWhenTheGraphItselfIsGone) {
  CUgraph graph = nullptr;
  begin();
  EXPECT_EQ(fill(stream, 7), CUDA_SUCCESS);
  ASSERT_EQ(d.cuStreamEndCapture(stream, &graph), CUDA_SUCCESS);
  const CUgraphExec exec = instantiate(graph);
  ASSERT_EQ(d.cuGraphDestroy(graph), CUDA_SUCCESS);
  launch(exec);
  EXPECT_EQ(read(at), 7U);
}

// [H 21081] in flight "it will not be terminated, but rather freed asynchronously on completion."
TEST_F(Graphs, AreDestroyedWhileTheyRun) {
  CUgraphExec exec = nullptr;
  begin();
  EXPECT_EQ(fill(stream, 7), CUDA_SUCCESS);
  ASSERT_EQ(d.cuGraphInstantiateWithFlags(&exec, end(), 0), CUDA_SUCCESS);
  {
    Gate gate(stream);
    EXPECT_EQ(d.cuGraphLaunch(exec, stream), CUDA_SUCCESS);
    EXPECT_EQ(d.cuGraphExecDestroy(exec), CUDA_SUCCESS);
  }
  EXPECT_EQ(d.cuStreamSynchronize(stream), CUDA_SUCCESS);
  EXPECT_EQ(read(at), 7U);
}

// [PG, CUDA Graphs] an empty one runs as well.
TEST_F(Graphs, MayBeEmpty) {
  launch(instantiate(make_graph()));
}

// [H 20353] "Valid flags".
TEST_F(Graphs, AreInstantiatedWithKnownFlags) {
  CUgraphExec none = nullptr;
  EXPECT_EQ(d.cuGraphInstantiateWithFlags(&none, make_graph(), 1ULL << 40),
            CUDA_ERROR_INVALID_VALUE);
}

// [H 20526] the flags it was instantiated with.
TEST_F(Graphs, KnowTheirFlags) {
  cuuint64_t flags = 99;
  EXPECT_EQ(d.cuGraphExecGetFlags(
                instantiate(make_graph(), CUDA_GRAPH_INSTANTIATE_FLAG_AUTO_FREE_ON_LAUNCH), &flags),
            CUDA_SUCCESS);
  EXPECT_EQ(flags, CUDA_GRAPH_INSTANTIATE_FLAG_AUTO_FREE_ON_LAUNCH);
}

// [H 21024] "Uploads hGraphExec to the device in hStream without executing it."
TEST_F(Graphs, AreUploadedFirst) {
  begin();
  EXPECT_EQ(fill(stream, 7), CUDA_SUCCESS);
  const CUgraphExec exec = instantiate(end());
  EXPECT_EQ(d.cuGraphUpload(exec, stream), CUDA_SUCCESS);
  EXPECT_EQ(d.cuStreamSynchronize(stream), CUDA_SUCCESS);
  EXPECT_EQ(read(at), 0U);
  launch(exec);
  EXPECT_EQ(read(at), 7U);
}

// [H 21066, 21113] CUDA_ERROR_INVALID_VALUE.
TEST_F(Graphs, MayNotBeNull) {
  CUgraphExec none = nullptr;
  EXPECT_EQ(d.cuGraphLaunch(nullptr, stream), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuGraphInstantiateWithFlags(&none, nullptr, 0), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuGraphDestroy(nullptr), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuGraphExecDestroy(nullptr), CUDA_ERROR_INVALID_VALUE);
}

}  // namespace
}  // namespace conformance
