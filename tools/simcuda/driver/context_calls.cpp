// cuCtx*: the contexts a program makes, and the calling thread's stack of current ones.
#include "capture.h"
#include "config.h"
#include "entry.h"
#include "pool.h"

namespace gmlake::simcuda {
namespace {

CUresult create(CUcontext* result, unsigned flags, CUdevice device) {
  if (result == nullptr || !flags_are_valid(flags)) return CUDA_ERROR_INVALID_VALUE;
  if (const CUresult bad = check_device(device)) return bad;
  if (!context_stack().has_room()) return CUDA_ERROR_OUT_OF_MEMORY;
  const SchedulerLock lock = lock_scheduler();
  Context* context = new_context(device, flags, false);
  activate(*context);
  context_stack().push(context);  // cuda.h, cuCtxCreate: pushed on the calling thread
  *result = to_handle(context);
  return CUDA_SUCCESS;
}

CUresult destroy(Context& context) {
  if (context.primary || context.part_of != nullptr) return CUDA_ERROR_INVALID_CONTEXT;
  deactivate(context);
  // cuda.h, cuCtxDestroy: "If hCtx is current to the calling thread then hCtx will also be popped".
  if (context_stack().top() == &context) context_stack().pop();
  return CUDA_SUCCESS;
}

}  // namespace
}  // namespace gmlake::simcuda

using namespace gmlake::simcuda;

CUresult cuCtxCreate_v2(CUcontext* result, unsigned flags, CUdevice device) {
  SIM_ENTER();
  return create(result, flags, device);
}
CUresult cuCtxCreate_v4(CUcontext* result, CUctxCreateParams* parameters, unsigned flags,
                        CUdevice device) {
  SIM_ENTER();
  // Execution affinity and CIG need devices this one does not resemble; without them it is the v2
  // call.
  if (parameters != nullptr &&
      (parameters->numExecAffinityParams != 0 || parameters->cigParams != nullptr))
    return CUDA_ERROR_NOT_SUPPORTED;
  return create(result, flags, device);
}
CUresult cuCtxCreate_v3(CUcontext* result, CUexecAffinityParam*, int count, unsigned flags,
                        CUdevice device) {
  SIM_ENTER();
  if (count != 0) return CUDA_ERROR_UNSUPPORTED_EXEC_AFFINITY;
  return create(result, flags, device);
}
CUresult cuCtxDestroy_v2(CUcontext handle) {
  SIM_ENTER();
  Context* context = nullptr;
  if (const CUresult bad = find_context(handle, context)) return bad;
  return destroy(*context);
}

namespace {

// A context that is to be made current. A primary one need not be active: it is what is then asked
// of it that fails (measured on driver 580).
CUresult find_to_enter(CUcontext handle, Context*& context) {
  {
    const SchedulerLock lock = lock_scheduler();
    for (CUdevice device = 0; check_device(device) == CUDA_SUCCESS; ++device)
      if (handle != nullptr && handle == to_handle(primary_of(device))) {
        context = from_handle(handle);
        return CUDA_SUCCESS;
      }
  }
  return find_context(handle, context);
}

}  // namespace

