// Green contexts (cuGreenCtx*): contexts with a part of a device, which share all else with its
// primary context. What part it is makes no difference here: there is one resource, the whole
// device.
#include "config.h"
#include "context.h"
#include "entry.h"

namespace gmlake::simcuda {
namespace {

// A descriptor names its device; each device has one.
struct Resource {
  CUdevice device = 0;
};
Resource* resource_of(CUdevice device) {
  static Resource* const all = [] {
    auto* made = new Resource[kMaxDevices];
    for (unsigned i = 0; i < kMaxDevices; ++i) made[i].device = static_cast<CUdevice>(i);
    return made;
  }();
  return &all[device];
}

// As the driver keeps its own there, in the part that is nobody else's.
CUdevice& device_in(CUdevResource& resource) {
  return *reinterpret_cast<CUdevice*>(resource._internal_padding);
}

CUresult find_green(CUgreenCtx handle, Context*& green) {
  if (handle == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
  if (const CUresult bad = find_context(reinterpret_cast<CUcontext>(handle), green)) return bad;
  return green->part_of != nullptr ? CUDA_SUCCESS : CUDA_ERROR_INVALID_CONTEXT;
}

CUresult create(CUgreenCtx* result, CUdevResourceDesc resources, CUdevice device, unsigned flags) {
  if (result == nullptr || resources == nullptr || flags != CU_GREEN_CTX_DEFAULT_STREAM)
    return CUDA_ERROR_INVALID_VALUE;
  if (const CUresult bad = check_device(device)) return bad;
  if (reinterpret_cast<Resource*>(resources) != resource_of(device))
    return CUDA_ERROR_INVALID_VALUE;
  const SchedulerLock lock = lock_scheduler();
  Context* green = new_context(device, 0, false);
  green->part_of = &retain_primary(device);
  activate(*green);
  *result = reinterpret_cast<CUgreenCtx>(green);
  return CUDA_SUCCESS;
}

// cuda.h, cuGreenCtxDestroy: "releasing the primary context of the device that this green context
// was created for".
CUresult destroy(CUgreenCtx handle) {
  Context* green = nullptr;
  if (const CUresult bad = find_green(handle, green)) return bad;
  deactivate(*green);
  return release_primary(green->device);
}

CUresult create_stream(CUstream* result, CUgreenCtx handle, unsigned flags, int priority) {
  // cuda.h: "CU_STREAM_NON_BLOCKING: This must be specified."
  if (result == nullptr || flags != CU_STREAM_NON_BLOCKING) return CUDA_ERROR_INVALID_VALUE;
  Context* green = nullptr;
  if (const CUresult bad = find_green(handle, green)) return bad;
  *result = new_stream(*green, flags, priority < -5 ? -5 : priority > 0 ? 0 : priority);
  return CUDA_SUCCESS;
}

}  // namespace
}  // namespace gmlake::simcuda

using namespace gmlake::simcuda;

CUresult cuDeviceGetDevResource(CUdevice device, CUdevResource* resource, CUdevResourceType type) {
  SIM_ENTER();
  if (resource == nullptr || type != CU_DEV_RESOURCE_TYPE_SM) return CUDA_ERROR_INVALID_VALUE;
  if (const CUresult bad = check_device(device)) return bad;
  *resource = {};
  resource->type = type;
  device_in(*resource) = device;
  constexpr unsigned kProcessors = 132;
  resource->sm = {kProcessors, 8, 8};
  return CUDA_SUCCESS;
}
CUresult cuDevResourceGenerateDesc(CUdevResourceDesc* result, CUdevResource* resources,
                                   unsigned count) {
  SIM_ENTER();
  if (result == nullptr || resources == nullptr || count != 1 ||
      resources->type != CU_DEV_RESOURCE_TYPE_SM)
    return CUDA_ERROR_INVALID_VALUE;
  *result = reinterpret_cast<CUdevResourceDesc>(resource_of(device_in(*resources)));
  return CUDA_SUCCESS;
}
CUresult cuGreenCtxCreate(CUgreenCtx* result, CUdevResourceDesc resources, CUdevice device,
                          unsigned flags) {
  SIM_ENTER();
  return create(result, resources, device, flags);
}
CUresult cuGreenCtxDestroy(CUgreenCtx handle) {
  SIM_ENTER();
  return destroy(handle);
}
CUresult cuCtxFromGreenCtx(CUcontext* result, CUgreenCtx handle) {
  SIM_ENTER();
  if (result == nullptr) return CUDA_ERROR_INVALID_VALUE;
  Context* green = nullptr;
  if (const CUresult bad = find_green(handle, green)) return bad;
  *result = to_handle(green);
  return CUDA_SUCCESS;
}
CUresult cuGreenCtxGetId(CUgreenCtx handle, unsigned long long* id) {
  SIM_ENTER();
  if (id == nullptr) return CUDA_ERROR_INVALID_VALUE;
  Context* green = nullptr;
  if (const CUresult bad = find_green(handle, green)) return bad;
  *id = green->id;
  return CUDA_SUCCESS;
}
CUresult cuStreamGetGreenCtx(CUstream handle, CUgreenCtx* result) {
  SIM_ENTER();
  StreamRef stream;
  if (const CUresult bad = find_stream(handle, Implicit::legacy, stream)) return bad;
  if (result == nullptr) return CUDA_ERROR_INVALID_VALUE;
  Context* const context = stream->context;
  *result = context->part_of != nullptr ? reinterpret_cast<CUgreenCtx>(context) : nullptr;
  return CUDA_SUCCESS;
}
CUresult cuGreenCtxStreamCreate(CUstream* result, CUgreenCtx handle, unsigned flags, int priority) {
  SIM_ENTER();
  return create_stream(result, handle, flags, priority);
}
