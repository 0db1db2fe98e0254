// cuGetProcAddress in both its forms, and cuGetExportTable.
#include <algorithm>
#include <array>
#include <span>
#include <string_view>
#include <tuple>

#include "entry.h"

namespace gmlake::simcuda {
namespace {

enum class Flavour { any, per_thread };

struct EntryPoint {
  std::string_view base;
  Flavour flavour;
  int version;
  void* address;

  auto key() const { return std::tie(base, flavour, version); }
};
using EntryPoints = std::array<EntryPoint, kFunctions>;

// In the order of their keys. Function-local: addresses of exported functions are known only once
// the loader is done.
const EntryPoints& entry_points() {
  static const EntryPoints sorted = [] {
    EntryPoints table{{
#define F(symbol, base, version, flavour) \
  {#base, Flavour::flavour, version, reinterpret_cast<void*>(&symbol)},
#include "all_functions.def"
    }};
    std::ranges::sort(table, {}, &EntryPoint::key);
    return table;
  }();
  return sorted;
}

// The variants of a function, oldest first. A span: clang 14 can not use libstdc++'s subrange.
std::span<const EntryPoint> variants(std::string_view base, Flavour flavour) {
  const auto key = [](const EntryPoint& entry) { return std::tuple(entry.base, entry.flavour); };
  const std::tuple wanted(base, flavour);
  return {std::ranges::lower_bound(entry_points(), wanted, {}, key),
          std::ranges::upper_bound(entry_points(), wanted, {}, key)};
}

// cuda.h, cuGetProcAddress: the newest variant not newer than `version`; with
// PER_THREAD_DEFAULT_STREAM a per-thread variant if the function has any, else the legacy one.
CUresult look_up(const char* symbol, int version, cuuint64_t flags, void*& function,
                 CUdriverProcAddressQueryResult& status) {
  constexpr cuuint64_t kFlags =
      CU_GET_PROC_ADDRESS_LEGACY_STREAM | CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM;
  if (symbol == nullptr || (flags & ~kFlags) != 0 || version > kNewestVersion)
    return CUDA_ERROR_INVALID_VALUE;
  auto known = variants(symbol, Flavour::any);
  if ((flags & CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM) != 0)
    if (const auto own = variants(symbol, Flavour::per_thread); !own.empty()) known = own;
  const auto newer = std::ranges::upper_bound(known, version, {}, &EntryPoint::version);
  const bool found = newer != known.begin();
  function = found ? std::prev(newer)->address : nullptr;
  status = found            ? CU_GET_PROC_ADDRESS_SUCCESS
           : !known.empty() ? CU_GET_PROC_ADDRESS_VERSION_NOT_SUFFICIENT
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
