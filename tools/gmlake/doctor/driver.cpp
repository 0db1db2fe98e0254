#include "doctor/driver.h"

#include <dlfcn.h>

#include <spdlog/fmt/fmt.h>

namespace gmlake::tool::doctor {

tl::expected<Driver, std::string> Driver::open() {
  void* library = dlopen("libcuda.so.1", RTLD_NOW);
  if (library == nullptr)
    return tl::unexpected(
        fmt::format("no CUDA driver: {}; install the NVIDIA driver, or add its folder to "
                    "LD_LIBRARY_PATH",
                    dlerror()));
  const auto lookup = [](const char* symbol, void* from) { return dlsym(from, symbol); };
  auto table = driver::DriverTable::load(lookup, library);
  if (!table)
    return tl::unexpected(
        fmt::format("the driver has no {}; gmlake needs one for CUDA 12.0 or newer (525 and up)",
                    table.error().what));
  Driver out;
  out.table = *table;
#define X(symbol, type, wanted) out.symbol##_ = reinterpret_cast<type>(dlsym(library, #symbol));
  GMLAKE_DOCTOR_FUNCTIONS(X)
#undef X
  Dl_info info{};
  if (dladdr(reinterpret_cast<void*>(out.table.cuInit_), &info) != 0) out.path = info.dli_fname;
  out.simulated = dlsym(library, "simcuda_call_count") != nullptr;
  if (out.cuDriverGetVersion_ != nullptr) (void)out.cuDriverGetVersion_(&out.version);
  if (const CUresult code = out.table.cuInit_(0); code != CUDA_SUCCESS)
    return tl::unexpected(fmt::format(
        "the driver ({}) does not start: cuInit says {}; `nvidia-smi` should show a GPU", out.path,
        error_name(out, code)));
  return out;
}

std::string error_name(const Driver& driver, int code) {
  const char* name = nullptr;
  if (driver.table.cuGetErrorName_(static_cast<CUresult>(code), &name) != CUDA_SUCCESS || !name)
    return fmt::format("CUresult {}", code);
  return name;
}

}  // namespace gmlake::tool::doctor
