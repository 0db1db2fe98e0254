#include "fixture.h"

namespace conformance {
namespace {

CUcontext retained = nullptr;

// Holds the primary context from the first test that needs it to the end of the program: to make
// it anew for each test would cost a GPU most of the time.
class PrimaryContext : public testing::Environment {
 public:
  void TearDown() override {
    if (retained != nullptr) {
      EXPECT_EQ(driver().cuDevicePrimaryCtxRelease_v2(0), CUDA_SUCCESS);
    }
  }
};
[[maybe_unused]] const auto* const kEnvironment =
    testing::AddGlobalTestEnvironment(new PrimaryContext);

}  // namespace

void DeviceTest::SetUp() {
  ASSERT_EQ(d.cuInit(0), CUDA_SUCCESS);
  if (retained == nullptr) {
    ASSERT_EQ(d.cuDevicePrimaryCtxRetain(&retained, 0), CUDA_SUCCESS);
  }
  context = retained;
  ASSERT_EQ(d.cuCtxSetCurrent(context), CUDA_SUCCESS);
}

void DeviceTest::TearDown() {
  EXPECT_EQ(d.cuCtxSetCurrent(context), CUDA_SUCCESS);
  EXPECT_EQ(d.cuCtxSynchronize(), CUDA_SUCCESS);
  for (; !undo_.empty(); undo_.pop_back()) undo_.back()();
  EXPECT_EQ(d.cuCtxSetCurrent(nullptr), CUDA_SUCCESS);
}

CUstream DeviceTest::make_stream(unsigned flags) {
  CUstream stream = nullptr;
  EXPECT_EQ(d.cuStreamCreate(&stream, flags), CUDA_SUCCESS);
  later([this, stream] { EXPECT_EQ(d.cuStreamDestroy_v2(stream), CUDA_SUCCESS); });
  return stream;
}

CUevent DeviceTest::make_event(unsigned flags) {
  CUevent event = nullptr;
  EXPECT_EQ(d.cuEventCreate(&event, flags), CUDA_SUCCESS);
  later([this, event] { EXPECT_EQ(d.cuEventDestroy_v2(event), CUDA_SUCCESS); });
  return event;
}

CUcontext DeviceTest::make_context() {
  CUcontext made = nullptr;
  CUcontext popped = nullptr;
  EXPECT_EQ(d.cuCtxCreate_v2(&made, 0, 0), CUDA_SUCCESS);
  EXPECT_EQ(d.cuCtxPopCurrent_v2(&popped), CUDA_SUCCESS);
  later([this, made] { EXPECT_EQ(d.cuCtxDestroy_v2(made), CUDA_SUCCESS); });
  return made;
}

CUdeviceptr DeviceTest::make_memory(std::size_t size) {
  CUdeviceptr at = 0;
  EXPECT_EQ(d.cuMemAlloc_v2(&at, size), CUDA_SUCCESS);
  later([this, at] { EXPECT_EQ(d.cuMemFree_v2(at), CUDA_SUCCESS); });
  return at;
}

std::uint32_t* DeviceTest::make_pinned(std::size_t words) {
  void* made = nullptr;
  EXPECT_EQ(d.cuMemAllocHost_v2(&made, words * sizeof(std::uint32_t)), CUDA_SUCCESS);
  later([this, made] { EXPECT_EQ(d.cuMemFreeHost(made), CUDA_SUCCESS); });
  auto* values = static_cast<std::uint32_t*>(made);
  std::fill_n(values, words, 0);
  return values;
}

CUdeviceptr DeviceTest::reserve(std::size_t size) {
  CUdeviceptr at = 0;
  EXPECT_EQ(d.cuMemAddressReserve(&at, size, 0, 0, 0), CUDA_SUCCESS);
  later([this, at, size] { EXPECT_EQ(d.cuMemAddressFree(at, size), CUDA_SUCCESS); });
  return at;
}

CUmemGenericAllocationHandle DeviceTest::create(std::size_t size) {
  return create(size, device_memory());
}
CUmemGenericAllocationHandle DeviceTest::create(std::size_t size,
                                                const CUmemAllocationProp& properties) {
  CUmemGenericAllocationHandle handle = 0;
  EXPECT_EQ(d.cuMemCreate(&handle, size, &properties, 0), CUDA_SUCCESS);
  later([this, handle] { EXPECT_EQ(d.cuMemRelease(handle), CUDA_SUCCESS); });
  return handle;
}

void DeviceTest::map(CUdeviceptr at, std::size_t size, CUmemGenericAllocationHandle handle) {
  EXPECT_EQ(d.cuMemMap(at, size, 0, handle, 0), CUDA_SUCCESS);
  later([this, at, size] { EXPECT_EQ(d.cuMemUnmap(at, size), CUDA_SUCCESS); });
}

void DeviceTest::allow(CUdeviceptr at, std::size_t size) {
  const auto access = read_write();
  EXPECT_EQ(d.cuMemSetAccess(at, size, &access, 1), CUDA_SUCCESS);
}

std::uint32_t DeviceTest::read(CUdeviceptr at) {
  std::uint32_t value = 0;
  EXPECT_EQ(d.cuMemcpyDtoH_v2(&value, at, sizeof value), CUDA_SUCCESS);
  return value;
}

void DeviceTest::write(CUdeviceptr at, std::uint32_t value) {
  EXPECT_EQ(d.cuMemcpyHtoD_v2(at, &value, sizeof value), CUDA_SUCCESS);
}

}  // namespace conformance
