// Initialisation, devices and error names.
#include <algorithm>
#include <array>
#include <cstring>
#include <string>

#include "../driver.h"

namespace conformance {
namespace {

class Devices : public testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(d.cuInit(0), CUDA_SUCCESS); }
  int attribute(CUdevice_attribute which) {
    int value = -1;
    EXPECT_EQ(d.cuDeviceGetAttribute(&value, which, 0), CUDA_SUCCESS);
    return value;
  }
  const Driver& d = driver();
};

// [H 5189] "Currently, the Flags parameter must be 0."
TEST(Init, TakesNoFlags) {
  EXPECT_EQ(driver().cuInit(1), CUDA_ERROR_INVALID_VALUE);
}

// [H 5188] cuInit may be called again by every library in a process.
TEST(Init, MayBeRepeated) {
  EXPECT_EQ(driver().cuInit(0), CUDA_SUCCESS);
  EXPECT_EQ(driver().cuInit(0), CUDA_SUCCESS);
}

// [H 5228] "The version is returned as (1000 * major + 10 * minor)."
TEST(Init, TellsTheDriversVersion) {
  int version = 0;
  EXPECT_EQ(driver().cuDriverGetVersion(&version), CUDA_SUCCESS);
  EXPECT_GE(version, 12000);
  EXPECT_EQ(version % 10, 0);
}

// [H 5231] "automatically returns CUDA_ERROR_INVALID_VALUE if driverVersion is NULL."
TEST(Init, NeedsAPlaceForTheVersion) {
  EXPECT_EQ(driver().cuDriverGetVersion(nullptr), CUDA_ERROR_INVALID_VALUE);
}

// [H 5264] "a device handle given an ordinal in the range [0, cuDeviceGetCount()-1]."
TEST_F(Devices, AreNumberedFromZero) {
  int count = 0;
  ASSERT_EQ(d.cuDeviceGetCount(&count), CUDA_SUCCESS);
  ASSERT_GE(count, 1);
  CUdevice device = -1;
  EXPECT_EQ(d.cuDeviceGet(&device, count - 1), CUDA_SUCCESS);
  EXPECT_EQ(d.cuDeviceGet(&device, 0), CUDA_SUCCESS);
  EXPECT_EQ(device, 0);
}

// [H 5276] CUDA_ERROR_INVALID_DEVICE for an ordinal outside the range.
TEST_F(Devices, BeyondTheLastAreInvalid) {
  int count = 0;
  CUdevice device = -1;
  ASSERT_EQ(d.cuDeviceGetCount(&count), CUDA_SUCCESS);
  EXPECT_EQ(d.cuDeviceGet(&device, count), CUDA_ERROR_INVALID_DEVICE);
  EXPECT_EQ(d.cuDeviceGet(&device, -1), CUDA_ERROR_INVALID_DEVICE);
}

// [H 5304] CUDA_ERROR_INVALID_VALUE without a place for the answer.
TEST_F(Devices, NeedAPlaceForTheAnswer) {
  EXPECT_EQ(d.cuDeviceGetCount(nullptr), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuDeviceGet(nullptr, 0), CUDA_ERROR_INVALID_VALUE);
}

// [H 5322] an ASCII string, "in the NULL-terminated string pointed to by name".
TEST_F(Devices, HaveNames) {
  std::array<char, 256> name{};
  ASSERT_EQ(d.cuDeviceGetName(name.data(), name.size(), 0), CUDA_SUCCESS);
  EXPECT_GT(std::strlen(name.data()), 0U);
}

// [H 5323] "len specifies the maximum length of the string that may be returned."
TEST_F(Devices, CutNamesShort) {
  std::array<char, 8> name{};
  name.fill('x');
  ASSERT_EQ(d.cuDeviceGetName(name.data(), 4, 0), CUDA_SUCCESS);
  EXPECT_LT(std::find(name.begin(), name.end(), '\0') - name.begin(), 4);
  EXPECT_EQ(name[4], 'x');
}

// [H 5410] the total amount of memory on the device in bytes.
TEST_F(Devices, HaveMemory) {
  std::size_t bytes = 0;
  EXPECT_EQ(d.cuDeviceTotalMem_v2(&bytes, 0), CUDA_SUCCESS);
  EXPECT_GE(bytes, std::size_t{16} << 20);
}

// [H 5470] attributes: what the rest of these tests needs.
TEST_F(Devices, SupportVirtualMemoryAndPools) {
  EXPECT_EQ(attribute(CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING), 1);
  EXPECT_EQ(attribute(CU_DEVICE_ATTRIBUTE_VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED), 1);
  EXPECT_EQ(attribute(CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED), 1);
  EXPECT_EQ(attribute(CU_DEVICE_ATTRIBUTE_MANAGED_MEMORY), 1);
}

