// Graphs as a program builds them, and the launches of executable graphs.
#include <array>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "driver.h"
#include "simcuda.h"

namespace gmlake::simcuda::test {
namespace {

constexpr int kFindings = 97;  // SIMCUDA_EXIT_STATUS

class Graphs : public DeviceTest {
 protected:
  void SetUp() override {
    DeviceTest::SetUp();
    ASSERT_EQ(d.cuGraphCreate(&graph, 0), CUDA_SUCCESS);
    ASSERT_EQ(d.cuMemAlloc_v2(&block, 4096), CUDA_SUCCESS);
    stream = make_stream();
  }
  void TearDown() override {
    if (graph != nullptr) {
      EXPECT_EQ(d.cuGraphDestroy(graph), CUDA_SUCCESS);
    }
    EXPECT_EQ(d.cuMemFree_v2(block), CUDA_SUCCESS);
    DeviceTest::TearDown();
  }

  using Nodes = std::vector<CUgraphNode>;
  CUgraphNode empty(const Nodes& after = {}) {
    CUgraphNode node = nullptr;
    EXPECT_EQ(d.cuGraphAddEmptyNode(&node, graph, after.data(), after.size()), CUDA_SUCCESS);
    return node;
  }
  CUDA_MEMSET_NODE_PARAMS filling(unsigned value, std::size_t at = 0, std::size_t width = 1) const {
    return {block + at, 0, value, 4, width, 1};
  }
  CUgraphNode fill(unsigned value, const Nodes& after = {}, std::size_t at = 0) {
    CUgraphNode node = nullptr;
    const CUDA_MEMSET_NODE_PARAMS params = filling(value, at);
    EXPECT_EQ(d.cuGraphAddMemsetNode(&node, graph, after.data(), after.size(), &params, context),
              CUDA_SUCCESS);
    return node;
  }
  CUDA_MEMCPY3D copying(CUdeviceptr to, CUdeviceptr from, std::size_t size) const {
    CUDA_MEMCPY3D copy{};
    copy.srcMemoryType = copy.dstMemoryType = CU_MEMORYTYPE_DEVICE;
    copy.srcDevice = from;
    copy.dstDevice = to;
    copy.WidthInBytes = size;
    copy.Height = copy.Depth = 1;
    return copy;
  }
  CUgraphNode host(CUhostFn function, void* data, const Nodes& after = {}) {
    CUgraphNode node = nullptr;
    const CUDA_HOST_NODE_PARAMS params{function, data};
    EXPECT_EQ(d.cuGraphAddHostNode(&node, graph, after.data(), after.size(), &params),
              CUDA_SUCCESS);
    return node;
  }
  CUgraphExec instantiate(CUgraph from, unsigned long long flags = 0) {
    CUgraphExec executable = nullptr;
    EXPECT_EQ(d.cuGraphInstantiateWithFlags(&executable, from, flags), CUDA_SUCCESS);
    return executable;
  }
  void launch(CUgraphExec executable) {
    EXPECT_EQ(d.cuGraphLaunch(executable, stream), CUDA_SUCCESS);
    EXPECT_EQ(d.cuStreamSynchronize(stream), CUDA_SUCCESS);
  }
  void run_once() {
    const CUgraphExec executable = instantiate(graph);
    launch(executable);
    EXPECT_EQ(d.cuGraphExecDestroy(executable), CUDA_SUCCESS);
  }
  Nodes dependencies(CUgraphNode node) {
    size_t count = 0;
    EXPECT_EQ(d.cuGraphNodeGetDependencies(node, nullptr, &count), CUDA_SUCCESS);
    Nodes found(count);
    EXPECT_EQ(d.cuGraphNodeGetDependencies(node, found.data(), &count), CUDA_SUCCESS);
    return found;
  }

