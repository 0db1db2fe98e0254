// Calls of the program that need GPU memory besides the pool's. Forwarded; but when one fails for
// want of memory that the pool keeps free for later, the pool gives it back and the call is made
// once more.
#include "hooks/order.h"
#include "hooks/own_pools.h"
#include "hooks/serve.h"
#include "hooks/work.h"

namespace gmlake::hooks {
namespace {

template <auto Native, typename... Args>
CUresult with_room(Args... args) {
  const auto* real = real_driver();
  if (!real || !(real->*Native)) return CUDA_ERROR_NOT_FOUND;
  return with_room(*real, [&] { return (real->*Native)(args...); });
}

void before_work_of(CUstream stream, bool zero_is_per_thread) {
  if (const auto* real = real_driver()) before_work(*real, stream, zero_is_per_thread);
}

void before_launch_of(const CUlaunchConfig* how, bool zero_is_per_thread) {
  if (!how) return;
  before_work_of(how->hStream, zero_is_per_thread);
  for (unsigned i = 0; how->attrs && i < how->numAttrs; ++i)
    records_event(how->attrs[i].id, &how->attrs[i].value);
}

}  // namespace

CUresult mem_alloc_pitch(CUdeviceptr* out, std::size_t* pitch, std::size_t width,
                         std::size_t height, unsigned element) {
  const auto native = [&] {
    return with_room<&RealDriver::mem_alloc_pitch>(out, pitch, width, height, element);
  };
  const auto* real = real_driver();
  if (!real || !out || width == 0 || height == 0 || !Process::get().driver_door()) return native();
  const auto caller = host_caller(*real);
  auto* pool = caller && Process::get().serving() ? Process::get().pool(caller->device, real->table)
                                                  : nullptr;
  // The driver chooses the pitch: a multiple of some hundred bytes.
  constexpr Bytes kPitch = 512;
  return pool ? allocate_past(*pool, out, round_up(width, kPitch) * height, caller->origin.context,
                              native)
              : native();
}
CUresult array_create(CUarray* out, const CUDA_ARRAY_DESCRIPTOR* descriptor) {
  return with_room<&RealDriver::array_create>(out, descriptor);
}
CUresult array_3d_create(CUarray* out, const CUDA_ARRAY3D_DESCRIPTOR* descriptor) {
  return with_room<&RealDriver::array_3d_create>(out, descriptor);
}
CUresult mipmapped_array_create(CUmipmappedArray* out, const CUDA_ARRAY3D_DESCRIPTOR* descriptor,
                                unsigned levels) {
  return with_room<&RealDriver::mipmapped_array_create>(out, descriptor, levels);
}
CUresult module_load(CUmodule* out, const char* file) {
  return with_room<&RealDriver::module_load>(out, file);
}
CUresult module_load_data(CUmodule* out, const void* image) {
  return with_room<&RealDriver::module_load_data>(out, image);
}
CUresult module_load_data_ex(CUmodule* out, const void* image, unsigned count,
                             CUjit_option* options, void** values) {
  return with_room<&RealDriver::module_load_data_ex>(out, image, count, options, values);
}
CUresult module_load_fat_binary(CUmodule* out, const void* image) {
  return with_room<&RealDriver::module_load_fat_binary>(out, image);
}
CUresult module_get_function(CUfunction* out, CUmodule module, const char* name) {
  return with_room<&RealDriver::module_get_function>(out, module, name);
}
CUresult func_load(CUfunction function) {
  return with_room<&RealDriver::func_load>(function);
}
CUresult kernel_get_function(CUfunction* out, CUkernel kernel) {
  return with_room<&RealDriver::kernel_get_function>(out, kernel);
}
CUresult library_get_module(CUmodule* out, CUlibrary library) {
  return with_room<&RealDriver::library_get_module>(out, library);
}
CUresult library_get_kernel(CUkernel* out, CUlibrary library, const char* name) {
  return with_room<&RealDriver::library_get_kernel>(out, library, name);
}

CUresult launch_kernel(CUfunction kernel, unsigned grid_x, unsigned grid_y, unsigned grid_z,
                       unsigned block_x, unsigned block_y, unsigned block_z, unsigned shared,
                       CUstream stream, void** parameters, void** extra) {
  before_work_of(stream, false);
  return with_room<&RealDriver::launch_kernel>(kernel, grid_x, grid_y, grid_z, block_x, block_y,
                                               block_z, shared, stream, parameters, extra);
}
CUresult launch_kernel_ptsz(CUfunction kernel, unsigned grid_x, unsigned grid_y, unsigned grid_z,
                            unsigned block_x, unsigned block_y, unsigned block_z, unsigned shared,
                            CUstream stream, void** parameters, void** extra) {
  before_work_of(stream, true);
  return with_room<&RealDriver::launch_kernel_ptsz>(
      kernel, grid_x, grid_y, grid_z, block_x, block_y, block_z, shared, stream, parameters, extra);
}
CUresult launch_kernel_ex(const CUlaunchConfig* how, CUfunction kernel, void** parameters,
                          void** extra) {
  before_launch_of(how, false);
  return with_room<&RealDriver::launch_kernel_ex>(how, kernel, parameters, extra);
}
CUresult launch_kernel_ex_ptsz(const CUlaunchConfig* how, CUfunction kernel, void** parameters,
                               void** extra) {
  before_launch_of(how, true);
  return with_room<&RealDriver::launch_kernel_ex_ptsz>(how, kernel, parameters, extra);
}
CUresult launch_cooperative_kernel(CUfunction kernel, unsigned grid_x, unsigned grid_y,
                                   unsigned grid_z, unsigned block_x, unsigned block_y,
                                   unsigned block_z, unsigned shared, CUstream stream,
                                   void** parameters) {
  before_work_of(stream, false);
  return with_room<&RealDriver::launch_cooperative_kernel>(
      kernel, grid_x, grid_y, grid_z, block_x, block_y, block_z, shared, stream, parameters);
}
CUresult launch_cooperative_kernel_ptsz(CUfunction kernel, unsigned grid_x, unsigned grid_y,
                                        unsigned grid_z, unsigned block_x, unsigned block_y,
                                        unsigned block_z, unsigned shared, CUstream stream,
                                        void** parameters) {
  before_work_of(stream, true);
  return with_room<&RealDriver::launch_cooperative_kernel_ptsz>(
      kernel, grid_x, grid_y, grid_z, block_x, block_y, block_z, shared, stream, parameters);
}

CUresult graph_instantiate_v1(CUgraphExec* out, CUgraph graph, CUgraphNode* wrong, char* log,
                              std::size_t size) {
  return with_room<&RealDriver::graph_instantiate_v1>(out, graph, wrong, log, size);
}
CUresult graph_instantiate_v2(CUgraphExec* out, CUgraph graph, CUgraphNode* wrong, char* log,
                              std::size_t size) {
  return with_room<&RealDriver::graph_instantiate_v2>(out, graph, wrong, log, size);
}
CUresult graph_instantiate(CUgraphExec* out, CUgraph graph, unsigned long long flags) {
  return with_room<&RealDriver::graph_instantiate>(out, graph, flags);
}
CUresult graph_instantiate_with_params(CUgraphExec* out, CUgraph graph,
                                       CUDA_GRAPH_INSTANTIATE_PARAMS* how) {
  return with_room<&RealDriver::graph_instantiate_with_params>(out, graph, how);
}
CUresult graph_instantiate_with_params_ptsz(CUgraphExec* out, CUgraph graph,
                                            CUDA_GRAPH_INSTANTIATE_PARAMS* how) {
  return with_room<&RealDriver::graph_instantiate_with_params_ptsz>(out, graph, how);
}
CUresult graph_upload(CUgraphExec program, CUstream stream) {
  before_work_of(stream, false);
  return with_room<&RealDriver::graph_upload>(program, stream);
}
CUresult graph_upload_ptsz(CUgraphExec program, CUstream stream) {
  before_work_of(stream, true);
  return with_room<&RealDriver::graph_upload_ptsz>(program, stream);
}
CUresult graph_launch(CUgraphExec program, CUstream stream) {
  before_work_of(stream, false);
  return with_room<&RealDriver::graph_launch>(program, stream);
}
CUresult graph_launch_ptsz(CUgraphExec program, CUstream stream) {
  before_work_of(stream, true);
  return with_room<&RealDriver::graph_launch_ptsz>(program, stream);
}

}  // namespace gmlake::hooks
