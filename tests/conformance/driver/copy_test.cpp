// Copies and fills in one dimension.
#include <vector>

#include "../fixture.h"

namespace conformance::copy_test {
namespace {

constexpr std::size_t kSize = 4096;

class Copies : public DeviceTest {
 protected:
  void SetUp() override {
    DeviceTest::SetUp();
    at = make_memory(kSize);
    other = make_memory(kSize);
    EXPECT_EQ(d.cuMemsetD8_v2(at, 0x11, kSize), CUDA_SUCCESS);
    EXPECT_EQ(d.cuMemsetD8_v2(other, 0x22, kSize), CUDA_SUCCESS);
  }
  CUdeviceptr at = 0;
  CUdeviceptr other = 0;
};

// [H 9640, 9676] from host to device and back.
TEST_F(Copies, GoThereAndBack) {
  const std::vector<std::uint32_t> source(kSize / 4, 4711);
  std::vector<std::uint32_t> back(kSize / 4);
  EXPECT_EQ(d.cuMemcpyHtoD_v2(at, source.data(), kSize), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemcpyDtoH_v2(back.data(), at, kSize), CUDA_SUCCESS);
  EXPECT_EQ(back, source);
}

// [H 9712] from device to device, and only the bytes asked for.
TEST_F(Copies, StayOnTheDevice) {
  EXPECT_EQ(d.cuMemcpyDtoD_v2(other + 4, at, 4), CUDA_SUCCESS);
  EXPECT_EQ(read(other), 0x22222222U);
  EXPECT_EQ(read(other + 4), 0x11111111U);
  EXPECT_EQ(read(other + 8), 0x22222222U);
}

// [H 9572] cuMemcpy: "This function infers the type of the transfer ... from the pointer values".
TEST_F(Copies, FindTheirDirection) {
  std::uint32_t value = 5;
  std::uint32_t back = 0;
  EXPECT_EQ(d.cuMemcpy(at, address(&value), 4), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemcpy(other, at, 4), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemcpy(address(&back), other, 4), CUDA_SUCCESS);
  EXPECT_EQ(back, 5U);
}

// [H 9572] also between two places of the host.
TEST_F(Copies, StayOnTheHost) {
  const std::uint32_t value = 5;
  std::uint32_t back = 0;
  EXPECT_EQ(d.cuMemcpy(address(&back), address(&value), 4), CUDA_SUCCESS);
  EXPECT_EQ(back, 5U);
}

// [M] no bytes are no error, wherever they are.
TEST_F(Copies, MayBeEmpty) {
  EXPECT_EQ(d.cuMemsetD8_v2(0, 1, 0), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemcpyDtoD_v2(at, other, 0), CUDA_SUCCESS);
  EXPECT_EQ(read(at), 0x11111111U);
}

// [M] CUDA_ERROR_INVALID_VALUE when they leave what is allocated.
TEST_F(Copies, StayInsideWhatIsAllocated) {
  std::vector<char> host(8 << 20);
  EXPECT_EQ(d.cuMemsetD8_v2(at, 1, 4 << 20), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemcpyDtoH_v2(host.data(), at, 4 << 20), CUDA_ERROR_INVALID_VALUE);
}

// [M] CUDA_ERROR_INVALID_VALUE for pageable memory where the device's is wanted.
TEST_F(Copies, NeedDeviceMemoryWhereTheySaySo) {
  char host[200] = {};
  EXPECT_EQ(d.cuMemsetD8_v2(0, 1, 1), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemsetD8_v2(address(host), 1, 1), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemcpyHtoD_v2(address(host), host + 100, 10), CUDA_ERROR_INVALID_VALUE);
}

// [H 11253] N 8-bit values.
TEST_F(Copies, FillBytes) {
  EXPECT_EQ(d.cuMemsetD8_v2(at + 100, 0x33, 3), CUDA_SUCCESS);
  EXPECT_EQ(read(at + 100), 0x11333333U);
}

// [H 11288] N 16-bit values.
TEST_F(Copies, FillHalfWords) {
  EXPECT_EQ(d.cuMemsetD16_v2(at + 100, 0x2233, 3), CUDA_SUCCESS);
  EXPECT_EQ(read(at + 100), 0x22332233U);
  EXPECT_EQ(read(at + 104), 0x11112233U);
}

// [H 11323] N 32-bit values.
TEST_F(Copies, FillWords) {
  EXPECT_EQ(d.cuMemsetD32_v2(at + 100, 0x44556677, 2), CUDA_SUCCESS);
  EXPECT_EQ(read(at + 104), 0x44556677U);
  EXPECT_EQ(read(at + 108), 0x11111111U);
}

// [H 11284, 11319] "must be two byte aligned", "must be four byte aligned".
TEST_F(Copies, FillAlignedPlaces) {
  EXPECT_EQ(d.cuMemsetD16_v2(at + 1, 1, 10), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemsetD32_v2(at + 2, 1, 10), CUDA_ERROR_INVALID_VALUE);
}

// [H 11473] each fill has its asynchronous form.
TEST_F(Copies, FillInStreamOrder) {
  const CUstream stream = make_stream();
  {
    Gate gate(stream);
    EXPECT_EQ(d.cuMemsetD32Async(at, 1, 2, stream), CUDA_SUCCESS);
    EXPECT_EQ(d.cuMemsetD16Async(at, 2, 1, stream), CUDA_SUCCESS);
    EXPECT_EQ(d.cuMemsetD8Async(at + 4, 3, 1, stream), CUDA_SUCCESS);
  }
  EXPECT_EQ(d.cuStreamSynchronize(stream), CUDA_SUCCESS);
  EXPECT_EQ(read(at), 2U);
  EXPECT_EQ(read(at + 4), 3U);
}

// [H 10455] and each copy.
TEST_F(Copies, RunInStreamOrder) {
  const CUstream stream = make_stream();
  std::uint32_t* host = make_pinned(2);
  host[0] = 5;
  {
    Gate gate(stream);
    EXPECT_EQ(d.cuMemcpyHtoDAsync_v2(at, host, 4, stream), CUDA_SUCCESS);
    EXPECT_EQ(d.cuMemcpyDtoDAsync_v2(other, at, 4, stream), CUDA_SUCCESS);
    EXPECT_EQ(d.cuMemcpyAsync(other + 4, other, 4, stream), CUDA_SUCCESS);
    EXPECT_EQ(d.cuMemcpyDtoHAsync_v2(host + 1, other + 4, 4, stream), CUDA_SUCCESS);
    EXPECT_EQ(host[1], 0U);
  }
  EXPECT_EQ(d.cuStreamSynchronize(stream), CUDA_SUCCESS);
  EXPECT_EQ(host[1], 5U);
}

// [API, API synchronization behavior] an asynchronous copy from pageable memory stages it first.
TEST_F(Copies, FromPageableMemoryHaveTakenTheirSource) {
  const CUstream stream = make_stream();
  std::uint32_t source = 5;
  ASSERT_EQ(d.cuMemcpyHtoDAsync_v2(at, &source, 4, stream), CUDA_SUCCESS);
  source = 6;
  EXPECT_EQ(d.cuStreamSynchronize(stream), CUDA_SUCCESS);
  EXPECT_EQ(read(at), 5U);
}

// [API, API synchronization behavior] an asynchronous copy to pageable memory returns when it is
// complete.
TEST_F(Copies, ToPageableMemoryAreComplete) {
  const CUstream stream = make_stream();
  std::uint32_t value = 0;
  ASSERT_EQ(d.cuMemsetD32Async(at, 8, 1, stream), CUDA_SUCCESS);
  ASSERT_EQ(d.cuMemcpyDtoHAsync_v2(&value, at, 4, stream), CUDA_SUCCESS);
  EXPECT_EQ(value, 8U);
}

// [PG, Default Stream] a synchronous copy is work of the legacy stream.
TEST_F(Copies, WaitForBlockingStreams) {
  const CUstream blocking = make_stream(CU_STREAM_DEFAULT);
  Gate gate(blocking);
  ASSERT_EQ(d.cuMemsetD32Async(at, 8, 1, blocking), CUDA_SUCCESS);
  LateOpening opening(gate);
  EXPECT_EQ(read(at), 8U);
  EXPECT_TRUE(gate.opened());
}

// [H 9612] from one context's memory to another's.
TEST_F(Copies, GoFromContextToContext) {
  const CUcontext second = make_context();
  ASSERT_EQ(d.cuCtxSetCurrent(second), CUDA_SUCCESS);
  const CUdeviceptr theirs = make_memory(kSize);
  EXPECT_EQ(d.cuMemcpyPeer(theirs, second, at, context, kSize), CUDA_SUCCESS);
  EXPECT_EQ(d.cuCtxSynchronize(), CUDA_SUCCESS);
  EXPECT_EQ(read(theirs + kSize - 4), 0x11111111U);
}

// [H 10502] likewise in stream order.
TEST_F(Copies, GoFromContextToContextInStreamOrder) {
  const CUstream stream = make_stream();
  {
    Gate gate(stream);
    EXPECT_EQ(d.cuMemsetD8Async(at, 0x44, kSize, stream), CUDA_SUCCESS);
    EXPECT_EQ(d.cuMemcpyPeerAsync(other, context, at, context, kSize, stream), CUDA_SUCCESS);
  }
  EXPECT_EQ(d.cuStreamSynchronize(stream), CUDA_SUCCESS);
  EXPECT_EQ(read(other), 0x44444444U);
}

}  // namespace
}  // namespace conformance::copy_test
