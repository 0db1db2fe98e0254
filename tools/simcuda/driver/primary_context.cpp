// cuDevicePrimaryCtx*: one context a device, made at its first retain. Lock: the scheduler's.
#include "config.h"
#include "context.h"
#include "entry.h"

namespace gmlake::simcuda {

Context& retain_primary(CUdevice device) {
  Context* primary = primary_of(device);
  if (!primary->alive) activate(*primary);
  ++primary->retained;
  return *primary;
}

CUresult release_primary(CUdevice device) {
  if (const CUresult bad = check_device(device)) return bad;
  Context* primary = nullptr;
  {
    const SchedulerLock lock = lock_scheduler();
    primary = primary_of(device);
    if (primary->retained == 0) return CUDA_ERROR_INVALID_CONTEXT;
    if (--primary->retained != 0) return CUDA_SUCCESS;
  }
  deactivate(*primary);
  return CUDA_SUCCESS;
}

namespace {

// cuda.h, cuDevicePrimaryCtxReset: destroys what the context holds; whoever retained it still has
// to release it.
CUresult reset_primary(CUdevice device) {
  if (const CUresult bad = check_device(device)) return bad;
  Context* primary = nullptr;
  {
    const SchedulerLock lock = lock_scheduler();
    primary = primary_of(device);
    if (!primary->alive) return CUDA_SUCCESS;
  }
  deactivate(*primary);
  return CUDA_SUCCESS;
}

CUresult set_primary_flags(CUdevice device, unsigned flags) {
  if (const CUresult bad = check_device(device)) return bad;
  if (!flags_are_valid(flags)) return CUDA_ERROR_INVALID_VALUE;
  const SchedulerLock lock = lock_scheduler();
  primary_of(device)->flags = flags;
  return CUDA_SUCCESS;
}

}  // namespace
}  // namespace gmlake::simcuda

using namespace gmlake::simcuda;

CUresult cuDevicePrimaryCtxRetain(CUcontext* result, CUdevice device) {
  SIM_ENTER();
  if (result == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (const CUresult bad = check_device(device)) return bad;
  const SchedulerLock lock = lock_scheduler();
  *result = to_handle(&retain_primary(device));
  return CUDA_SUCCESS;
}
CUresult cuDevicePrimaryCtxRelease(CUdevice device) {
  SIM_ENTER();
  return release_primary(device);
}
CUresult cuDevicePrimaryCtxRelease_v2(CUdevice device) {
  SIM_ENTER();
  return release_primary(device);
}
CUresult cuDevicePrimaryCtxReset(CUdevice device) {
  SIM_ENTER();
  return reset_primary(device);
}
CUresult cuDevicePrimaryCtxReset_v2(CUdevice device) {
  SIM_ENTER();
  return reset_primary(device);
}
CUresult cuDevicePrimaryCtxSetFlags(CUdevice device, unsigned flags) {
  SIM_ENTER();
  return set_primary_flags(device, flags);
}
CUresult cuDevicePrimaryCtxSetFlags_v2(CUdevice device, unsigned flags) {
  SIM_ENTER();
  return set_primary_flags(device, flags);
}
CUresult cuDevicePrimaryCtxGetState(CUdevice device, unsigned* flags, int* active) {
  SIM_ENTER();
  if (flags == nullptr || active == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (const CUresult bad = check_device(device)) return bad;
  const SchedulerLock lock = lock_scheduler();
  const Context* primary = primary_of(device);
  *flags = primary->flags;
  *active = primary->alive;
  return CUDA_SUCCESS;
}
