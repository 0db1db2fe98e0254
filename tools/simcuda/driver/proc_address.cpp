// cuGetProcAddress in both its forms, and cuGetExportTable.
#include <array>
#include <cstring>

#include "entry.h"

namespace gmlake::simcuda {
namespace {

enum class Flavour { any, per_thread };

struct EntryPoint {
  const char* base;
  int version;
  Flavour flavour;
  void* address;
};

// Function-local: addresses of exported functions are known only once the loader is done.
const std::array<EntryPoint, kFunctions>& entry_points() {
  static const std::array<EntryPoint, kFunctions> table{{
#define F(symbol, base, version, flavour) \
  {#base, version, Flavour::flavour, reinterpret_cast<void*>(&symbol)},
#include "functions.def"
  }};
  return table;
}

// cuda.h, cuGetProcAddress: the newest variant not newer than `version`; with
// PER_THREAD_DEFAULT_STREAM a per-thread variant if the function has any, else the legacy one.
CUresult look_up(const char* symbol, int version, cuuint64_t flags, void*& function,
                 CUdriverProcAddressQueryResult& status) {
  constexpr cuuint64_t kFlags =
      CU_GET_PROC_ADDRESS_LEGACY_STREAM | CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM;
  if (symbol == nullptr || (flags & ~kFlags) != 0 || version > CUDA_VERSION)
    return CUDA_ERROR_INVALID_VALUE;
  Flavour flavour = Flavour::any;
  if ((flags & CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM) != 0)
    for (const EntryPoint& candidate : entry_points())
      if (std::strcmp(candidate.base, symbol) == 0 && candidate.flavour == Flavour::per_thread)
        flavour = Flavour::per_thread;
  const EntryPoint* best = nullptr;
  bool known = false;
  for (const EntryPoint& candidate : entry_points()) {
    if (std::strcmp(candidate.base, symbol) != 0 || candidate.flavour != flavour) continue;
    known = true;
    if (candidate.version > version) continue;
    if (best == nullptr || candidate.version > best->version) best = &candidate;
  }
  function = best != nullptr ? best->address : nullptr;
  status = best != nullptr ? CU_GET_PROC_ADDRESS_SUCCESS
           : known         ? CU_GET_PROC_ADDRESS_VERSION_NOT_SUFFICIENT
                           : CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND;
  return CUDA_SUCCESS;
}

}  // namespace
}  // namespace gmlake::simcuda

using namespace gmlake::simcuda;

CUresult cuGetProcAddress(const char* symbol, void** function, int version, cuuint64_t flags) {
  SIM_ENTER_EARLY();
  void* found = nullptr;
  CUdriverProcAddressQueryResult status{};
  if (function == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (const CUresult bad = look_up(symbol, version, flags, found, status)) return bad;
  // Without a status to tell, the first form fails and leaves `function` as it was (measured on
  // driver 580).
  if (found == nullptr) return CUDA_ERROR_NOT_FOUND;
  *function = found;
  return CUDA_SUCCESS;
}
CUresult cuGetProcAddress_v2(const char* symbol, void** function, int version, cuuint64_t flags,
                             CUdriverProcAddressQueryResult* status) {
  SIM_ENTER_EARLY();
  CUdriverProcAddressQueryResult unused{};
  if (function == nullptr) return CUDA_ERROR_INVALID_VALUE;
  // cuda.h: "The API will return CUDA_SUCCESS and set the returned pfn to NULL if ... the driver
  // symbol is invalid".
  return look_up(symbol, version, flags, *function, status != nullptr ? *status : unused);
}
// The tables are undocumented; whoever needs one needs the real driver.
CUresult cuGetExportTable(const void** table, const CUuuid*) {
  SIM_ENTER_EARLY();
  if (table != nullptr) *table = nullptr;
  return CUDA_ERROR_NOT_SUPPORTED;
}
