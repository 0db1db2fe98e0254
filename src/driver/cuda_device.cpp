#include "driver/cuda_device.h"

#include <utility>

#include "driver/current_context.h"

namespace gmlake::driver {
namespace {

using stats::DriverCall;

// What the call's failure is a lack of.
Status status(CUresult result, const char* what, ErrorKind kind = ErrorKind::other) {
  if (result == CUDA_SUCCESS) return {};
  return fail(result, what, kind);
}

}  // namespace

CudaDevice::CudaDevice(const DriverTable& table, int ordinal) : driver_(table) {
  properties_.type = CU_MEM_ALLOCATION_TYPE_PINNED;
  properties_.location.type = CU_MEM_LOCATION_TYPE_DEVICE;
  properties_.location.id = ordinal;
  access_.location = properties_.location;
  access_.flags = CU_MEM_ACCESS_FLAGS_PROT_READWRITE;
}

Result<std::unique_ptr<CudaDevice>> CudaDevice::open(const DriverTable& table, int ordinal) {
  std::unique_ptr<CudaDevice> device(new CudaDevice(table, ordinal));
  if (const auto ready = device->prepare(); !ready) return fail(ready.error());
  return device;
}

Status CudaDevice::prepare() {
  CUdevice handle = 0;
  if (const auto found = driver_.cuDeviceGet_(&handle, properties_.location.id))
    return fail(found, "cuDeviceGet");
  auto has = [&](CUdevice_attribute attribute) {
    int value = 0;
    return driver_.cuDeviceGetAttribute_(&value, attribute, handle) == CUDA_SUCCESS && value != 0;
  };
  if (!has(CU_DEVICE_ATTRIBUTE_VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED))
    return fail(CUDA_ERROR_NOT_SUPPORTED, "the device has no virtual memory management",
                ErrorKind::unsupported);
  // cuda.h, CUmemAllocationProp: memory from cuMemAlloc has these without asking, memory from
  // cuMemCreate does not.
  if (has(CU_DEVICE_ATTRIBUTE_GPU_DIRECT_RDMA_WITH_CUDA_VMM_SUPPORTED))
    properties_.allocFlags.gpuDirectRDMACapable = 1;
  int decompress = 0;
  if (driver_.cuDeviceGetAttribute_(&decompress, CU_DEVICE_ATTRIBUTE_MEM_DECOMPRESS_ALGORITHM_MASK,
                                    handle) == CUDA_SUCCESS &&
      decompress != 0)
    properties_.allocFlags.usage |= CU_MEM_CREATE_USAGE_HW_DECOMPRESS;

  // So that it can be shared with other processes. A handle that is not costs the same (measured).
  if (has(CU_DEVICE_ATTRIBUTE_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR_SUPPORTED))
    properties_.requestedHandleTypes = CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR;

  std::size_t granularity = 0;
  if (const auto asked = driver_.cuMemGetAllocationGranularity_(&granularity, &properties_,
                                                                CU_MEM_ALLOC_GRANULARITY_MINIMUM))
    return fail(asked, "cuMemGetAllocationGranularity");
  granularity_ = granularity;
  return {};
}

Result<Address> CudaDevice::reserve(Bytes size) {
  CUdeviceptr at = 0;
  if (const auto result = call(DriverCall::cuMemAddressReserve, driver_.cuMemAddressReserve_, &at,
                               std::size_t{size}, std::size_t{0}, CUdeviceptr{0}, 0ULL))
    return fail(result, "cuMemAddressReserve", ErrorKind::mappings);
  return at;
}
Status CudaDevice::free_reservation(Address at, Bytes size) {
  return status(call(DriverCall::cuMemAddressFree, driver_.cuMemAddressFree_, CUdeviceptr{at},
                     std::size_t{size}),
                "cuMemAddressFree", ErrorKind::mappings);
}
Result<Handle> CudaDevice::create(Bytes size) {
  CUmemGenericAllocationHandle handle = 0;
  if (const auto result = call(DriverCall::cuMemCreate, driver_.cuMemCreate_, &handle,
                               std::size_t{size}, &properties_, 0ULL))
    return fail(result, "cuMemCreate", ErrorKind::memory);
  return handle;
}
Status CudaDevice::release(Handle handle) {
  return status(call(DriverCall::cuMemRelease, driver_.cuMemRelease_, handle), "cuMemRelease");
}
Status CudaDevice::map(Address at, Bytes size, Handle handle) {
  return status(call(DriverCall::cuMemMap, driver_.cuMemMap_, CUdeviceptr{at}, std::size_t{size},
                     std::size_t{0}, handle, 0ULL),
                "cuMemMap", ErrorKind::mappings);
}
Status CudaDevice::unmap(Address at, Bytes size) {
  return status(
      call(DriverCall::cuMemUnmap, driver_.cuMemUnmap_, CUdeviceptr{at}, std::size_t{size}),
      "cuMemUnmap", ErrorKind::mappings);
}
Status CudaDevice::set_access(Address at, Bytes size) {
  return status(call(DriverCall::cuMemSetAccess, driver_.cuMemSetAccess_, CUdeviceptr{at},
                     std::size_t{size}, &access_, std::size_t{1}),
                "cuMemSetAccess", ErrorKind::mappings);
}
Status CudaDevice::set_peer_access(Address at, Bytes size, int device, bool may) {
  CUmemAccessDesc access{};
  access.location = {CU_MEM_LOCATION_TYPE_DEVICE, device};
  access.flags = may ? CU_MEM_ACCESS_FLAGS_PROT_READWRITE : CU_MEM_ACCESS_FLAGS_PROT_NONE;
  const auto result = call(DriverCall::cuMemSetAccess, driver_.cuMemSetAccess_, CUdeviceptr{at},
                           std::size_t{size}, &std::as_const(access), std::size_t{1});
  int can = 0;
  const bool peers =
      result == CUDA_SUCCESS || !driver_.cuDeviceCanAccessPeer_ ||
      (driver_.cuDeviceCanAccessPeer_(&can, device, properties_.location.id) == CUDA_SUCCESS &&
       can != 0);
  return status(result, "cuMemSetAccess", peers ? ErrorKind::mappings : ErrorKind::unsupported);
}
// The driver answers for the current context's device. A context is not made for a question.
Result<MemoryInfo> CudaDevice::memory_info() {
  const int ordinal = properties_.location.id;
  CUdevice device = 0;
  if (driver_.cuCtxGetDevice_(&device) == CUDA_SUCCESS && device == ordinal) return ask_memory();
  unsigned flags = 0;
  int active = 0;
  CUcontext own = nullptr;
  if (driver_.cuDevicePrimaryCtxGetState_(ordinal, &flags, &active) != CUDA_SUCCESS || active == 0)
    return fail(CUDA_ERROR_INVALID_CONTEXT, "cuMemGetInfo");
  if (const auto retained = driver_.cuDevicePrimaryCtxRetain_(&own, ordinal))
    return fail(retained, "cuDevicePrimaryCtxRetain");
  auto info = [&]() -> Result<MemoryInfo> {
    const CurrentContext current(driver_, own);
    if (const auto pushed = current.result()) return fail(pushed, "cuCtxPushCurrent");
    return ask_memory();
  }();
  (void)driver_.cuDevicePrimaryCtxRelease_v2_(ordinal);
  return info;
}
Result<MemoryInfo> CudaDevice::ask_memory() {
  std::size_t free = 0;
  std::size_t total = 0;
  if (const auto result =
          call(DriverCall::cuMemGetInfo_v2, driver_.cuMemGetInfo_v2_, &free, &total))
    return fail(result, "cuMemGetInfo");
  return MemoryInfo{free, total};
}

Result<Event> CudaDevice::create_event(Context context) {
  const CurrentContext current(driver_, static_cast<CUcontext>(context));
  if (const auto pushed = current.result()) return fail(pushed, "cuCtxPushCurrent");
  CUevent event = nullptr;
  if (const auto result = call(DriverCall::cuEventCreate, driver_.cuEventCreate_, &event,
                               unsigned{CU_EVENT_DISABLE_TIMING}))
    return fail(result, "cuEventCreate");
  return event;
}
Status CudaDevice::destroy_event(Event event) {
  return status(
      call(DriverCall::cuEventDestroy_v2, driver_.cuEventDestroy_v2_, static_cast<CUevent>(event)),
      "cuEventDestroy");
}
Status CudaDevice::record_event(Event event, Context context, Stream stream) {
  const CurrentContext current(driver_, static_cast<CUcontext>(context));
  if (const auto pushed = current.result()) return fail(pushed, "cuCtxPushCurrent");
  return status(call(DriverCall::cuEventRecord, driver_.cuEventRecord_, static_cast<CUevent>(event),
                     static_cast<CUstream>(stream)),
                "cuEventRecord");
}
Status CudaDevice::record_context(Event event, Context context, bool) {
  if (!driver_.cuCtxRecordEvent_)
    return fail(CUDA_ERROR_NOT_SUPPORTED, "cuCtxRecordEvent", ErrorKind::unsupported);
  const auto result = call(DriverCall::cuCtxRecordEvent, driver_.cuCtxRecordEvent_,
                           static_cast<CUcontext>(context), static_cast<CUevent>(event));
  return status(result, "cuCtxRecordEvent",
                result == CUDA_ERROR_NOT_SUPPORTED ? ErrorKind::unsupported : ErrorKind::other);
}
Result<bool> CudaDevice::query(Event event) {
  const auto result =
      call(DriverCall::cuEventQuery, driver_.cuEventQuery_, static_cast<CUevent>(event));
  if (result != CUDA_SUCCESS && result != CUDA_ERROR_NOT_READY) return fail(result, "cuEventQuery");
  return result == CUDA_SUCCESS;
}
Status CudaDevice::make_wait(Stream stream, Context context, Event event) {
  const CurrentContext current(driver_, static_cast<CUcontext>(context));
  if (const auto pushed = current.result()) return fail(pushed, "cuCtxPushCurrent");
  return status(call(DriverCall::cuStreamWaitEvent, driver_.cuStreamWaitEvent_,
                     static_cast<CUstream>(stream), static_cast<CUevent>(event), 0U),
                "cuStreamWaitEvent");
}
Status CudaDevice::wait(Event event) {
  return status(call(DriverCall::cuEventSynchronize, driver_.cuEventSynchronize_,
                     static_cast<CUevent>(event)),
                "cuEventSynchronize");
}
Status CudaDevice::wait_context(Context context) {
  const CurrentContext current(driver_, static_cast<CUcontext>(context));
  if (const auto pushed = current.result()) return fail(pushed, "cuCtxPushCurrent");
  return status(call(DriverCall::cuCtxSynchronize, driver_.cuCtxSynchronize_), "cuCtxSynchronize");
}

void CudaDevice::count_in(Tallies& where) {
  stats::DriverCallCount so_far[stats::kDriverCalls];
  count(so_far);
  for (unsigned i = 0; i < stats::kDriverCalls; ++i) {
    where[i].calls = so_far[i].calls;
    where[i].nanoseconds = so_far[i].nanoseconds;
    where[i].failures = so_far[i].failures;
  }
  counts_ = &where;
}

void CudaDevice::count(stats::DriverCallCount (&out)[stats::kDriverCalls]) const {
  for (unsigned i = 0; i < stats::kDriverCalls; ++i)
    out[i] = {(*counts_)[i].calls.load(std::memory_order_relaxed),
              (*counts_)[i].nanoseconds.load(std::memory_order_relaxed),
              (*counts_)[i].failures.load(std::memory_order_relaxed)};
}

}  // namespace gmlake::driver
