// Modules, libraries and launches. Device code is not looked into: every name is a kernel. A kernel
// does something only if the test registered a host function for its name.
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <spdlog/fmt/fmt.h>

#include "../simcuda.h"
#include "context.h"
#include "entry.h"
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

// A launch that is going to run: the arguments are the caller's only until cuLaunchKernel returns.
struct Launch {
  simcuda_kernel run = nullptr;
  simcuda_kernel accesses = nullptr;
  simcuda_dim3 grid{};
  simcuda_dim3 block{};
  std::vector<std::vector<char>> values;

  void call(simcuda_kernel function) {
    std::vector<void*> arguments;
    for (auto& value : values) arguments.push_back(value.data());
    function(grid, block, arguments.data());
  }
};

// Where simcuda_kernel_access puts what the launch under way accesses.
constinit thread_local std::vector<Access>* declared = nullptr;

// What the launch says it accesses. An address with nothing behind it is an error of the device:
// the launch succeeds, and the context is of no use from then on (CUDA programming guide, "Error
// Checking": CUDA_ERROR_ILLEGAL_ADDRESS "leaves the process in an inconsistent state").
std::vector<Access> accesses_of(Launch& launch, Context& context) {
  std::vector<Access> all;
  if (launch.accesses == nullptr) return all;
  declared = &all;
  launch.call(launch.accesses);
  declared = nullptr;
  for (const Access& access : all)
    if (!reachable(context, access.at, access.size, access.write, Reach::direct) ||
        !accessible(access.at, access.size, access.write)) {
      found(Check::memory, "kernel",
            fmt::format("{} {} {:#x} to {:#x}, where that is not possible",
                        describe(current_caller()), access.write ? "writes" : "reads", access.at,
                        access.at + access.size));
      context.broken = CUDA_ERROR_ILLEGAL_ADDRESS;
    }
  return all;
}

CUresult launch(CUfunction function, simcuda_dim3 grid, simcuda_dim3 block, CUstream handle,
                Implicit implicit, void** parameters, void** extra) {
  StreamRef stream;
  if (const CUresult bad = find_stream(handle, implicit, stream)) return bad;
  for (const unsigned n : {grid.x, grid.y, grid.z, block.x, block.y, block.z})
    if (n == 0) return CUDA_ERROR_INVALID_VALUE;
  auto launch = std::make_shared<Launch>();
  {
    const std::lock_guard lock(code().mutex);
    Kernel* kernel = find_kernel(function);
    if (kernel == nullptr) return CUDA_ERROR_INVALID_HANDLE;
    ++kernel->launches;
    launch->run = memory().backed ? kernel->run : nullptr;
    launch->accesses = kernel->accesses;
    if (launch->run != nullptr || launch->accesses != nullptr) {
      // Packed argument buffers would need the layout that only the device code knows.
      if (extra != nullptr) return CUDA_ERROR_NOT_SUPPORTED;
      if (parameters == nullptr && !kernel->argument_sizes.empty()) return CUDA_ERROR_INVALID_VALUE;
      for (size_t i = 0; i < kernel->argument_sizes.size(); ++i) {
        const char* value = static_cast<const char*>(parameters[i]);
        launch->values.emplace_back(value, value + kernel->argument_sizes[i]);
      }
    }
  }
  launch->grid = grid;
  launch->block = block;
  auto accesses = accesses_of(*launch, *stream->context);
  if (launch->run == nullptr || stream->context->broken != CUDA_SUCCESS)
    return enqueue(stream, {Run::marker, {}, std::move(accesses)});
  return enqueue(stream,
                 {Run::kernel, [launch] { launch->call(launch->run); }, std::move(accesses)});
}

}  // namespace

const char* kernel_name(const void* handle) {
  const std::lock_guard lock(code().mutex);
  const Kernel* kernel = find_kernel(handle);
  return kernel != nullptr ? kernel->name.c_str() : nullptr;
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

CUresult cuModuleLoadData(CUmodule* result, const void* image) {
  SIM_ENTER();
  Context* context = nullptr;
  if (const CUresult bad = current_context(context)) return bad;
  if (result == nullptr || image == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *result = reinterpret_cast<CUmodule>(load());
  return CUDA_SUCCESS;
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
          unsigned block_y, unsigned block_z, unsigned, CUstream stream, void** parameters,
          void** extra),
         launch(function, {grid_x, grid_y, grid_z}, {block_x, block_y, block_z}, stream, implicit,
                parameters, extra))
