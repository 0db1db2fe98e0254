// simcuda's driver, through the door programs use: dlopen and dlsym.
#pragma once

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <thread>

#include "driver/cuda_api.h"
#include "newer_functions.h"

namespace gmlake::simcuda::test {

inline constexpr std::size_t kChunk = 2 << 20;

struct Driver {
  void* library = nullptr;
#define F(symbol, base, version, flavour) decltype(&::symbol) symbol = nullptr;
#include "driver/functions.def"

  template <typename Function>
  Function* find(const char* name) const {
    return reinterpret_cast<Function*>(dlsym(library, name));
  }
};

inline const Driver& driver() {
  static const Driver* loaded = [] {
    auto* fresh = new Driver;
    fresh->library = dlopen(SIMCUDA_LIBRARY, RTLD_NOW);
    if (fresh->library == nullptr) {
      ADD_FAILURE() << dlerror();
      std::abort();
    }
#define F(symbol, base, version, flavour) \
  fresh->symbol = reinterpret_cast<decltype(fresh->symbol)>(dlsym(fresh->library, #symbol));
#include "driver/functions.def"
    return fresh;
  }();
  return *loaded;
}

inline CUmemAllocationProp device_memory(int device = 0) {
  CUmemAllocationProp properties{};
  properties.type = CU_MEM_ALLOCATION_TYPE_PINNED;
  properties.location = {CU_MEM_LOCATION_TYPE_DEVICE, device};
  return properties;
}
inline CUmemAccessDesc read_write(int device = 0) {
  return {{CU_MEM_LOCATION_TYPE_DEVICE, device}, CU_MEM_ACCESS_FLAGS_PROT_READWRITE};
}

// A test with the primary context of device 0 current.
class DeviceTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(d.cuInit(0), CUDA_SUCCESS);
    ASSERT_EQ(d.cuDevicePrimaryCtxRetain(&context, 0), CUDA_SUCCESS);
    ASSERT_EQ(d.cuCtxSetCurrent(context), CUDA_SUCCESS);
  }
  void TearDown() override {
    EXPECT_EQ(d.cuCtxSynchronize(), CUDA_SUCCESS);
    EXPECT_EQ(d.cuDevicePrimaryCtxRelease_v2(0), CUDA_SUCCESS);
    d.cuCtxSetCurrent(nullptr);
  }
  CUstream make_stream(unsigned flags = CU_STREAM_NON_BLOCKING) {
    CUstream stream = nullptr;
    EXPECT_EQ(d.cuStreamCreate(&stream, flags), CUDA_SUCCESS);
    return stream;
  }
  CUevent make_event(unsigned flags = CU_EVENT_DEFAULT) {
    CUevent event = nullptr;
    EXPECT_EQ(d.cuEventCreate(&event, flags), CUDA_SUCCESS);
    return event;
  }
  CUdeviceptr reserve(std::size_t size) {
    CUdeviceptr at = 0;
    EXPECT_EQ(d.cuMemAddressReserve(&at, size, 0, 0, 0), CUDA_SUCCESS);
    return at;
  }
  CUmemGenericAllocationHandle create(std::size_t size) {
    const auto properties = device_memory();
    CUmemGenericAllocationHandle handle = 0;
    EXPECT_EQ(d.cuMemCreate(&handle, size, &properties, 0), CUDA_SUCCESS);
    return handle;
  }
  std::uint32_t read(CUdeviceptr at) {
    std::uint32_t value = 0;
    EXPECT_EQ(d.cuMemcpyDtoH_v2(&value, at, sizeof value), CUDA_SUCCESS);
    return value;
  }
  void write(CUdeviceptr at, std::uint32_t value) {
    EXPECT_EQ(d.cuMemcpyHtoD_v2(at, &value, sizeof value), CUDA_SUCCESS);
  }

  const Driver& d = driver();
  CUcontext context = nullptr;
};

// Keeps a stream busy: a host function that returns when the gate is opened.
class Gate {
 public:
  explicit Gate(CUstream stream) {
    EXPECT_EQ(driver().cuLaunchHostFunc(stream, &Gate::pass, this), CUDA_SUCCESS);
  }
  ~Gate() {
    open();
    while (!passed_) std::this_thread::yield();
  }
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;
  void open() { opened_ = true; }

 private:
  static void pass(void* self) {
    auto* gate = static_cast<Gate*>(self);
    while (!gate->opened_) std::this_thread::yield();
    gate->passed_ = true;
  }
  std::atomic<bool> opened_{false};
  std::atomic<bool> passed_{false};
};

}  // namespace gmlake::simcuda::test
