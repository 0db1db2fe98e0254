// The runtime's rules for errors: which are kept, for whom, and until when.
#include "runtime_fixture.h"

namespace gmlake::simcuda::test {
namespace {

using RuntimeErrors = RuntimeTest;

TEST_F(RuntimeErrors, ASuccessDoesNotForgetAnError) {
  EXPECT_EQ(cudaSetDevice(99), cudaErrorInvalidDevice);
  int device = 0;
  EXPECT_EQ(cudaGetDevice(&device), cudaSuccess);
  EXPECT_EQ(cudaPeekAtLastError(), cudaErrorInvalidDevice);
  EXPECT_EQ(cudaGetLastError(), cudaErrorInvalidDevice);
  EXPECT_EQ(cudaGetLastError(), cudaSuccess);
}

TEST_F(RuntimeErrors, TheLatestErrorIsKept) {
  EXPECT_EQ(cudaSetDevice(99), cudaErrorInvalidDevice);
  EXPECT_EQ(cudaMalloc(nullptr, 16), cudaErrorInvalidValue);
  EXPECT_EQ(cudaGetLastError(), cudaErrorInvalidValue);
}

// CUDA programming guide, "Error checking": cudaErrorNotReady "is not considered an error and is
// therefore not reported by cudaPeekAtLastError() or cudaGetLastError()".
TEST_F(RuntimeErrors, NotReadyIsNoError) {
  cudaEvent_t event = nullptr;
  ASSERT_EQ(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), cudaSuccess);
  {
    RuntimeGate gate(stream);
    ASSERT_EQ(cudaEventRecord(event, stream), cudaSuccess);
    EXPECT_EQ(cudaStreamQuery(stream), cudaErrorNotReady);
    EXPECT_EQ(cudaEventQuery(event), cudaErrorNotReady);
    EXPECT_EQ(cudaPeekAtLastError(), cudaSuccess);
    EXPECT_EQ(cudaGetLastError(), cudaSuccess);
  }
  EXPECT_EQ(cudaStreamSynchronize(stream), cudaSuccess);
  EXPECT_EQ(cudaEventQuery(event), cudaSuccess);
  EXPECT_EQ(cudaEventDestroy(event), cudaSuccess);
}

TEST_F(RuntimeErrors, AnotherThreadHasItsOwn) {
  EXPECT_EQ(cudaSetDevice(99), cudaErrorInvalidDevice);
  std::thread([] {
    EXPECT_EQ(cudaGetLastError(), cudaSuccess);
    EXPECT_EQ(cudaMalloc(nullptr, 16), cudaErrorInvalidValue);
  }).join();
  EXPECT_EQ(cudaGetLastError(), cudaErrorInvalidDevice);
}

// A pointer that is no stub is taken for a cudaKernel_t (measured with cudart 13.0).
TEST_F(RuntimeErrors, AKernelThatIsNoneIsRefused) {
  static const char stub = 0;
  cudaKernel_t kernel = nullptr;
  cudaFunction_t function = nullptr;
  cudaFuncAttributes attributes{};
  EXPECT_EQ(cudaLaunchKernel(&stub, dim3(1), dim3(1), nullptr, 0, stream),
            cudaErrorInvalidResourceHandle);
  EXPECT_EQ(cudaLaunchKernel(nullptr, dim3(1), dim3(1), nullptr, 0, stream),
            cudaErrorInvalidDeviceFunction);
  EXPECT_EQ(cudaFuncGetAttributes(&attributes, &stub), cudaErrorInvalidResourceHandle);
  EXPECT_EQ(cudaGetFuncBySymbol(&function, &stub), cudaErrorInvalidDeviceFunction);
  EXPECT_EQ(cudaGetKernel(&kernel, &stub), cudaErrorInvalidDeviceFunction);
  EXPECT_EQ(cudaGetLastError(), cudaErrorInvalidDeviceFunction);
}

TEST_F(RuntimeErrors, NamesAndWords) {
  EXPECT_STREQ(cudaGetErrorName(cudaErrorNotReady), "cudaErrorNotReady");
  EXPECT_STREQ(cudaGetErrorName(cudaErrorNotSupported), "cudaErrorNotSupported");
  EXPECT_STREQ(cudaGetErrorName(static_cast<cudaError_t>(12345)), "unrecognized error code");
}

}  // namespace
}  // namespace gmlake::simcuda::test
