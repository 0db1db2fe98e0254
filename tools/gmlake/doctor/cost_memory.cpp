// Times of the memory calls: a range of handles made and unmade, and the driver's own allocators.
#include <cstdint>

#include "doctor/costs.h"

// Leaves the function with an error that names the call, if it fails.
#define TRY(name, expression)                                                                 \
  do {                                                                                        \
    if (const CUresult code_ = (expression); code_ != CUDA_SUCCESS) return fail(code_, name); \
  } while (false)
// The same, timed.
#define TIME(samples, name, expression) TRY(name, (samples).time(name, [&] { return expression; }))

namespace gmlake::tool::doctor {

Status time_range(const Driver& driver, Bytes handle_bytes, std::size_t handles, int rounds,
                  Samples& samples) {
  const auto& cuda = driver.table;
  CUmemAllocationProp properties{};
  properties.type = CU_MEM_ALLOCATION_TYPE_PINNED;
  properties.location.type = CU_MEM_LOCATION_TYPE_DEVICE;
  CUmemAccessDesc access{};
  access.location = properties.location;
  access.flags = CU_MEM_ACCESS_FLAGS_PROT_READWRITE;
  const Bytes whole = handle_bytes * handles;
  std::vector<CUmemGenericAllocationHandle> list(handles);
  CUdeviceptr at = 0;
  const auto each = [&](const char* name, auto call) -> Status {
    for (std::size_t i = 0; i < handles; ++i)
      TIME(samples, name, call(at + i * handle_bytes, list[i]));
    return {};
  };
  const auto map = [&](CUdeviceptr to, CUmemGenericAllocationHandle handle) {
    return cuda.cuMemMap_(to, handle_bytes, 0, handle, 0);
  };
  using Handle = CUmemGenericAllocationHandle;
  for (int round = 0; round < rounds; ++round) {
    TIME(samples, "cuMemAddressReserve", cuda.cuMemAddressReserve_(&at, whole, 0, 0, 0));
    // A failure leaves what there is to the end of the process: the measurement ends with it.
    const Status steps[] = {
        each("cuMemCreate",
             [&](CUdeviceptr, Handle& made) {
               return cuda.cuMemCreate_(&made, handle_bytes, &properties, 0);
             }),
        each("cuMemMap", map),
        each("cuMemSetAccess, each handle",
             [&](CUdeviceptr to, Handle) {
               return cuda.cuMemSetAccess_(to, handle_bytes, &access, 1);
             }),
        each("cuMemUnmap, each handle",
             [&](CUdeviceptr to, Handle) { return cuda.cuMemUnmap_(to, handle_bytes); }),
        each("cuMemMap, again", map)};
    for (const Status& step : steps)
      if (!step) return step;
    TIME(samples, "cuMemSetAccess, whole range", cuda.cuMemSetAccess_(at, whole, &access, 1));
    TIME(samples, "cuMemUnmap, whole range", cuda.cuMemUnmap_(at, whole));
    if (const Status status = each(
            "cuMemRelease", [&](CUdeviceptr, Handle handle) { return cuda.cuMemRelease_(handle); });
        !status)
      return status;
    TIME(samples, "cuMemAddressFree", cuda.cuMemAddressFree_(at, whole));
  }
  return {};
}

Status time_native(const Driver& driver, Bytes bytes, int rounds, Samples& samples) {
  CUdeviceptr at = 0;
  for (int i = 0; i < rounds; ++i) {
    TIME(samples, "cuMemAlloc", driver.cuMemAlloc_v2_(&at, bytes));
    TIME(samples, "cuMemFree", driver.cuMemFree_v2_(at));
  }
  if (!driver.cuDeviceGetDefaultMemPool_ || !driver.cuMemPoolSetAttribute_ ||
      !driver.cuMemPoolTrimTo_)
    return {};
  CUstream stream = nullptr;
  CUmemoryPool pool = nullptr;
  CUdevice device = 0;
  TRY("cuCtxGetDevice", driver.table.cuCtxGetDevice_(&device));
  TRY("cuDeviceGetDefaultMemPool", driver.cuDeviceGetDefaultMemPool_(&pool, device));
  TRY("cuStreamCreate", driver.cuStreamCreate_(&stream, CU_STREAM_NON_BLOCKING));
  for (int i = 0; i < rounds; ++i) {  // each finds an empty pool
    TIME(samples, "cuMemAllocAsync, miss", driver.cuMemAllocAsync_(&at, bytes, stream));
    TIME(samples, "cuMemFreeAsync, miss", driver.cuMemFreeAsync_(at, stream));
    TRY("cuStreamSynchronize", driver.cuStreamSynchronize_(stream));
    TRY("cuMemPoolTrimTo", driver.cuMemPoolTrimTo_(pool, 0));
  }
  std::uint64_t keep = UINT64_MAX;
  TRY("cuMemPoolSetAttribute",
      driver.cuMemPoolSetAttribute_(pool, CU_MEMPOOL_ATTR_RELEASE_THRESHOLD, &keep));
  for (int i = -1; i < 10 * rounds; ++i) {
    Samples unused;
    Samples& into = i < 0 ? unused : samples;  // the first fills the pool
    TIME(into, "cuMemAllocAsync, hit", driver.cuMemAllocAsync_(&at, bytes, stream));
    TIME(into, "cuMemFreeAsync, hit", driver.cuMemFreeAsync_(at, stream));
  }
  keep = 0;
  TRY("cuMemPoolSetAttribute",
      driver.cuMemPoolSetAttribute_(pool, CU_MEMPOOL_ATTR_RELEASE_THRESHOLD, &keep));
  TRY("cuStreamSynchronize", driver.cuStreamSynchronize_(stream));
  TRY("cuMemPoolTrimTo", driver.cuMemPoolTrimTo_(pool, 0));
  TRY("cuStreamDestroy", driver.cuStreamDestroy_v2_(stream));
  return {};
}

}  // namespace gmlake::tool::doctor
