// Contexts and the thread's stack of them.
#include "../fixture.h"

namespace conformance {
namespace {

class Contexts : public DeviceTest {
 protected:
  CUcontext current() {
    CUcontext now = nullptr;
    EXPECT_EQ(d.cuCtxGetCurrent(&now), CUDA_SUCCESS);
    return now;
  }
};

// [H 6122] a new context is pushed on the calling thread's stack.
TEST_F(Contexts, AreCurrentWhenCreated) {
  CUcontext made = nullptr;
  ASSERT_EQ(d.cuCtxCreate_v2(&made, 0, 0), CUDA_SUCCESS);
  EXPECT_EQ(current(), made);
  EXPECT_EQ(d.cuCtxDestroy_v2(made), CUDA_SUCCESS);
}

// [H 6293] "If ctx is current to the calling thread then ctx will also be popped".
TEST_F(Contexts, ArePoppedWhenDestroyed) {
  CUcontext made = nullptr;
  ASSERT_EQ(d.cuCtxCreate_v2(&made, 0, 0), CUDA_SUCCESS);
  EXPECT_EQ(d.cuCtxDestroy_v2(made), CUDA_SUCCESS);
  EXPECT_EQ(current(), context);
}

// [H 6239] "CUDA_ERROR_INVALID_VALUE if invalid parameter was passed": two ways to wait at once.
TEST_F(Contexts, TakeOneWayOfWaiting) {
  CUcontext made = nullptr;
  EXPECT_EQ(d.cuCtxCreate_v2(&made, CU_CTX_SCHED_SPIN | CU_CTX_SCHED_YIELD, 0),
            CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuCtxCreate_v2(nullptr, 0, 0), CUDA_ERROR_INVALID_VALUE);
}

// [H 6255] CUDA_ERROR_INVALID_DEVICE.
TEST_F(Contexts, NeedADevice) {
  CUcontext made = nullptr;
  EXPECT_EQ(d.cuCtxCreate_v2(&made, 0, 77), CUDA_ERROR_INVALID_DEVICE);
}

// [H 6330, 6364] pushed, and popped again.
TEST_F(Contexts, ArePushedAndPopped) {
  const CUcontext other = make_context();
  EXPECT_EQ(d.cuCtxPushCurrent_v2(other), CUDA_SUCCESS);
  EXPECT_EQ(current(), other);
  CUcontext popped = nullptr;
  EXPECT_EQ(d.cuCtxPopCurrent_v2(&popped), CUDA_SUCCESS);
  EXPECT_EQ(popped, other);
  EXPECT_EQ(current(), context);
}

// [H 6376] CUDA_ERROR_INVALID_CONTEXT when there is nothing to pop.
TEST_F(Contexts, AreNotPoppedFromAnEmptyStack) {
  ASSERT_EQ(d.cuCtxSetCurrent(nullptr), CUDA_SUCCESS);
  CUcontext popped = nullptr;
  EXPECT_EQ(d.cuCtxPopCurrent_v2(&popped), CUDA_ERROR_INVALID_CONTEXT);
}

// [H 6402] cuCtxSetCurrent "will replace the top of that stack with ctx".
TEST_F(Contexts, ReplaceTheTopOfTheStack) {
  const CUcontext one = make_context();
  const CUcontext two = make_context();
  ASSERT_EQ(d.cuCtxPushCurrent_v2(one), CUDA_SUCCESS);
  ASSERT_EQ(d.cuCtxSetCurrent(two), CUDA_SUCCESS);
  CUcontext popped = nullptr;
  EXPECT_EQ(d.cuCtxPopCurrent_v2(&popped), CUDA_SUCCESS);
  EXPECT_EQ(popped, two);
  EXPECT_EQ(current(), context);
}

// [H 6404] "If ctx is NULL then this will be equivalent to popping the top".
TEST_F(Contexts, ArePoppedByNull) {
  const CUcontext other = make_context();
  ASSERT_EQ(d.cuCtxPushCurrent_v2(other), CUDA_SUCCESS);
  EXPECT_EQ(d.cuCtxSetCurrent(nullptr), CUDA_SUCCESS);
  EXPECT_EQ(current(), context);
}

// [H 6405] "(or a no-op if the calling CPU thread's CUDA context stack is empty)"; [H 6429].
TEST_F(Contexts, MayBeNone) {
  EXPECT_EQ(d.cuCtxSetCurrent(nullptr), CUDA_SUCCESS);
  EXPECT_EQ(d.cuCtxSetCurrent(nullptr), CUDA_SUCCESS);
  EXPECT_EQ(current(), nullptr);
}

// [H 6398] the current context is the calling thread's own.
TEST_F(Contexts, AreCurrentToOneThread) {
  std::thread([&] { EXPECT_EQ(current(), nullptr); }).join();
  EXPECT_EQ(current(), context);
}

// [H 6451] the current context's device; [H 6482] with NULL for the current one.
TEST_F(Contexts, KnowTheirDevice) {
  CUdevice device = -1;
  EXPECT_EQ(d.cuCtxGetDevice(&device), CUDA_SUCCESS);
  EXPECT_EQ(device, 0);
  device = -1;
  EXPECT_EQ(d.cuCtxGetDevice_v2(&device, nullptr), CUDA_SUCCESS);
  EXPECT_EQ(device, 0);
  ASSERT_EQ(d.cuCtxSetCurrent(nullptr), CUDA_SUCCESS);
  device = -1;
  EXPECT_EQ(d.cuCtxGetDevice_v2(&device, context), CUDA_SUCCESS);
  EXPECT_EQ(device, 0);
}

// [H 6504] the flags it was created with.
TEST_F(Contexts, KnowTheirFlags) {
  CUcontext made = nullptr;
  ASSERT_EQ(d.cuCtxCreate_v2(&made, CU_CTX_SCHED_BLOCKING_SYNC, 0), CUDA_SUCCESS);
  unsigned flags = 0;
  EXPECT_EQ(d.cuCtxGetFlags(&flags), CUDA_SUCCESS);
  EXPECT_EQ(flags & CU_CTX_SCHED_MASK, CU_CTX_SCHED_BLOCKING_SYNC);
  EXPECT_EQ(d.cuCtxDestroy_v2(made), CUDA_SUCCESS);
}

// [H 6564] "The Id is unique for the life of the program"; [H 6565] NULL asks for the current one.
TEST_F(Contexts, HaveIdentities) {
  const CUcontext other = make_context();
  unsigned long long mine = 0;
  unsigned long long theirs = 0;
  unsigned long long now = 0;
  EXPECT_EQ(d.cuCtxGetId(context, &mine), CUDA_SUCCESS);
  EXPECT_EQ(d.cuCtxGetId(other, &theirs), CUDA_SUCCESS);
  EXPECT_EQ(d.cuCtxGetId(nullptr, &now), CUDA_SUCCESS);
  EXPECT_NE(mine, theirs);
  EXPECT_EQ(mine, now);
}

// [H 6895] a version of the API such as 3020.
TEST_F(Contexts, KnowTheirApiVersion) {
  unsigned version = 0;
  EXPECT_EQ(d.cuCtxGetApiVersion(context, &version), CUDA_SUCCESS);
  EXPECT_GE(version, 3020U);
}

// [H 6935] "lower numbers imply greater priorities"; [H 6943] each of the two may be left out.
TEST_F(Contexts, HaveARangeOfPriorities) {
  int least = -99;
  int greatest = 99;
  EXPECT_EQ(d.cuCtxGetStreamPriorityRange(&least, &greatest), CUDA_SUCCESS);
  EXPECT_LE(greatest, least);
  EXPECT_EQ(least, 0);
  EXPECT_EQ(d.cuCtxGetStreamPriorityRange(nullptr, &greatest), CUDA_SUCCESS);
  EXPECT_EQ(d.cuCtxGetStreamPriorityRange(&least, nullptr), CUDA_SUCCESS);
}

// [H 6286] its resources are memory allocations by cuMemAlloc too.
TEST_F(Contexts, TakeTheirMemoryWithThem) {
  CUcontext other = nullptr;
  CUdeviceptr at = 0;
  ASSERT_EQ(d.cuCtxCreate_v2(&other, 0, 0), CUDA_SUCCESS);
  ASSERT_EQ(d.cuMemAlloc_v2(&at, 1000), CUDA_SUCCESS);
  EXPECT_EQ(d.cuCtxDestroy_v2(other), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemFree_v2(at), CUDA_ERROR_INVALID_VALUE);
}

// [H 6299] "will not destroy memory allocations by cuMemCreate(), cuMemAllocAsync()".
TEST_F(Contexts, LeaveVirtualMemoryBehind) {
  CUcontext other = nullptr;
  ASSERT_EQ(d.cuCtxCreate_v2(&other, 0, 0), CUDA_SUCCESS);
  const CUdeviceptr at = reserve(kChunk);
  map(at, kChunk, create(kChunk));
  allow(at, kChunk);
  write(at, 4711);
  EXPECT_EQ(d.cuCtxDestroy_v2(other), CUDA_SUCCESS);
  EXPECT_EQ(read(at), 4711U);
}

// [H 6297] in another thread it stays current, and answers CUDA_ERROR_CONTEXT_IS_DESTROYED.
TEST_F(Contexts, AreSaidToBeDestroyedWhereTheyAreStillCurrent) {
  CUcontext other = nullptr;
  ASSERT_EQ(d.cuCtxCreate_v2(&other, 0, 0), CUDA_SUCCESS);
  std::atomic<int> step{0};
  CUresult answer = CUDA_SUCCESS;
  std::thread user([&] {
    EXPECT_EQ(d.cuCtxSetCurrent(other), CUDA_SUCCESS);
    step = 1;
    while (step != 2) std::this_thread::yield();
    CUdeviceptr at = 0;
    answer = d.cuMemAlloc_v2(&at, 100);
  });
  while (step != 1) std::this_thread::yield();
  EXPECT_EQ(d.cuCtxDestroy_v2(other), CUDA_SUCCESS);
  step = 2;
  user.join();
  EXPECT_EQ(answer, CUDA_ERROR_CONTEXT_IS_DESTROYED);
}

// [H 7146] "Decrements the usage count of the context, and destroys the context if the usage count
// goes to 0."
TEST_F(Contexts, AreDetachedOneReferenceAtATime) {
  CUcontext made = nullptr;
  CUcontext again = nullptr;
  CUdeviceptr at = 0;
  ASSERT_EQ(d.cuCtxCreate_v2(&made, 0, 0), CUDA_SUCCESS);
  ASSERT_EQ(d.cuCtxAttach(&again, 0), CUDA_SUCCESS);
  EXPECT_EQ(again, made);
  ASSERT_EQ(d.cuMemAlloc_v2(&at, 1000), CUDA_SUCCESS);
  EXPECT_EQ(d.cuCtxDetach(made), CUDA_SUCCESS);
  EXPECT_EQ(current(), made);
  write(at, 4711);
  EXPECT_EQ(read(at), 4711U);
  EXPECT_EQ(d.cuCtxDetach(made), CUDA_SUCCESS);
  EXPECT_EQ(current(), context);
  EXPECT_EQ(d.cuMemFree_v2(at), CUDA_ERROR_INVALID_VALUE);
}

// [H 7148] "must be current to the calling thread".
TEST_F(Contexts, AreDetachedWhereTheyAreCurrent) {
  const CUcontext other = make_context();
  EXPECT_EQ(d.cuCtxDetach(other), CUDA_ERROR_INVALID_CONTEXT);
  EXPECT_EQ(d.cuCtxPushCurrent_v2(other), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemGetInfo_v2(nullptr, nullptr), CUDA_SUCCESS);
  EXPECT_EQ(d.cuCtxPopCurrent_v2(nullptr), CUDA_SUCCESS);
}

// [M] a primary one too, though [H 7147] "must be a handle that was passed back by cuCtxCreate() or
// cuCtxAttach()". What it does to the context was not measured, so that is held twice over: once
// for a reference that may go, and once to be given back.
TEST_F(Contexts, PrimaryOnesAreDetached) {
  CUcontext again = nullptr;
  ASSERT_EQ(d.cuDevicePrimaryCtxRetain(&again, 0), CUDA_SUCCESS);
  ASSERT_EQ(d.cuDevicePrimaryCtxRetain(&again, 0), CUDA_SUCCESS);
  EXPECT_EQ(d.cuCtxDetach(context), CUDA_SUCCESS);
  EXPECT_EQ(d.cuCtxSetCurrent(context), CUDA_SUCCESS);
  EXPECT_EQ(d.cuDevicePrimaryCtxRelease_v2(0), CUDA_SUCCESS);
}

// What is asked to learn whether the current context is alive, where it was destroyed elsewhere.
TEST_F(Contexts, SayThatTheyAreDestroyedWhenAskedForMemory) {
  CUcontext other = nullptr;
  ASSERT_EQ(d.cuCtxCreate_v2(&other, 0, 0), CUDA_SUCCESS);
  std::thread([&] { EXPECT_EQ(d.cuCtxDestroy_v2(other), CUDA_SUCCESS); }).join();
  EXPECT_EQ(current(), other);
  std::size_t free = 0;
  std::size_t total = 0;
  unsigned long long id = 0;
  EXPECT_EQ(d.cuMemGetInfo_v2(&free, &total), CUDA_ERROR_CONTEXT_IS_DESTROYED);
  EXPECT_EQ(d.cuStreamGetId(nullptr, &id), CUDA_ERROR_CONTEXT_IS_DESTROYED);
  EXPECT_EQ(d.cuCtxPopCurrent_v2(nullptr), CUDA_SUCCESS);
}

// A thread has it twice, and destroys it: one of them is popped, the other stays, and is dead.
TEST_F(Contexts, AreDeadWhereTheyAreCurrentOnceMore) {
  CUcontext other = nullptr;
  ASSERT_EQ(d.cuCtxCreate_v2(&other, 0, 0), CUDA_SUCCESS);
  ASSERT_EQ(d.cuCtxPushCurrent_v2(other), CUDA_SUCCESS);
  EXPECT_EQ(d.cuCtxDestroy_v2(other), CUDA_SUCCESS);
  EXPECT_EQ(current(), other);
  std::size_t free = 0;
  EXPECT_EQ(d.cuMemGetInfo_v2(&free, &free), CUDA_ERROR_CONTEXT_IS_DESTROYED);
  EXPECT_EQ(d.cuCtxPopCurrent_v2(nullptr), CUDA_SUCCESS);
}

// [H 13386] what a pool keeps above its threshold goes with "the next call to stream, event or
// context synchronize": the end of a context waits for its work, as that does.
TEST_F(Contexts, GiveBackWhatThePoolKeepsWhenTheyEnd) {
  constexpr std::size_t kBlock = std::size_t{512} << 20;
  ASSERT_EQ(d.cuCtxSynchronize(), CUDA_SUCCESS);
  std::size_t before = 0;
  std::size_t after = 0;
  ASSERT_EQ(d.cuMemGetInfo_v2(&before, nullptr), CUDA_SUCCESS);
  CUcontext other = nullptr;
  CUstream stream = nullptr;
  CUdeviceptr at = 0;
  ASSERT_EQ(d.cuCtxCreate_v2(&other, 0, 0), CUDA_SUCCESS);
  ASSERT_EQ(d.cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING), CUDA_SUCCESS);
  ASSERT_EQ(d.cuMemAllocAsync(&at, kBlock, stream), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemFreeAsync(at, stream), CUDA_SUCCESS);
  EXPECT_EQ(d.cuCtxDestroy_v2(other), CUDA_SUCCESS);
  ASSERT_EQ(d.cuMemGetInfo_v2(&after, nullptr), CUDA_SUCCESS);
  EXPECT_GT(after + kBlock / 2, before);
}

// [H 6299] memory from cuMemAllocAsync outlives the context of its stream, and is freed in another.
TEST_F(Contexts, LeaveStreamOrderedMemoryBehind) {
  CUcontext other = nullptr;
  CUstream stream = nullptr;
  CUdeviceptr at = 0;
  CUdeviceptr second = 0;
  ASSERT_EQ(d.cuCtxCreate_v2(&other, 0, 0), CUDA_SUCCESS);
  ASSERT_EQ(d.cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING), CUDA_SUCCESS);
  ASSERT_EQ(d.cuMemAllocAsync(&at, 1000, stream), CUDA_SUCCESS);
  ASSERT_EQ(d.cuMemAllocAsync(&second, 1000, stream), CUDA_SUCCESS);
  EXPECT_EQ(d.cuCtxDestroy_v2(other), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemFree_v2(at), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemFreeAsync(second, nullptr), CUDA_SUCCESS);
}

