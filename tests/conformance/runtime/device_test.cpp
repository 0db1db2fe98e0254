// The runtime's errors, devices, streams and captures, and its door to the driver.
#include <thread>

#include "fixture.h"

namespace conformance {
namespace {

class RuntimeErrors : public RuntimeTest {
 protected:
  void fail() {
    void* at = nullptr;
    EXPECT_EQ(r.cudaMalloc(&at, std::size_t{1} << 50), cudaErrorMemoryAllocation);
  }
};
class RuntimeDevice : public RuntimeTest {};
class RuntimeStreams : public RuntimeTest {};
class RuntimeCapture : public RuntimeTest {};

// [HR 1119] "the last error that has been produced ... and resets it to cudaSuccess."
TEST_F(RuntimeErrors, AreToldOnce) {
  fail();
  EXPECT_EQ(r.cudaGetLastError(), cudaErrorMemoryAllocation);
  EXPECT_EQ(r.cudaGetLastError(), cudaSuccess);
}

// [HR 1171] cudaPeekAtLastError "does not reset the error".
TEST_F(RuntimeErrors, AreLookedAt) {
  fail();
  EXPECT_EQ(r.cudaPeekAtLastError(), cudaErrorMemoryAllocation);
  EXPECT_EQ(r.cudaPeekAtLastError(), cudaErrorMemoryAllocation);
}

// [HR 1119] the last error, not the last call's result.
TEST_F(RuntimeErrors, OutliveSuccess) {
  fail();
  make_memory();
  EXPECT_EQ(r.cudaGetLastError(), cudaErrorMemoryAllocation);
}

// [HR 1120] "in the host thread".
TEST_F(RuntimeErrors, AreOfTheirThread) {
  fail();
  std::thread([&] { EXPECT_EQ(r.cudaPeekAtLastError(), cudaSuccess); }).join();
  EXPECT_EQ(r.cudaPeekAtLastError(), cudaErrorMemoryAllocation);
}

// [HR 1221, 1238] names and descriptions; "unrecognized error code" for others.
TEST_F(RuntimeErrors, HaveNames) {
  EXPECT_STREQ(r.cudaGetErrorName(cudaErrorMemoryAllocation), "cudaErrorMemoryAllocation");
  EXPECT_STREQ(r.cudaGetErrorString(cudaErrorMemoryAllocation), "out of memory");
  EXPECT_STREQ(r.cudaGetErrorString(cudaErrorInvalidValue), "invalid argument");
  EXPECT_STREQ(r.cudaGetErrorName(static_cast<cudaError_t>(998)), "unrecognized error code");
}

// [HR 1618] "Valid device id's are 0 to (cudaGetDeviceCount() - 1)."
TEST_F(RuntimeDevice, IsChosenByNumber) {
  int count = 0;
  int device = -1;
  EXPECT_EQ(r.cudaGetDeviceCount(&count), cudaSuccess);
  EXPECT_GE(count, 1);
  EXPECT_EQ(r.cudaGetDevice(&device), cudaSuccess);
  EXPECT_EQ(device, 0);
  EXPECT_EQ(r.cudaSetDevice(count), cudaErrorInvalidDevice);
  EXPECT_EQ(r.cudaSetDevice(-1), cudaErrorInvalidDevice);
}

// [HR 1634] cudaSetDevice "will bind the primary context of the specified device to the calling
// thread".
TEST_F(RuntimeDevice, HasThePrimaryContext) {
  CUcontext primary = nullptr;
  CUcontext current = nullptr;
  ASSERT_EQ(driver().cuDevicePrimaryCtxRetain(&primary, 0), CUDA_SUCCESS);
  EXPECT_EQ(driver().cuCtxGetCurrent(&current), CUDA_SUCCESS);
  EXPECT_EQ(current, primary);
  EXPECT_EQ(driver().cuDevicePrimaryCtxRelease_v2(0), CUDA_SUCCESS);
}

// [HR 1280 ff.] attributes, and the same in the properties.
TEST_F(RuntimeDevice, IsDescribed) {
  cudaDeviceProp properties{};
  int value = 0;
  ASSERT_EQ(r.cudaGetDeviceProperties(&properties, 0), cudaSuccess);
  EXPECT_EQ(properties.warpSize, 32);
  EXPECT_EQ(r.cudaDeviceGetAttribute(&value, cudaDevAttrMultiProcessorCount, 0), cudaSuccess);
  EXPECT_EQ(properties.multiProcessorCount, value);
  EXPECT_EQ(r.cudaDeviceGetAttribute(&value, cudaDevAttrMemoryPoolsSupported, 0), cudaSuccess);
  EXPECT_EQ(properties.memoryPoolsSupported, value);
  EXPECT_EQ(r.cudaDeviceGetAttribute(&value, cudaDevAttrWarpSize, 77), cudaErrorInvalidDevice);
}

// [HR 4213, 4233] two versions.
TEST_F(RuntimeDevice, HasVersions) {
  int of_driver = 0;
  int of_runtime = 0;
  EXPECT_EQ(r.cudaDriverGetVersion(&of_driver), cudaSuccess);
  EXPECT_EQ(r.cudaRuntimeGetVersion(&of_runtime), cudaSuccess);
  EXPECT_EQ(of_runtime / 1000, 13);
  EXPECT_GE(of_driver / 1000, of_runtime / 1000);
}

// [HR 8467] 1 if access is possible, 0 otherwise.
TEST_F(RuntimeDevice, IsNotItsOwnPeer) {
  int can = 99;
  EXPECT_EQ(r.cudaDeviceCanAccessPeer(&can, 0, 0), cudaSuccess);
  EXPECT_EQ(can, 0);
}

// [HR 2279] cudaErrorNotReady while work is pending.
TEST_F(RuntimeStreams, AreReadyWhenTheirWorkIsDone) {
  cudaStream_t stream = make_stream();
  cudaEvent_t event = make_event();
  {
    Gate gate(stream);
    EXPECT_EQ(r.cudaEventRecord(event, stream), cudaSuccess);
    EXPECT_EQ(r.cudaStreamQuery(stream), cudaErrorNotReady);
    EXPECT_EQ(r.cudaEventQuery(event), cudaErrorNotReady);
  }
  EXPECT_EQ(r.cudaStreamSynchronize(stream), cudaSuccess);
  EXPECT_EQ(r.cudaEventQuery(event), cudaSuccess);
}

// [HR 333] "Blocks until the device has completed all preceding requested tasks."
TEST_F(RuntimeStreams, AreAllWaitedFor) {
  Gate gate(make_stream());
  LateOpening opening(gate);
  EXPECT_EQ(r.cudaDeviceSynchronize(), cudaSuccess);
  EXPECT_TRUE(gate.opened());
}

// [HR 2244] a wait orders two streams.
TEST_F(RuntimeStreams, WaitForEvents) {
  cudaStream_t first = make_stream();
  cudaStream_t second = make_stream();
  cudaEvent_t edge = make_event(cudaEventDisableTiming);
  {
    Gate gate(first);
    EXPECT_EQ(r.cudaEventRecord(edge, first), cudaSuccess);
    EXPECT_EQ(r.cudaStreamWaitEvent(second, edge, 0), cudaSuccess);
    EXPECT_EQ(r.cudaStreamQuery(second), cudaErrorNotReady);
  }
  EXPECT_EQ(r.cudaStreamSynchronize(second), cudaSuccess);
}

// [HR 3000 ff.] milliseconds between two events; cudaErrorInvalidResourceHandle for one that was
// not recorded.
TEST_F(RuntimeStreams, AreTimedByEvents) {
  cudaStream_t stream = make_stream();
  cudaEvent_t from = make_event();
  cudaEvent_t to = make_event();
  float milliseconds = -1;
  EXPECT_EQ(r.cudaEventElapsedTime(&milliseconds, from, to), cudaErrorInvalidResourceHandle);
  EXPECT_EQ(r.cudaEventRecord(from, stream), cudaSuccess);
  EXPECT_EQ(r.cudaEventRecord(to, stream), cudaSuccess);
  EXPECT_EQ(r.cudaEventSynchronize(to), cudaSuccess);
  EXPECT_EQ(r.cudaEventElapsedTime(&milliseconds, from, to), cudaSuccess);
  EXPECT_GE(milliseconds, 0);
}

// [HR 4090 ff.] host functions in turn.
TEST_F(RuntimeStreams, RunHostFunctions) {
  cudaStream_t stream = make_stream();
  int calls = 0;
  EXPECT_EQ(r.cudaLaunchHostFunc(
                stream, [](void* data) { ++*static_cast<int*>(data); }, &calls),
            cudaSuccess);
  EXPECT_EQ(r.cudaStreamSynchronize(stream), cudaSuccess);
  EXPECT_EQ(calls, 1);
}

// [HR 2180] cudaErrorInvalidResourceHandle.
TEST_F(RuntimeStreams, TheDefaultOneIsNotDestroyed) {
  EXPECT_EQ(r.cudaStreamDestroy(nullptr), cudaErrorInvalidResourceHandle);
}

// [HR 13585 ff.] the two APIs share their handles.
TEST_F(RuntimeStreams, AreTheDriversStreams) {
  cudaStream_t stream = make_stream();
  unsigned long long here = 0;
  unsigned long long there = 0;
  EXPECT_EQ(r.cudaStreamGetId(stream, &here), cudaSuccess);
  EXPECT_EQ(driver().cuStreamGetId(stream, &there), CUDA_SUCCESS);
  EXPECT_EQ(here, there);
}

// [HR 2430 ff.] captured, instantiated, launched.
TEST_F(RuntimeCapture, GivesAGraphThatRuns) {
  cudaStream_t stream = make_stream();
  int* device = make_memory();
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t exec = nullptr;
  std::size_t nodes = 0;
  EXPECT_EQ(r.cudaMemset(device, 0, 4), cudaSuccess);
  ASSERT_EQ(r.cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal), cudaSuccess);
  EXPECT_EQ(r.cudaMemsetAsync(device, 7, 4, stream), cudaSuccess);
  ASSERT_EQ(r.cudaStreamEndCapture(stream, &graph), cudaSuccess);
  EXPECT_EQ(read(device), 0);
  EXPECT_EQ(r.cudaGraphGetNodes(graph, nullptr, &nodes), cudaSuccess);
  EXPECT_EQ(nodes, 1U);
  ASSERT_EQ(r.cudaGraphInstantiate(&exec, graph, 0), cudaSuccess);
  EXPECT_EQ(r.cudaGraphLaunch(exec, stream), cudaSuccess);
  EXPECT_EQ(r.cudaStreamSynchronize(stream), cudaSuccess);
  EXPECT_EQ(read(device), 0x07070707);
  EXPECT_EQ(r.cudaGraphExecDestroy(exec), cudaSuccess);
  EXPECT_EQ(r.cudaGraphDestroy(graph), cudaSuccess);
}

// [HR 2522 ff.] cudaMalloc is unsafe in a capture.
TEST_F(RuntimeCapture, IsBrokenByAllocation) {
  cudaStream_t stream = make_stream();
  cudaGraph_t graph = nullptr;
  cudaStreamCaptureStatus status{};
  void* at = nullptr;
  ASSERT_EQ(r.cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal), cudaSuccess);
  EXPECT_EQ(r.cudaMalloc(&at, 100), cudaErrorStreamCaptureUnsupported);
  EXPECT_EQ(r.cudaStreamIsCapturing(stream, &status), cudaSuccess);
  EXPECT_EQ(status, cudaStreamCaptureStatusInvalidated);
  EXPECT_EQ(r.cudaStreamEndCapture(stream, &graph), cudaErrorStreamCaptureInvalidated);
  EXPECT_EQ(graph, nullptr);
}

