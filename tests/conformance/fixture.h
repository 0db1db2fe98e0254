// A test with the primary context of device 0 current. What it makes through the fixture is gone
// when it ends: on a machine with a GPU all tests of a program share one process.
#pragma once

#include <functional>
#include <vector>

#include "driver.h"

namespace conformance {

class DeviceTest : public testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  CUstream make_stream(unsigned flags = CU_STREAM_NON_BLOCKING);
  CUevent make_event(unsigned flags = CU_EVENT_DEFAULT);
  CUcontext make_context();  // not current
  CUdeviceptr make_memory(std::size_t size);
  std::uint32_t* make_pinned(std::size_t words = 1);
  CUdeviceptr reserve(std::size_t size);
  CUmemGenericAllocationHandle create(std::size_t size);
  CUmemGenericAllocationHandle create(std::size_t size, const CUmemAllocationProp& properties);
  // Maps the whole handle at `at`, for as long as the test lasts.
  void map(CUdeviceptr at, std::size_t size, CUmemGenericAllocationHandle handle);
  void allow(CUdeviceptr at, std::size_t size);

  std::uint32_t read(CUdeviceptr at);
  void write(CUdeviceptr at, std::uint32_t value);

  // Called when the test ends, the last one given first; streams have come to rest by then.
  void later(std::function<void()> undo) { undo_.push_back(std::move(undo)); }

  const Driver& d = driver();
  CUcontext context = nullptr;

 private:
  std::vector<std::function<void()>> undo_;
};

}  // namespace conformance
