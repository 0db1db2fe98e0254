// Driver functions handed out by name.
#include "runtime.h"

using namespace gmlake::simcudart;

namespace {

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

// The driver's own current version, as the real runtime asks for it: that of this runtime.
cudaError_t cudaGetDriverEntryPoint(const char* symbol, void** function, unsigned long long flags,
                                    cudaDriverEntryPointQueryResult* status) {
  return remember(entry_point(symbol, function, runtime_version, flags, status, false));
}
cudaError_t cudaGetDriverEntryPointByVersion(const char* symbol, void** function, unsigned version,
                                             unsigned long long flags,
                                             cudaDriverEntryPointQueryResult* status) {
  return remember(entry_point(symbol, function, version, flags, status, false));
}
extern "C" {
SIMCUDART_API cudaError_t cudaGetDriverEntryPoint_ptsz(const char* symbol, void** function,
                                                       unsigned long long flags,
                                                       cudaDriverEntryPointQueryResult* status) {
  return remember(entry_point(symbol, function, runtime_version, flags, status, true));
}
SIMCUDART_API cudaError_t cudaGetDriverEntryPointByVersion_ptsz(
    const char* symbol, void** function, unsigned version, unsigned long long flags,
    cudaDriverEntryPointQueryResult* status) {
  return remember(entry_point(symbol, function, version, flags, status, true));
}
}
cudaError_t cudaGetExportTable(const void** table, const cudaUUID_t* id) {
  RT_ANY(driver->cuGetExportTable(table, like(id)));
}
