// Stream capture: what becomes a node, what a capture does not tolerate, and how it ends.
//
// What is marked as measured was asked of an H100 with driver 580; the rest is in cuda.h and in the
// CUDA programming guide, "Creating a Graph Using Stream Capture".
#include <functional>
#include <vector>

#include "driver.h"

namespace gmlake::simcuda::test {
namespace {

constexpr auto kGlobal = CU_STREAM_CAPTURE_MODE_GLOBAL;
constexpr auto kThreadLocal = CU_STREAM_CAPTURE_MODE_THREAD_LOCAL;
constexpr auto kRelaxed = CU_STREAM_CAPTURE_MODE_RELAXED;

class Capture : public DeviceTest {
 protected:
  void SetUp() override {
    DeviceTest::SetUp();
    ASSERT_EQ(d.cuMemAlloc_v2(&block, 4096), CUDA_SUCCESS);
    stream = make_stream();
    other = make_stream();
    blocking = make_stream(CU_STREAM_DEFAULT);
  }
  void TearDown() override {
    EXPECT_EQ(d.cuMemFree_v2(block), CUDA_SUCCESS);
    DeviceTest::TearDown();
  }

  void begin(CUstream which, CUstreamCaptureMode mode = kGlobal) {
    ASSERT_EQ(d.cuStreamBeginCapture_v2(which, mode), CUDA_SUCCESS);
  }
  CUresult end(CUstream which, CUgraph* result = nullptr) {
    CUgraph graph = nullptr;
    const CUresult done = d.cuStreamEndCapture(which, &graph);
    EXPECT_EQ(done == CUDA_SUCCESS, graph != nullptr);
    if (result != nullptr) {
      *result = graph;
    } else if (graph != nullptr) {
      EXPECT_EQ(d.cuGraphDestroy(graph), CUDA_SUCCESS);
    }
    return done;
  }
  CUresult fill(CUstream which, unsigned value = 1) {
    return d.cuMemsetD32Async(block, value, 16, which);
  }
  CUstreamCaptureStatus status(CUstream which) {
    CUstreamCaptureStatus now{};
    EXPECT_EQ(d.cuStreamIsCapturing(which, &now), CUDA_SUCCESS);
    return now;
  }
  void expect_active(CUstream which) { EXPECT_EQ(status(which), CU_STREAM_CAPTURE_STATUS_ACTIVE); }
  void expect_broken(CUstream which) {
    EXPECT_EQ(status(which), CU_STREAM_CAPTURE_STATUS_INVALIDATED);
  }
  void expect_over(CUstream which) { EXPECT_EQ(status(which), CU_STREAM_CAPTURE_STATUS_NONE); }
  std::vector<CUgraphNodeType> types(CUgraph graph) {
    size_t count = 0;
    EXPECT_EQ(d.cuGraphGetNodes(graph, nullptr, &count), CUDA_SUCCESS);
    std::vector<CUgraphNode> nodes(count);
    EXPECT_EQ(d.cuGraphGetNodes(graph, nodes.data(), &count), CUDA_SUCCESS);
    std::vector<CUgraphNodeType> found;
    for (const CUgraphNode node : nodes) {
      CUgraphNodeType type{};
      EXPECT_EQ(d.cuGraphNodeGetType(node, &type), CUDA_SUCCESS);
      found.push_back(type);
    }
    return found;
  }
  template <typename Call>
  void elsewhere(Call call) {
    std::thread([&] {
      EXPECT_EQ(d.cuCtxSetCurrent(context), CUDA_SUCCESS);
      call();
    }).join();
  }

