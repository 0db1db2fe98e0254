// What the tests of the stand-in runtime share. They know nothing of simcuda: they hold on a real
// device too.
#pragma once

#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

namespace gmlake::simcuda::test {

// Keeps a stream busy: a host function that returns when the gate is opened.
class RuntimeGate {
 public:
  explicit RuntimeGate(cudaStream_t stream) {
    EXPECT_EQ(cudaLaunchHostFunc(stream, &RuntimeGate::pass, this), cudaSuccess);
  }
  ~RuntimeGate() {
    open();
    while (!passed_) std::this_thread::yield();
  }
  RuntimeGate(const RuntimeGate&) = delete;
  RuntimeGate& operator=(const RuntimeGate&) = delete;
  void open() { opened_ = true; }

 private:
  static void pass(void* self) {
    auto* gate = static_cast<RuntimeGate*>(self);
    while (!gate->opened_) std::this_thread::yield();
    gate->passed_ = true;
  }
  std::atomic<bool> opened_{false};
  std::atomic<bool> passed_{false};
};

// Every test starts and ends with no error kept, and with all work done.
class RuntimeTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), cudaSuccess);
  }
  void TearDown() override {
    EXPECT_EQ(cudaStreamSynchronize(stream), cudaSuccess);
    EXPECT_EQ(cudaStreamDestroy(stream), cudaSuccess);
    EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess);
  }
  void* allocate(std::size_t size) {
    void* memory = nullptr;
    EXPECT_EQ(cudaMalloc(&memory, size), cudaSuccess);
    return memory;
  }
  std::vector<unsigned char> read(const void* device, std::size_t size) {
    std::vector<unsigned char> bytes(size);
    EXPECT_EQ(cudaMemcpy(bytes.data(), device, size, cudaMemcpyDeviceToHost), cudaSuccess);
    return bytes;
  }

  cudaStream_t stream = nullptr;
};

}  // namespace gmlake::simcuda::test
