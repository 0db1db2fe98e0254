// The driver door: our functions for the driver API. Thin: find out who calls, ask the pool, answer
// as the driver.
#include "hooks/ends.h"
#include "hooks/handed_out.h"
#include "hooks/ipc.h"
#include "hooks/peers.h"
#include "hooks/program_pools.h"
#include "hooks/serve.h"
#include "hooks/single_stream.h"

namespace gmlake::hooks {
namespace {

CUresult allocate_async(CUresult (*native)(CUdeviceptr*, std::size_t, CUstream),
                        const RealDriver& real, CUdeviceptr* out, std::size_t bytes,
                        CUstream stream, bool per_thread) {
  if (!driver_open()) return native(out, bytes, stream);
  auto caller = stream_caller(real, stream, per_thread);
  use_current_pool(caller);
  return allocate(real, caller, out, bytes, [&] { return native(out, bytes, stream); });
}

CUresult free_async(CUresult (*native)(CUdeviceptr, CUstream), const RealDriver& real,
                    CUdeviceptr at, CUstream stream, bool per_thread) {
  if (!Process::get().takes_back()) return native(at, stream);
  const auto caller = stream_caller(real, stream, per_thread);
  // Where the stream is not known nothing is freed: the driver says why.
  if (caller ? caller->capturing : Process::get().serving()) return native(at, stream);
  return release(caller, at, [&] { return native(at, stream); });
}

// Before the program can give the stream any work.
template <typename Native>
CUresult make_stream(const RealDriver& real, const CUstream* stream, unsigned flags,
                     Native native) {
  const CUresult result = with_room(real, native);
  if (result != CUDA_SUCCESS) return result;
  const bool blocking = (flags & CU_STREAM_NON_BLOCKING) == 0;
  if (blocking) note_blocking_stream();
  if (!driver_open()) return result;
  CUcontext context = nullptr;
  if (real.complete) (void)real.table.cuCtxGetCurrent_(&context);
  (void)guarded([&] { Process::get().streams().add(context, *stream, blocking); });
  second_stream(context, "a stream was created");
  if (record::is_on()) [[unlikely]]
    if (const auto caller = stream_caller(real, *stream, false); caller && !caller->capturing)
      note(Action::stream, caller->origin, caller->device, 0);
  return result;
}

// A context takes some of the device's memory, and room for it is made while none is beginning.
template <typename Native>
CUresult begin_context(const RealDriver& real, CUdevice device, Native native) {
  device_is_used(device);
  const auto begin = [&] {
    const ContextBegins begins;
    return native();
  };
  return with_room(real, begin, device);
}
// Besides the devices' primary ones.
template <typename Native>
CUresult make_context(const RealDriver& real, CUdevice device, Native native) {
  context_made();
  return begin_context(real, device, native);
}

}  // namespace

CUresult get_proc_address(const char* symbol, void** out, int version, cuuint64_t flags) {
  GMLAKE_REAL(get_proc_address);
  const CUresult result = real->get_proc_address(symbol, out, version, flags);
  if (result == CUDA_SUCCESS && out) *out = substitute_driver(*out, symbol);
  return result;
}

CUresult get_proc_address_v2(const char* symbol, void** out, int version, cuuint64_t flags,
                             CUdriverProcAddressQueryResult* status) {
  GMLAKE_REAL(get_proc_address_v2);
  const CUresult result = real->get_proc_address_v2(symbol, out, version, flags, status);
  if (result == CUDA_SUCCESS && out) *out = substitute_driver(*out, symbol);
  return result;
}

CUresult init(unsigned flags) {
  GMLAKE_REAL(init);
  Process::get().cuda_begins();
  return real->init(flags);
}

CUresult mem_alloc(CUdeviceptr* out, std::size_t bytes) {
  GMLAKE_REAL(mem_alloc);
  GMLAKE_CALL_SITE();
  if (!driver_open()) return real->mem_alloc(out, bytes);
  if (native_sizes.has(bytes)) [[unlikely]]
    return allocated_for_others(*real, bytes, real->mem_alloc(out, bytes));
  return allocate(*real, host_caller(*real), out, bytes,
                  [&] { return real->mem_alloc(out, bytes); });
}

CUresult mem_free(CUdeviceptr at) {
  GMLAKE_REAL(mem_free);
  GMLAKE_CALL_SITE();
  if (!Process::get().takes_back()) return real->mem_free(at);
  return release(host_caller(*real), at, [&] { return real->mem_free(at); });
}

CUresult mem_alloc_async(CUdeviceptr* out, std::size_t bytes, CUstream stream) {
  GMLAKE_REAL(mem_alloc_async);
  GMLAKE_CALL_SITE();
  return allocate_async(real->mem_alloc_async, *real, out, bytes, stream, false);
}
CUresult mem_alloc_async_ptsz(CUdeviceptr* out, std::size_t bytes, CUstream stream) {
  GMLAKE_REAL(mem_alloc_async_ptsz);
  GMLAKE_CALL_SITE();
  return allocate_async(real->mem_alloc_async_ptsz, *real, out, bytes, stream, true);
}
CUresult mem_free_async(CUdeviceptr at, CUstream stream) {
  GMLAKE_REAL(mem_free_async);
  GMLAKE_CALL_SITE();
  return free_async(real->mem_free_async, *real, at, stream, false);
}
CUresult mem_free_async_ptsz(CUdeviceptr at, CUstream stream) {
  GMLAKE_REAL(mem_free_async_ptsz);
  GMLAKE_CALL_SITE();
  return free_async(real->mem_free_async_ptsz, *real, at, stream, true);
}

CUresult mem_get_info(std::size_t* free, std::size_t* total) {
  GMLAKE_REAL(mem_get_info);
  const CUresult result = real->mem_get_info(free, total);
  if (result == CUDA_SUCCESS && driver_open()) add_reusable(*real, free, total);
  return result;
}

CUresult stream_create(CUstream* stream, unsigned flags) {
  GMLAKE_REAL(stream_create);
  GMLAKE_CALL_SITE();
  return make_stream(*real, stream, flags, [&] { return real->stream_create(stream, flags); });
}
CUresult stream_create_with_priority(CUstream* stream, unsigned flags, int priority) {
  GMLAKE_REAL(stream_create_with_priority);
  GMLAKE_CALL_SITE();
  return make_stream(*real, stream, flags,
                     [&] { return real->stream_create_with_priority(stream, flags, priority); });
}
CUresult green_stream_create(CUstream* stream, CUgreenCtx green, unsigned flags, int priority) {
  GMLAKE_REAL(green_stream_create);
  const CUresult result =
      with_room(*real, [&] { return real->green_stream_create(stream, green, flags, priority); });
  if (!driver_open() || result != CUDA_SUCCESS) return result;
  (void)guarded([&] { Process::get().streams().add(nullptr, *stream, false); });
  second_stream(nullptr, "a green context's stream was created");
  return result;
}
CUresult stream_destroy_v1(CUstream stream) {
  GMLAKE_REAL(stream_destroy_v1);
  GMLAKE_CALL_SITE();
  return end(*real, {.stream = stream}, [&] { return real->stream_destroy_v1(stream); });
}
CUresult stream_destroy(CUstream stream) {
  GMLAKE_REAL(stream_destroy);
  GMLAKE_CALL_SITE();
  return end(*real, {.stream = stream}, [&] { return real->stream_destroy(stream); });
}

CUresult ctx_create_v1(CUcontext* context, unsigned flags, CUdevice device) {
  GMLAKE_REAL(ctx_create_v1);
  return make_context(*real, device, [&] { return real->ctx_create_v1(context, flags, device); });
}
CUresult ctx_create_v2(CUcontext* context, unsigned flags, CUdevice device) {
  GMLAKE_REAL(ctx_create_v2);
  return make_context(*real, device, [&] { return real->ctx_create_v2(context, flags, device); });
}
CUresult ctx_create_v3(CUcontext* context, CUexecAffinityParam* affinity, int count, unsigned flags,
                       CUdevice device) {
  GMLAKE_REAL(ctx_create_v3);
  return make_context(*real, device,
                      [&] { return real->ctx_create_v3(context, affinity, count, flags, device); });
}
CUresult ctx_create_v4(CUcontext* context, CUctxCreateParams* how, unsigned flags,
                       CUdevice device) {
  GMLAKE_REAL(ctx_create_v4);
  return make_context(*real, device,
                      [&] { return real->ctx_create_v4(context, how, flags, device); });
}
CUresult gl_ctx_create_v1(CUcontext* context, unsigned flags, CUdevice device) {
  GMLAKE_REAL(gl_ctx_create_v1);
  return make_context(*real, device,
                      [&] { return real->gl_ctx_create_v1(context, flags, device); });
}
CUresult gl_ctx_create(CUcontext* context, unsigned flags, CUdevice device) {
  GMLAKE_REAL(gl_ctx_create);
  return make_context(*real, device, [&] { return real->gl_ctx_create(context, flags, device); });
}
CUresult vdpau_ctx_create_v1(CUcontext* context, unsigned flags, CUdevice device, unsigned display,
                             void* get_proc_address) {
  GMLAKE_REAL(vdpau_ctx_create_v1);
  return make_context(*real, device, [&] {
    return real->vdpau_ctx_create_v1(context, flags, device, display, get_proc_address);
  });
}
CUresult vdpau_ctx_create(CUcontext* context, unsigned flags, CUdevice device, unsigned display,
                          void* get_proc_address) {
  GMLAKE_REAL(vdpau_ctx_create);
  return make_context(*real, device, [&] {
    return real->vdpau_ctx_create(context, flags, device, display, get_proc_address);
  });
}
CUresult ctx_from_green(CUcontext* context, CUgreenCtx green) {
  GMLAKE_REAL(ctx_from_green);
  const ContextBegins begins;
  context_made();
  if (driver_open()) second_stream(nullptr, "a green context became a context");
  return real->ctx_from_green(context, green);
}

CUresult green_ctx_create(CUgreenCtx* green, CUdevResourceDesc resources, CUdevice device,
                          unsigned flags) {
  GMLAKE_REAL(green_ctx_create);
  return begin_context(*real, device,
                       [&] { return real->green_ctx_create(green, resources, device, flags); });
}
CUresult primary_ctx_retain(CUcontext* context, CUdevice device) {
  GMLAKE_REAL(primary_ctx_retain);
  return begin_context(*real, device, [&] { return real->primary_ctx_retain(context, device); });
}

// What changes the calling thread's current context.
CUresult ctx_set_current(CUcontext context) {
  GMLAKE_REAL(ctx_set_current);
  return current_becomes(context, real->ctx_set_current(context));
}
CUresult ctx_push_current_v1(CUcontext context) {
  GMLAKE_REAL(ctx_push_current_v1);
  return current_becomes(context, real->ctx_push_current_v1(context));
}
CUresult ctx_push_current(CUcontext context) {
  GMLAKE_REAL(ctx_push_current);
  return current_becomes(context, real->ctx_push_current(context));
}
CUresult ctx_pop_current_v1(CUcontext* context) {
  GMLAKE_REAL(ctx_pop_current_v1);
  return current_becomes(nullptr, real->ctx_pop_current_v1(context));
}
CUresult ctx_pop_current(CUcontext* context) {
  GMLAKE_REAL(ctx_pop_current);
  return current_becomes(nullptr, real->ctx_pop_current(context));
}

CUresult ctx_destroy_v1(CUcontext context) {
  GMLAKE_REAL(ctx_destroy_v1);
  return end(*real, {.context = context}, [&] { return real->ctx_destroy_v1(context); });
}
CUresult ctx_destroy(CUcontext context) {
  GMLAKE_REAL(ctx_destroy);
  return end(*real, {.context = context}, [&] { return real->ctx_destroy(context); });
}
CUresult ctx_attach(CUcontext* context, unsigned flags) {
  GMLAKE_REAL(ctx_attach);
  const CUresult result = real->ctx_attach(context, flags);
  if (result == CUDA_SUCCESS) context_attached(*context);
  return result;
}
CUresult ctx_detach(CUcontext context) {
  GMLAKE_REAL(ctx_detach);
  return end(*real, {.reference = context}, [&] { return real->ctx_detach(context); });
}
CUresult green_ctx_destroy(CUgreenCtx green) {
  GMLAKE_REAL(green_ctx_destroy);
  return end(*real, {.green = green}, [&] { return real->green_ctx_destroy(green); });
}
CUresult primary_ctx_release(CUdevice device) {
  GMLAKE_REAL(primary_ctx_release);
  return end(*real, {.primary_of = device}, [&] { return real->primary_ctx_release(device); });
}
CUresult primary_ctx_release_v2(CUdevice device) {
  GMLAKE_REAL(primary_ctx_release_v2);
  return end(*real, {.primary_of = device}, [&] { return real->primary_ctx_release_v2(device); });
}
CUresult primary_ctx_reset(CUdevice device) {
  GMLAKE_REAL(primary_ctx_reset);
  return end(*real, {.primary_of = device, .reset = true},
             [&] { return real->primary_ctx_reset(device); });
}
CUresult primary_ctx_reset_v2(CUdevice device) {
  GMLAKE_REAL(primary_ctx_reset_v2);
  return end(*real, {.primary_of = device, .reset = true},
             [&] { return real->primary_ctx_reset_v2(device); });
}

}  // namespace gmlake::hooks