  CUdeviceptr block = 0;
  CUstream stream = nullptr;
  CUstream other = nullptr;
  CUstream blocking = nullptr;
};

TEST_F(Capture, WorkIsRecordedAndNotDone) {
  write(block, 5);
  begin(stream);
  ASSERT_EQ(fill(stream, 9), CUDA_SUCCESS);
  CUgraph graph = nullptr;
  ASSERT_EQ(end(stream, &graph), CUDA_SUCCESS);
  EXPECT_EQ(read(block), 5U);
  CUgraphExec executable = nullptr;
  ASSERT_EQ(d.cuGraphInstantiateWithFlags(&executable, graph, 0), CUDA_SUCCESS);
  EXPECT_EQ(d.cuGraphDestroy(graph), CUDA_SUCCESS);
  ASSERT_EQ(d.cuGraphLaunch(executable, stream), CUDA_SUCCESS);
  EXPECT_EQ(d.cuStreamSynchronize(stream), CUDA_SUCCESS);
  EXPECT_EQ(read(block), 9U);
  EXPECT_EQ(d.cuGraphExecDestroy(executable), CUDA_SUCCESS);
}

TEST_F(Capture, NodesTellWhatWasGiven) {
  std::uint32_t host = 3;
  const CUevent event = make_event();
  begin(stream);
  ASSERT_EQ(fill(stream), CUDA_SUCCESS);
  ASSERT_EQ(d.cuMemcpyHtoDAsync_v2(block, &host, 4, stream), CUDA_SUCCESS);
  ASSERT_EQ(d.cuMemcpyDtoHAsync_v2(&host, block, 4, stream), CUDA_SUCCESS);  // does not wait
  ASSERT_EQ(d.cuLaunchHostFunc(
                stream, [](void*) {}, &host),
            CUDA_SUCCESS);
  ASSERT_EQ(d.cuEventRecordWithFlags(event, stream, CU_EVENT_RECORD_EXTERNAL), CUDA_SUCCESS);
  ASSERT_EQ(d.cuStreamWaitEvent(stream, event, CU_EVENT_WAIT_EXTERNAL), CUDA_SUCCESS);
  CUgraph graph = nullptr;
  ASSERT_EQ(end(stream, &graph), CUDA_SUCCESS);
  EXPECT_EQ(types(graph),
            (std::vector{CU_GRAPH_NODE_TYPE_MEMSET, CU_GRAPH_NODE_TYPE_MEMCPY,
                         CU_GRAPH_NODE_TYPE_MEMCPY, CU_GRAPH_NODE_TYPE_HOST,
                         CU_GRAPH_NODE_TYPE_EVENT_RECORD, CU_GRAPH_NODE_TYPE_WAIT_EVENT}));
  std::vector<CUgraphNode> nodes(6);
  size_t count = 6;
  ASSERT_EQ(d.cuGraphGetNodes(graph, nodes.data(), &count), CUDA_SUCCESS);
  CUDA_MEMSET_NODE_PARAMS filled{};
  ASSERT_EQ(d.cuGraphMemsetNodeGetParams(nodes[0], &filled), CUDA_SUCCESS);
  EXPECT_EQ(filled.dst, block);
  EXPECT_EQ(filled.elementSize, 4U);
  EXPECT_EQ(filled.width, 16U);
  EXPECT_EQ(filled.height, 1U);
  CUDA_MEMCPY3D copied{};
  ASSERT_EQ(d.cuGraphMemcpyNodeGetParams(nodes[1], &copied), CUDA_SUCCESS);
  EXPECT_EQ(copied.srcHost, &host);
  EXPECT_EQ(copied.dstDevice, block);
  EXPECT_EQ(copied.WidthInBytes, 4U);
  EXPECT_EQ(d.cuGraphMemcpyNodeGetParams(nodes[0], &copied), CUDA_ERROR_INVALID_VALUE);
  CUDA_HOST_NODE_PARAMS called{};
  ASSERT_EQ(d.cuGraphHostNodeGetParams(nodes[3], &called), CUDA_SUCCESS);
  EXPECT_EQ(called.userData, &host);
  CUevent recorded = nullptr;
  ASSERT_EQ(d.cuGraphEventRecordNodeGetEvent(nodes[4], &recorded), CUDA_SUCCESS);
  EXPECT_EQ(recorded, event);
  // A chain: each depends on the one before.
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    CUgraphNode before = nullptr;
    size_t one = 1;
    ASSERT_EQ(d.cuGraphNodeGetDependencies(nodes[i], &before, &one), CUDA_SUCCESS);
    EXPECT_EQ(one, i == 0 ? 0U : 1U);
    EXPECT_EQ(before, i == 0 ? nullptr : nodes[i - 1]);
  }
  EXPECT_EQ(d.cuGraphDestroy(graph), CUDA_SUCCESS);
}

TEST_F(Capture, AGraphReadsPageableMemoryWhenItIsLaunched) {
  std::uint32_t host = 3;
  begin(stream);
  ASSERT_EQ(d.cuMemcpyHtoDAsync_v2(block, &host, 4, stream), CUDA_SUCCESS);
  CUgraph graph = nullptr;
  ASSERT_EQ(end(stream, &graph), CUDA_SUCCESS);
  CUgraphExec executable = nullptr;
  ASSERT_EQ(d.cuGraphInstantiateWithFlags(&executable, graph, 0), CUDA_SUCCESS);
  host = 4;
  ASSERT_EQ(d.cuGraphLaunch(executable, stream), CUDA_SUCCESS);
  ASSERT_EQ(d.cuStreamSynchronize(stream), CUDA_SUCCESS);
  EXPECT_EQ(read(block), 4U);
  EXPECT_EQ(d.cuGraphExecDestroy(executable), CUDA_SUCCESS);
  EXPECT_EQ(d.cuGraphDestroy(graph), CUDA_SUCCESS);
}

TEST_F(Capture, NothingCapturedIsAnEmptyGraph) {
  begin(stream);
  CUgraph graph = nullptr;
  ASSERT_EQ(end(stream, &graph), CUDA_SUCCESS);
  EXPECT_TRUE(types(graph).empty());
  EXPECT_EQ(d.cuGraphDestroy(graph), CUDA_SUCCESS);
}

TEST_F(Capture, BeginningsAndEndsThatAreNone) {
  EXPECT_EQ(d.cuStreamBeginCapture_v2(nullptr, kGlobal), CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
  EXPECT_EQ(end(stream), CUDA_ERROR_ILLEGAL_STATE);
  EXPECT_EQ(d.cuStreamBeginCapture_v2(stream, static_cast<CUstreamCaptureMode>(3)),
            CUDA_ERROR_INVALID_VALUE);
  begin(stream);
  EXPECT_EQ(d.cuStreamBeginCapture_v2(stream, kGlobal), CUDA_ERROR_ILLEGAL_STATE);
  expect_active(stream);
  EXPECT_EQ(d.cuStreamEndCapture(stream, nullptr), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(end(stream), CUDA_SUCCESS);
  EXPECT_EQ(end(stream), CUDA_ERROR_ILLEGAL_STATE);
  // The per-thread stream may.
  EXPECT_EQ(d.cuStreamBeginCapture_v2_ptsz(nullptr, kGlobal), CUDA_SUCCESS);
  EXPECT_EQ(end(CU_STREAM_PER_THREAD), CUDA_SUCCESS);
}

TEST_F(Capture, OtherStreamsForkAndJoin) {
  const CUevent fork = make_event();
  const CUevent join = make_event();
  begin(stream);
  ASSERT_EQ(fill(stream, 1), CUDA_SUCCESS);
  ASSERT_EQ(d.cuEventRecord(fork, stream), CUDA_SUCCESS);
  expect_over(other);
  ASSERT_EQ(d.cuStreamWaitEvent(other, fork, 0), CUDA_SUCCESS);
  expect_active(other);
  ASSERT_EQ(fill(other, 2), CUDA_SUCCESS);
  ASSERT_EQ(d.cuEventRecord(join, other), CUDA_SUCCESS);
  ASSERT_EQ(d.cuStreamWaitEvent(stream, join, 0), CUDA_SUCCESS);
  ASSERT_EQ(fill(stream, 3), CUDA_SUCCESS);
  CUgraph graph = nullptr;
  ASSERT_EQ(end(stream, &graph), CUDA_SUCCESS);
  expect_over(other);
  size_t edges = 0;
  ASSERT_EQ(d.cuGraphGetEdges(graph, nullptr, nullptr, &edges), CUDA_SUCCESS);
  EXPECT_EQ(edges, 3U);  // the last fill follows both
  EXPECT_EQ(types(graph).size(), 3U);
  EXPECT_EQ(d.cuGraphDestroy(graph), CUDA_SUCCESS);
}

TEST_F(Capture, UnjoinedWorkIsAnError) {
  const CUevent fork = make_event();
  begin(stream);
  ASSERT_EQ(d.cuEventRecord(fork, stream), CUDA_SUCCESS);
  ASSERT_EQ(d.cuStreamWaitEvent(other, fork, 0), CUDA_SUCCESS);
  ASSERT_EQ(fill(other), CUDA_SUCCESS);
  EXPECT_EQ(end(stream), CUDA_ERROR_STREAM_CAPTURE_UNJOINED);
  expect_over(stream);
  expect_over(other);
  // A stream that took part and captured nothing need not be joined (measured).
  begin(stream);
  ASSERT_EQ(d.cuEventRecord(fork, stream), CUDA_SUCCESS);
  ASSERT_EQ(d.cuStreamWaitEvent(other, fork, 0), CUDA_SUCCESS);
  EXPECT_EQ(end(stream), CUDA_SUCCESS);
}

TEST_F(Capture, OnlyTheFirstStreamEndsIt) {
  const CUevent fork = make_event();
  begin(stream);
  ASSERT_EQ(d.cuEventRecord(fork, stream), CUDA_SUCCESS);
  ASSERT_EQ(d.cuStreamWaitEvent(other, fork, 0), CUDA_SUCCESS);
  EXPECT_EQ(end(other), CUDA_ERROR_STREAM_CAPTURE_UNMATCHED);
  expect_broken(stream);
  expect_broken(other);
  EXPECT_EQ(end(stream), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
  expect_over(other);
}

TEST_F(Capture, OnlyItsThreadEndsIt) {
  begin(stream);
  elsewhere([&] { EXPECT_EQ(end(stream), CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD); });
  expect_over(stream);  // measured
  begin(stream, kRelaxed);
  ASSERT_EQ(fill(stream), CUDA_SUCCESS);
  elsewhere([&] { EXPECT_EQ(end(stream), CUDA_SUCCESS); });
}

TEST_F(Capture, NoOrderCrossesTheBoundary) {
  const CUevent outside = make_event();
  ASSERT_EQ(d.cuEventRecord(outside, other), CUDA_SUCCESS);
  begin(stream);
  EXPECT_EQ(d.cuStreamWaitEvent(stream, outside, 0), CUDA_ERROR_STREAM_CAPTURE_ISOLATION);
  expect_broken(stream);
  EXPECT_EQ(fill(stream), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
  EXPECT_EQ(end(stream), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
  // An event that was never recorded is nothing to wait for (measured).
  begin(stream);
  EXPECT_EQ(d.cuStreamWaitEvent(stream, make_event(), 0), CUDA_SUCCESS);
  EXPECT_EQ(end(stream), CUDA_SUCCESS);
}

TEST_F(Capture, TwoDoNotMerge) {
  const CUevent event = make_event();
  begin(stream);
  begin(other);
  ASSERT_EQ(d.cuEventRecord(event, stream), CUDA_SUCCESS);
  EXPECT_EQ(d.cuStreamWaitEvent(other, event, 0), CUDA_ERROR_STREAM_CAPTURE_MERGE);
  expect_broken(stream);
  expect_broken(other);
  EXPECT_EQ(end(stream), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
  EXPECT_EQ(end(other), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
}

TEST_F(Capture, ACapturedEventIsNothingToLookAt) {
  const CUevent event = make_event();
  begin(stream, kRelaxed);
  ASSERT_EQ(d.cuEventRecord(event, stream), CUDA_SUCCESS);
  EXPECT_EQ(d.cuEventQuery(event), CUDA_ERROR_CAPTURED_EVENT);
  expect_broken(stream);
  EXPECT_EQ(end(stream), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);

  begin(stream, kRelaxed);
  ASSERT_EQ(d.cuEventRecord(event, stream), CUDA_SUCCESS);
  EXPECT_EQ(d.cuEventSynchronize(event), CUDA_ERROR_CAPTURED_EVENT);
  EXPECT_EQ(end(stream), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);

  begin(stream);
  ASSERT_EQ(d.cuEventRecord(event, stream), CUDA_SUCCESS);
  ASSERT_EQ(end(stream), CUDA_SUCCESS);
  EXPECT_EQ(d.cuEventQuery(event), CUDA_ERROR_INVALID_VALUE);  // measured
  EXPECT_EQ(d.cuStreamWaitEvent(other, event, 0), CUDA_ERROR_INVALID_VALUE);
  ASSERT_EQ(d.cuEventRecord(event, other), CUDA_SUCCESS);  // outside: an event like any other
  EXPECT_EQ(d.cuEventSynchronize(event), CUDA_SUCCESS);
}

TEST_F(Capture, ACapturingStreamIsNothingToLookAt) {
  begin(stream, kRelaxed);
  EXPECT_EQ(d.cuStreamQuery(stream), CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
  expect_broken(stream);
  EXPECT_EQ(end(stream), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
  begin(stream, kRelaxed);
  EXPECT_EQ(d.cuStreamSynchronize(stream), CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
  EXPECT_EQ(end(stream), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
  EXPECT_EQ(d.cuStreamQuery(stream), CUDA_SUCCESS);
}

TEST_F(Capture, TheLegacyStreamIsUnusableWhileABlockingStreamCaptures) {
  CUstreamCaptureStatus now{};
  begin(blocking);
  EXPECT_EQ(d.cuStreamIsCapturing(nullptr, &now), CUDA_ERROR_STREAM_CAPTURE_IMPLICIT);
  expect_active(blocking);
  EXPECT_EQ(fill(nullptr), CUDA_ERROR_STREAM_CAPTURE_IMPLICIT);
  expect_broken(blocking);
  EXPECT_EQ(end(blocking), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);

  const CUevent event = make_event();
  const auto uses = std::vector<std::function<CUresult()>>{
      [&] { return d.cuStreamQuery(nullptr); },
      [&] { return d.cuStreamSynchronize(nullptr); },
      [&] { return d.cuEventRecord(event, nullptr); },
      [&] { return d.cuMemsetD32_v2(block, 1, 4); },
      [&] { return d.cuStreamWaitEvent(nullptr, event, 0); },
  };
  for (const auto& use : uses) {
    begin(blocking, kRelaxed);
    EXPECT_EQ(use(), CUDA_ERROR_STREAM_CAPTURE_IMPLICIT);
    EXPECT_EQ(end(blocking), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
  }
  begin(stream);
  EXPECT_EQ(fill(nullptr), CUDA_SUCCESS);  // the other streams do not concern it
  EXPECT_EQ(d.cuEventRecord(event, stream), CUDA_SUCCESS);
  EXPECT_EQ(d.cuStreamWaitEvent(nullptr, event, 0), CUDA_ERROR_STREAM_CAPTURE_IMPLICIT);
  EXPECT_EQ(end(stream), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
}

// Calls that are potentially unsafe; each must be one that may be made twice.
class Unsafe : public Capture, public testing::WithParamInterface<int> {
 protected:
  CUresult call() {
    CUdeviceptr at = 0;
    void* pinned = nullptr;
    std::uint32_t value = 0;
    switch (GetParam()) {
      case 0:
        return d.cuMemAlloc_v2(&at, 64);
      case 1:
        return d.cuMemAllocAsync(&at, 64, other);
      case 2:
        return d.cuStreamSynchronize(other);
      case 3:
        return d.cuStreamQuery(other);
      case 4:
        return d.cuEventQuery(event);
      case 5:
        return d.cuEventSynchronize(event);
      case 6:
        return d.cuMemAllocHost_v2(&pinned, 64);
      case 7:
        return d.cuMemcpyDtoH_v2(&value, block, 4);
      default:
        return d.cuMemAllocManaged(&at, 64, CU_MEM_ATTACH_GLOBAL);
    }
  }
  void expect(CUstreamCaptureMode mode, CUstreamCaptureMode own, bool same, bool allowed) {
    begin(stream, mode);
    const auto make = [&] {
      CUstreamCaptureMode exchanged = own;
      EXPECT_EQ(d.cuThreadExchangeStreamCaptureMode(&exchanged), CUDA_SUCCESS);
      EXPECT_EQ(call(), allowed ? CUDA_SUCCESS : CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
      EXPECT_EQ(d.cuThreadExchangeStreamCaptureMode(&exchanged), CUDA_SUCCESS);
      EXPECT_EQ(exchanged, own);
    };
    same ? make() : elsewhere(make);
    EXPECT_EQ(end(stream), allowed ? CUDA_SUCCESS : CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
  }
  CUevent event = nullptr;
};

TEST_P(Unsafe, DependsOnTheModes) {
  event = make_event();
  expect(kGlobal, kGlobal, true, false);
  expect(kGlobal, kGlobal, false, false);
  expect(kGlobal, kThreadLocal, true, false);
  expect(kGlobal, kThreadLocal, false, true);
  expect(kGlobal, kRelaxed, true, true);
  expect(kThreadLocal, kGlobal, true, false);
  expect(kThreadLocal, kGlobal, false, true);
  expect(kThreadLocal, kRelaxed, true, true);
  expect(kRelaxed, kGlobal, true, true);
  expect(kRelaxed, kGlobal, false, true);
}
INSTANTIATE_TEST_SUITE_P(Calls, Unsafe, testing::Range(0, 9));

TEST_F(Capture, FreesAreUnsafeToo) {
  CUdeviceptr at = 0;
  ASSERT_EQ(d.cuMemAllocAsync(&at, 64, other), CUDA_SUCCESS);
  begin(stream);
  EXPECT_EQ(d.cuMemFreeAsync(at, other), CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);  // measured
  EXPECT_EQ(end(stream), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
  begin(stream);
  EXPECT_EQ(d.cuMemFree_v2(at), CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
  EXPECT_EQ(end(stream), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
  EXPECT_EQ(d.cuMemFree_v2(at), CUDA_SUCCESS);  // neither has freed it
}

TEST_F(Capture, SomeCallsDoNoHarm) {
  const CUevent event = make_event();
  begin(stream);
  size_t free = 0;
  size_t total = 0;
  unsigned long long id = 0;
  EXPECT_EQ(d.cuMemGetInfo_v2(&free, &total), CUDA_SUCCESS);
  const CUdeviceptr at = reserve(kChunk);
  const CUmemGenericAllocationHandle handle = create(kChunk);
  EXPECT_EQ(d.cuMemMap(at, kChunk, 0, handle, 0), CUDA_SUCCESS);
  const CUmemAccessDesc access = read_write();
  EXPECT_EQ(d.cuMemSetAccess(at, kChunk, &access, 1), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemUnmap(at, kChunk), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemRelease(handle), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemAddressFree(at, kChunk), CUDA_SUCCESS);
  EXPECT_EQ(d.cuEventRecord(event, other), CUDA_SUCCESS);
  EXPECT_EQ(d.cuStreamGetId(other, &id), CUDA_SUCCESS);
  EXPECT_EQ(fill(other), CUDA_SUCCESS);
  EXPECT_EQ(end(stream), CUDA_SUCCESS);
}

TEST_F(Capture, LooksAtTheContextBreakAnyCapture) {
  const CUevent event = make_event();
  begin(stream, kRelaxed);
  EXPECT_EQ(d.cuCtxSynchronize(), CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
  expect_broken(stream);
  EXPECT_EQ(end(stream), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
  begin(stream, kRelaxed);
  begin(other, kRelaxed);
  EXPECT_EQ(d.cuCtxRecordEvent(context, event), CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
  EXPECT_EQ(end(stream), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
  EXPECT_EQ(end(other), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
}

TEST_F(Capture, ADestroyedStreamTakesItsCaptureAlong) {
  CUdeviceptr at = 0;
  begin(stream);
  ASSERT_EQ(fill(stream), CUDA_SUCCESS);
  EXPECT_EQ(d.cuStreamDestroy_v2(stream), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemAlloc_v2(&at, 64), CUDA_SUCCESS);  // nothing is under way
  EXPECT_EQ(d.cuMemFree_v2(at), CUDA_SUCCESS);
  // One that had joined leaves its work behind.
  const CUstream first = make_stream();
  const CUevent fork = make_event();
  begin(first);
  ASSERT_EQ(d.cuEventRecord(fork, first), CUDA_SUCCESS);
  ASSERT_EQ(d.cuStreamWaitEvent(other, fork, 0), CUDA_SUCCESS);
  ASSERT_EQ(fill(other), CUDA_SUCCESS);
  EXPECT_EQ(d.cuStreamDestroy_v2(other), CUDA_SUCCESS);
  EXPECT_EQ(end(first), CUDA_ERROR_STREAM_CAPTURE_UNJOINED);
}

TEST_F(Capture, AContextTakesItsCapturesAlong) {
  CUcontext own = nullptr;
  ASSERT_EQ(d.cuCtxCreate_v2(&own, 0, 0), CUDA_SUCCESS);
  begin(make_stream());
  EXPECT_EQ(d.cuCtxDestroy_v2(own), CUDA_SUCCESS);
  CUdeviceptr at = 0;
  EXPECT_EQ(d.cuMemAlloc_v2(&at, 64), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemFree_v2(at), CUDA_SUCCESS);
}

TEST_F(Capture, ExternalFlagsBelongInACapture) {
  const CUevent event = make_event();
  EXPECT_EQ(d.cuEventRecordWithFlags(event, stream, CU_EVENT_RECORD_EXTERNAL),
            CUDA_ERROR_ILLEGAL_STATE);
  EXPECT_EQ(d.cuStreamWaitEvent(stream, event, CU_EVENT_WAIT_EXTERNAL), CUDA_ERROR_ILLEGAL_STATE);
}

TEST_F(Capture, TellsOfItself) {
  CUstreamCaptureStatus now{};
  cuuint64_t id = 0;
  cuuint64_t next_id = 0;
  CUgraph graph = nullptr;
  const CUgraphNode* dependencies = nullptr;
  const CUgraphEdgeData* edges = nullptr;
  size_t count = 9;
  EXPECT_EQ(d.cuStreamGetCaptureInfo(stream, &now, &id), CUDA_SUCCESS);
  EXPECT_EQ(now, CU_STREAM_CAPTURE_STATUS_NONE);
  EXPECT_EQ(d.cuStreamUpdateCaptureDependencies(stream, nullptr, 0, 0), CUDA_ERROR_ILLEGAL_STATE);
  begin(stream);
  ASSERT_EQ(fill(stream), CUDA_SUCCESS);
  ASSERT_EQ(d.cuStreamGetCaptureInfo_v3(stream, &now, &id, &graph, &dependencies, &edges, &count),
            CUDA_SUCCESS);
  EXPECT_EQ(now, CU_STREAM_CAPTURE_STATUS_ACTIVE);
  ASSERT_EQ(count, 1U);
  EXPECT_EQ(edges[0].type, 0);
  CUgraphNodeType type{};
  EXPECT_EQ(d.cuGraphNodeGetType(dependencies[0], &type), CUDA_SUCCESS);
  EXPECT_EQ(type, CU_GRAPH_NODE_TYPE_MEMSET);
  EXPECT_EQ(d.cuStreamGetCaptureInfo_v2(stream, nullptr, &id, nullptr, nullptr, nullptr),
            CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuStreamGetCaptureInfo_v3(stream, &now, nullptr, nullptr, nullptr, &edges, nullptr),
            CUDA_ERROR_INVALID_VALUE);
  // The graph is there already, to be added to and not to be destroyed.
  CUgraphNode added = nullptr;
  EXPECT_EQ(d.cuGraphAddEmptyNode(&added, graph, dependencies, count), CUDA_SUCCESS);
  EXPECT_EQ(d.cuGraphDestroyNode(added), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuGraphDestroy(graph), CUDA_ERROR_INVALID_VALUE);
  CUgraphExec executable = nullptr;
  EXPECT_EQ(d.cuGraphInstantiateWithFlags(&executable, graph, 0), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuStreamUpdateCaptureDependencies(stream, &added, 1, 2), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuStreamUpdateCaptureDependencies_v2(stream, &added, nullptr, 1,
                                                   CU_STREAM_SET_CAPTURE_DEPENDENCIES),
            CUDA_SUCCESS);
  ASSERT_EQ(d.cuStreamGetCaptureInfo_v2(stream, &now, &id, nullptr, &dependencies, &count),
            CUDA_SUCCESS);
  ASSERT_EQ(count, 1U);
  EXPECT_EQ(dependencies[0], added);
  EXPECT_EQ(end(stream), CUDA_SUCCESS);
  begin(stream);
  ASSERT_EQ(d.cuStreamGetCaptureInfo(stream, &now, &next_id), CUDA_SUCCESS);
  EXPECT_NE(next_id, id);
  EXPECT_EQ(end(stream), CUDA_SUCCESS);
}

TEST_F(Capture, GoesIntoAnExistingGraph) {
  CUgraph graph = nullptr;
  CUgraphNode first = nullptr;
  ASSERT_EQ(d.cuGraphCreate(&graph, 0), CUDA_SUCCESS);
  ASSERT_EQ(d.cuGraphAddEmptyNode(&first, graph, nullptr, 0), CUDA_SUCCESS);
  EXPECT_EQ(d.cuStreamBeginCaptureToGraph(stream, nullptr, nullptr, nullptr, 0, kGlobal),
            CUDA_ERROR_INVALID_VALUE);
  ASSERT_EQ(d.cuStreamBeginCaptureToGraph(stream, graph, &first, nullptr, 1, kGlobal),
            CUDA_SUCCESS);
  ASSERT_EQ(fill(stream), CUDA_SUCCESS);
  CUgraph ended = nullptr;
  ASSERT_EQ(end(stream, &ended), CUDA_SUCCESS);
  EXPECT_EQ(ended, graph);
  size_t edges = 0;
  EXPECT_EQ(d.cuGraphGetEdges(graph, nullptr, nullptr, &edges), CUDA_SUCCESS);
  EXPECT_EQ(edges, 1U);
  EXPECT_EQ(d.cuGraphDestroy(graph), CUDA_SUCCESS);
}

TEST_F(Capture, ALaunchIsAChildGraph) {
  begin(stream);
  ASSERT_EQ(fill(stream, 6), CUDA_SUCCESS);
  CUgraph inner = nullptr;
  ASSERT_EQ(end(stream, &inner), CUDA_SUCCESS);
  CUgraphExec executable = nullptr;
  ASSERT_EQ(d.cuGraphInstantiateWithFlags(&executable, inner, 0), CUDA_SUCCESS);
  begin(stream);
  ASSERT_EQ(d.cuGraphLaunch(executable, stream), CUDA_SUCCESS);
  CUgraph outer = nullptr;
  ASSERT_EQ(end(stream, &outer), CUDA_SUCCESS);
  EXPECT_EQ(types(outer), std::vector{CU_GRAPH_NODE_TYPE_GRAPH});
  EXPECT_EQ(d.cuGraphExecDestroy(executable), CUDA_SUCCESS);
  EXPECT_EQ(d.cuGraphDestroy(inner), CUDA_SUCCESS);
  EXPECT_EQ(d.cuGraphDestroy(outer), CUDA_SUCCESS);
}

TEST_F(Capture, ExchangesTheThreadsMode) {
  CUstreamCaptureMode mode = kRelaxed;
  EXPECT_EQ(d.cuThreadExchangeStreamCaptureMode(&mode), CUDA_SUCCESS);
  EXPECT_EQ(mode, kGlobal);
  elsewhere([&] {
    CUstreamCaptureMode theirs = kThreadLocal;
    EXPECT_EQ(d.cuThreadExchangeStreamCaptureMode(&theirs), CUDA_SUCCESS);
    EXPECT_EQ(theirs, kGlobal);
  });
  EXPECT_EQ(d.cuThreadExchangeStreamCaptureMode(&mode), CUDA_SUCCESS);
  EXPECT_EQ(mode, kRelaxed);
  EXPECT_EQ(d.cuThreadExchangeStreamCaptureMode(nullptr), CUDA_ERROR_INVALID_VALUE);
  mode = static_cast<CUstreamCaptureMode>(7);
  EXPECT_EQ(d.cuThreadExchangeStreamCaptureMode(&mode), CUDA_ERROR_INVALID_VALUE);
}

}  // namespace
}  // namespace gmlake::simcuda::test
