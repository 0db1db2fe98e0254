// Host functions and callbacks, and their place among a stream's work.
#include <vector>

#include "../fixture.h"

namespace conformance {
namespace {

class HostFunctions : public DeviceTest {
 protected:
  CUstream stream = nullptr;
  void SetUp() override {
    DeviceTest::SetUp();
    stream = make_stream();
  }
};

// [H 18067] "called after currently enqueued work".
TEST_F(HostFunctions, SeeTheWorkBeforeThem) {
  struct Seen {
    const std::uint32_t* value;
    std::uint32_t was = 0;
  };
  const CUdeviceptr at = make_memory(4);
  std::uint32_t* copy = make_pinned();
  Seen seen{copy};
  ASSERT_EQ(d.cuMemsetD32Async(at, 7, 1, stream), CUDA_SUCCESS);
  ASSERT_EQ(d.cuMemcpyDtoHAsync_v2(copy, at, 4, stream), CUDA_SUCCESS);
  ASSERT_EQ(d.cuLaunchHostFunc(
                stream,
                [](void* data) {
                  auto* s = static_cast<Seen*>(data);
                  s->was = *s->value;
                },
                &seen),
            CUDA_SUCCESS);
  ASSERT_EQ(d.cuStreamSynchronize(stream), CUDA_SUCCESS);
  EXPECT_EQ(seen.was, 7U);
}

// [H 18068] "and will block work added after it."
TEST_F(HostFunctions, HoldUpTheWorkBehindThem) {
  const CUdeviceptr at = make_memory(4);
  write(at, 1);
  const CUevent end = make_event();
  {
    Gate gate(stream);
    ASSERT_EQ(d.cuMemsetD32Async(at, 2, 1, stream), CUDA_SUCCESS);
    ASSERT_EQ(d.cuEventRecord(end, stream), CUDA_SUCCESS);
    EXPECT_EQ(d.cuEventQuery(end), CUDA_ERROR_NOT_READY);
  }
  EXPECT_EQ(d.cuEventSynchronize(end), CUDA_SUCCESS);
  EXPECT_EQ(read(at), 2U);
}

// [H 18067] in the order in which they were given.
TEST_F(HostFunctions, RunInTurn) {
  struct Step {
    std::vector<int>* order;
    int number;
  };
  std::vector<int> order;
  std::vector<Step> steps;
  for (int i = 0; i < 20; ++i) steps.push_back({&order, i});
  for (Step& step : steps) {
    ASSERT_EQ(d.cuLaunchHostFunc(
                  stream,
                  [](void* data) {
                    const auto* s = static_cast<const Step*>(data);
                    s->order->push_back(s->number);
                  },
                  &step),
              CUDA_SUCCESS);
  }
  ASSERT_EQ(d.cuStreamSynchronize(stream), CUDA_SUCCESS);
  ASSERT_EQ(order.size(), 20U);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(order[static_cast<std::size_t>(i)], i);
}

// [PG, Default Stream] a host function in the legacy stream holds up blocking streams.
TEST_F(HostFunctions, InTheLegacyStreamHoldUpBlockingStreams) {
  const CUstream blocking = make_stream(CU_STREAM_DEFAULT);
  const CUdeviceptr at = make_memory(4);
  Gate gate(nullptr);
  ASSERT_EQ(d.cuMemsetD32Async(at, 2, 1, blocking), CUDA_SUCCESS);
  EXPECT_EQ(d.cuStreamQuery(blocking), CUDA_ERROR_NOT_READY);
}

// [M] CUDA_ERROR_INVALID_VALUE.
TEST_F(HostFunctions, MayNotBeNull) {
  EXPECT_EQ(d.cuLaunchHostFunc(stream, nullptr, nullptr), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuStreamAddCallback(stream, nullptr, nullptr, 0), CUDA_ERROR_INVALID_VALUE);
}

// [H 18070] "must not make any CUDA API calls"; driver 580 refuses them [M].
TEST_F(HostFunctions, MustNotCallCuda) {
  struct Seen {
    const Driver& d;
    CUresult result = CUDA_SUCCESS;
  } seen{d};
  ASSERT_EQ(d.cuLaunchHostFunc(
                stream,
                [](void* data) {
                  auto* s = static_cast<Seen*>(data);
                  std::size_t free = 0;
                  s->result = s->d.cuMemGetInfo_v2(&free, nullptr);
                },
                &seen),
            CUDA_SUCCESS);
  ASSERT_EQ(d.cuStreamSynchronize(stream), CUDA_SUCCESS);
  EXPECT_EQ(seen.result, CUDA_ERROR_NOT_PERMITTED);
}

struct Called {
  CUstream stream = nullptr;
  CUresult status = CUDA_ERROR_UNKNOWN;
  int times = 0;
};
void CUDA_CB note(CUstream stream, CUresult status, void* data) {
  auto* called = static_cast<Called*>(data);
  *called = {stream, status, called->times + 1};
}

// [H 15280] "For each cuStreamAddCallback call, the callback will be executed exactly once."
TEST_F(HostFunctions, CallbacksRunOnce) {
  Called called;
  ASSERT_EQ(d.cuStreamAddCallback(stream, note, &called, 0), CUDA_SUCCESS);
  ASSERT_EQ(d.cuStreamSynchronize(stream), CUDA_SUCCESS);
  EXPECT_EQ(called.times, 1);
}

// [H 15284] "The callback may be passed CUDA_SUCCESS or an error code", with its stream.
TEST_F(HostFunctions, CallbacksAreToldTheirStream) {
  Called called;
  ASSERT_EQ(d.cuStreamAddCallback(stream, note, &called, 0), CUDA_SUCCESS);
  ASSERT_EQ(d.cuStreamSynchronize(stream), CUDA_SUCCESS);
  EXPECT_EQ(called.stream, stream);
  EXPECT_EQ(called.status, CUDA_SUCCESS);
}

// [H 15321] "Reserved for future use, must be 0".
TEST_F(HostFunctions, CallbacksTakeNoFlags) {
  Called called;
  EXPECT_EQ(d.cuStreamAddCallback(stream, note, &called, 1), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuStreamSynchronize(stream), CUDA_SUCCESS);
  EXPECT_EQ(called.times, 0);
}

// [H 15282] "The callback will block later work in the stream until it is finished."
TEST_F(HostFunctions, CallbacksHoldUpTheWorkBehindThem) {
  std::atomic<bool> go{false};
  ASSERT_EQ(d.cuStreamAddCallback(
                stream,
                [](CUstream, CUresult, void* data) {
                  while (!*static_cast<std::atomic<bool>*>(data)) std::this_thread::yield();
                },
                &go, 0),
            CUDA_SUCCESS);
  const CUevent end = make_event();
  EXPECT_EQ(d.cuEventRecord(end, stream), CUDA_SUCCESS);
  EXPECT_EQ(d.cuEventQuery(end), CUDA_ERROR_NOT_READY);
  go = true;
  EXPECT_EQ(d.cuEventSynchronize(end), CUDA_SUCCESS);
}

}  // namespace
}  // namespace conformance