// [HR 7822] cudaMallocAsync becomes a node.
TEST_F(RuntimeCapture, HoldsAllocationsInStreamOrder) {
  cudaStream_t stream = make_stream();
  cudaGraph_t graph = nullptr;
  void* at = nullptr;
  ASSERT_EQ(r.cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal), cudaSuccess);
  EXPECT_EQ(r.cudaMallocAsync(&at, 1000, stream), cudaSuccess);
  EXPECT_EQ(r.cudaFreeAsync(at, stream), cudaSuccess);
  ASSERT_EQ(r.cudaStreamEndCapture(stream, &graph), cudaSuccess);
  cudaGraphNode_t nodes[2] = {};
  std::size_t many = 2;
  EXPECT_EQ(r.cudaGraphGetNodes(graph, nodes, &many), cudaSuccess);
  ASSERT_EQ(many, 2U);
  cudaGraphNodeType type{};
  EXPECT_EQ(r.cudaGraphNodeGetType(nodes[0], &type), cudaSuccess);
  EXPECT_EQ(type, cudaGraphNodeTypeMemAlloc);
  EXPECT_EQ(r.cudaGraphDestroy(graph), cudaSuccess);
}

// [HR 13100 ff.] the driver's functions, as the driver itself exports them.
TEST_F(RuntimeDevice, HandsOutDriverFunctions) {
  void* function = nullptr;
  cudaDriverEntryPointQueryResult status{};
  EXPECT_EQ(r.cudaGetDriverEntryPointByVersion("cuMemCreate", &function, 12000, cudaEnableDefault,
                                               &status),
            cudaSuccess);
  EXPECT_EQ(status, cudaDriverEntryPointSuccess);
  EXPECT_EQ(function, dlsym(driver().library, "cuMemCreate"));
}

// [HR 13100 ff.] "cudaDriverEntryPointSymbolNotFound", "...VersionNotSufficent".
TEST_F(RuntimeDevice, SaysWhichDriverFunctionsThereAreNot) {
  void* function = nullptr;
  cudaDriverEntryPointQueryResult status{};
  EXPECT_EQ(
      r.cudaGetDriverEntryPointByVersion("cuNoSuch", &function, 12000, cudaEnableDefault, &status),
      cudaSuccess);
  EXPECT_EQ(status, cudaDriverEntryPointSymbolNotFound);
  EXPECT_EQ(r.cudaGetDriverEntryPointByVersion("cuMemCreate", &function, 9000, cudaEnableDefault,
                                               &status),
            cudaSuccess);
  EXPECT_EQ(status, cudaDriverEntryPointVersionNotSufficent);
}

}  // namespace
}  // namespace conformance