CUresult cuCtxGetCurrent(CUcontext* result) {
  SIM_ENTER();
  if (result == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *result = to_handle(context_stack().top());
  return CUDA_SUCCESS;
}
CUresult cuCtxSetCurrent(CUcontext handle) {
  SIM_ENTER();
  Context* context = nullptr;
  if (handle != nullptr)
    if (const CUresult bad = find_to_enter(handle, context)) return bad;
  // cuda.h, cuCtxSetCurrent: replaces the top of the stack; NULL pops it.
  if (context_stack().depth > 0) context_stack().pop();
  if (context != nullptr) context_stack().push(context);
  return CUDA_SUCCESS;
}
CUresult cuCtxPushCurrent_v2(CUcontext handle) {
  SIM_ENTER();
  Context* context = nullptr;
  if (handle == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
  if (const CUresult bad = find_to_enter(handle, context)) return bad;
  if (!context_stack().has_room()) return CUDA_ERROR_OUT_OF_MEMORY;
  context_stack().push(context);
  return CUDA_SUCCESS;
}
CUresult cuCtxPopCurrent_v2(CUcontext* result) {
  SIM_ENTER();
  if (context_stack().depth == 0) return CUDA_ERROR_INVALID_CONTEXT;
  Context* popped = context_stack().pop();
  if (result != nullptr) *result = to_handle(popped);
  return CUDA_SUCCESS;
}

namespace {

CUresult get_device(CUdevice* device, CUcontext handle) {
  Context* context = nullptr;
  const CUresult bad = handle != nullptr ? find_context(handle, context) : current_context(context);
  // A primary context that was reset still knows its device (measured on driver 580).
  if (bad != CUDA_SUCCESS && !(bad == CUDA_ERROR_CONTEXT_IS_DESTROYED && context->primary))
    return bad;
  if (device == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *device = context->device;
  return CUDA_SUCCESS;
}

CUresult synchronize(CUcontext handle) {
  Context* context = nullptr;
  if (const CUresult bad =
          handle != nullptr ? find_context(handle, context) : current_context(context))
    return bad;
  if (const CUresult bad = check_context(*context)) return bad;
  if (const CUresult bad = check_unsafe()) return bad;
  wait_context(*context);
  release_unused_pages();
  return context->broken;  // by what it waited for
}

}  // namespace

CUresult cuCtxGetDevice(CUdevice* device) {
  SIM_ENTER();
  return get_device(device, nullptr);
}
CUresult cuCtxGetDevice_v2(CUdevice* device, CUcontext handle) {
  SIM_ENTER();
  return get_device(device, handle);
}
CUresult cuCtxGetFlags(unsigned* flags) {
  SIM_ENTER();
  Context* context = nullptr;
  if (const CUresult bad = current_context(context)) return bad;
  if (flags == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *flags = context->flags;
  return CUDA_SUCCESS;
}
CUresult cuCtxSetFlags(unsigned flags) {
  SIM_ENTER();
  Context* context = nullptr;
  if (const CUresult bad = current_context(context)) return bad;
  if (!flags_are_valid(flags)) return CUDA_ERROR_INVALID_VALUE;
  context->flags = flags;
  return CUDA_SUCCESS;
}

// A usage count beside creation and destruction; deprecated.
CUresult cuCtxAttach(CUcontext* result, unsigned flags) {
  SIM_ENTER();
  Context* context = nullptr;
  if (const CUresult bad = current_context(context)) return bad;
  if (result == nullptr || flags != 0) return CUDA_ERROR_INVALID_VALUE;
  const SchedulerLock lock = lock_scheduler();
  ++context->attached;
  *result = to_handle(context);
  return CUDA_SUCCESS;
}
CUresult cuCtxDetach(CUcontext handle) {
  SIM_ENTER();
  Context* context = nullptr;
  if (const CUresult bad = find_context(handle, context)) return bad;
  // "must be current to the calling thread".
  if (context_stack().top() != context) return CUDA_ERROR_INVALID_CONTEXT;
  {
    const SchedulerLock lock = lock_scheduler();
    if (context->attached != 0) {
      --context->attached;
      return CUDA_SUCCESS;
    }
  }
  // A primary one is detached with success too (measured on driver 580). What becomes of it was not
  // asked: here that is a release.
  return context->primary ? release_primary(context->device) : destroy(*context);
}
CUresult cuCtxGetId(CUcontext handle, unsigned long long* id) {
  SIM_ENTER();
  Context* context = nullptr;
  if (const CUresult bad =
          handle != nullptr ? find_context(handle, context) : current_context(context))
    return bad;
  if (id == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *id = context->id;
  return CUDA_SUCCESS;
}
CUresult cuCtxGetApiVersion(CUcontext handle, unsigned* version) {
  SIM_ENTER();
  Context* context = nullptr;
  if (const CUresult bad =
          handle != nullptr ? find_context(handle, context) : current_context(context))
    return bad;
  if (version == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *version = 3020;
  return CUDA_SUCCESS;
}
CUresult cuCtxGetStreamPriorityRange(int* least, int* greatest) {
  SIM_ENTER();
  Context* context = nullptr;
  if (const CUresult bad = current_context(context)) return bad;
  if (least != nullptr) *least = 0;
  if (greatest != nullptr) *greatest = -5;
  return CUDA_SUCCESS;
}
CUresult cuCtxSynchronize() {
  SIM_ENTER();
  return synchronize(nullptr);
}
CUresult cuCtxSynchronize_v2(CUcontext handle) {
  SIM_ENTER();
  return synchronize(handle);
}
