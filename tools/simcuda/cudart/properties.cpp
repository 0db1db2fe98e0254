// cudaGetDeviceProperties, and the choice of a device by its properties.
#include <cstring>

#include "runtime.h"

using namespace gmlake::simcudart;

namespace {

CUresult get_properties(const Driver& driver, cudaDeviceProp& properties, int device) {
  std::memset(&properties, 0, sizeof properties);
  if (const CUresult bad = driver.cuDeviceGetName(properties.name, sizeof properties.name, device))
    return bad;
  driver.cuDeviceTotalMem_v2(&properties.totalGlobalMem, device);
  driver.cuDeviceGetUuid(like(&properties.uuid), device);
#define P(field, attribute)                                                                \
  {                                                                                        \
    int value = 0;                                                                         \
    if (driver.cuDeviceGetAttribute(&value, CU_DEVICE_ATTRIBUTE_##attribute, device) == 0) \
      properties.field = static_cast<decltype(properties.field + 0)>(value);               \
  }
#include "properties.def"
  return CUDA_SUCCESS;
}

// How many of the wishes a device fulfils; a wish is a field that is not zero.
int fulfilled(const cudaDeviceProp& has, const cudaDeviceProp& wanted) {
  const auto version = [](const cudaDeviceProp& device) {
    return device.major * 100 + device.minor;
  };
  int count = 0;
  count += wanted.name[0] == 0 || std::strncmp(has.name, wanted.name, sizeof has.name) == 0;
  count += version(has) >= version(wanted);
  count += has.totalGlobalMem >= wanted.totalGlobalMem;
  count += has.multiProcessorCount >= wanted.multiProcessorCount;
  count += has.sharedMemPerBlock >= wanted.sharedMemPerBlock;
  return count;
}

CUresult choose(const Driver& driver, int* device, const cudaDeviceProp* wanted) {
  int count = 0;
  if (device == nullptr || wanted == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (const CUresult bad = driver.cuDeviceGetCount(&count)) return bad;
  if (count == 0) return CUDA_ERROR_NO_DEVICE;
  int best = -1;
  for (int candidate = 0; candidate < count; ++candidate) {
    cudaDeviceProp properties;
    if (const CUresult bad = get_properties(driver, properties, candidate)) return bad;
    const int score = fulfilled(properties, *wanted);
    if (score > best) *device = candidate;
    best = score > best ? score : best;
  }
  return CUDA_SUCCESS;
}

}  // namespace

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  RT_ANY(properties == nullptr ? CUDA_ERROR_INVALID_VALUE
                               : get_properties(*driver, *properties, device));
}
cudaError_t cudaChooseDevice(int* device, const cudaDeviceProp* wanted) {
  RT_ANY(choose(*driver, device, wanted));
}
