#include "doctor/checks.h"

#include <dlfcn.h>

#include <array>
#include <cstdlib>
#include <memory>
#include <utility>

#include <spdlog/fmt/fmt.h>
#include <version.h>

#include "config/load.h"
#include "driver/cuda_device.h"
#include "run_environment.h"
#include "support/units.h"

namespace gmlake::tool::doctor {
namespace {

Finding check_file(const std::string& path) {
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr)
    return {Verdict::bad, "library",
            fmt::format("{}; build it, or name it in GMLAKE_LIBRARY", dlerror())};
  const auto version = reinterpret_cast<const char* (*)()>(dlsym(library, "gmlake_version"));
  if (version == nullptr)
    return {Verdict::bad, "library", path + " is not libgmlake.so; see GMLAKE_LIBRARY"};
  const std::string own = GMLAKE_VERSION " (" GMLAKE_REVISION ")";
  if (version() != own)
    return {Verdict::note, "library",
            fmt::format("{} is {}, this gmlake is {}", path, version(), own)};
  return {Verdict::ok, "library", fmt::format("{}, {}", path, own)};
}

Finding check_configuration() {
  const auto loaded = config::load(config::process_environment());
  if (!loaded.ok()) return {Verdict::bad, "configuration", config::describe(loaded.problems)};
  auto files = loaded.system_file;
  if (!loaded.file.empty()) files += (files.empty() ? "" : ", ") + loaded.file;
  return {Verdict::ok, "configuration", files.empty() ? "built-in" : files};
}

Finding check_preload() {
  const char* preload = std::getenv("LD_PRELOAD");
  if (preload == nullptr || *preload == '\0')
    return {Verdict::ok, "LD_PRELOAD", "not set; `gmlake run -- PROGRAM` sets it"};
  return {Verdict::note, "LD_PRELOAD",
          fmt::format("is \"{}\" already: this command runs under it too", preload)};
}

int attribute(const Driver& driver, CUdevice device, CUdevice_attribute which) {
  int value = 0;
  return driver.table.cuDeviceGetAttribute_(&value, which, device) == CUDA_SUCCESS ? value : 0;
}

// The first of a pool's steps that fails on this device, or success.
Status try_chunk(const Driver& driver, driver::CudaDevice& device, CUcontext context) {
  const Bytes size = device.granularity();
  auto at = device.reserve(size);
  if (!at) return fail(at.error());
  auto handle = device.create(size);
  if (!handle) {
    (void)device.free_reservation(*at, size);
    return fail(handle.error());
  }
  Status status = device.map(*at, size, *handle);
  const bool mapped = status.has_value();
  if (status) status = device.set_access(*at, size);
  if (status && driver.cuMemsetD8_v2_ != nullptr) {
    if (const CUresult code = driver.cuMemsetD8_v2_(*at, 0, size); code != CUDA_SUCCESS)
      status = fail(code, "cuMemsetD8_v2");
  }
  (void)device.wait_context(context);
  if (mapped) (void)device.unmap(*at, size);
  (void)device.release(*handle);
  (void)device.free_reservation(*at, size);
  return status;
}

void check_device(const Driver& driver, int ordinal, std::vector<Finding>& out) {
  const auto subject = fmt::format("device {}", ordinal);
  const auto bad = [&](const char* call, int code, const char* remedy) {
    out.push_back({Verdict::bad, subject,
                   fmt::format("{} says {}{}", call, error_name(driver, code), remedy)});
  };
  CUdevice device = 0;
  CUcontext context = nullptr;
  std::array<char, 100> name{};
  if (const CUresult code = driver.table.cuDeviceGet_(&device, ordinal); code != CUDA_SUCCESS)
    return bad("cuDeviceGet", code, "");
  if (driver.cuDeviceGetName_ != nullptr)
    (void)driver.cuDeviceGetName_(name.data(), static_cast<int>(name.size()), device);
  if (attribute(driver, device, CU_DEVICE_ATTRIBUTE_VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED) == 0) {
    out.push_back({Verdict::bad, subject,
                   fmt::format("{} has no virtual memory management, which gmlake is built on; its "
                               "programs run on native memory",
                               name.data())});
    return;
  }
  CUresult code = driver.table.cuDevicePrimaryCtxRetain_(&context, device);
  if (code == CUDA_SUCCESS) code = driver.table.cuCtxPushCurrent_v2_(context);
  if (code != CUDA_SUCCESS)
    return bad("making a context", code, "; is another process using it exclusively?");
  std::size_t free = 0;
  std::size_t total = 0;
  (void)driver.table.cuMemGetInfo_v2_(&free, &total);
  auto opened = driver::CudaDevice::open(driver.table, ordinal);
  if (opened) {
    const Status tried = try_chunk(driver, **opened, context);
    if (tried) {
      out.push_back({Verdict::ok, subject,
                     fmt::format("{}, {} of {} free, chunks of {} can be made, mapped and written",
                                 name.data(), human_bytes(free), human_bytes(total),
                                 exact_bytes((*opened)->granularity()))});
    } else {
      bad(tried.error().what, tried.error().code, "");
    }
  } else {
    bad(opened.error().what, opened.error().code, "");
  }
  const std::pair<CUdevice_attribute, const char*> flags[] = {
      {CU_DEVICE_ATTRIBUTE_GPU_DIRECT_RDMA_SUPPORTED, "GPUDirect RDMA"},
      {CU_DEVICE_ATTRIBUTE_GPU_DIRECT_RDMA_WITH_CUDA_VMM_SUPPORTED,
       "GPUDirect RDMA of pool memory"},
      {CU_DEVICE_ATTRIBUTE_MEM_DECOMPRESS_ALGORITHM_MASK, "hardware decompression"}};
  std::string list;
  for (const auto& [which, what] : flags)
    list += fmt::format("{}{}: {}", list.empty() ? "" : ", ", what,
                        attribute(driver, device, which) != 0 ? "yes" : "no");
  const bool lost =
      attribute(driver, device, CU_DEVICE_ATTRIBUTE_GPU_DIRECT_RDMA_SUPPORTED) != 0 &&
      attribute(driver, device, CU_DEVICE_ATTRIBUTE_GPU_DIRECT_RDMA_WITH_CUDA_VMM_SUPPORTED) == 0;
  out.push_back({lost ? Verdict::note : Verdict::ok, subject, list});
  (void)driver.table.cuCtxPopCurrent_v2_(&context);
}

}  // namespace

std::vector<Finding> check_library() {
  return {check_file(library_path("")), check_configuration(), check_preload()};
}

std::vector<Finding> check_driver(const Driver& driver) {
  std::vector<Finding> out;
  out.push_back({driver.simulated ? Verdict::note : Verdict::ok, "driver",
                 fmt::format("{}, CUDA {}.{}{}", driver.path, driver.version / 1000,
                             driver.version % 1000 / 10,
                             driver.simulated ? ": simcuda, a simulated device" : "")});
  if (driver.table.cuCtxRecordEvent_ == nullptr)
    out.push_back({Verdict::note, "driver",
                   "has no cuCtxRecordEvent (CUDA 12.5): cudaFree costs an event for each stream"});
  int count = 0;
  if (driver.cuDeviceGetCount_ != nullptr) (void)driver.cuDeviceGetCount_(&count);
  if (count == 0)
    out.push_back({Verdict::bad, "device", "the driver shows none; see CUDA_VISIBLE_DEVICES"});
  for (int ordinal = 0; ordinal < count; ++ordinal) check_device(driver, ordinal, out);
  return out;
}

}  // namespace gmlake::tool::doctor
