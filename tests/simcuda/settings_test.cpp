// What a program sets and reads back, and what a device says of itself.
#include <string>

#include "driver.h"

namespace gmlake::simcuda::test {
namespace {

class Settings : public DeviceTest {};

TEST_F(Settings, AContextKeepsItsCacheConfiguration) {
  CUfunc_cache cache = CU_FUNC_CACHE_PREFER_EQUAL;
  EXPECT_EQ(d.cuCtxGetCacheConfig(&cache), CUDA_SUCCESS);
  EXPECT_EQ(cache, CU_FUNC_CACHE_PREFER_NONE);
  EXPECT_EQ(d.cuCtxSetCacheConfig(CU_FUNC_CACHE_PREFER_L1), CUDA_SUCCESS);
  EXPECT_EQ(d.cuCtxGetCacheConfig(&cache), CUDA_SUCCESS);
  EXPECT_EQ(cache, CU_FUNC_CACHE_PREFER_L1);
  EXPECT_EQ(d.cuCtxSetCacheConfig(static_cast<CUfunc_cache>(9)), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuCtxGetCacheConfig(nullptr), CUDA_ERROR_INVALID_VALUE);
  CUsharedconfig banks{};
  EXPECT_EQ(d.cuCtxSetSharedMemConfig(CU_SHARED_MEM_CONFIG_EIGHT_BYTE_BANK_SIZE), CUDA_SUCCESS);
  EXPECT_EQ(d.cuCtxSetSharedMemConfig(static_cast<CUsharedconfig>(9)), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuCtxGetSharedMemConfig(&banks), CUDA_SUCCESS);
  EXPECT_EQ(banks, CU_SHARED_MEM_CONFIG_FOUR_BYTE_BANK_SIZE);
  EXPECT_EQ(d.cuCtxResetPersistingL2Cache(), CUDA_SUCCESS);
}

TEST_F(Settings, TheFlagsOfAContextChange) {
  unsigned flags = 0;
  EXPECT_EQ(d.cuCtxSetFlags(CU_CTX_SCHED_YIELD), CUDA_SUCCESS);
  EXPECT_EQ(d.cuCtxGetFlags(&flags), CUDA_SUCCESS);
  EXPECT_EQ(flags, CU_CTX_SCHED_YIELD);
  EXPECT_EQ(d.cuCtxSetFlags(CU_CTX_SCHED_YIELD | CU_CTX_SCHED_SPIN), CUDA_ERROR_INVALID_VALUE);
  ASSERT_EQ(d.cuCtxSetCurrent(nullptr), CUDA_SUCCESS);
  EXPECT_EQ(d.cuCtxSetFlags(0), CUDA_ERROR_INVALID_CONTEXT);
  ASSERT_EQ(d.cuCtxSetCurrent(context), CUDA_SUCCESS);
}

TEST_F(Settings, AnAttachedContextIsDestroyedByItsLastDetach) {
  CUcontext made = nullptr;
  CUcontext attached = nullptr;
  ASSERT_EQ(d.cuCtxCreate_v3(&made, nullptr, 0, 0, 0), CUDA_SUCCESS);
  EXPECT_EQ(d.cuCtxAttach(&attached, 1), CUDA_ERROR_INVALID_VALUE);
  ASSERT_EQ(d.cuCtxAttach(&attached, 0), CUDA_SUCCESS);
  EXPECT_EQ(attached, made);
  EXPECT_EQ(d.cuCtxDetach(made), CUDA_SUCCESS);
  EXPECT_EQ(d.cuCtxSynchronize(), CUDA_SUCCESS);
  EXPECT_EQ(d.cuCtxDetach(context), CUDA_ERROR_INVALID_CONTEXT);  // not the current one
  EXPECT_EQ(d.cuCtxDetach(made), CUDA_SUCCESS);
  EXPECT_EQ(d.cuCtxSetCurrent(made), CUDA_ERROR_CONTEXT_IS_DESTROYED);
  ASSERT_EQ(d.cuCtxSetCurrent(context), CUDA_SUCCESS);
  CUexecAffinityParam affinity{};
  EXPECT_EQ(d.cuCtxCreate_v3(&made, &affinity, 1, 0, 0), CUDA_ERROR_UNSUPPORTED_EXEC_AFFINITY);
}

TEST_F(Settings, ADeviceIsFoundByItsPlaceOnTheBus) {
  CUdevice device = -1;
  for (const char* id : {"0000:01:00.0", "0:1:0", "01:00.0"}) {
    device = -1;
    EXPECT_EQ(d.cuDeviceGetByPCIBusId(&device, id), CUDA_SUCCESS) << id;
    EXPECT_EQ(device, 0);
  }
  for (const char* id : {"", "x", "0000:01:00.0x", "0000:01:00.", "1"})
    EXPECT_EQ(d.cuDeviceGetByPCIBusId(&device, id), CUDA_ERROR_INVALID_VALUE) << id;
  for (const char* id : {"0000:7f:00.0", "0000:01:00.1", "0000:00:00.0"})
    EXPECT_EQ(d.cuDeviceGetByPCIBusId(&device, id), CUDA_ERROR_INVALID_DEVICE) << id;
  EXPECT_EQ(d.cuDeviceGetByPCIBusId(&device, nullptr), CUDA_ERROR_INVALID_VALUE);
}

TEST_F(Settings, OldQueriesOfADeviceAgreeWithItsAttributes) {
  int major = 0;
  int minor = -1;
  EXPECT_EQ(d.cuDeviceComputeCapability(&major, &minor, 0), CUDA_SUCCESS);
  int attribute = 0;
  EXPECT_EQ(d.cuDeviceGetAttribute(&attribute, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, 0),
            CUDA_SUCCESS);
  EXPECT_EQ(major, attribute);
  EXPECT_EQ(minor, 0);
  CUdevprop properties{};
  EXPECT_EQ(d.cuDeviceGetProperties(&properties, 0), CUDA_SUCCESS);
  EXPECT_EQ(properties.maxThreadsDim[2], 64);
  EXPECT_EQ(properties.maxGridSize[1], 65535);
  EXPECT_EQ(properties.SIMDWidth, 32);
  EXPECT_EQ(d.cuDeviceGetProperties(&properties, 7), CUDA_ERROR_INVALID_DEVICE);
}

TEST_F(Settings, AStreamIsOfItsContextAndOfNoGreenOne) {
  CUcontext owner = nullptr;
  auto green = reinterpret_cast<CUgreenCtx>(this);
  EXPECT_EQ(d.cuStreamGetCtx_v2(make_stream(), &owner, &green), CUDA_SUCCESS);
  EXPECT_EQ(owner, context);
  EXPECT_EQ(green, nullptr);
}

TEST_F(Settings, EveryErrorHasANameAndWords) {
  for (int code = 0; code <= CUDA_ERROR_UNKNOWN; ++code) {
    const char* name = nullptr;
    const char* words = nullptr;
    const CUresult found = d.cuGetErrorName(static_cast<CUresult>(code), &name);
    EXPECT_EQ(d.cuGetErrorString(static_cast<CUresult>(code), &words), found);
    EXPECT_EQ(name != nullptr, found == CUDA_SUCCESS);
    if (name != nullptr) {
      EXPECT_EQ(std::string(name).rfind("CUDA_", 0), 0U);
      EXPECT_NE(std::string(words), "");
    }
  }
}

}  // namespace
}  // namespace gmlake::simcuda::test