// [M] a primary context is released or reset, not destroyed.
TEST_F(Contexts, PrimaryOnesAreNotDestroyed) {
  EXPECT_EQ(d.cuCtxDestroy_v2(context), CUDA_ERROR_INVALID_CONTEXT);
}

// [H 5842] "The primary context is unique per device".
TEST_F(Contexts, ADeviceHasOnePrimaryContext) {
  CUcontext again = nullptr;
  EXPECT_EQ(d.cuDevicePrimaryCtxRetain(&again, 0), CUDA_SUCCESS);
  EXPECT_EQ(again, context);
  EXPECT_EQ(d.cuDevicePrimaryCtxRelease_v2(0), CUDA_SUCCESS);
}

// [H 5855] "Unlike cuCtxCreate() the newly retained context is not pushed onto the stack."
TEST_F(Contexts, RetainingDoesNotMakeCurrent) {
  ASSERT_EQ(d.cuCtxSetCurrent(nullptr), CUDA_SUCCESS);
  CUcontext again = nullptr;
  EXPECT_EQ(d.cuDevicePrimaryCtxRetain(&again, 0), CUDA_SUCCESS);
  EXPECT_EQ(current(), nullptr);
  EXPECT_EQ(d.cuDevicePrimaryCtxRelease_v2(0), CUDA_SUCCESS);
}

