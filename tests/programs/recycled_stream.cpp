// Streams of device 1 end with their context, by a reset, a release, a detach or a destroy, or with
// a green context, before device 1 has ever been asked for memory. New ones of device 0 get their
// handles, and memory of device 0. Prints how many came back, and on which device their memory is.
#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include <cuda.h>
#include <cuda_runtime_api.h>

// Streams' handles come back at once, as on a GPU.
extern "C" __attribute__((weak)) void simcuda_recycle_streams(void);

namespace {

constexpr std::size_t kBytes = std::size_t{4} << 20;

void check(const char* what, int result) {
  if (result == 0) return;
  std::printf("%s: %d\n", what, result);
  std::exit(1);
}
#define CHECK(call) check(#call, call)

CUgreenCtx make_green() {
  CUdevResource whole{};
  CUdevResourceDesc described = nullptr;
  CUgreenCtx green = nullptr;
  CHECK(cuDeviceGetDevResource(1, &whole, CU_DEV_RESOURCE_TYPE_SM));
  CHECK(cuDevResourceGenerateDesc(&described, &whole, 1));
  CHECK(cuGreenCtxCreate(&green, described, 1, CU_GREEN_CTX_DEFAULT_STREAM));
  return green;
}

cudaStream_t make_stream(CUgreenCtx green = nullptr) {
  cudaStream_t stream = nullptr;
  if (green) {
    CHECK(cuGreenCtxStreamCreate(&stream, green, CU_STREAM_NON_BLOCKING, 0));
    return stream;
  }
  CHECK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  return stream;
}

}  // namespace

int main(int count, char** words) {
  const std::string_view way = count == 2 ? words[1] : "";
  if (simcuda_recycle_streams) simcuda_recycle_streams();
  void* block = nullptr;
  CHECK(cudaSetDevice(0));
  CHECK(cudaMallocAsync(&block, kBytes, make_stream()));

  CUcontext own = nullptr;
  CUgreenCtx green = nullptr;
  CUctxCreateParams none{};
  if (way == "detach" || way == "destroy")
    CHECK(cuCtxCreate(&own, &none, 0, 1));
  else if (way == "green")
    green = make_green();
  else
    CHECK(cudaSetDevice(1));
  std::array<cudaStream_t, 8> gone{};
  for (auto& stream : gone) {
    stream = make_stream(green);
    CHECK(cudaStreamSynchronize(stream));
    CHECK(cudaStreamQuery(stream));
  }
  if (way == "reset") CHECK(cudaDeviceReset());
  if (way == "release") CHECK(cuDevicePrimaryCtxRelease(1));
  if (way == "detach") CHECK(cuCtxDetach(own));
  if (way == "destroy") CHECK(cuCtxDestroy(own));
  if (green) CHECK(cuGreenCtxDestroy(green));

  CHECK(cudaSetDevice(0));
  int back = 0, right = 0;
  for (std::size_t i = 0; i < gone.size(); ++i) {
    auto* const stream = make_stream();
    if (std::find(gone.begin(), gone.end(), stream) == gone.end()) continue;
    ++back;
    cudaPointerAttributes attributes{};
    CHECK(cudaMallocAsync(&block, kBytes, stream));
    CHECK(cudaPointerGetAttributes(&attributes, block));
    right += attributes.device == 0 ? 1 : 0;
    CHECK(cudaMemsetAsync(block, 1, kBytes, stream));
    CHECK(cudaStreamSynchronize(stream));
    CHECK(cudaFreeAsync(block, stream));
  }
  std::printf("%d came back, memory of %d on device 0\n", back, right);
  return 0;
}
