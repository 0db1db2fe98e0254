// Versions, which device a thread uses, and what is asked of a device or of its context.
#include "runtime.h"

using namespace gmlake::simcudart;

cudaError_t cudaRuntimeGetVersion(int* version) {
  if (version == nullptr) return remember(cudaErrorInvalidValue);
  *version = runtime_version;
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
  choose_device(device);
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
cudaError_t cudaDeviceGetByPCIBusId(int* device, const char* id) {
  RT_ANY(driver->cuDeviceGetByPCIBusId(device, id));
}
cudaError_t cudaDeviceGetLimit(size_t* value, cudaLimit limit) {
  RT(driver->cuCtxGetLimit(value, like(limit)));
}
cudaError_t cudaDeviceSetLimit(cudaLimit limit, size_t value) {
  RT(driver->cuCtxSetLimit(like(limit), value));
}
cudaError_t cudaDeviceGetCacheConfig(cudaFuncCache* configuration) {
  RT(driver->cuCtxGetCacheConfig(like(configuration)));
}
cudaError_t cudaDeviceSetCacheConfig(cudaFuncCache configuration) {
  RT(driver->cuCtxSetCacheConfig(like(configuration)));
}
cudaError_t cudaCtxResetPersistingL2Cache() {
  RT(driver->cuCtxResetPersistingL2Cache());
}
cudaError_t cudaDeviceFlushGPUDirectRDMAWrites(cudaFlushGPUDirectRDMAWritesTarget target,
                                               cudaFlushGPUDirectRDMAWritesScope scope) {
  RT(driver->cuFlushGPUDirectRDMAWrites(like(target), like(scope)));
}