// [H 6044] "0 = inactive, 1 = active".
TEST_F(Contexts, PrimaryOnesAreActiveWhileRetained) {
  unsigned flags = 0;
  int active = 0;
  EXPECT_EQ(d.cuDevicePrimaryCtxGetState(0, &flags, &active), CUDA_SUCCESS);
  EXPECT_EQ(active, 1);
}

// [H 8559, 8592] CUDA_ERROR_INVALID_CONTEXT: memory.
TEST_F(Contexts, AreNeededForMemory) {
  ASSERT_EQ(d.cuCtxSetCurrent(nullptr), CUDA_SUCCESS);
  CUdeviceptr at = 0;
  std::size_t free = 0;
  void* host = nullptr;
  EXPECT_EQ(d.cuMemAlloc_v2(&at, 100), CUDA_ERROR_INVALID_CONTEXT);
  EXPECT_EQ(d.cuMemAlloc_v2(&at, 0), CUDA_ERROR_INVALID_CONTEXT);  // looked at first [M]
  EXPECT_EQ(d.cuMemGetInfo_v2(&free, &free), CUDA_ERROR_INVALID_CONTEXT);
  EXPECT_EQ(d.cuMemAllocHost_v2(&host, 100), CUDA_ERROR_INVALID_CONTEXT);
}

