// Kernel launches.
#include <vector>

#include "runtime.h"

namespace gmlake::simcudart {
namespace {

struct Configuration {
  dim3 grid;
  dim3 block;
  size_t shared = 0;
  cudaStream_t stream = nullptr;
};
// <<<>>> pushes in the caller and pops in the stub; nested only through the argument expressions.
std::vector<Configuration>& configurations() {
  static thread_local std::vector<Configuration> stack;
  return stack;
}

// cuda.h, cuLaunchKernel: f is a CUfunction "or a kernel CUkernel".
CUresult find_function(const Driver& driver, const void* stub, CUfunction& function) {
  CUkernel kernel = nullptr;
  const cudaError_t failed = find_kernel(driver, stub, kernel);
  function = reinterpret_cast<CUfunction>(kernel);
  return to_driver(failed);
}

template <typename Launch, typename... Extra>
CUresult launch(const Driver& driver, const void* stub, dim3 grid, dim3 block, void** arguments,
                size_t shared, cudaStream_t stream, Launch function, Extra... extra) {
  CUfunction kernel = nullptr;
  if (const CUresult bad = find_function(driver, stub, kernel)) return bad;
  return function(kernel, grid.x, grid.y, grid.z, block.x, block.y, block.z,
                  static_cast<unsigned>(shared), stream, arguments, extra...);
}

template <typename Launch>
CUresult launch(const Driver& driver, const cudaLaunchConfig_t* configuration, const void* stub,
                void** arguments, Launch function) {
  CUfunction kernel = nullptr;
  if (configuration == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (const CUresult bad = find_function(driver, stub, kernel)) return bad;
  const auto& [grid, block, shared, stream, attributes, count] = *configuration;
  const CUlaunchConfig translated{
      grid.x, grid.y,           grid.z, block.x, block.y, block.z, static_cast<unsigned>(shared),
      stream, like(attributes), count};
  return function(&translated, kernel, arguments, nullptr);
}

}  // namespace
}  // namespace gmlake::simcudart

using namespace gmlake::simcudart;

#define LAUNCH(function) \
  launch(*driver, stub, grid, block, arguments, shared, stream, driver->function, nullptr)
#define LAUNCH_COOPERATIVE(function) \
  launch(*driver, stub, grid, block, arguments, shared, stream, driver->function)

RT_BOTH(cudaLaunchKernel, _ptsz,
        (const void* stub, dim3 grid, dim3 block, void** arguments, size_t shared,
         cudaStream_t stream),
        LAUNCH(cuLaunchKernel), LAUNCH(cuLaunchKernel_ptsz))
RT_BOTH(cudaLaunchCooperativeKernel, _ptsz,
        (const void* stub, dim3 grid, dim3 block, void** arguments, size_t shared,
         cudaStream_t stream),
        LAUNCH_COOPERATIVE(cuLaunchCooperativeKernel),
        LAUNCH_COOPERATIVE(cuLaunchCooperativeKernel_ptsz))
RT_BOTH(cudaLaunchKernelExC, _ptsz,
        (const cudaLaunchConfig_t* configuration, const void* stub, void** arguments),
        launch(*driver, configuration, stub, arguments, driver->cuLaunchKernelEx),
        launch(*driver, configuration, stub, arguments, driver->cuLaunchKernelEx_ptsz))

SIMCUDART_API_BEGIN
extern "C" {
cudaError_t __cudaLaunchKernel(cudaKernel_t stub, dim3 grid, dim3 block, void** arguments,
                               size_t shared, cudaStream_t stream) {
  RT(LAUNCH(cuLaunchKernel));
}
cudaError_t __cudaLaunchKernel_ptsz(cudaKernel_t stub, dim3 grid, dim3 block, void** arguments,
                                    size_t shared, cudaStream_t stream) {
  RT(LAUNCH(cuLaunchKernel_ptsz));
}
unsigned __cudaPushCallConfiguration(dim3 grid, dim3 block, size_t shared, CUstream_st* stream) {
  configurations().push_back({grid, block, shared, stream});
  return 0;
}
cudaError_t __cudaPopCallConfiguration(dim3* grid, dim3* block, size_t* shared, void* stream) {
  auto& stack = configurations();
  if (stack.empty()) return remember(cudaErrorMissingConfiguration);
  *grid = stack.back().grid;
  *block = stack.back().block;
  *shared = stack.back().shared;
  *static_cast<cudaStream_t*>(stream) = stack.back().stream;
  stack.pop_back();
  return cudaSuccess;
}
}
SIMCUDART_API_END
