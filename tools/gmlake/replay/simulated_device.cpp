// Loading simcuda and making streams on it; see simulated_device.h.
#include "replay/simulated_device.h"

#include <cstdlib>

#include <dlfcn.h>
#include <spdlog/fmt/fmt.h>

#include "installed.h"

namespace gmlake::replay {
namespace {

template <typename Function>
bool find(void* library, const char* name, Function& out) {
  out = reinterpret_cast<Function>(::dlsym(library, name));
  return out != nullptr;
}

}  // namespace

std::string SimulatedDevice::default_library() {
  return tool::installed_library("simcuda/libcuda.so.1");
}

trace::Expected<std::unique_ptr<SimulatedDevice>> SimulatedDevice::open(const std::string& library,
                                                                        Bytes memory) {
  const auto failed = [&](const std::string& reason) {
    return tl::unexpected(
        fmt::format("the simulated device {} can not be used: {}; build the target simcuda, or "
                    "name its libcuda.so.1 with --driver",
                    library, reason));
  };
  ::setenv("SIMCUDA_BACKING", "none", 1);
  ::setenv("SIMCUDA_MEMORY", std::to_string(memory).c_str(), 1);
  // The loader takes a name without a slash for a library to search for: that could be a real
  // driver.
  if (library.find('/') == std::string::npos) return failed("it is no path");
  void* handle = ::dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) return failed(::dlerror());

  std::unique_ptr<SimulatedDevice> device(new SimulatedDevice);
  const auto table = driver::DriverTable::load(
      [](const char* symbol, void* context) { return ::dlsym(context, symbol); }, handle);
  if (!table) return failed(fmt::format("it has no {}", table.error().what));
  device->table_ = *table;
  if (!find(handle, "cuStreamCreate", device->stream_create_) ||
      !find(handle, "cuStreamDestroy_v2", device->stream_destroy_) ||
      !find(handle, "simcuda_modelled_ns", device->modelled_ns_))
    return failed("it is not simcuda of this version");

  CUdevice ordinal = 0;
  CUresult result = device->table_.cuInit_(0);
  if (result == CUDA_SUCCESS) result = device->table_.cuDeviceGet_(&ordinal, 0);
  if (result == CUDA_SUCCESS)
    result = device->table_.cuDevicePrimaryCtxRetain_(&device->context_, ordinal);
  if (result == CUDA_SUCCESS) result = device->table_.cuCtxPushCurrent_v2_(device->context_);
  if (result != CUDA_SUCCESS)
    return failed(
        fmt::format("it can not be initialised (CUDA error {})", static_cast<int>(result)));
  return device;
}

trace::Expected<std::unique_ptr<driver::CudaDevice>> SimulatedDevice::fresh() const {
  auto device = driver::CudaDevice::open(table_, 0);
  if (!device)
    return tl::unexpected(
        fmt::format("the simulated device can not be opened: {} gave CUDA error {}",
                    device.error().what, device.error().code));
  return std::move(*device);
}

trace::Expected<void> SimulatedDevice::Streams::add(std::uint64_t name, bool blocking) {
  constexpr std::uint64_t kLegacy = 1;  // CU_STREAM_LEGACY: the null stream by another name
  if (name == trace::kHost) {
    origins_.emplace_back().context = device_.context_;
    return {};
  }
  CUstream stream = nullptr;
  CUresult result = CUDA_SUCCESS;
  const bool legacy = name == 0 || name == kLegacy;
  if (!legacy)
    result = device_.stream_create_(&stream, blocking ? CU_STREAM_DEFAULT : CU_STREAM_NON_BLOCKING);
  unsigned long long id = 0;
  if (result == CUDA_SUCCESS) result = device_.table_.cuStreamGetId_(stream, &id);
  if (result != CUDA_SUCCESS)
    return tl::unexpected(fmt::format("stream {:#x} can not be simulated (CUDA error {})", name,
                                      static_cast<int>(result)));
  pool::Origin origin;
  origin.context = device_.context_;
  origin.stream_id = id;
  origin.stream = stream;
  origin.blocking = blocking;
  if (legacy && blocking) origin.kind = stats::StreamName::Kind::legacy;
  origins_.push_back(origin);
  return {};
}

SimulatedDevice::Streams::~Streams() {
  for (const auto& origin : origins_)
    if (origin.stream != nullptr) device_.stream_destroy_(static_cast<CUstream>(origin.stream));
}

}  // namespace gmlake::replay
