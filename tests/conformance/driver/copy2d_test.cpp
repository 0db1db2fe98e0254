// Copies and fills in two dimensions.
#include <algorithm>
#include <vector>

#include "../fixture.h"

namespace conformance {
namespace {

// Rows of 64 bytes; the tests work on a window of 16 x 3 bytes at (8, 2).
constexpr std::size_t kPitch = 64;
constexpr std::size_t kRows = 8;
constexpr std::size_t kLeft = 8;
constexpr std::size_t kTop = 2;
constexpr std::size_t kWidth = 16;
constexpr std::size_t kHeight = 3;

using Bytes = std::vector<unsigned char>;

class Copies2D : public DeviceTest {
 protected:
  void SetUp() override {
    DeviceTest::SetUp();
    at = make_memory(kPitch * kRows);
    EXPECT_EQ(d.cuMemsetD8_v2(at, 0, kPitch * kRows), CUDA_SUCCESS);
    for (std::size_t i = 0; i < source.size(); ++i)
      source[i] = static_cast<unsigned char>(i % 251 + 1);
  }
  // From the start of the host's rows into the window on the device.
  CUDA_MEMCPY2D to_device(const Bytes& host) const {
    CUDA_MEMCPY2D copy{};
    copy.srcMemoryType = CU_MEMORYTYPE_HOST;
    copy.srcHost = host.data();
    copy.srcPitch = kPitch;
    copy.dstMemoryType = CU_MEMORYTYPE_DEVICE;
    copy.dstDevice = at;
    copy.dstPitch = kPitch;
    copy.dstXInBytes = kLeft;
    copy.dstY = kTop;
    copy.WidthInBytes = kWidth;
    copy.Height = kHeight;
    return copy;
  }
  static CUDA_MEMCPY2D back(const CUDA_MEMCPY2D& there, Bytes& host) {
    CUDA_MEMCPY2D copy = there;
    copy.srcMemoryType = CU_MEMORYTYPE_DEVICE;
    copy.srcDevice = there.dstDevice;
    copy.srcHost = nullptr;
    copy.srcXInBytes = kLeft;
    copy.srcY = kTop;
    copy.dstMemoryType = CU_MEMORYTYPE_HOST;
    copy.dstHost = host.data();
    copy.dstDevice = 0;
    copy.dstXInBytes = 0;
    copy.dstY = 0;
    return copy;
  }
  Bytes whole() {
    Bytes all(kPitch * kRows);
    EXPECT_EQ(d.cuMemcpyDtoH_v2(all.data(), at, all.size()), CUDA_SUCCESS);
    return all;
  }
  // What the device should hold: `value(row, column)` in the window, zero around it.
  template <typename Value>
  static Bytes window(std::size_t width, Value value) {
    Bytes all(kPitch * kRows);
    for (std::size_t y = 0; y < kHeight; ++y)
      for (std::size_t x = 0; x < width; ++x)
        all[(kTop + y) * kPitch + kLeft + x] = static_cast<unsigned char>(value(y, x));
    return all;
  }
  Bytes window_of_source() {
    return window(kWidth, [&](std::size_t y, std::size_t x) { return source[y * kPitch + x]; });
  }
  CUdeviceptr corner() const { return at + kTop * kPitch + kLeft; }

