// The driver under test, through the door that programs use: dlopen("libcuda.so.1") and dlsym, so
// that LD_LIBRARY_PATH decides which driver answers.
//
// Sources of the rules in all tests here: [H n] is line n of CUDA 13.0's cuda.h, [HR n] of its
// cuda_runtime_api.h, [PG] a section of the CUDA C++ Programming Guide, [API] one of the driver
// API reference's introduction, [M] a measurement of driver 580 (docs/hardware.md).
#pragma once

// Every version of a function under its own name, where cuda.h renames most to the newest one.
#define __CUDA_API_VERSION_INTERNAL
#include <cuda.h>
#include <dlfcn.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <thread>

#include "functions.h"

namespace conformance {

inline constexpr std::size_t kChunk = 2 << 20;

// What a function answers that the driver lacks: its tests fail and the others go on.
template <typename Function>
struct Absent;
template <typename... Args>
struct Absent<CUresult (*)(Args...)> {
  static CUresult call(Args...) { return CUDA_ERROR_STUB_LIBRARY; }
};

struct Driver {
  void* library = nullptr;
#define X(symbol) decltype(&::symbol) symbol = nullptr;
  CONFORMANCE_DRIVER_FUNCTIONS(X)
#undef X
};

inline const Driver& driver() {
  static const Driver* loaded = [] {
    auto* fresh = new Driver;
    fresh->library = dlopen("libcuda.so.1", RTLD_NOW);
    if (fresh->library == nullptr) {
      ADD_FAILURE() << dlerror();
      std::abort();
    }
#define X(symbol)                                                                            \
  fresh->symbol = reinterpret_cast<decltype(fresh->symbol)>(dlsym(fresh->library, #symbol)); \
  if (fresh->symbol == nullptr) fresh->symbol = Absent<decltype(fresh->symbol)>::call;
    CONFORMANCE_DRIVER_FUNCTIONS(X)
#undef X
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
inline void* pointer(CUdeviceptr at) {
  return reinterpret_cast<void*>(at);
}
inline CUdeviceptr address(const void* at) {
  return reinterpret_cast<CUdeviceptr>(at);
}

// Keeps a stream busy: a host function that returns when the gate is opened. One gate at a time: a
// real device runs the host functions of a context one after the other [M].
class Gate {
 public:
  explicit Gate(CUstream stream) {
    closed_ = driver().cuLaunchHostFunc(stream, &Gate::pass, this) == CUDA_SUCCESS;
    EXPECT_TRUE(closed_);
  }
  ~Gate() {
    open();
    while (closed_ && !passed_) std::this_thread::yield();
  }
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;
  void open() { opened_ = true; }
  bool opened() const { return opened_; }

 private:
  static void pass(void* self) {
    auto* gate = static_cast<Gate*>(self);
    while (!gate->opened_) std::this_thread::yield();
    gate->passed_ = true;
  }
  bool closed_ = false;
  std::atomic<bool> opened_{false};
  std::atomic<bool> passed_{false};
};

// Opens a gate from another thread after a while, for calls that must wait for it.
class LateOpening {
 public:
  explicit LateOpening(Gate& gate)
      : thread_([&gate] {
          std::this_thread::sleep_for(std::chrono::milliseconds(30));
          gate.open();
        }) {}
  ~LateOpening() { thread_.join(); }
  LateOpening(const LateOpening&) = delete;
  LateOpening& operator=(const LateOpening&) = delete;

 private:
  std::thread thread_;
};

}  // namespace conformance
