// Calls of the program that need GPU memory besides the pool's. Forwarded; but when one fails for
// want of memory that the pool keeps free for later, the pool gives it back and the call is made
// once more.
#include "hooks/serve.h"
#include "hooks/work.h"

namespace gmlake::hooks {
namespace {

template <auto Native, typename... Args>
CUresult with_room(Args... args) {
  const auto* real = real_driver();
  if (!real || !(real->*Native)) return CUDA_ERROR_NOT_FOUND;
  CUresult result = (real->*Native)(args...);
  // Each time some of what the pool has free, until that is enough or all.
  while (result == CUDA_ERROR_OUT_OF_MEMORY && Process::get().driver_door() && make_room(*real))
    result = (real->*Native)(args...);
  return result;
}

void before_work_of(CUstream stream, bool zero_is_per_thread) {
  if (const auto* real = real_driver()) before_work(*real, stream, zero_is_per_thread);
}

}  // namespace

CUresult mem_create(CUmemGenericAllocationHandle* handle, std::size_t bytes,
                    const CUmemAllocationProp* properties, unsigned long long flags) {
  return with_room<&RealDriver::mem_create>(handle, bytes, properties, flags);
}
CUresult mem_alloc_pitch(CUdeviceptr* out, std::size_t* pitch, std::size_t width,
                         std::size_t height, unsigned element) {
  return with_room<&RealDriver::mem_alloc_pitch>(out, pitch, width, height, element);
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
  if (how) before_work_of(how->hStream, false);
  return with_room<&RealDriver::launch_kernel_ex>(how, kernel, parameters, extra);
}
CUresult launch_kernel_ex_ptsz(const CUlaunchConfig* how, CUfunction kernel, void** parameters,
                               void** extra) {
  if (how) before_work_of(how->hStream, true);
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