  CUgraph graph = nullptr;
  CUdeviceptr block = 0;
  CUstream stream = nullptr;
};

TEST_F(Graphs, HandlesAreLookedUp) {
  CUgraphNode node = nullptr;
  CUgraph made = nullptr;
  size_t count = 0;
  EXPECT_EQ(d.cuGraphCreate(nullptr, 0), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuGraphCreate(&made, 1), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuGraphDestroy(nullptr), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuGraphLaunch(nullptr, stream), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuGraphExecDestroy(nullptr), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuGraphGetNodes(graph, nullptr, nullptr), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuGraphAddEmptyNode(&node, nullptr, nullptr, 0), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuGraphAddEmptyNode(nullptr, graph, nullptr, 0), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuGraphAddEmptyNode(&node, graph, nullptr, 1), CUDA_ERROR_INVALID_VALUE);
  // What was destroyed stays unknown.
  const CUgraph gone = graph;
  const CUgraphNode gone_node = empty();
  ASSERT_EQ(d.cuGraphDestroy(graph), CUDA_SUCCESS);
  graph = nullptr;
  CUgraphNodeType type{};
  EXPECT_EQ(d.cuGraphDestroy(gone), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuGraphGetNodes(gone, nullptr, &count), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuGraphNodeGetType(gone_node, &type), CUDA_ERROR_INVALID_VALUE);
}

TEST_F(Graphs, EdgesAreTold) {
  const CUgraphNode first = empty();
  const CUgraphNode second = empty({first});
  const CUgraphNode third = empty({first, second});
  CUgraphNode duplicate = nullptr;
  const Nodes twice{first, first};
  EXPECT_EQ(d.cuGraphAddEmptyNode(&duplicate, graph, twice.data(), 2), CUDA_ERROR_INVALID_VALUE);

  size_t count = 0;
  EXPECT_EQ(d.cuGraphGetEdges(graph, nullptr, nullptr, &count), CUDA_SUCCESS);
  EXPECT_EQ(count, 3U);
  Nodes from(4);
  Nodes to(4);
  std::vector<CUgraphEdgeData> data(4);
  count = 4;
  EXPECT_EQ(d.cuGraphGetEdges_v2(graph, from.data(), to.data(), data.data(), &count), CUDA_SUCCESS);
  EXPECT_EQ(count, 3U);
  EXPECT_EQ(from, (Nodes{first, first, second, nullptr}));
  EXPECT_EQ(to, (Nodes{second, third, third, nullptr}));
  EXPECT_EQ(d.cuGraphGetEdges_v2(graph, nullptr, nullptr, data.data(), &count),
            CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(dependencies(third), (Nodes{first, second}));
  Nodes followers(2);
  count = 2;
  EXPECT_EQ(d.cuGraphNodeGetDependentNodes(first, followers.data(), &count), CUDA_SUCCESS);
  EXPECT_EQ(followers, (Nodes{second, third}));
  Nodes roots(2);
  count = 2;
  EXPECT_EQ(d.cuGraphGetRootNodes(graph, roots.data(), &count), CUDA_SUCCESS);
  EXPECT_EQ(roots, (Nodes{first, nullptr}));
  EXPECT_EQ(count, 1U);
}

TEST_F(Graphs, EdgesComeAndGo) {
  const CUgraphNode first = empty();
  const CUgraphNode second = empty();
  CUgraphExec executable = nullptr;
  EXPECT_EQ(d.cuGraphAddDependencies(graph, &first, &second, 1), CUDA_SUCCESS);
  EXPECT_EQ(d.cuGraphAddDependencies(graph, &first, &second, 1), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuGraphAddDependencies(graph, &first, &first, 1), CUDA_ERROR_INVALID_VALUE);
  // A cycle is found when the graph is instantiated (measured on driver 580).
  EXPECT_EQ(d.cuGraphAddDependencies(graph, &second, &first, 1), CUDA_SUCCESS);
  EXPECT_EQ(d.cuGraphInstantiateWithFlags(&executable, graph, 0), CUDA_ERROR_INVALID_VALUE);
  CUDA_GRAPH_INSTANTIATE_PARAMS params{};
  EXPECT_EQ(d.cuGraphInstantiateWithParams(&executable, graph, &params), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(params.result_out, CUDA_GRAPH_INSTANTIATE_INVALID_STRUCTURE);
  EXPECT_NE(params.hErrNode_out, nullptr);
  EXPECT_EQ(d.cuGraphRemoveDependencies(graph, &second, &first, 1), CUDA_SUCCESS);
  EXPECT_EQ(d.cuGraphRemoveDependencies_v2(graph, &second, &first, nullptr, 1),
            CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuGraphInstantiateWithParams(&executable, graph, &params), CUDA_SUCCESS);
  EXPECT_EQ(params.result_out, CUDA_GRAPH_INSTANTIATE_SUCCESS);
  EXPECT_EQ(d.cuGraphExecDestroy(executable), CUDA_SUCCESS);
  EXPECT_EQ(d.cuGraphDestroyNode(first), CUDA_SUCCESS);
  EXPECT_TRUE(dependencies(second).empty());
  EXPECT_EQ(d.cuGraphAddDependencies(graph, &first, &second, 1), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuGraphAddDependencies(graph, nullptr, nullptr, 0), CUDA_SUCCESS);
}

TEST_F(Graphs, NodesRunInTheirOrder) {
  fill(2, {fill(1)});
  const CUgraphNode last = fill(3, {fill(7, {}, 4)}, 4);
  CUgraphNode copy_node = nullptr;
  const CUDA_MEMCPY3D copy = copying(block + 8, block + 4, 4);
  ASSERT_EQ(d.cuGraphAddMemcpyNode(&copy_node, graph, &last, 1, &copy, context), CUDA_SUCCESS);
  run_once();
  EXPECT_EQ(read(block), 2U);
  EXPECT_EQ(read(block + 8), 3U);
}

TEST_F(Graphs, ALaunchFollowsItsStreamAndIsFollowed) {
  fill(5);
  const CUgraphExec executable = instantiate(graph);
  {
    Gate gate(stream);
    ASSERT_EQ(d.cuMemsetD32Async(block, 4, 1, stream), CUDA_SUCCESS);
    ASSERT_EQ(d.cuGraphLaunch(executable, stream), CUDA_SUCCESS);
    ASSERT_EQ(d.cuMemcpyDtoDAsync_v2(block + 4, block, 4, stream), CUDA_SUCCESS);
    EXPECT_EQ(d.cuStreamQuery(stream), CUDA_ERROR_NOT_READY);
  }
  EXPECT_EQ(d.cuStreamSynchronize(stream), CUDA_SUCCESS);
  EXPECT_EQ(read(block + 4), 5U);
  EXPECT_EQ(d.cuGraphExecDestroy(executable), CUDA_SUCCESS);
}

struct Meeting {
  std::atomic<unsigned> inside{0};
  std::atomic<unsigned> most{0};
  unsigned wanted = 2;
  static void enter(void* data) {
    auto* self = static_cast<Meeting*>(data);
    const unsigned now = ++self->inside;
    unsigned most = self->most;
    while (most < now && !self->most.compare_exchange_weak(most, now)) {
    }
    for (int i = 0; i < 500 && self->most < self->wanted; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    --self->inside;
  }
};

TEST_F(Graphs, NodesWithoutAnEdgeAreNotOrdered) {
  Meeting meeting;
  host(Meeting::enter, &meeting);
  host(Meeting::enter, &meeting);
  run_once();
  EXPECT_EQ(meeting.most, 2U);
}

TEST_F(Graphs, LaunchesOfOneExecutableDoNotOverlap) {
  Meeting meeting;
  meeting.wanted = 1;
  host(Meeting::enter, &meeting);
  const CUgraphExec executable = instantiate(graph);
  const CUstream other = make_stream();
  for (int i = 0; i < 20; ++i) {
    ASSERT_EQ(d.cuGraphLaunch(executable, stream), CUDA_SUCCESS);
    ASSERT_EQ(d.cuGraphLaunch(executable, other), CUDA_SUCCESS);
  }
  // Not ended by it.
  EXPECT_EQ(d.cuGraphExecDestroy(executable), CUDA_SUCCESS);
  EXPECT_EQ(d.cuStreamSynchronize(stream), CUDA_SUCCESS);
  EXPECT_EQ(d.cuStreamSynchronize(other), CUDA_SUCCESS);
  EXPECT_EQ(meeting.most, 1U);
}

TEST_F(Graphs, EventsAreRecordedAndWaitedForAtEachLaunch) {
  const CUevent before = make_event();
  const CUevent after = make_event();
  CUgraphNode wait = nullptr;
  CUgraphNode record = nullptr;
  ASSERT_EQ(d.cuGraphAddEventWaitNode(&wait, graph, nullptr, 0, before), CUDA_SUCCESS);
  ASSERT_EQ(d.cuGraphAddEventRecordNode(&record, graph, &wait, 1, after), CUDA_SUCCESS);
  EXPECT_EQ(d.cuGraphAddEventRecordNode(&record, graph, &wait, 1, nullptr),
            CUDA_ERROR_INVALID_VALUE);
  const CUgraphExec executable = instantiate(graph);
  const CUstream other = make_stream();
  {
    Gate gate(other);
    ASSERT_EQ(d.cuEventRecord(before, other), CUDA_SUCCESS);
    ASSERT_EQ(d.cuGraphLaunch(executable, stream), CUDA_SUCCESS);
    EXPECT_EQ(d.cuEventQuery(after), CUDA_ERROR_NOT_READY);
  }
  EXPECT_EQ(d.cuEventSynchronize(after), CUDA_SUCCESS);
  EXPECT_EQ(d.cuStreamSynchronize(stream), CUDA_SUCCESS);
  EXPECT_EQ(d.cuGraphExecDestroy(executable), CUDA_SUCCESS);
}

TEST_F(Graphs, KernelsAreNodes) {
  static std::atomic<int> sum{0};
  sum = 0;
  const auto add = [](simcuda_dim3 grid, simcuda_dim3, void** arguments) {
    sum += *static_cast<int*>(arguments[0]) * static_cast<int>(grid.x);
  };
  const auto register_kernel = d.find<decltype(simcuda_register_kernel)>("simcuda_register_kernel");
  const auto launches = d.find<decltype(simcuda_launch_count)>("simcuda_launch_count");
  const size_t size = sizeof(int);
  register_kernel("graph_add", add, &size, 1);
  const char image[] = "none";
  CUmodule module = nullptr;
  CUfunction function = nullptr;
  ASSERT_EQ(d.cuModuleLoadData(&module, image), CUDA_SUCCESS);
  ASSERT_EQ(d.cuModuleGetFunction(&function, module, "graph_add"), CUDA_SUCCESS);

  int value = 3;
  void* arguments[] = {&value};
  CUDA_KERNEL_NODE_PARAMS params{};
  params.func = function;
  params.gridDimX = 2;
  params.gridDimY = params.gridDimZ = 1;
  params.blockDimX = params.blockDimY = params.blockDimZ = 1;
  params.kernelParams = arguments;
  CUgraphNode node = nullptr;
  ASSERT_EQ(d.cuGraphAddKernelNode_v2(&node, graph, nullptr, 0, &params), CUDA_SUCCESS);
  value = 100;  // the node has its own
  CUDA_KERNEL_NODE_PARAMS told{};
  ASSERT_EQ(d.cuGraphKernelNodeGetParams_v2(node, &told), CUDA_SUCCESS);
  EXPECT_EQ(told.func, function);
  EXPECT_EQ(told.gridDimX, 2U);
  EXPECT_EQ(*static_cast<int*>(told.kernelParams[0]), 3);
  const CUgraphExec executable = instantiate(graph);
  EXPECT_EQ(launches("graph_add"), 0U);
  launch(executable);
  launch(executable);
  EXPECT_EQ(sum, 12);
  EXPECT_EQ(launches("graph_add"), 2U);
  value = 5;
  ASSERT_EQ(d.cuGraphExecKernelNodeSetParams_v2(executable, node, &params), CUDA_SUCCESS);
  launch(executable);
  EXPECT_EQ(sum, 22);
  EXPECT_EQ(d.cuGraphNodeSetEnabled(executable, node, 0), CUDA_SUCCESS);
  launch(executable);
  EXPECT_EQ(sum, 22);
  params.gridDimX = 0;
  EXPECT_EQ(d.cuGraphKernelNodeSetParams_v2(node, &params), CUDA_ERROR_INVALID_VALUE);

  // Captured, too.
  ASSERT_EQ(d.cuStreamBeginCapture_v2(stream, CU_STREAM_CAPTURE_MODE_GLOBAL), CUDA_SUCCESS);
  ASSERT_EQ(d.cuLaunchKernel(function, 1, 1, 1, 1, 1, 1, 0, stream, arguments, nullptr),
            CUDA_SUCCESS);
  CUgraph captured = nullptr;
  ASSERT_EQ(d.cuStreamEndCapture(stream, &captured), CUDA_SUCCESS);
  EXPECT_EQ(launches("graph_add"), 3U);
  const CUgraphExec second = instantiate(captured);
  launch(second);
  EXPECT_EQ(sum, 27);
  EXPECT_EQ(d.cuGraphExecDestroy(executable), CUDA_SUCCESS);
  EXPECT_EQ(d.cuGraphExecDestroy(second), CUDA_SUCCESS);
  EXPECT_EQ(d.cuGraphDestroy(captured), CUDA_SUCCESS);
  EXPECT_EQ(d.cuModuleUnload(module), CUDA_SUCCESS);
}

TEST_F(Graphs, FillsAndCopiesCheckWhatTheyAreGiven) {
  CUgraphNode node = nullptr;
  const auto add_fill = [&](CUDA_MEMSET_NODE_PARAMS params) {
    return d.cuGraphAddMemsetNode(&node, graph, nullptr, 0, &params, context);
  };
  EXPECT_EQ(add_fill({block, 0, 1, 3, 4, 1}), CUDA_ERROR_INVALID_VALUE);      // element size
  EXPECT_EQ(add_fill({block + 1, 0, 1, 4, 4, 1}), CUDA_ERROR_INVALID_VALUE);  // alignment
  EXPECT_EQ(add_fill({block, 8, 1, 4, 4, 2}), CUDA_ERROR_INVALID_VALUE);      // pitch
  EXPECT_EQ(add_fill({block, 0, 1, 4, 4096, 1}), CUDA_ERROR_INVALID_VALUE);   // beyond the end
  EXPECT_EQ(add_fill({0, 0, 1, 4, 4, 1}), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(add_fill({block, 64, 7, 2, 4, 3}), CUDA_SUCCESS);  // rows
  CUDA_MEMCPY3D copy = copying(block, block + 64, 4096);
  EXPECT_EQ(d.cuGraphAddMemcpyNode(&node, graph, nullptr, 0, &copy, context),
            CUDA_ERROR_INVALID_VALUE);
  copy = copying(block + 1024, block, 4);
  copy.srcPitch = 64;
  copy.dstPitch = 4;
  copy.Height = 3;
  copy.srcMemoryType = CU_MEMORYTYPE_ARRAY;
  EXPECT_EQ(d.cuGraphAddMemcpyNode(&node, graph, nullptr, 0, &copy, context),
            CUDA_ERROR_NOT_SUPPORTED);
  copy.srcMemoryType = CU_MEMORYTYPE_DEVICE;
  size_t count = 1;
  CUgraphNode filled = nullptr;
  ASSERT_EQ(d.cuGraphGetNodes(graph, &filled, &count), CUDA_SUCCESS);
  ASSERT_EQ(d.cuGraphAddMemcpyNode(&node, graph, &filled, 1, &copy, context), CUDA_SUCCESS);
  run_once();
  for (int row = 0; row < 3; ++row)
    EXPECT_EQ(read(block + 1024 + 4 * static_cast<CUdeviceptr>(row)), 0x70007U);
}

TEST_F(Graphs, ExecutablesKeepWhatTheyWereMadeOf) {
  const CUgraphNode node = fill(1);
  const CUgraphExec executable = instantiate(graph);
  CUDA_MEMSET_NODE_PARAMS params = filling(2);
  ASSERT_EQ(d.cuGraphMemsetNodeSetParams(node, &params), CUDA_SUCCESS);
  launch(executable);
  EXPECT_EQ(read(block), 1U);
  params = filling(3);
  ASSERT_EQ(d.cuGraphExecMemsetNodeSetParams(executable, node, &params, context), CUDA_SUCCESS);
  launch(executable);
  EXPECT_EQ(read(block), 3U);
  CUDA_MEMSET_NODE_PARAMS told{};
  ASSERT_EQ(d.cuGraphMemsetNodeGetParams(node, &told), CUDA_SUCCESS);
  EXPECT_EQ(told.value, 2U);
  params.width = 0;
  EXPECT_EQ(d.cuGraphExecMemsetNodeSetParams(executable, node, &params, context),
            CUDA_ERROR_INVALID_VALUE);
  const CUDA_HOST_NODE_PARAMS wrong_type{[](void*) {}, nullptr};
  EXPECT_EQ(d.cuGraphExecHostNodeSetParams(executable, node, &wrong_type),
            CUDA_ERROR_INVALID_VALUE);
  ASSERT_EQ(d.cuGraphDestroyNode(node), CUDA_SUCCESS);
  params = filling(4);
  EXPECT_EQ(d.cuGraphExecMemsetNodeSetParams(executable, node, &params, context),
            CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuGraphExecDestroy(executable), CUDA_SUCCESS);
}

TEST_F(Graphs, ExecutablesAreUpdated) {
  fill(2, {fill(1)});
  const CUgraphExec executable = instantiate(graph);
  CUgraph same = nullptr;
  ASSERT_EQ(d.cuGraphClone(&same, graph), CUDA_SUCCESS);
  Nodes nodes(2);
  size_t count = 2;
  ASSERT_EQ(d.cuGraphGetNodes(same, nodes.data(), &count), CUDA_SUCCESS);
  const CUDA_MEMSET_NODE_PARAMS params = filling(8);
  ASSERT_EQ(d.cuGraphMemsetNodeSetParams(nodes[1], &params), CUDA_SUCCESS);
  CUgraphExecUpdateResultInfo outcome{};
  ASSERT_EQ(d.cuGraphExecUpdate_v2(executable, same, &outcome), CUDA_SUCCESS);
  EXPECT_EQ(outcome.result, CU_GRAPH_EXEC_UPDATE_SUCCESS);
  launch(executable);
  EXPECT_EQ(read(block), 8U);
  ASSERT_EQ(d.cuGraphDestroyNode(nodes[0]), CUDA_SUCCESS);
  EXPECT_EQ(d.cuGraphExecUpdate_v2(executable, same, &outcome),
            CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE);
  EXPECT_EQ(outcome.result, CU_GRAPH_EXEC_UPDATE_ERROR_TOPOLOGY_CHANGED);
  CUgraphNode other = nullptr;
  ASSERT_EQ(d.cuGraphAddEmptyNode(&other, same, nullptr, 0), CUDA_SUCCESS);
  CUgraphNode error = nullptr;
  CUgraphExecUpdateResult result{};
  EXPECT_EQ(d.cuGraphExecUpdate(executable, same, &error, &result),
            CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE);
  EXPECT_EQ(result, CU_GRAPH_EXEC_UPDATE_ERROR_NODE_TYPE_CHANGED);
  EXPECT_EQ(error, other);
  EXPECT_EQ(d.cuGraphDestroy(same), CUDA_SUCCESS);
  EXPECT_EQ(d.cuGraphExecDestroy(executable), CUDA_SUCCESS);
}

TEST_F(Graphs, ClonesKnowTheirOriginals) {
  const CUgraphNode node = fill(1);
  CUgraph clone = nullptr;
  CUgraphNode twin = nullptr;
  CUgraphNodeType type{};
  ASSERT_EQ(d.cuGraphClone(&clone, graph), CUDA_SUCCESS);
  ASSERT_EQ(d.cuGraphNodeFindInClone(&twin, node, clone), CUDA_SUCCESS);
  EXPECT_NE(twin, node);
  EXPECT_EQ(d.cuGraphNodeGetType(twin, &type), CUDA_SUCCESS);
  EXPECT_EQ(type, CU_GRAPH_NODE_TYPE_MEMSET);
  const CUgraphNode later = fill(2);
  EXPECT_EQ(d.cuGraphNodeFindInClone(&twin, later, clone), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuGraphNodeFindInClone(&twin, node, graph), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuGraphDestroy(clone), CUDA_SUCCESS);
}

TEST_F(Graphs, ChildGraphsAreCopiesThatRunInPlace) {
  fill(5);
  CUgraph outer = nullptr;
  ASSERT_EQ(d.cuGraphCreate(&outer, 0), CUDA_SUCCESS);
  CUgraphNode child = nullptr;
  CUgraphNode after = nullptr;
  ASSERT_EQ(d.cuGraphAddChildGraphNode(&child, outer, nullptr, 0, graph), CUDA_SUCCESS);
  const CUDA_MEMCPY3D copy = copying(block + 4, block, 4);
  ASSERT_EQ(d.cuGraphAddMemcpyNode(&after, outer, &child, 1, &copy, context), CUDA_SUCCESS);
  fill(6);  // of the original, not of the copy
  CUgraph inner = nullptr;
  ASSERT_EQ(d.cuGraphChildGraphNodeGetGraph(child, &inner), CUDA_SUCCESS);
  size_t count = 0;
  EXPECT_EQ(d.cuGraphGetNodes(inner, nullptr, &count), CUDA_SUCCESS);
  EXPECT_EQ(count, 1U);
  EXPECT_EQ(d.cuGraphDestroy(inner), CUDA_ERROR_INVALID_VALUE);
  const CUgraphExec executable = instantiate(outer);
  launch(executable);
  EXPECT_EQ(read(block + 4), 5U);
  EXPECT_EQ(d.cuGraphExecDestroy(executable), CUDA_SUCCESS);
  EXPECT_EQ(d.cuGraphDestroy(outer), CUDA_SUCCESS);
  EXPECT_EQ(d.cuGraphGetNodes(inner, nullptr, &count), CUDA_ERROR_INVALID_VALUE);
}

TEST_F(Graphs, NodesOfAnyTypeAreAdded) {
  CUgraphNode node = nullptr;
  CUgraphNodeParams params{};
  params.type = CU_GRAPH_NODE_TYPE_MEMSET;
  params.memset = {block, 0, 11, 4, 1, 1, context};
  ASSERT_EQ(d.cuGraphAddNode_v2(&node, graph, nullptr, nullptr, 0, &params), CUDA_SUCCESS);
  params.memset.value = 12;
  ASSERT_EQ(d.cuGraphNodeSetParams(node, &params), CUDA_SUCCESS);
  run_once();
  EXPECT_EQ(read(block), 12U);
  params.reserved2 = 1;
  EXPECT_EQ(d.cuGraphAddNode(&node, graph, nullptr, 0, &params), CUDA_ERROR_INVALID_VALUE);
  for (const auto type : {CU_GRAPH_NODE_TYPE_CONDITIONAL, CU_GRAPH_NODE_TYPE_EXT_SEMAS_WAIT,
                          CU_GRAPH_NODE_TYPE_BATCH_MEM_OP}) {
    CUgraphNodeParams other{};
    other.type = type;
    EXPECT_EQ(d.cuGraphAddNode(&node, graph, nullptr, 0, &other), CUDA_ERROR_NOT_SUPPORTED);
  }
}

TEST_F(Graphs, InstantiationChecksItsFlags) {
  CUgraphExec executable = nullptr;
  fill(1);
  for (const unsigned long long flags : {2ULL, 3ULL, 16ULL, 5ULL})
    EXPECT_EQ(d.cuGraphInstantiateWithFlags(&executable, graph, flags), CUDA_ERROR_INVALID_VALUE);
  CUDA_GRAPH_INSTANTIATE_PARAMS params{};
  params.flags =
      CUDA_GRAPH_INSTANTIATE_FLAG_UPLOAD | CUDA_GRAPH_INSTANTIATE_FLAG_AUTO_FREE_ON_LAUNCH;
  params.hUploadStream = stream;
  ASSERT_EQ(d.cuGraphInstantiateWithParams(&executable, graph, &params), CUDA_SUCCESS);
  cuuint64_t flags = 0;
  EXPECT_EQ(d.cuGraphExecGetFlags(executable, &flags), CUDA_SUCCESS);
  EXPECT_EQ(flags, cuuint64_t{CUDA_GRAPH_INSTANTIATE_FLAG_AUTO_FREE_ON_LAUNCH});
  EXPECT_EQ(d.cuGraphUpload(executable, stream), CUDA_SUCCESS);
  EXPECT_EQ(d.cuGraphExecDestroy(executable), CUDA_SUCCESS);
  host([](void*) {}, nullptr);
  EXPECT_EQ(
      d.cuGraphInstantiateWithFlags(&executable, graph, CUDA_GRAPH_INSTANTIATE_FLAG_DEVICE_LAUNCH),
      CUDA_ERROR_INVALID_VALUE);
}

TEST_F(Graphs, WorkOnMemoryThatIsGoneIsFound) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  const auto use_freed_memory = [&] {
    CUdeviceptr at = 0;
    EXPECT_EQ(d.cuMemAlloc_v2(&at, 64), CUDA_SUCCESS);
    CUgraphNode node = nullptr;
    const CUDA_MEMSET_NODE_PARAMS params{at, 0, 1, 4, 4, 1};
    EXPECT_EQ(d.cuGraphAddMemsetNode(&node, graph, nullptr, 0, &params, context), CUDA_SUCCESS);
    const CUgraphExec executable = instantiate(graph);
    EXPECT_EQ(d.cuMemFree_v2(at), CUDA_SUCCESS);
    EXPECT_EQ(d.cuGraphLaunch(executable, stream), CUDA_SUCCESS);
    EXPECT_EQ(d.cuStreamSynchronize(stream), CUDA_ERROR_ILLEGAL_ADDRESS);
    std::exit(HasFailure() ? 1 : 0);
  };
  EXPECT_EXIT(use_freed_memory(), testing::ExitedWithCode(kFindings),
              "cuGraphLaunch.* writes 0x.*where that is not possible");
}

TEST_F(Graphs, NodesThatNeedAnEdgeAreFound) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  const auto forget_an_edge = [&] {
    fill(1);
    fill(2);  // the same bytes
    run_once();
    std::exit(HasFailure() ? 1 : 0);
  };
  EXPECT_EXIT(forget_an_edge(), testing::ExitedWithCode(kFindings), "no order between");
}

TEST_F(Graphs, AreDrawn) {
  fill(2, {fill(1)});
  const std::string path = testing::TempDir() + "simcuda_graph.dot";
  ASSERT_EQ(d.cuGraphDebugDotPrint(graph, path.c_str(), 0), CUDA_SUCCESS);
  std::ifstream file(path);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  EXPECT_EQ(text.rfind("digraph", 0), 0U) << text;
  EXPECT_NE(text.find("MEMSET"), std::string::npos) << text;
  EXPECT_NE(text.find("->"), std::string::npos) << text;
  std::remove(path.c_str());
  EXPECT_EQ(d.cuGraphDebugDotPrint(graph, "/nowhere/at/all", 0), CUDA_ERROR_OPERATING_SYSTEM);
}

}  // namespace
}  // namespace gmlake::simcuda::test