// [PG, Compute Capabilities] a warp has 32 threads on every device there is.
TEST_F(Devices, HaveWarpsOfThirtyTwo) {
  EXPECT_EQ(attribute(CU_DEVICE_ATTRIBUTE_WARP_SIZE), 32);
  EXPECT_GE(attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR), 7);
  EXPECT_GT(attribute(CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT), 0);
}

// [H 5488] CUDA_ERROR_INVALID_VALUE for what is no attribute.
TEST_F(Devices, KnowNoOtherAttributes) {
  int value = 0;
  EXPECT_EQ(d.cuDeviceGetAttribute(&value, static_cast<CUdevice_attribute>(0), 0),
            CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuDeviceGetAttribute(nullptr, CU_DEVICE_ATTRIBUTE_WARP_SIZE, 0),
            CUDA_ERROR_INVALID_VALUE);
}

// [H 5489] CUDA_ERROR_INVALID_DEVICE.
TEST_F(Devices, AnswerOnlyForThemselves) {
  int value = 0;
  std::size_t bytes = 0;
  EXPECT_EQ(d.cuDeviceGetAttribute(&value, CU_DEVICE_ATTRIBUTE_WARP_SIZE, 77),
            CUDA_ERROR_INVALID_DEVICE);
  EXPECT_EQ(d.cuDeviceTotalMem_v2(&bytes, 77), CUDA_ERROR_INVALID_DEVICE);
}

// [H 5354] "Returns 16-octets identifying the device".
TEST_F(Devices, HaveAnIdentityThatStays) {
  CUuuid first{};
  CUuuid again{};
  EXPECT_EQ(d.cuDeviceGetUuid_v2(&first, 0), CUDA_SUCCESS);
  EXPECT_EQ(d.cuDeviceGetUuid_v2(&again, 0), CUDA_SUCCESS);
  EXPECT_EQ(std::memcmp(&first, &again, sizeof first), 0);
  const CUuuid nothing{};
  EXPECT_NE(std::memcmp(&first, &nothing, sizeof first), 0);
}

// [H 9197] "[domain]:[bus]:[device].[function]"; [H 9163] and the way back.
TEST_F(Devices, AreFoundByTheirPlaceOnTheBus) {
  std::array<char, 32> place{};
  ASSERT_EQ(d.cuDeviceGetPCIBusId(place.data(), place.size(), 0), CUDA_SUCCESS);
  EXPECT_EQ(std::count(place.begin(), place.end(), ':'), 2);
  EXPECT_EQ(std::count(place.begin(), place.end(), '.'), 1);
  CUdevice device = -1;
  EXPECT_EQ(d.cuDeviceGetByPCIBusId(&device, place.data()), CUDA_SUCCESS);
  EXPECT_EQ(device, 0);
}

// [H 5154] the name of the enum's value.
TEST(Errors, HaveNames) {
  const char* text = nullptr;
  EXPECT_EQ(driver().cuGetErrorName(CUDA_ERROR_OUT_OF_MEMORY, &text), CUDA_SUCCESS);
  EXPECT_STREQ(text, "CUDA_ERROR_OUT_OF_MEMORY");
  EXPECT_EQ(driver().cuGetErrorName(CUDA_SUCCESS, &text), CUDA_SUCCESS);
  EXPECT_STREQ(text, "CUDA_SUCCESS");
  EXPECT_EQ(driver().cuGetErrorName(CUDA_ERROR_STREAM_CAPTURE_IMPLICIT, &text), CUDA_SUCCESS);
  EXPECT_STREQ(text, "CUDA_ERROR_STREAM_CAPTURE_IMPLICIT");
}

// [H 5133] a description.
TEST(Errors, AreDescribed) {
  const char* text = nullptr;
  EXPECT_EQ(driver().cuGetErrorString(CUDA_ERROR_OUT_OF_MEMORY, &text), CUDA_SUCCESS);
  EXPECT_STREQ(text, "out of memory");
  EXPECT_EQ(driver().cuGetErrorString(CUDA_ERROR_INVALID_VALUE, &text), CUDA_SUCCESS);
  EXPECT_STREQ(text, "invalid argument");
}

// [H 5156] "If the error code is not recognized, CUDA_ERROR_INVALID_VALUE will be returned and
// *pStr will be set to the NULL address."
TEST(Errors, UnknownOnesHaveNoText) {
  const char* text = "untouched";
  EXPECT_EQ(driver().cuGetErrorName(static_cast<CUresult>(998), &text), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(text, nullptr);
  text = "untouched";
  EXPECT_EQ(driver().cuGetErrorString(static_cast<CUresult>(998), &text), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(text, nullptr);
}

}  // namespace
}  // namespace conformance
