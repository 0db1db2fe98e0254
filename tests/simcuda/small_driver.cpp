// A libcuda.so.1 with next to nothing in it: what a runtime does when its driver lacks functions.
// SMALL_DRIVER_VERSION is the version it says it has.
#include <cstdlib>
#include <cstring>

#include "driver/cuda_api.h"

namespace {

CUresult init(unsigned) {
  return CUDA_SUCCESS;
}
CUresult version(int* version) {
  const char* wanted = std::getenv("SMALL_DRIVER_VERSION");
  *version = wanted != nullptr ? std::atoi(wanted) : CUDA_VERSION;
  return CUDA_SUCCESS;
}
CUresult device_count(int* count) {
  *count = 3;
  return CUDA_SUCCESS;
}

}  // namespace

CUresult cuGetProcAddress_v2(const char* symbol, void** function, int, cuuint64_t,
                             CUdriverProcAddressQueryResult* status) {
  *function = std::strcmp(symbol, "cuInit") == 0               ? reinterpret_cast<void*>(&init)
              : std::strcmp(symbol, "cuDriverGetVersion") == 0 ? reinterpret_cast<void*>(&version)
              : std::strcmp(symbol, "cuDeviceGetCount") == 0
                  ? reinterpret_cast<void*>(&device_count)
                  : nullptr;
  *status =
      *function != nullptr ? CU_GET_PROC_ADDRESS_SUCCESS : CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND;
  return CUDA_SUCCESS;
}
