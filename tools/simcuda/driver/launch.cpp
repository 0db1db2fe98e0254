// Modules, libraries and launches. Device code is not looked into: every name is a kernel. A kernel
// does something only if the test registered a host function for its name.
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <spdlog/fmt/fmt.h>

#include "../simcuda.h"
#include "capture.h"
#include "entry.h"
#include "event.h"
#include "findings.h"
#include "kernels.h"
#include "peer.h"

namespace gmlake::simcuda {
namespace {

constexpr const char* kNoModule = "unloaded module or library, or none";

// One per name, for the life of the process: CUfunction and CUkernel both point to it.
struct Kernel {
  std::string name;
  simcuda_kernel run = nullptr;
  simcuda_kernel accesses = nullptr;
  std::vector<size_t> argument_sizes;
  std::uint64_t launches = 0;
};

struct Code {
  std::mutex mutex;
  std::map<std::string, std::unique_ptr<Kernel>, std::less<>> kernels;
  HandleTable<char, 0xc0d, Reuse::never> loaded;  // modules and libraries
};
Code& code() {
  static Code* code = new Code;
  return *code;
}

// Called with the code's lock held.
Kernel& kernel_named(const char* name) {
  auto& kernel = code().kernels[name];
  if (kernel == nullptr) {
    kernel = std::make_unique<Kernel>();
    kernel->name = name;
  }
  return *kernel;
}

Kernel* find_kernel(const void* handle) {
  for (const auto& [name, kernel] : code().kernels)
    if (kernel.get() == handle) return kernel.get();
  return nullptr;
}

std::uint64_t load() {
  const std::lock_guard lock(code().mutex);
  return code().loaded.add(std::make_shared<char>());
}
CUresult unload(const void* handle) {
  const auto value = reinterpret_cast<std::uint64_t>(handle);
  const std::lock_guard lock(code().mutex);
  if (code().loaded.find(value) == nullptr)
    return misuse(CUDA_ERROR_INVALID_HANDLE, kNoModule, value);
  code().loaded.remove(value);
  return CUDA_SUCCESS;
}
template <typename Handle>
CUresult get_kernel(Handle* result, const void* container, const char* name) {
  if (result == nullptr || name == nullptr || *name == '\0') return CUDA_ERROR_INVALID_VALUE;
  const std::lock_guard lock(code().mutex);
  const auto value = reinterpret_cast<std::uint64_t>(container);
  if (code().loaded.find(value) == nullptr)
    return misuse(CUDA_ERROR_INVALID_HANDLE, kNoModule, value);
  *result = reinterpret_cast<Handle>(&kernel_named(name));
  return CUDA_SUCCESS;
}

// What a launch keeps of its arguments: they are the caller's only until the call returns.
struct Arguments {
  std::vector<std::vector<char>> values;
  std::vector<void*> pointers;  // to the values, as the kernel takes them
};

// Where simcuda_kernel_access puts what the launch under way accesses.
constinit thread_local std::vector<Access>* declared = nullptr;

CUresult launch(CUfunction function, simcuda_dim3 grid, simcuda_dim3 block, unsigned shared_bytes,
                CUstream handle, Implicit implicit, void** parameters, void** extra) {
  StreamRef stream;
  if (const CUresult bad = find_stream(handle, implicit, stream)) return bad;
  NodeParams params;
  params.what.type = CU_GRAPH_NODE_TYPE_KERNEL;
  params.what.kernel = {function,   grid.x,  grid.y,  grid.z,
                        block.x,    block.y, block.z, shared_bytes,
                        parameters, extra,   nullptr, to_handle(stream->context)};
  if (capturing(*stream)) return capture(stream, std::move(params));
  Work work;
  if (const CUresult bad = kernel_work(params, work)) return bad;
  count_launch(function);
  if (!reaches_memory(work, *stream->context)) work = {Run::marker, {}, std::move(work.accesses)};
  return enqueue(stream, std::move(work));
}

// cuda.h, cuLaunchKernelEx: attributes change how a kernel is scheduled, and here nothing is. Those
// that make the launch record an event say no more than that the kernel has begun.
CUresult launch(const CUlaunchConfig* configuration, CUfunction function, Implicit implicit,
                void** parameters, void** extra) {
  if (configuration == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const CUlaunchConfig& c = *configuration;
  if (c.numAttrs != 0 && c.attrs == nullptr) return CUDA_ERROR_INVALID_VALUE;
  for (unsigned i = 0; i < c.numAttrs; ++i) {
    const CUlaunchAttributeID id = c.attrs[i].id;
    if (id < CU_LAUNCH_ATTRIBUTE_IGNORE || id >= CU_LAUNCH_ATTRIBUTE_MAX)
      return CUDA_ERROR_INVALID_VALUE;
  }
  for (unsigned i = 0; i < c.numAttrs; ++i) {
    const auto& [id, pad, value] = c.attrs[i];
    const CUevent event =
        id == CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_EVENT        ? value.programmaticEvent.event
        : id == CU_LAUNCH_ATTRIBUTE_LAUNCH_COMPLETION_EVENT ? value.launchCompletionEvent.event
                                                            : nullptr;
    if (event == nullptr) continue;
    if (const CUresult bad = record_event(event, c.hStream, CU_EVENT_RECORD_DEFAULT, implicit))
      return bad;
  }
  return launch(function, {c.gridDimX, c.gridDimY, c.gridDimZ},
                {c.blockDimX, c.blockDimY, c.blockDimZ}, c.sharedMemBytes, c.hStream, implicit,
                parameters, extra);
}

}  // namespace

const char* kernel_name(const void* handle) {
  const std::lock_guard lock(code().mutex);
  const Kernel* kernel = find_kernel(handle);
  return kernel != nullptr ? kernel->name.c_str() : nullptr;
}

CUresult kernel_work(NodeParams& params, Work& work) {
  CUDA_KERNEL_NODE_PARAMS_v3& what = params.what.kernel;
  const simcuda_dim3 grid{what.gridDimX, what.gridDimY, what.gridDimZ};
  const simcuda_dim3 block{what.blockDimX, what.blockDimY, what.blockDimZ};
  for (const unsigned n : {grid.x, grid.y, grid.z, block.x, block.y, block.z})
    if (n == 0) return CUDA_ERROR_INVALID_VALUE;
  // cuda.h: `kern` "will only be referenced if func is NULL".
  if (what.func == nullptr) what.func = reinterpret_cast<CUfunction>(what.kern);
  void** const parameters = std::exchange(what.kernelParams, nullptr);
  const bool packed = std::exchange(what.extra, nullptr) != nullptr;
  work = {};
  simcuda_kernel accesses = nullptr;
  auto arguments = std::make_shared<Arguments>();
  {
    const std::lock_guard lock(code().mutex);
    const Kernel* kernel = find_kernel(what.func);
    if (kernel == nullptr) return CUDA_ERROR_INVALID_HANDLE;
    const simcuda_kernel function = memory().backed ? kernel->run : nullptr;
    accesses = kernel->accesses;
    if (function == nullptr && accesses == nullptr) return CUDA_SUCCESS;
    // Packed argument buffers would need the layout that only the device code knows.
    if (packed) return CUDA_ERROR_NOT_SUPPORTED;
    if (parameters == nullptr && !kernel->argument_sizes.empty()) return CUDA_ERROR_INVALID_VALUE;
    for (size_t i = 0; i < kernel->argument_sizes.size(); ++i) {
      const char* value = static_cast<const char*>(parameters[i]);
      arguments->values.emplace_back(value, value + kernel->argument_sizes[i]);
    }
    for (auto& value : arguments->values) arguments->pointers.push_back(value.data());
    if (function != nullptr) {
      work.run = Run::kernel;
      work.body = [function, grid, block, arguments] {
        std::vector<void*> own = arguments->pointers;  // the kernel may move them
        function(grid, block, own.data());
      };
    }
  }
  what.kernelParams = arguments->pointers.data();
  params.owned = arguments;
  if (accesses != nullptr) {
    std::vector<void*> own = arguments->pointers;
    declared = &work.accesses;
    accesses(grid, block, own.data());
    declared = nullptr;
  }
  return CUDA_SUCCESS;
}

// An address with nothing behind it is an error of the device: the launch succeeds, and the context
// is of no use from then on (CUDA programming guide, "Error Checking": CUDA_ERROR_ILLEGAL_ADDRESS
// "leaves the process in an inconsistent state").
bool reaches_memory(const Work& work, Context& context) {
  const Reach reach = work.run == Run::device ? Reach::copy : Reach::direct;
  for (const Access& access : work.accesses)
    if (!reachable(context, access.at, access.size, access.write, reach) ||
        !accessible(access.at, access.size, access.write)) {
      found(Check::memory, "launch",
            fmt::format("{} {} {:#x} to {:#x}, where that is not possible",
                        describe(current_caller()), access.write ? "writes" : "reads", access.at,
                        access.at + access.size));
      context.broken = CUDA_ERROR_ILLEGAL_ADDRESS;
    }
  return context.broken == CUDA_SUCCESS;
}

void count_launch(CUfunction function) {
  const std::lock_guard lock(code().mutex);
  if (Kernel* kernel = find_kernel(function)) ++kernel->launches;
}

}  // namespace gmlake::simcuda

using namespace gmlake::simcuda;

void simcuda_register_kernel(const char* name, simcuda_kernel kernel, const size_t* argument_sizes,
                             unsigned argument_count) {
  const std::lock_guard lock(code().mutex);
  Kernel& known = kernel_named(name);
  known.run = kernel;
  known.argument_sizes.assign(argument_sizes, argument_sizes + argument_count);
}
void simcuda_register_kernel_accesses(const char* name, simcuda_kernel accesses,
                                      const size_t* argument_sizes, unsigned argument_count) {
  const std::lock_guard lock(code().mutex);
  Kernel& known = kernel_named(name);
  known.accesses = accesses;
  known.argument_sizes.assign(argument_sizes, argument_sizes + argument_count);
}
void simcuda_kernel_access(const void* at, size_t size, int write) {
  if (declared != nullptr && size != 0)
    declared->push_back({reinterpret_cast<std::uint64_t>(at), size, write != 0});
}
unsigned long long simcuda_launch_count(const char* name) {
  const std::lock_guard lock(code().mutex);
  const auto kernel = code().kernels.find(name);
  return kernel != code().kernels.end() ? kernel->second->launches : 0;
}

namespace {

CUresult load_module(CUmodule* result, const void* image) {
  Context* context = nullptr;
  if (const CUresult bad = current_context(context)) return bad;
  if (result == nullptr || image == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *result = reinterpret_cast<CUmodule>(load());
  return CUDA_SUCCESS;
}

}  // namespace

CUresult cuModuleLoadData(CUmodule* result, const void* image) {
  SIM_ENTER();
  return load_module(result, image);
}
CUresult cuModuleLoadDataEx(CUmodule* result, const void* image, unsigned, CUjit_option*, void**) {
  SIM_ENTER();
  return load_module(result, image);
}
CUresult cuModuleLoadFatBinary(CUmodule* result, const void* image) {
  SIM_ENTER();
  return load_module(result, image);
}
CUresult cuModuleUnload(CUmodule module) {
  SIM_ENTER();
  return unload(module);
}
CUresult cuModuleGetFunction(CUfunction* result, CUmodule module, const char* name) {
  SIM_ENTER();
  return get_kernel(result, module, name);
}
CUresult cuLibraryLoadData(CUlibrary* result, const void* image, CUjit_option*, void**, unsigned,
                           CUlibraryOption*, void**, unsigned) {
  SIM_ENTER();
  if (result == nullptr || image == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *result = reinterpret_cast<CUlibrary>(load());
  return CUDA_SUCCESS;
}
CUresult cuLibraryUnload(CUlibrary library) {
  SIM_ENTER();
  return unload(library);
}
CUresult cuLibraryGetKernel(CUkernel* result, CUlibrary library, const char* name) {
  SIM_ENTER();
  return get_kernel(result, library, name);
}
CUresult cuKernelGetFunction(CUfunction* result, CUkernel kernel) {
  SIM_ENTER();
  Context* context = nullptr;
  if (const CUresult bad = current_context(context)) return bad;
  const std::lock_guard lock(code().mutex);
  if (result == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (find_kernel(kernel) == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  *result = reinterpret_cast<CUfunction>(kernel);
  return CUDA_SUCCESS;
}
SIM_PTSZ(cuLaunchKernel,
         (CUfunction function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x,
          unsigned block_y, unsigned block_z, unsigned shared_bytes, CUstream stream,
          void** parameters, void** extra),
         launch(function, {grid_x, grid_y, grid_z}, {block_x, block_y, block_z}, shared_bytes,
                stream, implicit, parameters, extra))
SIM_PTSZ(cuLaunchKernelEx,
         (const CUlaunchConfig* configuration, CUfunction function, void** parameters,
          void** extra),
         launch(configuration, function, implicit, parameters, extra))
// Kernels here are one host function each, so their blocks always fit on the device together.
SIM_PTSZ(cuLaunchCooperativeKernel,
         (CUfunction function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x,
          unsigned block_y, unsigned block_z, unsigned shared_bytes, CUstream stream,
          void** parameters),
         launch(function, {grid_x, grid_y, grid_z}, {block_x, block_y, block_z}, shared_bytes,
                stream, implicit, parameters, nullptr))
