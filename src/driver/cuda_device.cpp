#include "driver/cuda_device.h"

#include <chrono>

#include "driver/current_context.h"

namespace gmlake::driver {
namespace {

using stats::DriverCall;

Status status(CUresult result, const char* what) {
  if (result == CUDA_SUCCESS) return {};
  return fail(result, what);
}

}  // namespace

template <typename Function, typename... Args>
CUresult CudaDevice::call(DriverCall which, Function function, Args... args) {
  const auto start = std::chrono::steady_clock::now();
  const CUresult result = function(args...);
  const auto spent = std::chrono::steady_clock::now() - start;
  auto& count = counts_[static_cast<unsigned>(which)];
  count.calls.fetch_add(1, std::memory_order_relaxed);
  count.nanoseconds.fetch_add(
      static_cast<std::uint64_t>(
          std::chrono::duration_cast<std::chrono::nanoseconds>(spent).count()),
      std::memory_order_relaxed);
  if (result != CUDA_SUCCESS && result != CUDA_ERROR_NOT_READY)
    count.failures.fetch_add(1, std::memory_order_relaxed);
  return result;
}

CudaDevice::CudaDevice(const DriverTable& table, int ordinal) : driver_(table) {
  properties_.type = CU_MEM_ALLOCATION_TYPE_PINNED;
  properties_.location.type = CU_MEM_LOCATION_TYPE_DEVICE;
  properties_.location.id = ordinal;
  access_.location = properties_.location;
  access_.flags = CU_MEM_ACCESS_FLAGS_PROT_READWRITE;
}

Result<std::unique_ptr<CudaDevice>> CudaDevice::open(const DriverTable& table, int ordinal) {
  std::unique_ptr<CudaDevice> device(new CudaDevice(table, ordinal));
  CUdevice handle = 0;
  if (const auto found = table.cuDeviceGet_(&handle, ordinal)) return fail(found, "cuDeviceGet");
  auto has = [&](CUdevice_attribute attribute) {
    int value = 0;
    return table.cuDeviceGetAttribute_(&value, attribute, handle) == CUDA_SUCCESS && value != 0;
  };
  if (!has(CU_DEVICE_ATTRIBUTE_VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED))
    return fail(CUDA_ERROR_NOT_SUPPORTED, "the device has no virtual memory management");
  // cuda.h, CUmemAllocationProp: memory from cuMemAlloc has these without asking, memory from
  // cuMemCreate does not.
  if (has(CU_DEVICE_ATTRIBUTE_GPU_DIRECT_RDMA_WITH_CUDA_VMM_SUPPORTED))
    device->properties_.allocFlags.gpuDirectRDMACapable = 1;
  int decompress = 0;
  if (table.cuDeviceGetAttribute_(&decompress, CU_DEVICE_ATTRIBUTE_MEM_DECOMPRESS_ALGORITHM_MASK,
                                  handle) == CUDA_SUCCESS &&
      decompress != 0)
    device->properties_.allocFlags.usage |= CU_MEM_CREATE_USAGE_HW_DECOMPRESS;

  std::size_t granularity = 0;
  if (const auto asked = table.cuMemGetAllocationGranularity_(&granularity, &device->properties_,
                                                              CU_MEM_ALLOC_GRANULARITY_MINIMUM))
    return fail(asked, "cuMemGetAllocationGranularity");
  device->granularity_ = granularity;
  return device;
}

Result<Address> CudaDevice::reserve(Bytes size) {
  CUdeviceptr at = 0;
  if (const auto result = call(DriverCall::cuMemAddressReserve, driver_.cuMemAddressReserve_, &at,
                               std::size_t{size}, std::size_t{0}, CUdeviceptr{0}, 0ULL))
    return fail(result, "cuMemAddressReserve");
  return at;
}
Status CudaDevice::free_reservation(Address at, Bytes size) {
  return status(call(DriverCall::cuMemAddressFree, driver_.cuMemAddressFree_, CUdeviceptr{at},
                     std::size_t{size}),
                "cuMemAddressFree");
}
Result<Handle> CudaDevice::create(Bytes size) {
  CUmemGenericAllocationHandle handle = 0;
  if (const auto result = call(DriverCall::cuMemCreate, driver_.cuMemCreate_, &handle,
                               std::size_t{size}, &properties_, 0ULL))
    return fail(result, "cuMemCreate");
  return handle;
}
Status CudaDevice::release(Handle handle) {
  return status(call(DriverCall::cuMemRelease, driver_.cuMemRelease_, handle), "cuMemRelease");
}
Status CudaDevice::map(Address at, Bytes size, Handle handle) {
  return status(call(DriverCall::cuMemMap, driver_.cuMemMap_, CUdeviceptr{at}, std::size_t{size},
                     std::size_t{0}, handle, 0ULL),
                "cuMemMap");
}
Status CudaDevice::unmap(Address at, Bytes size) {
  return status(
      call(DriverCall::cuMemUnmap, driver_.cuMemUnmap_, CUdeviceptr{at}, std::size_t{size}),
      "cuMemUnmap");
}
Status CudaDevice::set_access(Address at, Bytes size) {
  return status(call(DriverCall::cuMemSetAccess, driver_.cuMemSetAccess_, CUdeviceptr{at},
                     std::size_t{size}, &access_, std::size_t{1}),
                "cuMemSetAccess");
}
Result<MemoryInfo> CudaDevice::memory_info() {
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
Status CudaDevice::record(Event event, Context context, Stream stream) {
  const CurrentContext current(driver_, static_cast<CUcontext>(context));
  if (const auto pushed = current.result()) return fail(pushed, "cuCtxPushCurrent");
  return status(call(DriverCall::cuEventRecord, driver_.cuEventRecord_, static_cast<CUevent>(event),
                     static_cast<CUstream>(stream)),
                "cuEventRecord");
}
Status CudaDevice::record_context(Event event, Context context) {
  const auto result = driver_.cuCtxRecordEvent_
                          ? call(DriverCall::cuCtxRecordEvent, driver_.cuCtxRecordEvent_,
                                 static_cast<CUcontext>(context), static_cast<CUevent>(event))
                          : CUDA_ERROR_NOT_SUPPORTED;
  if (result == CUDA_ERROR_NOT_SUPPORTED && streams_) return record_all(event, context);
  if (result == CUDA_SUCCESS && streams_) streams_->context_is_recorded();
  return status(result, "cuCtxRecordEvent");
}
// Before driver 12.5: a stream of our own comes to wait for all others, and the event is recorded
// there.
Status CudaDevice::record_all(Event event, Context context) {
  const CurrentContext current(driver_, static_cast<CUcontext>(context));
  if (const auto pushed = current.result()) return fail(pushed, "cuCtxPushCurrent");
  CUstream join = nullptr;
  if (const auto result = call(DriverCall::cuStreamCreate, driver_.cuStreamCreate_, &join,
                               unsigned{CU_STREAM_NON_BLOCKING}))
    return fail(result, "cuStreamCreate");
  auto* const point = static_cast<CUevent>(event);
  auto result = CUDA_SUCCESS;
  const auto record = [&](CUstream stream) {
    result = call(DriverCall::cuEventRecord, driver_.cuEventRecord_, point, stream);
    return result == CUDA_SUCCESS;
  };
  // cuda.h, cuStreamWaitEvent: a wait is for what the event had captured then, so it may be
  // recorded again at once.
  const auto join_behind = [&](Stream stream) {
    if (!record(static_cast<CUstream>(stream))) return false;
    result = call(DriverCall::cuStreamWaitEvent, driver_.cuStreamWaitEvent_, join, point, 0U);
    return result == CUDA_SUCCESS;
  };
  const auto join_end = [&](Event end) {
    result = call(DriverCall::cuStreamWaitEvent, driver_.cuStreamWaitEvent_, join,
                  static_cast<CUevent>(end), 0U);
    return result == CUDA_SUCCESS;
  };
  const bool recorded = join_behind(CU_STREAM_LEGACY) && streams_->each(context, join_behind) &&
                        streams_->each_end(context, join_end) && record(join);
  (void)call(DriverCall::cuStreamDestroy_v2, driver_.cuStreamDestroy_v2_, join);
  if (recorded) return {};
  return fail(result == CUDA_SUCCESS ? CUDA_ERROR_NOT_SUPPORTED : result, "cuEventRecord");
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

void CudaDevice::count(stats::DriverCallCount (&out)[stats::kDriverCalls]) const {
  for (unsigned i = 0; i < stats::kDriverCalls; ++i)
    out[i] = {counts_[i].calls.load(std::memory_order_relaxed),
              counts_[i].nanoseconds.load(std::memory_order_relaxed),
              counts_[i].failures.load(std::memory_order_relaxed)};
}

}  // namespace gmlake::driver
