// cuInit and what a device says of itself. It calls itself compute capability 9.0 with virtual
// memory management, stream-ordered allocation and memory between processes, and without
// inter-process events, fabric handles and GPUDirect.
#include <cstdio>
#include <mutex>

#include "config.h"
#include "context.h"
#include "entry.h"
#include "memory.h"

namespace gmlake::simcuda {
namespace {

CUresult initialise() {
  if (life() == Life::forked) return CUDA_ERROR_NOT_INITIALIZED;
  if (life() == Life::exiting) return CUDA_ERROR_DEINITIALIZED;
  static std::mutex* mutex = new std::mutex;
  static CUresult outcome = CUDA_ERROR_NOT_INITIALIZED;
  static bool decided = false;
  const std::lock_guard lock(*mutex);
  if (decided) return outcome;
  decided = true;
  const std::string wrong = load_config();
  if (!wrong.empty()) {
    std::fprintf(stderr, "simcuda: %s\n", wrong.c_str());
    return outcome = CUDA_ERROR_INVALID_VALUE;
  }
  if (config().devices == 0) return outcome = CUDA_ERROR_NO_DEVICE;
  if (!open_memory()) {
    std::fprintf(stderr,
                 "simcuda: the system gives neither the addresses nor the memory file for %u "
                 "device(s) of %s; "
                 "lift ulimit -v and -f, or set a smaller SIMCUDA_MEMORY\n",
                 config().devices, exact_bytes(config().memory).c_str());
    return outcome = CUDA_ERROR_OUT_OF_MEMORY;
  }
  start_life();
  return outcome = CUDA_SUCCESS;
}

int attribute(CUdevice_attribute wanted, CUdevice device) {
  switch (wanted) {
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR:
      return 9;
    case CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK:
    case CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_X:
    case CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Y:
      return 1024;
    case CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Z:
      return 64;
    case CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X:
      return 2147483647;
    case CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Y:
    case CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Z:
      return 65535;
    case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK:
      return 49152;
    case CU_DEVICE_ATTRIBUTE_TOTAL_CONSTANT_MEMORY:
    case CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_BLOCK:
    case CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_MULTIPROCESSOR:
      return 65536;
    case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN:
      return 227 << 10;
    case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR:
      return 228 << 10;
    case CU_DEVICE_ATTRIBUTE_RESERVED_SHARED_MEMORY_PER_BLOCK:
      return 1 << 10;
    case CU_DEVICE_ATTRIBUTE_MAX_BLOCKS_PER_MULTIPROCESSOR:
    case CU_DEVICE_ATTRIBUTE_WARP_SIZE:
      return 32;
    case CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT:
      return 132;
    case CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR:
      return 2048;
    case CU_DEVICE_ATTRIBUTE_TEXTURE_ALIGNMENT:
      return 512;
    case CU_DEVICE_ATTRIBUTE_TEXTURE_PITCH_ALIGNMENT:
      return 32;
    case CU_DEVICE_ATTRIBUTE_MAX_PITCH:
      return 2147483647;
    case CU_DEVICE_ATTRIBUTE_PCI_BUS_ID:
      return device + 1;
    case CU_DEVICE_ATTRIBUTE_ASYNC_ENGINE_COUNT:
      return 2;
    case CU_DEVICE_ATTRIBUTE_GPU_OVERLAP:
    case CU_DEVICE_ATTRIBUTE_CAN_MAP_HOST_MEMORY:
    case CU_DEVICE_ATTRIBUTE_CONCURRENT_KERNELS:
    case CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING:
    case CU_DEVICE_ATTRIBUTE_STREAM_PRIORITIES_SUPPORTED:
    case CU_DEVICE_ATTRIBUTE_MANAGED_MEMORY:
    case CU_DEVICE_ATTRIBUTE_CONCURRENT_MANAGED_ACCESS:
    case CU_DEVICE_ATTRIBUTE_COMPUTE_PREEMPTION_SUPPORTED:
    case CU_DEVICE_ATTRIBUTE_CAN_USE_HOST_POINTER_FOR_REGISTERED_MEM:
    case CU_DEVICE_ATTRIBUTE_VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED:
    case CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED:
    case CU_DEVICE_ATTRIBUTE_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR_SUPPORTED:
      return 1;
    case CU_DEVICE_ATTRIBUTE_MEMPOOL_SUPPORTED_HANDLE_TYPES:
      return CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR;
    default:
      return 0;
  }
}

}  // namespace
}  // namespace gmlake::simcuda

using namespace gmlake::simcuda;

CUresult cuInit(unsigned flags) {
  const CUresult done = initialise();
  SIM_ENTER_EARLY();  // after the configuration is known, so that faults of cuInit itself count
  return flags != 0 ? CUDA_ERROR_INVALID_VALUE : done;
}
CUresult cuDriverGetVersion(int* version) {
  SIM_ENTER_EARLY();
  if (version == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *version = kDriverVersion;
  return CUDA_SUCCESS;
}
CUresult cuDeviceGetCount(int* count) {
  SIM_ENTER();
  if (count == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *count = static_cast<int>(config().devices);
  return CUDA_SUCCESS;
}
CUresult cuDeviceGet(CUdevice* device, int ordinal) {
  SIM_ENTER();
  if (device == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (const CUresult bad = check_device(ordinal)) return bad;
  *device = ordinal;
  return CUDA_SUCCESS;
}
CUresult cuDeviceTotalMem_v2(size_t* bytes, CUdevice device) {
  SIM_ENTER();
  if (bytes == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (const CUresult bad = check_device(device)) return bad;
  *bytes = config().memory;
  return CUDA_SUCCESS;
}
CUresult cuDeviceGetAttribute(int* value, CUdevice_attribute wanted, CUdevice device) {
  SIM_ENTER();
  if (value == nullptr || wanted < CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK ||
      wanted >= CU_DEVICE_ATTRIBUTE_MAX)
    return CUDA_ERROR_INVALID_VALUE;
  if (const CUresult bad = check_device(device)) return bad;
  *value = attribute(wanted, device);
  return CUDA_SUCCESS;
}
CUresult cuDeviceComputeCapability(int* major, int* minor, CUdevice device) {
  SIM_ENTER();
  if (major == nullptr || minor == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (const CUresult bad = check_device(device)) return bad;
  *major = attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, device);
  *minor = attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, device);
  return CUDA_SUCCESS;
}
CUresult cuDeviceGetProperties(CUdevprop* result, CUdevice device) {
  SIM_ENTER();
  if (result == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (const CUresult bad = check_device(device)) return bad;
  const auto get = [device](int wanted) {
    return attribute(static_cast<CUdevice_attribute>(wanted), device);
  };
  *result = {};
  result->maxThreadsPerBlock = get(CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK);
  for (int i = 0; i < 3; ++i) {
    result->maxThreadsDim[i] = get(CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_X + i);
    result->maxGridSize[i] = get(CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X + i);
  }
  result->sharedMemPerBlock = get(CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK);
  result->totalConstantMemory = get(CU_DEVICE_ATTRIBUTE_TOTAL_CONSTANT_MEMORY);
  result->SIMDWidth = get(CU_DEVICE_ATTRIBUTE_WARP_SIZE);
  result->memPitch = get(CU_DEVICE_ATTRIBUTE_MAX_PITCH);
  result->regsPerBlock = get(CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_BLOCK);
  result->clockRate = get(CU_DEVICE_ATTRIBUTE_CLOCK_RATE);
  result->textureAlign = get(CU_DEVICE_ATTRIBUTE_TEXTURE_ALIGNMENT);
  return CUDA_SUCCESS;
}
