// cudaDevice*, versions and entry points.
#include <cstring>

#include "runtime.h"

using namespace gmlake::simcudart;

cudaError_t cudaRuntimeGetVersion(int* version) {
  if (version == nullptr) return remember(cudaErrorInvalidValue);
  *version = CUDART_VERSION;
  return cudaSuccess;
}
cudaError_t cudaDriverGetVersion(int* version) {
  RT_ANY(driver->cuDriverGetVersion(version));
}
cudaError_t cudaGetDeviceCount(int* count) {
  RT_ANY(driver->cuDeviceGetCount(count));
}
cudaError_t cudaGetDevice(int* device) {
  if (device == nullptr) return remember(cudaErrorInvalidValue);
  const Driver* driver = nullptr;
  if (const cudaError_t failed = find_driver(driver)) return remember(failed);
  CUdevice current = 0;
  *device = driver->cuCtxGetDevice(&current) == CUDA_SUCCESS ? current : chosen_device();
  return cudaSuccess;
}
cudaError_t cudaSetDevice(int device) {
  const Driver* driver = nullptr;
  if (const cudaError_t failed = find_driver(driver)) return remember(failed);
  int count = 0;
  driver->cuDeviceGetCount(&count);
  if (device < 0 || device >= count) return remember(cudaErrorInvalidDevice);
  chosen_device() = device;
  return remember(bind_primary(*driver, device));  // since CUDA 12 this makes the context at once
}
cudaError_t cudaDeviceSynchronize() {
  RT(driver->cuCtxSynchronize());
}
cudaError_t cudaDeviceReset() {
  RT(static_cast<CUresult>(reset_primary(*driver, chosen_device())));
}
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device) {
  // Both enumerations have the same numbers.
  RT_ANY(driver->cuDeviceGetAttribute(value, static_cast<CUdevice_attribute>(attribute), device));
}
cudaError_t cudaDeviceGetPCIBusId(char* id, int length, int device) {
  RT_ANY(driver->cuDeviceGetPCIBusId(id, length, device));
}
cudaError_t cudaDeviceGetStreamPriorityRange(int* least, int* greatest) {
  RT(driver->cuCtxGetStreamPriorityRange(least, greatest));
}
cudaError_t cudaDeviceCanAccessPeer(int* can, int device, int peer) {
  RT_ANY(driver->cuDeviceCanAccessPeer(can, device, peer));
}

