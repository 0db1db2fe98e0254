// A test of the runtime on device 0. What it makes through the fixture is gone when it ends, and so
// is the last error.
#pragma once

#include <functional>
#include <vector>

#include "../driver.h"
#include "../runtime.h"

namespace conformance {

class RuntimeTest : public testing::Test {
 protected:
  void SetUp() override {
    (void)r.cudaGetLastError();
    ASSERT_EQ(r.cudaSetDevice(0), cudaSuccess);
  }
  void TearDown() override {
    EXPECT_EQ(r.cudaDeviceSynchronize(), cudaSuccess);
    for (; !undo_.empty(); undo_.pop_back()) undo_.back()();
    (void)r.cudaGetLastError();
  }
  void later(std::function<void()> undo) { undo_.push_back(std::move(undo)); }

  cudaStream_t make_stream(unsigned flags = cudaStreamNonBlocking) {
    cudaStream_t stream = nullptr;
    EXPECT_EQ(r.cudaStreamCreateWithFlags(&stream, flags), cudaSuccess);
    later([this, stream] { EXPECT_EQ(r.cudaStreamDestroy(stream), cudaSuccess); });
    return stream;
  }
  cudaEvent_t make_event(unsigned flags = cudaEventDefault) {
    cudaEvent_t event = nullptr;
    EXPECT_EQ(r.cudaEventCreateWithFlags(&event, flags), cudaSuccess);
    later([this, event] { EXPECT_EQ(r.cudaEventDestroy(event), cudaSuccess); });
    return event;
  }
  int* make_memory(std::size_t size = 1 << 20) {
    void* at = nullptr;
    EXPECT_EQ(r.cudaMalloc(&at, size), cudaSuccess);
    later([this, at] { EXPECT_EQ(r.cudaFree(at), cudaSuccess); });
    return static_cast<int*>(at);
  }
  int* make_pinned() {
    void* at = nullptr;
    EXPECT_EQ(r.cudaMallocHost(&at, sizeof(int)), cudaSuccess);
    later([this, at] { EXPECT_EQ(r.cudaFreeHost(at), cudaSuccess); });
    *static_cast<int*>(at) = 0;
    return static_cast<int*>(at);
  }
  int read(const int* at) {
    int value = 0;
    EXPECT_EQ(r.cudaMemcpy(&value, at, sizeof value, cudaMemcpyDeviceToHost), cudaSuccess);
    return value;
  }

  const Runtime& r = runtime();

 private:
  std::vector<std::function<void()>> undo_;
};

}  // namespace conformance
