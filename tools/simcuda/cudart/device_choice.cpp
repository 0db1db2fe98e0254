// Flags of devices, their initialisation, and the order in which threads that choose none take
// them.
#include "runtime.h"

using namespace gmlake::simcudart;

static_assert(cudaDeviceScheduleBlockingSync == CU_CTX_SCHED_BLOCKING_SYNC);
static_assert(cudaDeviceMapHost == CU_CTX_MAP_HOST);

namespace {

// cuda_runtime_api.h, cudaSetDeviceFlags: flags of a device that runs are overwritten; one that
// does not "is initialized with the provided flags".
CUresult set_flags(const Driver& driver, int device, unsigned flags) {
  CUcontext context = nullptr;
  if ((flags & ~static_cast<unsigned>(cudaDeviceMask)) != 0) return CUDA_ERROR_INVALID_VALUE;
  if (const CUresult bad = driver.cuDevicePrimaryCtxSetFlags_v2(device, flags)) return bad;
  return to_driver(primary_context(driver, device, context));
}

int device_in_use(const Driver& driver) {
  CUdevice device = 0;
  return driver.cuCtxGetDevice(&device) == CUDA_SUCCESS ? device : chosen_device();
}

// cuda_runtime_api.h, cudaGetDeviceFlags: cudaDeviceMapHost "is implicit in runtime API flags"; of
// a context made by the driver API "the flags for that context are always returned".
CUresult get_flags(const Driver& driver, unsigned* flags) {
  if (flags == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const int device = device_in_use(driver);
  int active = 0;
  if (const CUresult bad = driver.cuDevicePrimaryCtxGetState(device, flags, &active)) return bad;
  const CUcontext current = current_context(driver);
  CUcontext primary = nullptr;
  if (current != nullptr && active != 0 &&
      primary_context(driver, device, primary) == cudaSuccess && primary != current)
    return driver.cuCtxGetFlags(flags);
  *flags |= cudaDeviceMapHost;
  return CUDA_SUCCESS;
}

CUresult set_order(const Driver& driver, const int* devices, int length) {
  int count = 0;
  if (const CUresult bad = driver.cuDeviceGetCount(&count)) return bad;
  if (length < 0 || length > count || (length > 0 && devices == nullptr))
    return CUDA_ERROR_INVALID_VALUE;
  for (int i = 0; i < length; ++i)
    if (devices[i] < 0 || devices[i] >= count) return CUDA_ERROR_INVALID_DEVICE;
  choose_first_device(length > 0 ? devices[0] : 0);
  return CUDA_SUCCESS;
}

CUresult initialise(const Driver& driver, int device, unsigned device_flags, unsigned flags) {
  CUcontext context = nullptr;
  if ((flags & cudaInitDeviceFlagsAreValid) != 0) return set_flags(driver, device, device_flags);
  return to_driver(primary_context(driver, device, context));
}

}  // namespace

cudaError_t cudaSetDeviceFlags(unsigned flags) {
  RT_ANY(set_flags(*driver, device_in_use(*driver), flags));
}
cudaError_t cudaGetDeviceFlags(unsigned* flags) {
  RT_ANY(get_flags(*driver, flags));
}
cudaError_t cudaSetValidDevices(int* devices, int length) {
  RT_ANY(set_order(*driver, devices, length));
}
cudaError_t cudaInitDevice(int device, unsigned device_flags, unsigned flags) {
  RT_ANY(initialise(*driver, device, device_flags, flags));
}

// No profiler is ever attached: cuda_profiler_api.h, starting what is started has no effect.
cudaError_t cudaProfilerStart() {
  RT(CUDA_SUCCESS);
}
cudaError_t cudaProfilerStop() {
  RT(CUDA_SUCCESS);
}
// A description made without asking the device for anything.
cudaChannelFormatDesc cudaCreateChannelDesc(int x, int y, int z, int w,
                                            cudaChannelFormatKind kind) {
  return {x, y, z, w, kind};
}