// [H 14931, 15932] CUDA_ERROR_INVALID_CONTEXT: streams and events.
TEST_F(Contexts, AreNeededForStreamsAndEvents) {
  ASSERT_EQ(d.cuCtxSetCurrent(nullptr), CUDA_SUCCESS);
  CUstream stream = nullptr;
  CUevent event = nullptr;
  EXPECT_EQ(d.cuStreamCreate(&stream, 0), CUDA_ERROR_INVALID_CONTEXT);
  EXPECT_EQ(d.cuEventCreate(&event, 0), CUDA_ERROR_INVALID_CONTEXT);
}

// [H 15754; 15145] the default streams are those of the current context.
TEST_F(Contexts, AreNeededForDefaultStreams) {
  ASSERT_EQ(d.cuCtxSetCurrent(nullptr), CUDA_SUCCESS);
  unsigned long long id = 0;
  CUcontext owner = nullptr;
  CUdeviceptr at = 0;
  EXPECT_EQ(d.cuStreamQuery(nullptr), CUDA_ERROR_INVALID_CONTEXT);
  EXPECT_EQ(d.cuStreamGetId(nullptr, &id), CUDA_ERROR_INVALID_CONTEXT);
  EXPECT_EQ(d.cuStreamGetCtx(nullptr, &owner), CUDA_ERROR_INVALID_CONTEXT);
  EXPECT_EQ(d.cuMemAllocAsync(&at, 100, nullptr), CUDA_ERROR_INVALID_CONTEXT);
}