namespace {

CUresult with_peer(const Driver& driver, int peer, CUresult (*call)(const Driver&, CUcontext)) {
  CUcontext context = nullptr;
  if (const CUresult bad = driver.cuDevicePrimaryCtxRetain(&context, peer)) return bad;
  return call(driver, context);
}

cudaError_t get_properties(const Driver& driver, cudaDeviceProp& properties, int device) {
  std::memset(&properties, 0, sizeof properties);
  if (const CUresult bad = driver.cuDeviceGetName(properties.name, sizeof properties.name, device))
    return from(bad);
  driver.cuDeviceTotalMem_v2(&properties.totalGlobalMem, device);
  driver.cuDeviceGetUuid(reinterpret_cast<CUuuid*>(&properties.uuid), device);
  const auto value = [&](CUdevice_attribute attribute) {
    int number = 0;
    driver.cuDeviceGetAttribute(&number, attribute, device);
    return number;
  };
  const auto size = [&](CUdevice_attribute attribute) {
    return static_cast<size_t>(value(attribute));
  };
  properties.major = value(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR);
  properties.minor = value(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
  properties.multiProcessorCount = value(CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);
  properties.warpSize = value(CU_DEVICE_ATTRIBUTE_WARP_SIZE);
  properties.maxThreadsPerBlock = value(CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK);
  properties.maxThreadsPerMultiProcessor =
      value(CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR);
  properties.maxThreadsDim[0] = value(CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_X);
  properties.maxThreadsDim[1] = value(CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Y);
  properties.maxThreadsDim[2] = value(CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Z);
  properties.maxGridSize[0] = value(CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X);
  properties.maxGridSize[1] = value(CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Y);
  properties.maxGridSize[2] = value(CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Z);
  properties.regsPerBlock = value(CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_BLOCK);
  properties.sharedMemPerBlock = size(CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK);
  properties.totalConstMem = size(CU_DEVICE_ATTRIBUTE_TOTAL_CONSTANT_MEMORY);
  properties.memPitch = size(CU_DEVICE_ATTRIBUTE_MAX_PITCH);
  properties.textureAlignment = size(CU_DEVICE_ATTRIBUTE_TEXTURE_ALIGNMENT);
  properties.texturePitchAlignment = size(CU_DEVICE_ATTRIBUTE_TEXTURE_PITCH_ALIGNMENT);
  properties.unifiedAddressing = value(CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING);
  properties.managedMemory = value(CU_DEVICE_ATTRIBUTE_MANAGED_MEMORY);
  properties.concurrentManagedAccess = value(CU_DEVICE_ATTRIBUTE_CONCURRENT_MANAGED_ACCESS);
  properties.concurrentKernels = value(CU_DEVICE_ATTRIBUTE_CONCURRENT_KERNELS);
  properties.asyncEngineCount = value(CU_DEVICE_ATTRIBUTE_ASYNC_ENGINE_COUNT);
  properties.canMapHostMemory = value(CU_DEVICE_ATTRIBUTE_CAN_MAP_HOST_MEMORY);
  properties.streamPrioritiesSupported = value(CU_DEVICE_ATTRIBUTE_STREAM_PRIORITIES_SUPPORTED);
  properties.memoryPoolsSupported = value(CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED);
  properties.pciBusID = value(CU_DEVICE_ATTRIBUTE_PCI_BUS_ID);
  return cudaSuccess;
}

cudaError_t entry_point(const char* symbol, void** function, unsigned version,
                        unsigned long long flags, cudaDriverEntryPointQueryResult* status,
                        bool per_thread) {
  const Driver* driver = nullptr;
  if (const cudaError_t failed = find_driver(driver)) return failed;
  if (symbol == nullptr || function == nullptr) return cudaErrorInvalidValue;
  if (per_thread && flags == cudaEnableDefault) flags = cudaEnablePerThreadDefaultStream;
  CUdriverProcAddressQueryResult found{};
  const CUresult result =
      driver->cuGetProcAddress_v2(symbol, function, static_cast<int>(version), flags, &found);
  // cuda_runtime_api.h: an unknown symbol is not an error, `status` tells.
  if (result != CUDA_SUCCESS && result != CUDA_ERROR_NOT_FOUND) return from(result);
  if (status != nullptr) *status = static_cast<cudaDriverEntryPointQueryResult>(found);
  return cudaSuccess;
}

}  // namespace

cudaError_t cudaDeviceEnablePeerAccess(int peer, unsigned flags) {
  if (flags != 0) return remember(cudaErrorInvalidValue);
  RT(with_peer(*driver, peer, [](const Driver& d, CUcontext context) {
    return d.cuCtxEnablePeerAccess(context, 0);
  }));
}
cudaError_t cudaDeviceDisablePeerAccess(int peer) {
  RT(with_peer(*driver, peer, [](const Driver& d, CUcontext context) {
    return d.cuCtxDisablePeerAccess(context);
  }));
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  const Driver* driver = nullptr;
  if (const cudaError_t failed = find_driver(driver)) return remember(failed);
  if (properties == nullptr) return remember(cudaErrorInvalidValue);
  return remember(get_properties(*driver, *properties, device));
}

// The driver's own current version, as the real runtime asks for it: that of this runtime.
cudaError_t cudaGetDriverEntryPoint(const char* symbol, void** function, unsigned long long flags,
                                    cudaDriverEntryPointQueryResult* status) {
  return remember(entry_point(symbol, function, CUDART_VERSION, flags, status, false));
}
cudaError_t cudaGetDriverEntryPointByVersion(const char* symbol, void** function, unsigned version,
                                             unsigned long long flags,
                                             cudaDriverEntryPointQueryResult* status) {
  return remember(entry_point(symbol, function, version, flags, status, false));
}
extern "C" {
__attribute__((visibility("default"))) cudaError_t cudaGetDriverEntryPoint_ptsz(
    const char* symbol, void** function, unsigned long long flags,
    cudaDriverEntryPointQueryResult* status) {
  return remember(entry_point(symbol, function, CUDART_VERSION, flags, status, true));
}
__attribute__((visibility("default"))) cudaError_t cudaGetDriverEntryPointByVersion_ptsz(
    const char* symbol, void** function, unsigned version, unsigned long long flags,
    cudaDriverEntryPointQueryResult* status) {
  return remember(entry_point(symbol, function, version, flags, status, true));
}
}
