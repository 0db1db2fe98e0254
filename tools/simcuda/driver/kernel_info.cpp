// Attributes and occupancy of kernels. Device code is not looked into: every kernel has the figures
// of one that does nothing, as measured on an H100.
#include <algorithm>
#include <map>
#include <mutex>

#include "context.h"
#include "entry.h"
#include "kernels.h"

namespace gmlake::simcuda {
namespace {

constexpr int kMaxThreads = 1024;
constexpr int kThreadsOfMultiprocessor = 2048;
constexpr int kBlocksOfMultiprocessor = 32;
constexpr int kSharedOfMultiprocessor = 228 << 10;
constexpr int kSharedOfBlockAtMost = 227 << 10;
constexpr int kSharedReserved = 1 << 10;  // of every block

// What cuFuncSetAttribute may change.
struct Settings {
  int dynamic_shared = 48 << 10;
  int carveout = -1;
};
struct AllSettings {
  std::mutex mutex;
  std::map<const void*, Settings> settings;
};
AllSettings& all() {
  static auto* all = new AllSettings;
  return *all;
}
Settings settings_of(const void* kernel) {
  const std::lock_guard lock(all().mutex);
  return all().settings[kernel];
}

CUresult get(int* value, CUfunction_attribute attribute, const void* kernel) {
  if (value == nullptr || attribute < 0 || attribute >= CU_FUNC_ATTRIBUTE_MAX)
    return CUDA_ERROR_INVALID_VALUE;
  if (kernel_name(kernel) == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  switch (attribute) {
    case CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK:
      *value = kMaxThreads;
      break;
    case CU_FUNC_ATTRIBUTE_NUM_REGS:
      *value = 4;
      break;
    case CU_FUNC_ATTRIBUTE_PTX_VERSION:
    case CU_FUNC_ATTRIBUTE_BINARY_VERSION:
      *value = 90;
      break;
    case CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES:
      *value = settings_of(kernel).dynamic_shared;
      break;
    case CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT:
      *value = settings_of(kernel).carveout;
      break;
    default:
      *value = 0;
  }
  return CUDA_SUCCESS;
}

// cuda.h, cuFuncSetAttribute: dynamic shared memory up to the device's opt-in limit less the static
// one; the carveout in percent, or -1 for the driver's choice. Others can not be set.
CUresult set(const void* kernel, CUfunction_attribute attribute, int value) {
  if (kernel_name(kernel) == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  const std::lock_guard lock(all().mutex);
  Settings& settings = all().settings[kernel];
  if (attribute == CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES && value >= 0 &&
      value <= kSharedOfBlockAtMost)
    settings.dynamic_shared = value;
  else if (attribute == CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT && value >= -1 &&
           value <= 100)
    settings.carveout = value;
  else
    return CUDA_ERROR_INVALID_VALUE;
  return CUDA_SUCCESS;
}

CUresult name_of(const char** name, const void* kernel) {
  if (name == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const char* found = kernel_name(kernel);
  if (found == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  *name = found;
  return CUDA_SUCCESS;
}

// Of blocks there is room for by threads, whole warps each, and by shared memory. One that can not
// run at all is no error: none of them are active (measured).
CUresult occupancy(int* blocks, CUfunction function, int block_size, size_t shared,
                   unsigned flags) {
  constexpr unsigned kKnown = CU_OCCUPANCY_DISABLE_CACHING_OVERRIDE;
  if (blocks == nullptr || block_size <= 0 || (flags & ~kKnown) != 0)
    return CUDA_ERROR_INVALID_VALUE;
  if (kernel_name(function) == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  *blocks = 0;
  if (block_size > kMaxThreads ||
      shared > static_cast<size_t>(settings_of(function).dynamic_shared))
    return CUDA_SUCCESS;
  const int threads = (block_size + 31) / 32 * 32;
  *blocks = std::min({kBlocksOfMultiprocessor, kThreadsOfMultiprocessor / threads,
                      kSharedOfMultiprocessor / (static_cast<int>(shared) + kSharedReserved)});
  return CUDA_SUCCESS;
}

// An equal share of the multiprocessor's, whatever is reserved (measured).
CUresult available_shared(size_t* size, CUfunction function, int blocks, int block_size) {
  int at_most = 0;
  if (size == nullptr || blocks <= 0) return CUDA_ERROR_INVALID_VALUE;
  if (const CUresult bad = occupancy(&at_most, function, block_size, 0, CU_OCCUPANCY_DEFAULT))
    return bad;
  if (blocks > at_most) return CUDA_ERROR_INVALID_VALUE;
  *size = static_cast<size_t>(std::min(kSharedOfMultiprocessor / blocks, kSharedOfBlockAtMost));
  return CUDA_SUCCESS;
}

}  // namespace
}  // namespace gmlake::simcuda

using namespace gmlake::simcuda;

CUresult cuFuncGetAttribute(int* value, CUfunction_attribute attribute, CUfunction function) {
  SIM_ENTER();
  return get(value, attribute, function);
}
CUresult cuFuncSetAttribute(CUfunction function, CUfunction_attribute attribute, int value) {
  SIM_ENTER();
  return set(function, attribute, value);
}
CUresult cuFuncGetName(const char** name, CUfunction function) {
  SIM_ENTER();
  return name_of(name, function);
}
CUresult cuKernelGetAttribute(int* value, CUfunction_attribute attribute, CUkernel kernel,
                              CUdevice device) {
  SIM_ENTER();
  if (const CUresult bad = check_device(device)) return bad;
  return get(value, attribute, kernel);
}
CUresult cuKernelSetAttribute(CUfunction_attribute attribute, int value, CUkernel kernel,
                              CUdevice device) {
  SIM_ENTER();
  if (const CUresult bad = check_device(device)) return bad;
  return set(kernel, attribute, value);
}
CUresult cuKernelGetName(const char** name, CUkernel kernel) {
  SIM_ENTER();
  return name_of(name, kernel);
}
CUresult cuOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, CUfunction function,
                                                     int block_size, size_t shared) {
  SIM_ENTER();
  return occupancy(blocks, function, block_size, shared, CU_OCCUPANCY_DEFAULT);
}
CUresult cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int* blocks, CUfunction function,
                                                              int block_size, size_t shared,
                                                              unsigned flags) {
  SIM_ENTER();
  return occupancy(blocks, function, block_size, shared, flags);
}
CUresult cuOccupancyAvailableDynamicSMemPerBlock(size_t* size, CUfunction function, int blocks,
                                                 int block_size) {
  SIM_ENTER();
  return available_shared(size, function, blocks, block_size);
}
