// The runtime over a driver that lacks most functions, or is too old as a whole (small_driver.cpp).
#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <cstdlib>

namespace {

TEST(SmallDriver, OnlyTheCallThatNeedsAMissingFunctionFails) {
  int count = 0;
  EXPECT_EQ(cudaGetDeviceCount(&count), cudaSuccess);
  EXPECT_EQ(count, 3);
  int can = 0;
  EXPECT_EQ(cudaDeviceCanAccessPeer(&can, 0, 1), cudaErrorCallRequiresNewerDriver);
  EXPECT_EQ(cudaGetLastError(), cudaErrorCallRequiresNewerDriver);
  EXPECT_EQ(cudaGetDeviceCount(&count), cudaSuccess);
}

TEST(SmallDriver, AnOldOneIsInsufficientForEverything) {
  setenv("SMALL_DRIVER_VERSION", "12090", 1);
  int count = 0;
  EXPECT_EQ(cudaGetDeviceCount(&count), cudaErrorInsufficientDriver);
  EXPECT_EQ(cudaGetLastError(), cudaErrorInsufficientDriver);
  EXPECT_EQ(cudaFree(nullptr), cudaErrorInsufficientDriver);
}

}  // namespace