// [H 13316] "CUDA_ERROR_INVALID_CONTEXT (default stream specified with no current context)": the
// memory is not freed then.
TEST_F(Contexts, AreNeededToFreeOnDefaultStreams) {
  const CUstream stream = make_stream();
  CUdeviceptr at = 0;
  ASSERT_EQ(d.cuMemAllocAsync(&at, 100, stream), CUDA_SUCCESS);
  ASSERT_EQ(d.cuCtxSetCurrent(nullptr), CUDA_SUCCESS);
  for (const CUstream special : {CUstream{nullptr}, CU_STREAM_LEGACY, CU_STREAM_PER_THREAD})
    EXPECT_EQ(d.cuMemFreeAsync(at, special), CUDA_ERROR_INVALID_CONTEXT);
  EXPECT_EQ(d.cuMemFreeAsync(at, stream), CUDA_SUCCESS);
}

// [H 6458, 6604] CUDA_ERROR_INVALID_CONTEXT: what asks for the current context.
TEST_F(Contexts, AreNeededByWhatAsksForThem) {
  ASSERT_EQ(d.cuCtxSetCurrent(nullptr), CUDA_SUCCESS);
  CUdevice device = 0;
  unsigned flags = 0;
  EXPECT_EQ(d.cuCtxSynchronize(), CUDA_ERROR_INVALID_CONTEXT);
  EXPECT_EQ(d.cuCtxGetDevice(&device), CUDA_ERROR_INVALID_CONTEXT);
  EXPECT_EQ(d.cuCtxGetFlags(&flags), CUDA_ERROR_INVALID_CONTEXT);
}