  Bytes source = Bytes(kPitch * kRows);
  CUdeviceptr at = 0;
};

// [H 10018, 10037] rows and columns start where the offsets say; the rest is untouched.
TEST_F(Copies2D, FillTheirWindow) {
  const auto copy = to_device(source);
  EXPECT_EQ(d.cuMemcpy2D_v2(&copy), CUDA_SUCCESS);
  EXPECT_EQ(whole(), window_of_source());
}

// [H 10028] and out of it.
TEST_F(Copies2D, ComeFromTheirWindow) {
  Bytes result(kPitch * kRows);
  const auto there = to_device(source);
  ASSERT_EQ(d.cuMemcpy2D_v2(&there), CUDA_SUCCESS);
  const auto copy = back(there, result);
  EXPECT_EQ(d.cuMemcpy2D_v2(&copy), CUDA_SUCCESS);
  for (std::size_t y = 0; y < kHeight; ++y)
    for (std::size_t x = 0; x < kPitch; ++x)
      ASSERT_EQ(result[y * kPitch + x], x < kWidth ? source[y * kPitch + x] : 0) << y << ' ' << x;
}

// [H 9987] between two places on the device, each with its own pitch.
TEST_F(Copies2D, HaveTwoPitches) {
  const CUdeviceptr packed = make_memory(kWidth * kHeight);
  const auto there = to_device(source);
  ASSERT_EQ(d.cuMemcpy2D_v2(&there), CUDA_SUCCESS);
  CUDA_MEMCPY2D copy{};
  copy.srcMemoryType = copy.dstMemoryType = CU_MEMORYTYPE_DEVICE;
  copy.srcDevice = corner();
  copy.srcPitch = kPitch;
  copy.dstDevice = packed;
  copy.dstPitch = kWidth;
  copy.WidthInBytes = kWidth;
  copy.Height = kHeight;
  EXPECT_EQ(d.cuMemcpy2DUnaligned_v2(&copy), CUDA_SUCCESS);
  Bytes result(kWidth * kHeight);
  ASSERT_EQ(d.cuMemcpyDtoH_v2(result.data(), packed, result.size()), CUDA_SUCCESS);
  for (std::size_t i = 0; i < result.size(); ++i)
    ASSERT_EQ(result[i], source[i / kWidth * kPitch + i % kWidth]) << i;
}

// [H 9975] CU_MEMORYTYPE_UNIFIED: the pointer says where it is.
TEST_F(Copies2D, FindTheirDirection) {
  auto copy = to_device(source);
  copy.srcMemoryType = copy.dstMemoryType = CU_MEMORYTYPE_UNIFIED;
  copy.srcHost = nullptr;
  copy.srcDevice = address(source.data());
  EXPECT_EQ(d.cuMemcpy2D_v2(&copy), CUDA_SUCCESS);
  EXPECT_EQ(whole(), window_of_source());
}

// [H 10058] "srcPitch must be greater than or equal to WidthInBytes + srcXInBytes".
TEST_F(Copies2D, FitIntoTheirPitch) {
  auto copy = to_device(source);
  copy.srcPitch = kWidth - 1;
  EXPECT_EQ(d.cuMemcpy2D_v2(&copy), CUDA_ERROR_INVALID_VALUE);
  copy = to_device(source);
  copy.dstPitch = kWidth + kLeft - 1;
  EXPECT_EQ(d.cuMemcpy2D_v2(&copy), CUDA_ERROR_INVALID_VALUE);
}

// [H 10079] CUDA_ERROR_INVALID_VALUE.
TEST_F(Copies2D, NeedADescription) {
  EXPECT_EQ(d.cuMemcpy2D_v2(nullptr), CUDA_ERROR_INVALID_VALUE);
}

// [H 9962] one of four kinds of memory.
TEST_F(Copies2D, KnowTheirKindsOfMemory) {
  auto copy = to_device(source);
  copy.srcMemoryType = static_cast<CUmemorytype>(0);
  EXPECT_EQ(d.cuMemcpy2D_v2(&copy), CUDA_ERROR_INVALID_VALUE);
}

// [H 10056] no rows or no columns: nothing to do.
TEST_F(Copies2D, MayBeEmpty) {
  auto copy = to_device(source);
  copy.Height = 0;
  EXPECT_EQ(d.cuMemcpy2D_v2(&copy), CUDA_SUCCESS);
  copy = to_device(source);
  copy.WidthInBytes = 0;
  EXPECT_EQ(d.cuMemcpy2D_v2(&copy), CUDA_SUCCESS);
  EXPECT_EQ(whole(), Bytes(kPitch * kRows));
}

// [H 10741] in stream order.
TEST_F(Copies2D, RunInStreamOrder) {
  const CUstream stream = make_stream();
  auto* pinned = make_pinned(source.size() / 4);
  auto copy = to_device(source);
  copy.srcHost = pinned;
  {
    Gate gate(stream);
    EXPECT_EQ(d.cuMemcpy2DAsync_v2(&copy, stream), CUDA_SUCCESS);
    std::copy(source.begin(), source.end(), reinterpret_cast<unsigned char*>(pinned));
  }
  EXPECT_EQ(d.cuStreamSynchronize(stream), CUDA_SUCCESS);
  EXPECT_EQ(whole(), window_of_source());
}

// [H 11353] a fill of bytes keeps to its window.
TEST_F(Copies2D, FillBytes) {
  EXPECT_EQ(d.cuMemsetD2D8_v2(corner(), kPitch, 7, kWidth, kHeight), CUDA_SUCCESS);
  EXPECT_EQ(whole(), window(kWidth, [](std::size_t, std::size_t) { return 7; }));
}

// [H 11393] of 16-bit values: the width counts values.
TEST_F(Copies2D, FillHalfWords) {
  EXPECT_EQ(d.cuMemsetD2D16_v2(corner(), kPitch, 0x0201, kWidth / 2, kHeight), CUDA_SUCCESS);
  EXPECT_EQ(whole(), window(kWidth, [](std::size_t, std::size_t x) { return x % 2 + 1; }));
}

// [H 11434] of 32-bit values.
TEST_F(Copies2D, FillWords) {
  EXPECT_EQ(d.cuMemsetD2D32_v2(corner(), kPitch, 0x04030201, kWidth / 4, kHeight), CUDA_SUCCESS);
  EXPECT_EQ(whole(), window(kWidth, [](std::size_t, std::size_t x) { return x % 4 + 1; }));
}

// [H 11396, 11437] place and pitch "must be two byte aligned", "four byte aligned".
TEST_F(Copies2D, FillAlignedPlaces) {
  EXPECT_EQ(d.cuMemsetD2D16_v2(corner() + 1, kPitch, 1, 2, 2), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemsetD2D16_v2(corner(), kPitch + 1, 1, 2, 2), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemsetD2D32_v2(corner() + 2, kPitch, 1, 2, 2), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemsetD2D32_v2(corner(), kPitch + 2, 1, 2, 2), CUDA_ERROR_INVALID_VALUE);
}

// [H 11585] fills in stream order.
TEST_F(Copies2D, FillInStreamOrder) {
  const CUstream stream = make_stream();
  {
    Gate gate(stream);
    EXPECT_EQ(d.cuMemsetD2D8Async(corner(), kPitch, 1, kWidth, kHeight, stream), CUDA_SUCCESS);
    EXPECT_EQ(d.cuMemsetD2D16Async(corner(), kPitch, 0x0202, kWidth / 2, kHeight, stream),
              CUDA_SUCCESS);
    EXPECT_EQ(d.cuMemsetD2D32Async(corner(), kPitch, 0x03030303, kWidth / 4, kHeight, stream),
              CUDA_SUCCESS);
  }
  EXPECT_EQ(d.cuStreamSynchronize(stream), CUDA_SUCCESS);
  EXPECT_EQ(whole(), window(kWidth, [](std::size_t, std::size_t) { return 3; }));
}

}  // namespace
}  // namespace conformance
