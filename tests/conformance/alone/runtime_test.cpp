// The runtime's first call, and its reset.
#include "../runtime.h"
#include "../driver.h"

namespace conformance {
namespace {

class RuntimeStart : public testing::Test {
 protected:
  // Whether the primary context is.
  bool active() {
    unsigned flags = 0;
    int now = -1;
    EXPECT_EQ(d.cuInit(0), CUDA_SUCCESS);
    EXPECT_EQ(d.cuDevicePrimaryCtxGetState(0, &flags, &now), CUDA_SUCCESS);
    return now == 1;
  }
  const Driver& d = driver();
  const Runtime& r = runtime();
};
class RuntimeReset : public RuntimeStart {};

// [PG, Initialization] asking about devices makes no context yet.
TEST_F(RuntimeStart, AsksWithoutAContext) {
  int count = 0;
  EXPECT_EQ(r.cudaGetDeviceCount(&count), cudaSuccess);
  EXPECT_FALSE(active());
}

// [HR 1637] cudaSetDevice "will also immediately initialize the runtime state on the primary
// context".
TEST_F(RuntimeStart, ChoosesADeviceWithItsContext) {
  EXPECT_EQ(r.cudaSetDevice(0), cudaSuccess);
  EXPECT_TRUE(active());
}

// [PG, Initialization] the first call that needs a context makes it: cudaFree(0) does, by custom.
TEST_F(RuntimeStart, MakesTheContextWhenItIsNeeded) {
  EXPECT_EQ(r.cudaFree(nullptr), cudaSuccess);
  EXPECT_TRUE(active());
  CUcontext current = nullptr;
  EXPECT_EQ(d.cuCtxGetCurrent(&current), CUDA_SUCCESS);
  EXPECT_NE(current, nullptr);
}

// [PG, Initialization] the same for a thread that has none any more, unless the call is about a
// stream that was created, which has a context of its own: [M] two of these four calls leave none.
TEST_F(RuntimeStart, MakesTheContextCurrentAgain) {
  void* at = nullptr;
  void* ordered = nullptr;
  cudaStream_t stream = nullptr;
  ASSERT_EQ(r.cudaStreamCreate(&stream), cudaSuccess);
  CUcontext primary = nullptr;
  ASSERT_EQ(d.cuCtxGetCurrent(&primary), CUDA_SUCCESS);
  const auto expect = [&](const char* what, CUcontext wanted, auto call) {
    SCOPED_TRACE(what);
    EXPECT_EQ(d.cuCtxSetCurrent(nullptr), CUDA_SUCCESS);
    EXPECT_EQ(call(), cudaSuccess);
    CUcontext now = nullptr;
    EXPECT_EQ(d.cuCtxGetCurrent(&now), CUDA_SUCCESS);
    EXPECT_EQ(now, wanted);
  };
  expect("cudaMalloc", primary, [&] { return r.cudaMalloc(&at, 1000); });
  expect("cudaMallocAsync", nullptr, [&] { return r.cudaMallocAsync(&ordered, 1000, stream); });
  expect("cudaFreeAsync", nullptr, [&] { return r.cudaFreeAsync(ordered, stream); });
  expect("cudaFree", primary, [&] { return r.cudaFree(at); });
}

// [HR 302] the device's memory goes with a reset.
TEST_F(RuntimeReset, TakesMemory) {
  void* at = nullptr;
  ASSERT_EQ(r.cudaMalloc(&at, 1 << 20), cudaSuccess);
  EXPECT_EQ(r.cudaDeviceReset(), cudaSuccess);
  EXPECT_FALSE(active());
  EXPECT_EQ(r.cudaFree(at), cudaErrorInvalidValue);
}

// [HR 311] "Any subsequent API call to this device will reinitialize the device."
TEST_F(RuntimeReset, LetsTheDeviceBeUsedAgain) {
  void* at = nullptr;
  ASSERT_EQ(r.cudaMalloc(&at, 1 << 20), cudaSuccess);
  EXPECT_EQ(r.cudaDeviceReset(), cudaSuccess);
  EXPECT_EQ(r.cudaMalloc(&at, 1 << 20), cudaSuccess);
  EXPECT_EQ(r.cudaMemset(at, 1, 1 << 20), cudaSuccess);
  EXPECT_TRUE(active());
  EXPECT_EQ(r.cudaFree(at), cudaSuccess);
}

}  // namespace
}  // namespace conformance