// [M] virtual memory belongs to devices.
TEST_F(Contexts, AreNotNeededForVirtualMemory) {
  ASSERT_EQ(d.cuCtxSetCurrent(nullptr), CUDA_SUCCESS);
  const CUdeviceptr at = reserve(kChunk);
  map(at, kChunk, create(kChunk));
  allow(at, kChunk);
}

// [M] streams, events and pointers know their context.
TEST_F(Contexts, AreNotNeededByTheirObjects) {
  const CUstream stream = make_stream();
  const CUevent event = make_event();
  const CUdeviceptr at = make_memory(100);
  CUdeviceptr other = 0;
  ASSERT_EQ(d.cuCtxSetCurrent(nullptr), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemsetD8Async(at, 1, 100, stream), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemAllocAsync(&other, 100, stream), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemFreeAsync(other, stream), CUDA_SUCCESS);
  EXPECT_EQ(d.cuEventRecord(event, stream), CUDA_SUCCESS);
  EXPECT_EQ(d.cuStreamWaitEvent(stream, event, 0), CUDA_SUCCESS);
  EXPECT_EQ(d.cuEventSynchronize(event), CUDA_SUCCESS);
  EXPECT_EQ(d.cuStreamSynchronize(stream), CUDA_SUCCESS);
}

}  // namespace
}  // namespace conformance
